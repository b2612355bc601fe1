//! A session bus of another user, at an address that outlived this user's own bus: nothing is sent there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::attributes::{Answer, lines};
use crate::keyring::Keyring;
use crate::process::{self, Guard, Output};
use crate::sandbox::Sandbox;
use crate::tool;

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
const MESSAGE: &str = "the session bus belongs to another user";
const GUID: &str = "0123456789abcdef0123456789abcdef";

/// Listens at an abstract name and at a path, and prints for each client what it sent before it closed the connection.
const LISTENER: &str = r"
import select, socket, sys
listeners = []
for name in ['\0' + sys.argv[1], sys.argv[2]]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen(16)
    listeners.append(listener)
print('listening', flush=True)
while True:
    for listener in select.select(listeners, [], [])[0]:
        client = listener.accept()[0]
        client.settimeout(10)
        print(client.recv(65536), flush=True)
";

/// Listens in the same way, takes no connection, and fills the queue of both.
const FULL: &str = r"
import socket, sys, time
kept = []
for name in ['\0' + sys.argv[1], sys.argv[2]]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen(0)
    kept.append(listener)
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(name)
        except BlockingIOError:
            break
        kept.append(client)
print('listening', flush=True)
time.sleep(600)
";

/// Another user, with a listener that records.
struct OtherUser {
    sandbox: Sandbox,
    folder: TempDir,
    received: Receiver<String>,
    _listener: Guard,
}

/// A program that runs as another user.
fn as_other(sandbox: &Sandbox, program: &str) -> Command {
    let mut command = sandbox.command(tool::need("setpriv"));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    // Not root's own programs: the other user may not read them.
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.arg(program).current_dir("/");
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Only root can be two users.
fn can_be_two_users() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var_os("CI").is_none(), "CI must run as root");
        eprintln!("NOT TESTED: a bus of another user needs root");
    }
    is_root
}

impl OtherUser {
    fn start() -> Self {
        Self::listen(LISTENER)
    }

    fn listen(program: &str) -> Self {
        let sandbox = Sandbox::new();
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut listener = as_other(&sandbox, "python3");
        listener.args(["-c", program]);
        listener.arg(folder.path()).arg(folder.path().join("bus"));
        let mut listener = Guard(listener.spawn().unwrap());
        let mut heard = BufReader::new(listener.0.stdout.take().unwrap()).lines();
        assert_eq!(heard.next().unwrap().unwrap(), "listening");
        let (sender, received) = channel();
        thread::spawn(move || {
            for line in heard.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            sandbox,
            folder,
            received,
            _listener: listener,
        }
    }

    fn addresses(&self) -> [String; 4] {
        let folder = self.folder.path().display();
        [
            format!("unix:abstract={folder}"),
            format!("unix:abstract={folder},guid={GUID}"),
            format!("unix:path={folder}/bus"),
            format!("unix:path={folder}/bus,guid={GUID}"),
        ]
    }

    #[track_caller]
    fn ask(&self, address: &str, words: &str, password: &[(&str, &str)]) -> Output {
        let mut helper = self.sandbox.helper(words);
        helper.env(BUS, address);
        // A prompt is allowed, so that both kinds of connection are tried.
        helper.env("DISPLAY", ":77").env("GIT_TERMINAL_PROMPT", "1");
        let mut query = vec![("protocol", "https"), ("host", "one.test")];
        query.extend([("username", "alice")]);
        query.extend(password);
        process::run(&mut helper, &lines(&query))
    }

    /// The next client was here, and sent nothing. At a path none comes: the socket's owner is known without a connection. There
    /// this test itself is the next client.
    #[track_caller]
    fn has_received_nothing(&self, address: &str) {
        if address.contains("path=") {
            drop(UnixStream::connect(self.folder.path().join("bus")).unwrap());
        }
        let first = self.received.recv_timeout(Duration::from_secs(20));
        let rest = self.received.try_iter();
        let all: Vec<_> = first.into_iter().chain(rest).collect();
        assert!(!all.is_empty(), "no client came");
        assert!(all.iter().all(|bytes| bytes == "b''"), "{all:?}");
    }
}

#[test]
fn another_users_bus_is_sent_nothing() {
    if !can_be_two_users() {
        return;
    }
    let other = OtherUser::start();
    let token = [("password", "tok-secret")];
    for address in other.addresses() {
        for (words, sent) in [
            ("--storage keychain get", &[][..]),
            ("--storage keychain store", &token),
            ("--storage keychain erase", &token),
            ("--storage keychain list", &[]),
            ("doctor", &[]),
        ] {
            let told = other.ask(&address, words, sent);
            let said = told.text() + &told.stderr;
            assert!(said.contains(MESSAGE), "{words} at {address}: {told:?}");
            assert!(!said.contains("can be used\nok       storage"), "{told:?}");
            other.has_received_nothing(&address);
        }
    }
}

#[test]
fn auto_keeps_a_token_in_memory_and_warns_once() {
    if !can_be_two_users() {
        return;
    }
    for number in 0..4 {
        let other = OtherUser::start();
        let address = &other.addresses()[number];
        let token = [("password", "tok-secret")];
        let asked = other.ask(address, "get", &[]).succeeded();
        assert_eq!((&asked.stdout[..], &asked.stderr[..]), (&b""[..], ""));
        let stored = other.ask(address, "store", &token).succeeded();
        let is_one_warning = stored.stderr.matches("warning: ").count() == 1;
        assert!(
            is_one_warning && stored.stderr.contains(MESSAGE),
            "{stored:?}"
        );
        assert!(
            stored.stderr.contains("tokens are kept in memory"),
            "{stored:?}"
        );
        assert!(
            stored
                .stderr
                .contains("hint: run 'unset DBUS_SESSION_BUS_ADDRESS'"),
            "{stored:?}"
        );
        let again = other.ask(address, "store", &token).succeeded();
        assert_eq!(again.stderr, "");
        let answer = other.ask(address, "get", &[]).succeeded();
        assert_eq!(
            Answer::read(&answer.stdout).get("password"),
            Some("tok-secret")
        );
        other.has_received_nothing(address);
        let doctor = other.ask(address, "doctor", &[]);
        let named = format!("problem  storage: cannot reach the keychain storage: {MESSAGE}");
        assert!(doctor.text().contains(&named), "{doctor:?}");
    }
}

/// No keyring in the morning is one thing, a stranger in the afternoon another.
#[test]
fn another_users_bus_is_told_after_another_fallback_of_the_day() {
    if !can_be_two_users() {
        return;
    }
    let other = OtherUser::start();
    let [foreign, ..] = other.addresses();
    for (address, token) in [
        ("unix:path=/nowhere", "tok-one"),
        (&foreign, "tok-two"),
        (&foreign, "tok-three"),
    ] {
        let stored = other.ask(address, "store", &[("password", token)]);
        let told = stored.succeeded().stderr;
        let is_named = told.contains(MESSAGE);
        assert_eq!(is_named, address == foreign, "{address}: {told}");
    }
}

/// Whose bus it is cannot be told where no connection is taken, but for a socket in the file system.
#[test]
fn another_users_bus_that_takes_no_connection_is_named() {
    if !can_be_two_users() {
        return;
    }
    let other = OtherUser::listen(FULL);
    for address in other.addresses() {
        let message = if address.contains("path=") {
            MESSAGE
        } else {
            "the session bus does not answer"
        };
        for words in ["--storage keychain get", "store", "doctor"] {
            let told = other.ask(&address, words, &[("password", "tok-secret")]);
            let said = told.text() + &told.stderr;
            // `auto` tells any other reason once a day.
            let is_told = said.contains(message) || words == "store" && said.is_empty();
            assert!(is_told, "{words} at {address}: {told:?}");
        }
    }
}

/// The user's own bus later in the list serves all the same.
#[test]
fn the_first_own_bus_of_several_is_used() {
    if !can_be_two_users() {
        return;
    }
    let other = OtherUser::start();
    let keyring = Keyring::start(|program| other.sandbox.command(program));
    let own = keyring.address();
    let [foreign, ..] = other.addresses();
    let token = [("password", "tok-secret")];
    for address in [
        format!("{foreign};{own}"),
        format!("unix:path=/nowhere;tcp:host=localhost,port=1;{foreign};{own}"),
        format!("{own};{foreign}"),
    ] {
        let stored = other.ask(&address, "--storage keychain store", &token);
        assert_eq!(stored.succeeded().stderr, "", "{address}");
        let answer = other.ask(&address, "--storage keychain get", &[]);
        let answer = Answer::read(&answer.succeeded().stdout);
        assert_eq!(answer.get("password"), Some("tok-secret"), "{address}");
    }
    other.has_received_nothing(&foreign);
}

/// A real bus lets everyone in, and a keyring service on it would take the token.
#[test]
fn a_keyring_on_another_users_bus_is_not_asked() {
    if !can_be_two_users() {
        return;
    }
    let sandbox = Sandbox::new();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let settings = folder.path().join("bus.conf");
    let shown = folder.path().display();
    let policy = r#"<policy context="default"><allow send_destination="*" eavesdrop="true"/>
        <allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy>"#;
    let listen = format!("<listen>unix:abstract={shown}</listen>");
    let text =
        format!("<busconfig><type>session</type>{listen}<auth>EXTERNAL</auth>{policy}</busconfig>");
    let kind = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n \
        \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n";
    fs::write(&settings, format!("{kind}{text}")).unwrap();
    let mut bus = as_other(&sandbox, "dbus-daemon");
    bus.arg(format!("--config-file={}", settings.display()));
    bus.args(["--nofork", "--nopidfile", "--print-address=1"]);
    let mut bus = Guard(bus.spawn().unwrap());
    let mut address = String::new();
    let stdout = bus.0.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut address).unwrap();
    let fake = crate::odd_keyrings::Fake::serve(sandbox, address.trim_end().to_owned(), bus, &[]);

    let answer = fake.ask("--storage keychain get", &[]);
    assert_eq!(answer.text(), "");
    assert!(answer.stderr.contains(MESSAGE), "{answer:?}");
    let stored = fake.ask("--storage keychain store", &[("password", "tok-secret")]);
    assert_eq!(stored.status.code(), Some(1), "{stored:?}");
    assert!(!fake.has_been_asked_anything());
}

/// A program that closes every connection is no bus that does not answer.
#[test]
fn an_own_bus_that_closes_the_connection_is_named() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("closing");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    let mut helper = sandbox.helper("--storage keychain get");
    helper.env(BUS, format!("unix:path={}", socket.display()));
    let told = process::run(
        &mut helper,
        &lines(&[("protocol", "https"), ("host", "one.test")]),
    );
    assert!(
        told.stderr
            .contains("the session bus closed the connection"),
        "{told:?}"
    );
}
