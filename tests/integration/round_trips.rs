//! Calls to a keyring service that do not wait for each other: the service here answers calls of one kind only when all of them
//! have arrived. A client that waits for the first answer gets none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dbus::Message;
use dbus::arg::Variant;
use dbus::message::MessageType;
use dbus::strings::Path;

use crate::attributes::lines;
use crate::keyring::start_bus;
use crate::odd_keyrings::connect;
use crate::process::{self, Guard};
use crate::sandbox::Sandbox;

const COLLECTION: &str = "/org/freedesktop/secrets/collection/login";
const LIMIT: Duration = Duration::from_secs(20);

/// The calls that are answered together: a member, the property that it asks for, and their number.
type Group = (&'static str, &'static str, usize);

/// A service of so many items of one host, and its bus.
struct Counting {
    sandbox: Sandbox,
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    _bus: Guard,
}

fn answer(call: &Message, items: usize) -> Message {
    let answer = call.method_return();
    let path = call.path().unwrap().to_string();
    let number = path.rsplit('/').next().unwrap();
    let none = Vec::<Path<'_>>::new();
    match &*call.member().unwrap() {
        "SearchItems" => {
            let wanted: HashMap<String, String> = call.read1().unwrap();
            let is_ours = wanted.get("server").is_some_and(|host| host == "one.test")
                || wanted
                    .get("xdg:schema")
                    .is_some_and(|name| name == "org.git.Password");
            let user = wanted.get("user").map(String::as_str);
            let found =
                (1..=items).filter(|item| user.is_none_or(|user| user == format!("u{item}")));
            let found = found.map(|item| Path::from(format!("{COLLECTION}/{item}")));
            answer.append2(
                if is_ours {
                    found.collect()
                } else {
                    none.clone()
                },
                none,
            )
        }
        "ReadAlias" => answer.append1(Path::from(COLLECTION)),
        "OpenSession" => answer.append2(Variant(String::new()), Path::from("/session")),
        "GetSecret" => {
            let secret = format!("tok-{number}").into_bytes();
            answer.append1((
                Path::from("/session"),
                Vec::<u8>::new(),
                secret,
                "text/plain",
            ))
        }
        "Get" => match property(call).as_str() {
            "Attributes" => {
                let user = format!("u{number}");
                let attributes: HashMap<_, _> = [
                    ("xdg:schema", "org.git.Password"),
                    ("protocol", "https"),
                    ("server", "one.test"),
                    ("user", user.as_str()),
                ]
                .into();
                answer.append1(Variant(attributes))
            }
            "Locked" => answer.append1(Variant(false)),
            _ => answer.append1(Variant(1_700_000_000_u64)),
        },
        _ => answer,
    }
}

/// The property that a call asks for; empty: none.
fn property(call: &Message) -> String {
    let (_, name): (Option<&str>, Option<&str>) = call.get2();
    name.filter(|_| call.member().as_deref() == Some("Get"))
        .unwrap_or_default()
        .to_owned()
}

impl Counting {
    fn start(items: usize, groups: Vec<Group>) -> Self {
        let sandbox = Sandbox::new();
        let (bus, address) = start_bus(|program| sandbox.command(program));
        let service = connect(&address);
        let name = "org.freedesktop.secrets";
        service.request_name(name, false, false, true).unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        // It ends with the bus.
        thread::spawn(move || {
            let mut held: HashMap<(String, String), Vec<Message>> = HashMap::new();
            while let Ok(message) = service.channel().blocking_pop_message(LIMIT) {
                let call = message.filter(|call| call.msg_type() == MessageType::MethodCall);
                let Some(call) = call else { continue };
                let kind = (call.member().unwrap().to_string(), property(&call));
                noted.lock().unwrap().push(format!("{} {}", kind.0, kind.1));
                let group = groups
                    .iter()
                    .find(|(member, property, _)| *member == kind.0 && *property == kind.1);
                let wanted = group.map_or(1, |(_, _, count)| *count);
                let calls = held.entry(kind).or_default();
                calls.push(call);
                if calls.len() < wanted {
                    continue;
                }
                for call in calls.drain(..) {
                    service.channel().send(answer(&call, items)).unwrap();
                }
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

    fn run(&self, words: &str, input: &[u8]) -> process::Output {
        let mut helper = self.sandbox.helper(&format!("--storage keychain {words}"));
        helper.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        process::run(&mut helper, input).succeeded()
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .map(|asked| asked.trim_end().to_owned())
            .collect()
    }
}

#[test]
fn a_get_asks_for_the_default_collection_the_items_and_one_secret() {
    let service = Counting::start(9, vec![("SearchItems", "", 2)]);
    let question = lines(&[
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "u3"),
    ]);
    let answer = service.run("get", &question);
    assert!(answer.text().contains("password=tok-3"), "{answer:?}");
    let expected = [
        "Get Locked",
        "SearchItems",
        "SearchItems",
        "Get Attributes",
        "OpenSession",
        "GetSecret",
    ];
    assert_eq!(service.asked(), expected);
}

#[test]
fn a_list_waits_as_often_for_many_items_as_for_few() {
    for items in [3, 60] {
        let groups = vec![
            ("SearchItems", "", 3),
            ("Get", "Attributes", items),
            ("Get", "Modified", items),
            ("Get", "Created", items),
            ("GetSecret", "", items),
        ];
        // The other helpers that clean reads have searches of their own.
        let of_items = groups[1..].to_vec();
        let listed = Counting::start(items, groups).run("list --json", b"");
        let listed = listed.text();
        for item in 1..=items {
            assert_eq!(
                listed.matches(&format!("\"u{item}\"")).count(),
                1,
                "{listed}"
            );
        }
        let cleaned = Counting::start(items, of_items).run("clean --dry-run", b"");
        assert_eq!(cleaned.text(), "nothing is stale\n", "{cleaned:?}");
    }
}
