//! `KeePassXC` and `KWallet` in the place of gnome-keyring, as `tests/keyrings/run` has seen them: a service of our own that does
//! what they do. The same lines are asked of the real ones there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dbus::Message;
use dbus::arg::{PropMap, RefArg, Variant};
use dbus::blocking::Connection;
use dbus::channel::{Channel, Sender};
use dbus::message::MessageType;
use dbus::strings::Path;

use crate::attributes::Answer;
use crate::keyring::start_bus;
use crate::process::{self, Guard, Output};
use crate::sandbox::Sandbox;

const BOUND: Duration = Duration::from_secs(3);
const COLLECTION: &str = "/org/freedesktop/secrets/collection/tests";
const PROMPTS: &str = "/org/freedesktop/secrets/prompt/";
const SIGNAL: &str = "org.freedesktop.Secret.Prompt";

/// Which program it does as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `confirms`: each program's access to an item has to be confirmed.
    KeePassXc { confirms: bool },
    /// `is_open`: some other program has opened the wallet, such as PAM.
    KWallet { is_open: bool },
    /// One that no program knows; its search asks for the password, and the person takes so long.
    Unknown { takes: Duration },
}

/// What a prompt does once it is told to.
enum Action {
    /// Opens the collection, and has the access to its items confirmed.
    Unlock,
    Create(HashMap<String, String>, Vec<u8>, String),
    Delete(String),
}

struct Item {
    attributes: HashMap<String, String>,
    secret: Vec<u8>,
}

struct Manager {
    kind: Kind,
    is_locked: bool,
    /// Whether a database is shown to clients at all.
    has_collection: bool,
    agrees: bool,
    items: HashMap<String, Item>,
    confirmed: HashSet<String>,
    prompts: HashMap<String, Action>,
    made: usize,
    dialogs: usize,
}

type Secret = (Path<'static>, Vec<u8>, Vec<u8>, String);

impl Manager {
    fn ask_person(&mut self) -> bool {
        self.dialogs += 1;
        self.agrees
    }

    fn is_confirmed(&self, client: &str) -> bool {
        let confirms = matches!(self.kind, Kind::KeePassXc { confirms: true });
        !confirms || self.confirmed.contains(client)
    }

    /// As both decode what is declared as text, and `KeePassXC` its placeholders.
    fn decoded(&self, secret: Vec<u8>, content: &str) -> Vec<u8> {
        if !content.starts_with("text/") {
            return secret;
        }
        let text = String::from_utf8_lossy(&secret).into_owned();
        match self.kind {
            Kind::KeePassXc { .. } => text.replace("{TITLE}", "Git: one.test").into_bytes(),
            _ => text.into_bytes(),
        }
    }

    fn prompt(&mut self, action: Action) -> Path<'static> {
        self.made += 1;
        let path = format!("{PROMPTS}{}", self.made);
        self.prompts.insert(path.clone(), action);
        path.into()
    }

    fn create(&mut self, attributes: HashMap<String, String>, secret: Vec<u8>, content: &str) {
        self.made += 1;
        let secret = self.decoded(secret, content);
        let item = Item { attributes, secret };
        self.items
            .insert(format!("{COLLECTION}/{}", self.made), item);
    }

    /// Runs a prompt; returns whether the person dismissed it.
    fn run(&mut self, path: &str, client: &str) -> bool {
        match self.prompts.remove(path).unwrap() {
            Action::Unlock => {
                let is_silent = match self.kind {
                    Kind::KWallet { is_open } => is_open,
                    _ => !self.is_locked && self.is_confirmed(client),
                };
                if !is_silent && !self.ask_person() {
                    return true;
                }
                self.is_locked = false;
                self.confirmed.insert(client.to_owned());
            }
            Action::Create(attributes, secret, content) => {
                self.create(attributes, secret, &content);
            }
            Action::Delete(item) => drop(self.items.remove(&item)),
        }
        false
    }

    /// `None`: it never answers.
    fn answer(&mut self, call: &Message) -> Option<Message> {
        let answer = call.method_return();
        let path = call.path().unwrap().to_string();
        let client = call.sender().unwrap().to_string();
        let none = Path::from("/");
        let member = call.member().unwrap().to_string();
        let is_closed = match &member[..] {
            "CreateItem" | "Delete" => self.is_locked,
            "GetSecret" | "SetSecret" => self.is_locked || !self.is_confirmed(&client),
            _ => false,
        };
        if is_closed {
            return Some(call.error(&"org.freedesktop.Secret.Error.IsLocked".into(), c"made up"));
        }
        let secret = |secret: &Item| {
            (
                Path::from("/session"),
                Vec::<u8>::new(),
                secret.secret.clone(),
                "text/plain",
            )
        };
        Some(match &member[..] {
            "Get" => self.property(call, &path)?,
            "ReadAlias" if !self.has_collection => answer.append1(none),
            "ReadAlias" => answer.append1(Path::from(COLLECTION)),
            "OpenSession" => answer.append2(Variant(String::new()), Path::from("/session")),
            "isOpen" => answer.append1(matches!(self.kind, Kind::KWallet { is_open: true })),
            "SearchItems" => {
                let is_closed = self.is_locked || !self.has_collection;
                if is_closed && !matches!(self.kind, Kind::KWallet { .. }) {
                    if !self.ask_person() {
                        return None;
                    }
                    if let Kind::Unknown { takes } = self.kind {
                        thread::sleep(takes);
                    }
                    self.is_locked = false;
                }
                let wanted: HashMap<String, String> = call.read1().unwrap();
                let fits = |item: &Item| {
                    wanted
                        .iter()
                        .all(|(name, value)| item.attributes.get(name) == Some(value))
                };
                let found = self.items.iter().filter(|(_, item)| fits(item));
                let found: Vec<_> = found.map(|(path, _)| Path::from(path.clone())).collect();
                if self.is_locked || !self.is_confirmed(&client) {
                    answer.append2(Vec::<Path<'_>>::new(), found)
                } else {
                    answer.append2(found, Vec::<Path<'_>>::new())
                }
            }
            "Unlock" if self.is_locked || !self.is_confirmed(&client) => {
                answer.append2(Vec::<Path<'_>>::new(), self.prompt(Action::Unlock))
            }
            "Unlock" => answer.append2(call.read1::<Vec<Path<'_>>>().unwrap(), none),
            "CreateItem" => {
                let (properties, secret): (PropMap, Secret) = call.read2().unwrap();
                let attributes = strings(&properties["org.freedesktop.Secret.Item.Attributes"]);
                if matches!(self.kind, Kind::KeePassXc { .. }) {
                    let prompt = self.prompt(Action::Create(attributes, secret.2, secret.3));
                    answer.append2(none, prompt)
                } else {
                    self.create(attributes, secret.2, &secret.3);
                    answer.append2(Path::from(format!("{COLLECTION}/{}", self.made)), none)
                }
            }
            "Delete" if matches!(self.kind, Kind::KeePassXc { .. }) => {
                answer.append1(self.prompt(Action::Delete(path)))
            }
            "Delete" => {
                self.items.remove(&path);
                answer.append1(none)
            }
            "GetSecret" => answer.append1(secret(&self.items[&path])),
            "SetSecret" => {
                let (secret,): (Secret,) = (call.read1().unwrap(),);
                let decoded = self.decoded(secret.2, &secret.3);
                self.items.get_mut(&path).unwrap().secret = decoded;
                answer
            }
            _ => answer,
        })
    }

    fn property(&self, call: &Message, path: &str) -> Option<Message> {
        let answer = call.method_return();
        let (_, name): (&str, &str) = call.read2().unwrap();
        let nothing: [Path<'_>; 0] = [];
        Some(match name {
            "Locked" if !self.has_collection => {
                let unknown = "org.freedesktop.DBus.Error.UnknownObject".into();
                call.error(&unknown, c"made up")
            }
            "Collections" if !self.has_collection => answer.append1(Variant(nothing.to_vec())),
            "Locked" => answer.append1(Variant(self.is_locked)),
            "Collections" => answer.append1(Variant(vec![Path::from(COLLECTION)])),
            "Attributes" => answer.append1(Variant(self.items.get(path)?.attributes.clone())),
            "Label" => answer.append1(Variant("tests")),
            _ => answer.append1(Variant(1_700_000_000_u64)),
        })
    }
}

/// A dictionary of texts.
fn strings(value: &Variant<Box<dyn RefArg>>) -> HashMap<String, String> {
    let mut texts = value.0.as_iter().unwrap();
    let mut map = HashMap::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        map.insert(
            name.as_str().unwrap().to_owned(),
            value.as_str().unwrap().to_owned(),
        );
    }
    map
}

/// A service of this kind on a bus of its own.
struct World {
    sandbox: Sandbox,
    address: String,
    manager: Arc<Mutex<Manager>>,
    _bus: Guard,
}

impl World {
    fn start(kind: Kind, is_locked: bool, old: Option<&str>) -> Self {
        let sandbox = Sandbox::new();
        let (bus, address) = start_bus(|program| sandbox.command(program));
        let mut channel = Channel::open_private(&address).unwrap();
        channel.register().unwrap();
        let service: Connection = channel.into();
        let more = match kind {
            Kind::KeePassXc { .. } => "org.keepassxc.KeePassXC.MainWindow",
            Kind::KWallet { .. } => "org.kde.kwalletd5",
            Kind::Unknown { .. } => "test.keyring",
        };
        for name in ["org.freedesktop.secrets", more] {
            service.request_name(name, false, false, true).unwrap();
        }
        let mut manager = Manager {
            kind,
            is_locked,
            has_collection: true,
            agrees: true,
            items: HashMap::new(),
            confirmed: HashSet::new(),
            prompts: HashMap::new(),
            made: 0,
            dialogs: 0,
        };
        let attributes = [
            ("xdg:schema", "org.git.Password"),
            ("protocol", "https"),
            ("server", "one.test"),
            ("user", "alice"),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        if let Some(old) = old {
            manager.create(attributes.into(), old.into(), "text/plain");
        }
        let manager = Arc::new(Mutex::new(manager));
        let shared = Arc::clone(&manager);
        // It ends with the bus.
        thread::spawn(move || {
            while let Ok(message) = service.channel().blocking_pop_message(BOUND) {
                let call = message.filter(|call| call.msg_type() == MessageType::MethodCall);
                let Some(call) = call else { continue };
                let mut manager = shared.lock().unwrap();
                let Some(answer) = manager.answer(&call) else {
                    continue;
                };
                service.send(answer).unwrap();
                if &*call.member().unwrap() == "Prompt" {
                    let path = call.path().unwrap().to_string();
                    let is_dismissed = manager.run(&path, &call.sender().unwrap());
                    let mut completed = Message::new_signal(path, SIGNAL, "Completed").unwrap();
                    completed.set_destination(call.sender());
                    service
                        .send(completed.append2(is_dismissed, Variant("")))
                        .unwrap();
                }
                service.channel().flush();
            }
        });
        Self {
            sandbox,
            address,
            manager,
            _bus: bus,
        }
    }

    fn ask(&self, words: &str, prompts: bool, more: &[(&str, &[u8])]) -> Output {
        let mut helper = self.sandbox.helper(&format!("--storage keychain {words}"));
        helper.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        helper.env("DISPLAY", ":77");
        if prompts {
            helper.env_remove("GIT_TERMINAL_PROMPT");
        }
        let mut input = b"protocol=https\nhost=one.test\nusername=alice\n".to_vec();
        for (name, value) in more {
            input.extend([name.as_bytes(), b"=", value, b"\n"].concat());
        }
        input.push(b'\n');
        let began = Instant::now();
        let output = process::run(&mut helper, &input);
        let took = began.elapsed();
        assert!(prompts || took < BOUND, "took {took:?}: {output:?}");
        output
    }

    /// The secret that is kept, and the dialogs so far.
    fn state(&self) -> (Option<String>, usize) {
        let manager = self.manager.lock().unwrap();
        let mut items = manager.items.values();
        let kept = items
            .next()
            .map(|item| String::from_utf8_lossy(&item.secret).into_owned());
        assert!(items.next().is_none(), "two items for one key");
        (kept, manager.dialogs)
    }
}

fn password(output: &Output) -> Option<Vec<u8>> {
    let mut lines = output.stdout.split(|&byte| byte == b'\n');
    lines.find_map(|line| line.strip_prefix(b"password=").map(<[u8]>::to_vec))
}

const KEEPASSXC: Kind = Kind::KeePassXc { confirms: false };
const CONFIRMING: Kind = Kind::KeePassXc { confirms: true };
const OPEN_WALLET: Kind = Kind::KWallet { is_open: true };
const CLOSED_WALLET: Kind = Kind::KWallet { is_open: false };

const LOCKED: &str = "the keyring is locked";
const CONFIRM: &str = "asks for confirmation";

/// Kind, locked, prompts allowed, operation, dialogs, what is said (nothing: ""), and what is kept then (nothing: "").
#[rustfmt::skip]
const LINES: &[(Kind, bool, bool, &str, usize, &str, &str)] = &[
    (KEEPASSXC, false, true, "get", 0, "", "old"),
    (KEEPASSXC, false, true, "store", 0, "", "new"),
    (KEEPASSXC, false, true, "update", 0, "", "new"),
    (KEEPASSXC, false, true, "erase", 0, "", ""),
    (KEEPASSXC, false, true, "list", 0, "", "old"),
    (KEEPASSXC, false, true, "get and store", 0, "", "old"),
    (KEEPASSXC, false, false, "get", 0, "", "old"),
    (KEEPASSXC, false, false, "store", 0, "", "new"),
    (KEEPASSXC, false, false, "update", 0, "", "new"),
    (KEEPASSXC, false, false, "erase", 0, "", ""),
    (KEEPASSXC, false, false, "list", 0, "", "old"),
    (KEEPASSXC, false, false, "get and store", 0, "", "old"),
    (CONFIRMING, false, true, "get", 1, "", "old"),
    (CONFIRMING, false, true, "store", 0, "", "new"),
    (CONFIRMING, false, true, "update", 1, "", "new"),
    (CONFIRMING, false, true, "erase", 1, "", ""),
    (CONFIRMING, false, true, "list", 0, "", "old"),
    (CONFIRMING, false, true, "get and store", 1, "", "old"),
    (CONFIRMING, false, false, "get", 0, CONFIRM, "old"),
    (CONFIRMING, false, false, "store", 0, "", "new"),
    (CONFIRMING, false, false, "update", 0, CONFIRM, "old"),
    (CONFIRMING, false, false, "erase", 0, CONFIRM, "old"),
    (CONFIRMING, false, false, "list", 0, "", "old"),
    (CONFIRMING, false, false, "get and store", 0, CONFIRM, "old"),
    (KEEPASSXC, true, true, "get", 1, "", "old"),
    (KEEPASSXC, true, true, "store", 1, "", "new"),
    (KEEPASSXC, true, true, "update", 1, "", "new"),
    (KEEPASSXC, true, true, "erase", 1, "", ""),
    (KEEPASSXC, true, true, "list", 0, LOCKED, "old"),
    (KEEPASSXC, true, true, "get and store", 1, "", "old"),
    (KEEPASSXC, true, false, "get", 0, LOCKED, "old"),
    (KEEPASSXC, true, false, "store", 0, LOCKED, ""),
    (KEEPASSXC, true, false, "update", 0, LOCKED, "old"),
    (KEEPASSXC, true, false, "erase", 0, LOCKED, "old"),
    (KEEPASSXC, true, false, "list", 0, LOCKED, "old"),
    (KEEPASSXC, true, false, "get and store", 0, LOCKED, "old"),
    (OPEN_WALLET, true, true, "get", 0, "", "old"),
    (OPEN_WALLET, true, true, "store", 0, "", "new"),
    (OPEN_WALLET, true, true, "update", 0, "", "new"),
    (OPEN_WALLET, true, true, "erase", 0, "", ""),
    (OPEN_WALLET, true, true, "list", 0, "", "old"),
    (OPEN_WALLET, true, true, "get and store", 0, "", "old"),
    (OPEN_WALLET, true, false, "get", 0, "", "old"),
    (OPEN_WALLET, true, false, "store", 0, "", "new"),
    (OPEN_WALLET, true, false, "update", 0, "", "new"),
    (OPEN_WALLET, true, false, "erase", 0, "", ""),
    (OPEN_WALLET, true, false, "list", 0, "", "old"),
    (OPEN_WALLET, true, false, "get and store", 0, "", "old"),
    (CLOSED_WALLET, true, true, "get", 1, "", "old"),
    (CLOSED_WALLET, true, true, "store", 1, "", "new"),
    (CLOSED_WALLET, true, true, "update", 1, "", "new"),
    (CLOSED_WALLET, true, true, "erase", 1, "", ""),
    (CLOSED_WALLET, true, true, "list", 0, "", "old"),
    (CLOSED_WALLET, true, true, "get and store", 1, "", "old"),
    (CLOSED_WALLET, true, false, "get", 0, LOCKED, "old"),
    (CLOSED_WALLET, true, false, "store", 0, LOCKED, ""),
    (CLOSED_WALLET, true, false, "update", 0, LOCKED, "old"),
    (CLOSED_WALLET, true, false, "erase", 0, LOCKED, "old"),
    (CLOSED_WALLET, true, false, "list", 0, "", "old"),
    (CLOSED_WALLET, true, false, "get and store", 0, LOCKED, "old"),
];

fn operate(world: &World, operation: &str, prompts: bool) -> Output {
    let ask = |words, more: &[(&str, &[u8])]| world.ask(words, prompts, more);
    match operation {
        "store" | "update" => ask("store", &[("password", b"new")]),
        "erase" => ask("erase", &[("password", b"old")]),
        // As git does in one command: what was answered goes back with its state.
        "get and store" => {
            let capability = ("capability[]", &b"state"[..]);
            let asked = ask("get", &[capability]);
            if password(&asked).is_none() {
                return asked;
            }
            let state = Answer::read(&asked.stdout)
                .get("state[]")
                .unwrap()
                .to_owned();
            let state = ("state[]", state.as_bytes());
            ask("store", &[capability, ("password", b"old"), state])
        }
        words => ask(words, &[]),
    }
}

#[test]
fn each_line_of_the_table_is_so() {
    for &(kind, is_locked, prompts, operation, dialogs, says, kept) in LINES {
        let old = (operation != "store").then_some("old");
        let world = World::start(kind, is_locked, old);
        let output = operate(&world, operation, prompts);
        let line =
            format!("{kind:?}, locked: {is_locked}, prompts: {prompts}, {operation}: {output:?}");
        let kept = Some(kept.to_owned()).filter(|kept| !kept.is_empty());
        assert_eq!(world.state(), (kept, dialogs), "{line}");
        let is_told = operation == "erase" && output.stderr.contains("the token for alice");
        assert!(output.stderr.contains(says), "{line}");
        assert!(
            !says.is_empty() || output.stderr.is_empty() || is_told,
            "{line}"
        );
        if operation == "get" && says.is_empty() {
            assert_eq!(password(&output).as_deref(), Some(&b"old"[..]), "{line}");
        }
        if operation == "list" && says.is_empty() {
            assert!(output.text().contains("https://one.test"), "{line}");
        }
    }
}

#[test]
fn a_password_comes_back_byte_for_byte() {
    for kind in [KEEPASSXC, OPEN_WALLET] {
        for token in [
            &b"tok-\xff"[..],
            b"\xef\xbb\xbftok",
            b"tok-{TITLE}",
            "tok-ä".as_bytes(),
        ] {
            for old in [None, Some("old")] {
                let world = World::start(kind, kind == OPEN_WALLET, old);
                let stored = world
                    .ask("store", false, &[("password", token)])
                    .succeeded();
                assert_eq!(stored.stderr, "");
                let answer = world.ask("get", false, &[]).succeeded();
                assert_eq!(
                    password(&answer).as_deref(),
                    Some(token),
                    "{kind:?}: {answer:?}"
                );
            }
        }
    }
}

/// `SearchItems` itself may ask for the password, for longer than a call may take.
#[test]
fn an_unknown_service_that_asks_while_it_searches_is_waited_for() {
    let takes = Duration::from_millis(2300);
    let world = World::start(Kind::Unknown { takes }, true, Some("old"));
    let answer = world.ask("get", true, &[]).succeeded();
    assert_eq!(
        password(&answer).as_deref(),
        Some(&b"old"[..]),
        "{answer:?}"
    );
    let world = World::start(Kind::Unknown { takes }, true, Some("old"));
    world.manager.lock().unwrap().agrees = false;
    let told = world.ask("get", false, &[]);
    assert!(told.stderr.contains(LOCKED), "{told:?}");
}

/// `KeePassXC` with no database, or one that shows clients nothing, has no default collection; its search would ask for one.
#[test]
fn a_password_manager_without_a_database_shows_no_dialog() {
    for prompts in [true, false] {
        for operation in ["get", "store", "erase", "list"] {
            let world = World::start(KEEPASSXC, false, None);
            {
                let mut manager = world.manager.lock().unwrap();
                (manager.has_collection, manager.agrees) = (false, false);
            }
            let told = operate(&world, operation, prompts);
            assert!(told.stderr.contains("no default keyring"), "{told:?}");
            let dialogs = world.manager.lock().unwrap().dialogs;
            assert_eq!(dialogs, 0, "{operation}, prompts: {prompts}: {told:?}");
        }
    }
}

/// A person who has declined is not asked again for the next item, nor told that the service does not answer.
#[test]
fn a_person_who_declines_is_asked_once() {
    for (kind, is_locked, says) in [
        (CONFIRMING, false, "was not confirmed"),
        (KEEPASSXC, true, LOCKED),
        (CLOSED_WALLET, true, LOCKED),
    ] {
        let world = World::start(kind, is_locked, Some("old"));
        {
            let mut manager = world.manager.lock().unwrap();
            manager.agrees = false;
            let mut attributes = manager.items.values().next().unwrap().attributes.clone();
            attributes.insert("object".to_owned(), "acme".to_owned());
            manager.create(attributes, b"other".to_vec(), "text/plain");
        }
        let told = world.ask("get", true, &[]);
        assert!(told.stderr.contains(says), "{kind:?}: {told:?}");
        assert_eq!(
            world.manager.lock().unwrap().dialogs,
            1,
            "{kind:?}: {told:?}"
        );
    }
}
