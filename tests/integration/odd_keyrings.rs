//! Keyring services that do not do what they should: whoever asks one hears what is wrong, and is not kept waiting.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dbus::Message;
use dbus::arg::{IterAppend, Variant};
use dbus::blocking::Connection;
use dbus::channel::Channel;
use dbus::message::MessageType;
use dbus::strings::{Path, Signature};

use crate::attributes::{Answer, lines};
use crate::keyring::start_bus;
use crate::process::{self, Guard, Output};
use crate::sandbox::Sandbox;

/// What a keychain may cost at most, promised in `docs/storages.md`.
const BOUND: Duration = Duration::from_secs(3);
const NAME: &str = "org.freedesktop.secrets";
const ITEM: &str = "/org/freedesktop/secrets/collection/login/1";
const PROMPT: &str = "/org/freedesktop/secrets/prompt/1";
const TOKEN: &str = "tok-odd";

/// What it does with a call in place of what it should.
#[derive(Clone, Copy)]
pub enum Odd {
    Refuses(&'static str),
    Says(fn(&Message) -> Message),
    IsSilent,
    /// It answers, then somebody else speaks in its place, and then it goes.
    IsSpokenFor,
    IsLate,
}

/// A service of one item, and its bus.
pub struct Fake {
    sandbox: Sandbox,
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    _bus: Guard,
}

pub fn connect(address: &str) -> Connection {
    let mut channel = Channel::open_private(address).unwrap();
    channel.register().unwrap();
    channel.into()
}

/// What a service answers that is as it should be.
fn obliging(call: &Message) -> Message {
    let answer = call.method_return();
    let (first, second): (Option<&str>, Option<&str>) = call.get2();
    let none = Path::from("/");
    match &*call.member().unwrap() {
        "SearchItems" => answer.append2(vec![Path::from(ITEM)], Vec::<Path<'_>>::new()),
        "ReadAlias" => answer.append1(Path::from("/org/freedesktop/secrets/collection/login")),
        "OpenSession" => answer.append2(Variant(String::new()), Path::from("/session")),
        "GetSecret" => answer.append1((
            Path::from("/session"),
            Vec::<u8>::new(),
            TOKEN.as_bytes().to_vec(),
            "text/plain",
        )),
        "Delete" => answer.append1(none),
        "Get" => match (first, second) {
            (_, Some("Attributes")) => {
                let attributes: HashMap<_, _> = [
                    ("xdg:schema", "org.git.Password"),
                    ("protocol", "https"),
                    ("server", "one.test"),
                    ("user", "alice"),
                ]
                .into();
                answer.append1(Variant(attributes))
            }
            (_, Some("Locked")) => answer.append1(Variant(false)),
            (_, Some("Label")) => answer.append1(Variant("Git: one.test")),
            _ => answer.append1(Variant(1_700_000_000_u64)),
        },
        _ => answer,
    }
}

fn is_locked(call: &Message) -> Message {
    let answer = call.method_return();
    answer.append2(Vec::<Path<'_>>::new(), vec![Path::from(ITEM)])
}

fn prompts(call: &Message) -> Message {
    let answer = call.method_return();
    answer.append2(Vec::<Path<'_>>::new(), Path::from(PROMPT))
}

/// A dictionary by file descriptors, though empty.
fn odd_session(call: &Message) -> Message {
    let mut answer = call.method_return();
    let [of_both, of_key, of_value] = ["a{hs}", "h", "s"].map(|text| Signature::new(text).unwrap());
    let mut arguments = IterAppend::new(&mut answer);
    arguments.append_variant(&of_both, |value| {
        value.append_dict(&of_key, &of_value, |_| {});
    });
    answer.append1(Path::from("/session"))
}

impl Fake {
    fn start(odd: &'static [(&'static str, Odd)]) -> Self {
        let sandbox = Sandbox::new();
        let (bus, address) = start_bus(|program| sandbox.command(program));
        Self::serve(sandbox, address, bus, odd)
    }

    /// As a service on a bus that runs already.
    pub fn serve(
        sandbox: Sandbox,
        address: String,
        bus: Guard,
        odd: &'static [(&'static str, Odd)],
    ) -> Self {
        let service = connect(&address);
        service.request_name(NAME, false, false, true).unwrap();
        let other = connect(&address);
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        // It ends with the bus.
        thread::spawn(move || {
            while let Ok(message) = service.channel().blocking_pop_message(BOUND) {
                let call = message.filter(|call| call.msg_type() == MessageType::MethodCall);
                let Some(call) = call else { continue };
                let member = call.member().unwrap().to_string();
                let found = odd.iter().find(|(name, _)| *name == member);
                noted.lock().unwrap().push(member);
                let answer = match found.map(|(_, odd)| odd) {
                    None => obliging(&call),
                    Some(Odd::Says(answer)) => answer(&call),
                    Some(Odd::IsSilent) => continue,
                    Some(Odd::Refuses(name)) => {
                        let name = dbus::strings::ErrorName::from(*name);
                        call.error(&name, c"made up")
                    }
                    Some(Odd::IsLate) => {
                        thread::sleep(Duration::from_millis(200));
                        obliging(&call)
                    }
                    Some(Odd::IsSpokenFor) => {
                        let mut completed = Message::new_signal(
                            PROMPT,
                            "org.freedesktop.Secret.Prompt",
                            "Completed",
                        );
                        if let Ok(completed) = &mut completed {
                            completed.set_destination(call.sender());
                            completed.append_all((false, Variant("")));
                        }
                        service.channel().send(call.method_return()).unwrap();
                        other.channel().send(completed.unwrap()).unwrap();
                        other.channel().flush();
                        let until = Instant::now() + Duration::from_millis(300);
                        while let Some(left) = until.checked_duration_since(Instant::now()) {
                            let more = service.channel().blocking_pop_message(left);
                            if let Ok(Some(more)) = more {
                                let member = more.member().unwrap().to_string();
                                noted.lock().unwrap().push(member);
                            }
                        }
                        return;
                    }
                };
                service.channel().send(answer).unwrap();
                service.channel().flush();
            }
        });
        Self {
            sandbox,
            address,
            asked,
            _bus: bus,
        }
    }

    fn helper(&self, words: &str) -> Command {
        let mut helper = self.sandbox.helper(words);
        helper.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        helper
    }

    /// Asks, and sees that nobody was kept waiting.
    #[track_caller]
    pub fn ask(&self, words: &str, password: &[(&str, &str)]) -> Output {
        let mut input = vec![("protocol", "https"), ("host", "one.test")];
        input.extend([("username", "alice")]);
        input.extend(password);
        let began = Instant::now();
        let output = process::run(&mut self.helper(words), &lines(&input));
        let took = began.elapsed();
        assert!(took < BOUND, "took {took:?}: {output:?}");
        assert!(!output.stderr.contains("internal fault"), "{output:?}");
        output
    }

    pub fn has_been_asked_anything(&self) -> bool {
        !self.asked.lock().unwrap().is_empty()
    }

    fn has_been_asked(&self, member: &str) -> bool {
        let asked = self.asked.lock().unwrap();
        asked.iter().any(|asked| asked == member)
    }
}

fn password(output: &Output) -> Option<String> {
    let answer = Answer::read(&output.stdout);
    answer.get("password").map(str::to_owned)
}

const UNKNOWN: Odd = Odd::Refuses("org.freedesktop.DBus.Error.UnknownMethod");

/// The fake is one that can be used.
#[test]
fn one_that_is_as_it_should_be_answers() {
    let fake = Fake::start(&[]);
    let answer = fake.ask("--storage keychain get", &[]).succeeded();
    assert_eq!(password(&answer).as_deref(), Some(TOKEN));
}

/// A service may know no default keyring, nor the object that stands for it.
#[test]
fn one_that_does_not_tell_of_a_default_keyring_answers() {
    fn of_items_only(call: &Message, error: &'static str) -> Message {
        if &*call.path().unwrap() == "/org/freedesktop/secrets/aliases/default" {
            call.error(&error.into(), c"made up")
        } else {
            obliging(call)
        }
    }
    fn denied(call: &Message) -> Message {
        of_items_only(call, "org.freedesktop.DBus.Error.AccessDenied")
    }
    fn failed(call: &Message) -> Message {
        of_items_only(call, "org.freedesktop.DBus.Error.Failed")
    }
    fn unknown(call: &Message) -> Message {
        of_items_only(call, "org.freedesktop.DBus.Error.UnknownObject")
    }
    for odd in [
        &[("Get", Odd::Says(denied))],
        &[("Get", Odd::Says(failed))],
        &[("Get", Odd::Says(unknown))],
    ] {
        let fake = Fake::start(odd);
        let answer = fake.ask("--storage keychain get", &[]).succeeded();
        assert_eq!(password(&answer).as_deref(), Some(TOKEN));
    }
}

/// `GDBus` answers pings for whoever has a name.
#[test]
fn a_name_without_a_service_is_none() {
    let fake = Fake::start(&[("SearchItems", UNKNOWN), ("ReadAlias", UNKNOWN)]);
    let stored = fake.ask("store", &[("password", "tok-kept")]).succeeded();
    assert!(stored.stderr.contains("memory"), "{stored:?}");
    let answer = fake.ask("get", &[]).succeeded();
    assert_eq!(password(&answer).as_deref(), Some("tok-kept"));
    process::run(&mut fake.helper("cache stop"), b"").succeeded();
}

/// Nobody needs what a plain session says besides.
#[test]
fn what_an_opened_session_says_may_be_anything() {
    let fake = Fake::start(&[("OpenSession", Odd::Says(odd_session))]);
    let answer = fake.ask("--storage keychain get", &[]).succeeded();
    assert_eq!(password(&answer).as_deref(), Some(TOKEN));
}

/// What is missing there is not the item, and "no such token" would be wrong.
#[test]
fn one_that_opens_nothing_is_told() {
    for member in ["OpenSession", "Unlock"] {
        let fake = Fake::start(match member {
            "Unlock" => &[("SearchItems", Odd::Says(is_locked)), ("Unlock", UNKNOWN)],
            _ => &[("OpenSession", UNKNOWN)],
        });
        let mut get = fake.helper("--storage keychain get");
        get.env("DISPLAY", ":0").env("GIT_TERMINAL_PROMPT", "1");
        let question = lines(&[("protocol", "https"), ("host", "one.test")]);
        let told = process::run(&mut get, &question);
        assert!(fake.has_been_asked(member));
        assert!(
            told.stderr.contains("cannot be asked"),
            "{member}: {told:?}"
        );
    }
}

/// Whoever could not look does not say that there is nothing.
#[test]
fn nobody_says_that_nothing_is_kept_where_none_is_there() {
    let fake = Fake::start(&[("SearchItems", UNKNOWN), ("ReadAlias", UNKNOWN)]);
    for words in ["doctor https://one.test", "expires https://one.test 5d"] {
        let mut asks = fake.helper(&format!("--storage keychain {words}"));
        let told = process::run(&mut asks, b"");
        let said = told.text() + &told.stderr;
        assert!(
            said.contains("no keyring service answers"),
            "{words}: {told:?}"
        );
        assert!(!said.contains("nothing is kept"), "{words}: {told:?}");
    }
}

/// A token that cannot be read is not one whose keyring is locked.
#[test]
fn a_list_tells_what_could_not_be_asked() {
    for (odd, says) in [
        (
            &[("GetSecret", Odd::IsSilent)],
            "the keyring service does not answer",
        ),
        (
            &[(
                "GetSecret",
                Odd::Refuses("org.freedesktop.DBus.Error.NoMemory"),
            )],
            "cannot be asked: org.freedesktop.DBus.Error.NoMemory",
        ),
        (
            &[(
                "SearchItems",
                Odd::Refuses("org.freedesktop.DBus.Error.LimitsExceeded"),
            )],
            "cannot be asked: org.freedesktop.DBus.Error.LimitsExceeded",
        ),
        (
            &[("SearchItems", Odd::Says(Message::method_return))],
            "an answer that does not read",
        ),
    ] {
        let fake = Fake::start(odd);
        for words in ["list", "clean"] {
            let mut asks = fake.helper(&format!("--storage keychain {words}"));
            let told = process::run(&mut asks, b"");
            assert_eq!(told.status.code(), Some(1), "{words}: {told:?}");
            assert!(told.stderr.contains(says), "{words}: {told:?}");
            assert!(told.stderr.contains("hint: "), "{words}: {told:?}");
        }
    }
}

/// Another's word for the person's is not taken, and who is gone is not waited for.
#[test]
fn a_prompt_is_answered_by_the_service_alone() {
    let fake = Fake::start(&[
        ("SearchItems", Odd::Says(is_locked)),
        ("Unlock", Odd::Says(prompts)),
        ("Prompt", Odd::IsSpokenFor),
    ]);
    let mut get = fake.helper("--storage keychain get");
    get.env("DISPLAY", ":0").env("GIT_TERMINAL_PROMPT", "1");
    let question = lines(&[("protocol", "https"), ("host", "one.test")]);
    let answer = process::run_within(Duration::from_secs(20), &mut get, &question);
    assert!(fake.has_been_asked("Prompt") && !fake.has_been_asked("OpenSession"));
    assert_eq!(password(&answer), None);
    assert!(answer.stderr.contains("does not answer"), "{answer:?}");
}

/// git waits for what was refused to go, and for the word of what comes next.
#[test]
fn a_late_one_keeps_nobody_waiting_for_long() {
    const LATE: &[(&str, Odd)] = &[
        ("SearchItems", Odd::IsLate),
        ("Get", Odd::IsLate),
        ("GetSecret", Odd::IsLate),
        ("Delete", Odd::IsLate),
    ];
    let fake = Fake::start(LATE);
    fake.ask("--storage keychain erase", &[("password", TOKEN)]);
    fake.ask("erase", &[("password", TOKEN)]);
}
