//! The keychain over a real gnome-keyring, and beside git's own helper.
//!
//! Each test has a home, a bus and a keyring of its own. The bus is named by the environment, which belongs to the whole
//! process: so a test starts itself again as a child, in its world, and the child does the work.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use git_credential_pat::credential::expiry::Expiry;
use git_credential_pat::credential::query::Query;
use git_credential_pat::credential::{Authorization, Credential};
use git_credential_pat::secret::Secret;
use git_credential_pat::storage::keychain::Keychain;
use git_credential_pat::storage::{Error, Storage};

/// Names, in a child, the test whose work it is to do.
const CHILD: &str = "KEYCHAIN_TEST_CHILD";
/// Names, in a child, the keyring daemon's process.
const DAEMON: &str = "KEYCHAIN_TEST_DAEMON";
/// Git's user may be kept waiting for this long.
const BOUND: Duration = Duration::from_secs(3);
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// Storing one takes the keyring daemon a tenth of a second.
const MANY: usize = 40;

// ---- worlds ----

/// A process that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A home with a bus and a keyring daemon, or without.
struct World {
    daemon: Option<Running>,
    bus: Option<Running>,
    address: Option<OsString>,
    home: tempfile::TempDir,
}

impl World {
    /// Without a bus.
    fn bare() -> Self {
        let home = tempfile::tempdir().unwrap();
        for folder in ["run", "services"] {
            let folder = home.path().join(folder);
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
        }
        Self {
            daemon: None,
            bus: None,
            address: None,
            home,
        }
    }

    /// With a bus that starts no service but those in `services`, at `$XDG_RUNTIME_DIR/bus`.
    fn with_bus() -> Self {
        let mut world = Self::bare();
        let home = world.home.path();
        let config = home.join("bus.conf");
        let (socket, services) = (world.socket(), home.join("services"));
        fs::write(
            &config,
            format!(
                "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
                 <servicedir>{}</servicedir><policy context='default'>\
                 <allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>\
                 <allow own='*'/></policy></busconfig>",
                socket.display(),
                services.display()
            ),
        )
        .unwrap();
        let mut bus = world
            .command("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let printed = bus.stdout.take().unwrap();
        world.bus = Some(Running(bus));
        BufReader::new(printed).read_line(&mut address).unwrap();
        world.address = Some(address.trim().into());
        world
    }

    /// With an open keyring.
    fn unlocked() -> Self {
        let mut world = Self::with_bus();
        world.start_daemon("--unlock");
        world
    }

    /// `--unlock`: opens the login keyring, which is made if there is none; `--start`: opens nothing.
    fn start_daemon(&mut self, how: &str) {
        let mut daemon = self
            .command("gnome-keyring-daemon")
            .args(["--foreground", how, "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut password = daemon.stdin.take().unwrap();
        self.daemon = Some(Running(daemon));
        password.write_all(b"made-up").unwrap();
        drop(password);
        self.wait_for_owner(true);
    }

    /// The keyring is locked at the start of the next daemon, and was never open in it.
    fn restart_locked(&mut self) {
        drop(self.daemon.take());
        self.wait_for_owner(false);
        self.start_daemon("--start");
    }

    fn wait_for_owner(&self, is_there: bool) {
        let bus = "org.freedesktop.DBus";
        poll(|| {
            let asked = self
                .command("dbus-send")
                .args([
                    "--session",
                    "--print-reply=literal",
                    "--dest=org.freedesktop.DBus",
                ])
                .args([
                    "/",
                    &format!("{bus}.NameHasOwner"),
                    "string:org.freedesktop.secrets",
                ])
                .output()
                .unwrap();
            String::from_utf8_lossy(&asked.stdout).contains("true") == is_there
        });
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("run/bus")
    }

    /// A program in this world.
    fn command(&self, program: &str) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .envs(self.address.as_ref().map(|address| (BUS, address)));
        command
    }

    /// Does the work of the test `name` in a child.
    fn enter(&self, name: &str) {
        let program = std::env::current_exe().unwrap();
        let mut command = self.command(program.to_str().unwrap());
        command
            .args(["--exact", "--nocapture", &format!("keychain::{name}")])
            .env(CHILD, name);
        if let Some(helper) = std::env::var_os(HELPER) {
            command.env(HELPER, helper);
        }
        if let Some(daemon) = &self.daemon {
            command.env(DAEMON, daemon.0.id().to_string());
        }
        let done = command.output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(done.status.success(), "{said}");
        assert!(said.contains("1 passed"), "no such test: {name}\n{said}");
        for line in said.lines().filter(|line| line.starts_with("took ")) {
            say(&format!("{name}: {line}"));
        }
    }
}

/// In the test itself: makes the world and starts the child. In the child: does the work.
fn scenario(name: &str, world: impl FnOnce() -> World, work: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some_and(|child| child == name) {
        work();
    } else {
        world().enter(name);
    }
}

/// Figures and omissions, past the test harness.
fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn poll(mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < until, "it never came about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// In a child: sends the daemon a signal.
fn signal_daemon(signal: rustix::process::Signal) {
    let id = std::env::var(DAEMON).unwrap().parse().unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
}

/// In a child: locks the login keyring.
fn lock() {
    let collection = "array:objpath:/org/freedesktop/secrets/collection/login";
    let locked = Command::new("dbus-send")
        .args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
        ])
        .args([
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            collection,
        ])
        .status()
        .unwrap();
    assert!(locked.success());
}

// ---- words ----

fn wanted(host: &str) -> Query {
    Query {
        protocol: Some(b"https".to_vec()),
        host: Some(host.as_bytes().to_vec()),
        ..Query::default()
    }
}

fn wanted_of(host: &str, username: &str) -> Query {
    Query {
        username: Some(username.into()),
        ..wanted(host)
    }
}

fn rejected(host: &str, username: &str, password: &str) -> Query {
    Query {
        password: Some(Secret::new(password.as_bytes())),
        ..wanted_of(host, username)
    }
}

fn credential(host: &str, username: &str, password: &str) -> Credential {
    Credential::complete(rejected(host, username, password)).unwrap()
}

fn keychain() -> Keychain {
    Keychain::open(Duration::ZERO)
}

/// The username and the password that answer.
fn answer(keychain: &Keychain, wanted: &Query) -> Option<(String, String)> {
    let found = keychain.get(wanted).unwrap()?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Some((
        found
            .key
            .username
            .map(|name| text(name.expose()))
            .unwrap_or_default(),
        text(found.password.unwrap().expose()),
    ))
}

#[allow(clippy::unnecessary_wraps)] // To stand beside `answer`.
fn pair(username: &str, password: &str) -> Option<(String, String)> {
    Some((username.to_owned(), password.to_owned()))
}

/// Asks, and takes no for an answer: in time, and as something that the next storage is asked after.
#[track_caller]
fn assert_unavailable<T>(what: &str, ask: impl FnOnce() -> Result<T, Error>) -> Error {
    let began = Instant::now();
    let answer = ask();
    let took = began.elapsed();
    say(&format!("took {} ms: {what}", took.as_millis()));
    let Err(error) = answer else {
        panic!("{what}: answered");
    };
    assert!(
        matches!(error, Error::Unavailable { .. }),
        "{what}: {error:?}"
    );
    assert!(took < BOUND, "{what}: {took:?}");
    error
}

/// Every operation, on a keychain of its own.
fn assert_all_unavailable() {
    let one = "one.test";
    assert_unavailable("get", || keychain().get(&wanted(one)));
    assert_unavailable("store", || keychain().store(&credential(one, "alice", "a")));
    assert_unavailable("erase", || keychain().erase(&wanted(one)));
    assert_unavailable("check", || keychain().check());
}

fn helper(folder: &Path, operation: &str, lines: &str) -> Output {
    let mut helper = Command::new(folder.join("git-credential-libsecret"))
        .arg(operation)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = helper.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let done = helper.wait_with_output().unwrap();
    assert!(done.status.success(), "{operation}");
    done
}

fn helper_says(folder: &Path, lines: &str) -> String {
    String::from_utf8(helper(folder, "get", lines).stdout).unwrap()
}

// ---- an open keyring ----

#[test]
fn gets_updates_and_erases_what_was_stored() {
    scenario(
        "gets_updates_and_erases_what_was_stored",
        World::unlocked,
        || {
            let keychain = keychain();
            let alice = wanted_of("one.test", "alice");
            assert_eq!(answer(&keychain, &alice), None);
            keychain
                .store(&credential("one.test", "alice", "a"))
                .unwrap();
            assert_eq!(answer(&keychain, &alice), pair("alice", "a"));
            keychain
                .store(&credential("one.test", "alice", "b"))
                .unwrap();
            assert_eq!(answer(&keychain, &alice), pair("alice", "b"));
            assert_eq!(keychain.list().unwrap().len(), 1);
            assert_eq!(answer(&keychain, &wanted_of("one.test", "bob")), None);
            assert_eq!(answer(&keychain, &wanted("two.test")), None);
            assert_eq!(answer(&keychain, &wanted("one.test:8443")), None);
            assert_eq!(keychain.erase(&alice).unwrap(), 1);
            assert_eq!(keychain.erase(&alice).unwrap(), 0);
            assert_eq!(answer(&keychain, &alice), None);
            keychain.check().unwrap();
        },
    );
}

#[test]
fn keeps_everything_that_git_says() {
    scenario("keeps_everything_that_git_says", World::unlocked, || {
        let keychain = keychain();
        let full = Query {
            path: Some("a/ü.git".into()),
            expiry: Expiry::from_unix(1_795_651_200),
            refresh_token: Some(Secret::new(b"again")),
            authtype: Some(b"Bearer".to_vec()),
            credential: Some(Secret::new(b"token")),
            ..rejected("[::1]:8443", "", "")
        };
        let full = Credential::complete(full).unwrap();
        keychain.store(&full).unwrap();
        let found = keychain.get(&Query::of(&full.key)).unwrap().unwrap();
        assert_eq!(found, full);
        let listed = keychain.list().unwrap();
        assert_eq!((listed.len(), &listed[0].key), (1, &full.key));
        assert_eq!(listed[0].expiry, full.expiry);
        assert!(listed[0].is_renewable && listed[0].scheme.as_deref() == Some(b"Bearer"));
    });
}

#[test]
fn keeps_an_authorization_without_a_password() {
    scenario(
        "keeps_an_authorization_without_a_password",
        World::unlocked,
        || {
            let keychain = keychain();
            let bearer = Credential {
                password: None,
                authorization: Some(Authorization {
                    scheme: b"Bearer".to_vec(),
                    parameters: Secret::new(b"token"),
                }),
                ..credential("one.test", "alice", "")
            };
            keychain
                .store(&credential("one.test", "alice", "a"))
                .unwrap();
            keychain.store(&bearer).unwrap();
            let found = keychain.get(&wanted("one.test")).unwrap().unwrap();
            assert_eq!(found, bearer);
            assert_eq!(
                keychain.list().unwrap().len(),
                1,
                "the same key, another kind"
            );
            let stale = Query {
                credential: Some(Secret::new(b"old")),
                ..wanted("one.test")
            };
            assert_eq!(keychain.erase(&stale).unwrap(), 0);
            assert_eq!(keychain.erase(&wanted("one.test")).unwrap(), 1);
        },
    );
}

#[test]
fn the_one_stored_last_answers() {
    scenario("the_one_stored_last_answers", World::unlocked, || {
        let keychain = keychain();
        for username in ["alice", "bob"] {
            keychain
                .store(&credential("one.test", username, "a"))
                .unwrap();
        }
        assert_eq!(answer(&keychain, &wanted("one.test")), pair("bob", "a"));
        // The service counts in seconds: another one has to begin.
        let now = || {
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
        };
        let second = now().as_secs();
        poll(|| now().as_secs() > second);
        keychain
            .store(&credential("one.test", "alice", "b"))
            .unwrap();
        assert_eq!(answer(&keychain, &wanted("one.test")), pair("alice", "b"));
        let listed = keychain.list().unwrap();
        assert_eq!(listed[1].key.username, Some("alice".into()));
    });
}

#[test]
fn an_entry_with_a_path_outlives_a_store_without_one() {
    scenario(
        "an_entry_with_a_path_outlives_a_store_without_one",
        World::unlocked,
        || {
            let keychain = keychain();
            let narrow = |password: &str| {
                let mut narrow = credential("one.test", "alice", password);
                narrow.key.path = Some(b"team/a.git".to_vec());
                narrow
            };
            keychain.store(&narrow("for-a")).unwrap();
            keychain
                .store(&credential("one.test", "alice", "for-all"))
                .unwrap();
            let found = keychain.get(&Query::of(&narrow("").key)).unwrap();
            assert_eq!(found.unwrap(), narrow("for-a"));
            assert_eq!(keychain.list().unwrap().len(), 2);
        },
    );
}

#[test]
fn erases_all_that_fit_and_only_the_named_secret() {
    scenario(
        "erases_all_that_fit_and_only_the_named_secret",
        World::unlocked,
        || {
            let keychain = keychain();
            for username in ["alice", "bob"] {
                keychain
                    .store(&credential("one.test", username, username))
                    .unwrap();
            }
            keychain
                .store(&credential("one.test:8443", "alice", "a"))
                .unwrap();
            assert_eq!(
                keychain
                    .erase(&rejected("one.test", "alice", "old"))
                    .unwrap(),
                0
            );
            assert_eq!(keychain.erase(&Query::default()).unwrap(), 0);
            assert_eq!(keychain.erase(&wanted("one.test")).unwrap(), 2);
            assert_eq!(keychain.list().unwrap().len(), 1);
        },
    );
}

#[test]
fn an_identical_store_writes_nothing() {
    scenario("an_identical_store_writes_nothing", World::unlocked, || {
        keychain()
            .store(&credential("one.test", "alice", "a"))
            .unwrap();
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        let kept = || fs::read(home.join(".local/share/keyrings/login.keyring")).unwrap();
        let before = kept();
        keychain()
            .store(&credential("one.test", "alice", "a"))
            .unwrap();
        assert!(
            before == kept(),
            "the keyring is encrypted anew by every write"
        );
        keychain()
            .store(&credential("one.test", "alice", "b"))
            .unwrap();
        assert!(before != kept());
    });
}

#[test]
fn other_peoples_items_are_left_alone() {
    scenario(
        "other_peoples_items_are_left_alone",
        World::unlocked,
        || {
            for schema in [
                "org.gnome.keyring.NetworkPassword",
                "org.epiphany.FormPassword",
            ] {
                let mut tool = Command::new("secret-tool")
                    .args(["store", "--label=theirs", "xdg:schema", schema])
                    .args(["protocol", "https", "server", "one.test", "user", "alice"])
                    .stdin(Stdio::piped())
                    .spawn()
                    .unwrap();
                tool.stdin.take().unwrap().write_all(b"theirs").unwrap();
                assert!(tool.wait().unwrap().success());
            }
            let keychain = keychain();
            let alice = wanted_of("one.test", "alice");
            assert_eq!(answer(&keychain, &alice), None);
            keychain
                .store(&credential("one.test", "alice", "a"))
                .unwrap();
            assert_eq!(keychain.erase(&alice).unwrap(), 1);
            let left = Command::new("secret-tool")
                .args(["search", "--all", "protocol", "https"])
                .output()
                .unwrap();
            let left = String::from_utf8_lossy(&left.stdout)
                .matches("secret = theirs")
                .count();
            assert_eq!(left, 2);
        },
    );
}

#[test]
fn a_known_host_is_found_among_many() {
    scenario("a_known_host_is_found_among_many", World::unlocked, || {
        let keychain = keychain();
        for number in 0..MANY {
            let host = format!("host-{number}.test");
            keychain.store(&credential(&host, "alice", "a")).unwrap();
        }
        let timed = |what: &str, ask: &dyn Fn()| {
            let began = Instant::now();
            ask();
            say(&format!("took {} us: {what}", began.elapsed().as_micros()));
        };
        let known = wanted("host-25.test");
        timed("get among many, with connecting", &|| {
            assert!(answer(&Keychain::open(Duration::ZERO), &known).is_some());
        });
        timed("get among many", &|| {
            assert!(answer(&keychain, &known).is_some());
        });
        timed("get of an unknown host among many", &|| {
            assert!(answer(&keychain, &wanted("other.test")).is_none());
        });
        timed("list of many", &|| {
            assert_eq!(keychain.list().unwrap().len(), MANY);
        });
    });
}

// ---- how the service is asked ----

/// The calls to the keyring service so far, each with the name of who called.
fn calls(monitored: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(monitored).unwrap();
    let word = |line: &str, name: &str| {
        let rest = line.split_once(name)?.1;
        let end = rest.find([' ', ';']).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    };
    let calls = text.lines().filter(|line| line.starts_with("method call"));
    calls
        .filter_map(|line| Some((word(line, "sender=")?, word(line, "member=")?)))
        .collect()
}

/// gnome-keyring 42.1 ends itself where whoever opens a session has not been seen before, which can be lost.
#[test]
fn a_session_is_opened_by_one_who_is_known() {
    let name = "a_session_is_opened_by_one_who_is_known";
    scenario(name, World::unlocked, || {
        let monitored = PathBuf::from(std::env::var_os("HOME").unwrap()).join("calls");
        let monitor = Command::new("dbus-monitor")
            .args(["--session", "path_namespace='/org/freedesktop/secrets'"])
            .stdin(Stdio::null())
            .stdout(fs::File::create(&monitored).unwrap())
            .spawn()
            .unwrap();
        let _monitor = Running(monitor);
        poll(|| {
            assert!(keychain().get(&wanted("nobody.test")).unwrap().is_none());
            !calls(&monitored).is_empty()
        });
        assert!(
            calls(&monitored)
                .iter()
                .all(|(_, member)| member != "OpenSession"),
            "for nothing"
        );
        keychain()
            .store(&credential("one.test", "alice", "a"))
            .unwrap();
        assert_eq!(answer(&keychain(), &wanted("one.test")), pair("alice", "a"));
        let rejected = rejected("one.test", "alice", "a");
        assert_eq!(keychain().erase(&rejected).unwrap(), 1);
        let opened = |calls: &[(String, String)]| {
            let opened = calls.iter().filter(|(_, member)| member == "OpenSession");
            opened.count()
        };
        poll(|| opened(&calls(&monitored)) >= 3);
        let calls = calls(&monitored);
        for (caller, _) in calls.iter().filter(|(_, member)| member == "OpenSession") {
            let mut own = calls.iter().filter(|(other, _)| other == caller);
            // Whether the default keyring is locked.
            assert_eq!(own.next().unwrap().1, "Get", "{calls:?}");
        }
    });
}

// ---- a locked keyring ----

#[test]
fn a_locked_keyring_is_unavailable() {
    scenario("a_locked_keyring_is_unavailable", World::unlocked, || {
        keychain()
            .store(&credential("one.test", "alice", "a"))
            .unwrap();
        lock();
        assert_all_unavailable();
        let error = assert_unavailable("get", || keychain().get(&wanted("one.test")));
        assert!(error.hint().unwrap().starts_with("unlock it"));
        assert!(keychain().get(&wanted("two.test")).unwrap().is_none());
        assert_eq!(keychain().list().unwrap().len(), 1, "without secrets");
    });
}

#[test]
fn a_keyring_that_was_never_open_is_unavailable() {
    let world = || {
        let mut world = World::unlocked();
        world.enter("a_keyring_that_was_never_open_is_unavailable_fill");
        world.restart_locked();
        world
    };
    scenario(
        "a_keyring_that_was_never_open_is_unavailable",
        world,
        || {
            assert_all_unavailable();
            assert_unavailable("list", || keychain().list());
            assert!(keychain().get(&wanted("two.test")).unwrap().is_none());
        },
    );
}

#[test]
fn a_keyring_that_was_never_open_is_unavailable_fill() {
    scenario(
        "a_keyring_that_was_never_open_is_unavailable_fill",
        World::unlocked,
        || {
            let alice = credential("one.test", "alice", "a");
            keychain().store(&alice).unwrap();
        },
    );
}

#[test]
fn an_unanswered_prompt_is_given_up() {
    let world = || {
        let world = World::with_bus();
        for name in ["SystemPrompter", "PrivatePrompter"] {
            let name = format!("org.gnome.keyring.{name}");
            let service = format!("[D-BUS Service]\nName={name}\nExec=/bin/sleep 20\n");
            let file = world.home.path().join("services").join(name + ".service");
            fs::write(file, service).unwrap();
        }
        let mut world = world;
        world.start_daemon("--unlock");
        world
    };
    scenario("an_unanswered_prompt_is_given_up", world, || {
        keychain()
            .store(&credential("one.test", "alice", "a"))
            .unwrap();
        lock();
        assert_all_unavailable();
        // The longer one is more than may be waited for where there is no prompt.
        for patience in [1, 4] {
            let patience = Duration::from_secs(patience);
            let began = Instant::now();
            let keychain = Keychain::open(patience);
            let error = keychain.get(&wanted("one.test")).unwrap_err();
            let took = began.elapsed();
            say(&format!(
                "took {} ms: prompt of {patience:?}",
                took.as_millis()
            ));
            assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
            assert!(took < patience + BOUND, "{took:?}");
            assert!(took > patience / 2 + patience / 4, "cut off after {took:?}");
            let again = Instant::now();
            let error = keychain.get(&wanted("one.test")).unwrap_err();
            let took = again.elapsed();
            assert!(took < patience / 2, "asked again: {took:?}");
            assert!(error.hint().unwrap().contains("unlock"), "{error:?}");
        }
    });
}

// ---- a service that is not as it should be ----

#[test]
fn a_hung_service_is_given_up() {
    scenario("a_hung_service_is_given_up", World::unlocked, || {
        let connected = keychain();
        connected
            .store(&credential("one.test", "alice", "a"))
            .unwrap();
        signal_daemon(rustix::process::Signal::STOP);
        assert_all_unavailable();
        assert_unavailable("get, connected before", || {
            connected.get(&wanted("one.test"))
        });
        signal_daemon(rustix::process::Signal::CONT);
        assert_eq!(answer(&keychain(), &wanted("one.test")), pair("alice", "a"));
    });
}

#[test]
fn a_service_that_dies_is_given_up() {
    scenario("a_service_that_dies_is_given_up", World::unlocked, || {
        let connected = keychain();
        connected
            .store(&credential("one.test", "alice", "a"))
            .unwrap();
        signal_daemon(rustix::process::Signal::KILL);
        assert_unavailable("get, connected before", || {
            connected.get(&wanted("one.test"))
        });
        assert_all_unavailable();
    });
}

#[test]
fn without_a_service_it_is_unavailable() {
    scenario(
        "without_a_service_it_is_unavailable",
        World::with_bus,
        assert_all_unavailable,
    );
}

#[test]
fn without_a_bus_it_is_unavailable() {
    scenario(
        "without_a_bus_it_is_unavailable",
        World::bare,
        assert_all_unavailable,
    );
}

#[test]
fn a_dead_bus_is_unavailable() {
    let world = || {
        let mut world = World::bare();
        let listener = UnixListener::bind(world.socket()).unwrap();
        drop(listener);
        world.address = Some(format!("unix:path={}", world.socket().display()).into());
        world
    };
    scenario("a_dead_bus_is_unavailable", world, assert_all_unavailable);
}

#[test]
fn a_bus_that_never_answers_is_given_up() {
    let name = "a_bus_that_never_answers_is_given_up";
    let mut world = World::bare();
    world.address = Some(format!("unix:path={}", world.socket().display()).into());
    if std::env::var_os(CHILD).is_some() {
        return scenario(name, World::bare, || {
            assert_all_unavailable();
            let lost = keychain();
            assert_unavailable("get", || lost.get(&wanted("one.test")));
            let again = Instant::now();
            assert!(lost.get(&wanted("one.test")).is_err());
            assert!(
                again.elapsed() < Duration::from_secs(1),
                "it was asked again"
            );
        });
    }
    let listener = UnixListener::bind(world.socket()).unwrap();
    // Accepts, reads nothing, and holds on to every connection until the process ends.
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for connection in listener.incoming() {
            held.push(connection);
        }
    });
    world.enter(name);
}

#[test]
fn a_bus_in_the_runtime_folder_is_adopted() {
    let world = || {
        let mut world = World::unlocked();
        world.address = None;
        world
    };
    scenario("a_bus_in_the_runtime_folder_is_adopted", world, || {
        keychain()
            .store(&credential("one.test", "alice", "a"))
            .unwrap();
        assert_eq!(answer(&keychain(), &wanted("one.test")), pair("alice", "a"));
    });
}

#[test]
fn without_a_default_keyring_it_is_unavailable() {
    let world = || {
        let mut world = World::with_bus();
        world.start_daemon("--start");
        world
    };
    scenario("without_a_default_keyring_it_is_unavailable", world, || {
        assert_all_unavailable();
        let error = assert_unavailable("list", || keychain().list());
        assert!(error.hint().unwrap().starts_with("create one"));
    });
}

// ---- git's own helper ----

/// Where git-credential-libsecret is; `tests/libsecret-helper` puts it there. Unset: built into the build folder.
const HELPER: &str = "LIBSECRET_HELPER";

/// The folder with git's own helper, built when first needed. `None`, and said, where it cannot be built.
pub fn helper_folder() -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = || {
        std::env::var_os(HELPER).map_or_else(
            || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libsecret-helper"),
            PathBuf::from,
        )
    };
    FOLDER.get_or_init(|| built(folder(), "trixie")).clone()
}

/// The folder with the helper of git 2.39, which keeps its items under another schema.
fn older_helper_folder() -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libsecret-helper-2.39");
    FOLDER.get_or_init(|| built(folder(), "bookworm")).clone()
}

fn built(folder: PathBuf, release: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/libsecret-helper");
    let status = Command::new(script)
        .arg(&folder)
        .env("LIBSECRET_HELPER_RELEASE", release)
        .status();
    if status.unwrap().success() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "git's own helper must be there"
    );
    say("NOT TESTED: git-credential-libsecret cannot be built here");
    None
}

/// Before git 2.43 it called its items otherwise, as other programs' network passwords are called.
#[test]
fn what_an_older_helper_stored_is_ours() {
    let Some(folder) = older_helper_folder() else {
        return;
    };
    scenario(
        "what_an_older_helper_stored_is_ours",
        World::unlocked,
        || {
            let folder = &folder;
            let alice = "protocol=https\nhost=one.test:8443\nusername=alice\npath=a/b.git\n";
            helper(folder, "store", &format!("{alice}password=a\n"));
            let typed = "protocol=https\nhost=Two.TEST\nusername=bob\n";
            helper(folder, "store", &format!("{typed}password=b\n"));

            let keychain = keychain();
            let found = keychain.get(&wanted("one.test:8443")).unwrap().unwrap();
            assert_eq!(found.key.path.as_deref(), Some(&b"a/b.git"[..]));
            assert_eq!(answer(&keychain, &wanted("two.test")), pair("bob", "b"));
            assert_eq!(keychain.list().unwrap().len(), 2);

            // Updated where it is: the helper sees the new one too, and none is left to answer the old one.
            keychain.store(&credential("two.test", "bob", "c")).unwrap();
            assert_eq!(keychain.list().unwrap().len(), 2);
            assert!(helper_says(folder, typed).contains("password=c\n"));

            assert_eq!(
                keychain.erase(&rejected("two.test", "bob", "b")).unwrap(),
                0
            );
            assert_eq!(keychain.erase(&wanted("two.test")).unwrap(), 1);
            assert_eq!(keychain.erase(&wanted("one.test:8443")).unwrap(), 1);
            assert!(keychain.list().unwrap().is_empty());
            assert!(!helper_says(folder, alice).contains("password"));
        },
    );
}

#[test]
fn stores_at_once_make_one_item() {
    scenario("stores_at_once_make_one_item", World::unlocked, || {
        // Few enough that each has its turn in time on a machine with other things to do.
        const WRITERS: usize = 4;
        let home = tempfile::tempdir().unwrap();
        let turns = home.path().join("turns");
        let start = std::sync::Barrier::new(WRITERS);
        std::thread::scope(|scope| {
            for number in 0..WRITERS {
                let (start, folder) = (&start, &turns);
                scope.spawn(move || {
                    let before = repeated(|| keychain().get(&wanted("one.test")));
                    start.wait();
                    assert!(before.is_none());
                    let password = format!("made-up-{}", number % 2);
                    let credential = credential("one.test", "alice", &password);
                    repeated(|| {
                        let keychain = keychain().taking_turns_in(folder);
                        keychain.store(&credential)
                    });
                });
            }
        });
        assert_eq!(keychain().list().unwrap().len(), 1);
    });
}

/// Repeats a request that the service could not answer in time: it writes to the disk, which may be busy.
fn repeated<T>(mut request: impl FnMut() -> Result<T, Error>) -> T {
    for _ in 0..10 {
        match request() {
            Ok(done) => return done,
            Err(Error::Unavailable { cause, .. }) => say(&format!("repeated: {cause}")),
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the service answered none of 10 requests");
}

fn beside_gits_helper(name: &str, work: impl FnOnce(&Path)) {
    if let Some(folder) = helper_folder() {
        scenario(name, World::unlocked, || work(&folder));
    }
}

#[test]
fn what_gits_helper_stored_is_ours() {
    beside_gits_helper("what_gits_helper_stored_is_ours", |folder| {
        let alice = "protocol=https\nhost=one.test:8443\nusername=alice\npath=a/b.git\n";
        let rest = "password=a=b\npassword_expiry_utc=1795651200\noauth_refresh_token=again\n";
        helper(folder, "store", &format!("{alice}{rest}"));
        let typed = "protocol=https\nhost=Two.TEST\nusername=bob\n";
        helper(folder, "store", &format!("{typed}password=b\n"));

        let keychain = keychain();
        let found = keychain.get(&wanted("one.test:8443")).unwrap().unwrap();
        assert_eq!(found.password.as_ref().unwrap().expose(), b"a=b");
        assert_eq!(found.expiry, Expiry::from_unix(1_795_651_200));
        assert_eq!(found.refresh_token.unwrap().expose(), b"again");
        assert_eq!(found.key.path.as_deref(), Some(&b"a/b.git"[..]));
        assert_eq!(answer(&keychain, &wanted("two.test")), pair("bob", "b"));
        assert_eq!(keychain.list().unwrap().len(), 2);

        // Updated where it is, so that there is still one of it, and the helper sees it.
        keychain.store(&credential("two.test", "bob", "c")).unwrap();
        assert_eq!(keychain.list().unwrap().len(), 2);
        assert_eq!(helper_says(folder, typed), "username=bob\npassword=c\n");

        assert_eq!(keychain.erase(&wanted("two.test")).unwrap(), 1);
        assert_eq!(
            keychain
                .erase(&wanted_of("one.test:8443", "alice"))
                .unwrap(),
            1
        );
        assert_eq!(helper_says(folder, typed), "username=bob\n");
        assert!(!helper_says(folder, alice).contains("password"));
    });
}

#[test]
fn what_we_stored_is_gits_helpers() {
    beside_gits_helper("what_we_stored_is_gits_helpers", |folder| {
        let keychain = keychain();
        let renewable = Query {
            expiry: Expiry::from_unix(4_000_000_000),
            refresh_token: Some(Secret::new(b"again")),
            authtype: Some(b"Bearer".to_vec()),
            credential: Some(Secret::new(b"token")),
            ..rejected("one.test:8443", "alice", "a")
        };
        keychain
            .store(&Credential::complete(renewable).unwrap())
            .unwrap();
        let asked = "protocol=https\nhost=one.test:8443\n";
        assert_eq!(
            helper_says(folder, asked),
            "username=alice\npassword=a\npassword_expiry_utc=4000000000\noauth_refresh_token=again\n"
        );

        // Stored by the helper over ours: one item still.
        helper(
            folder,
            "store",
            &format!("{asked}username=alice\npassword=b\n"),
        );
        assert_eq!(keychain.list().unwrap().len(), 1);
        assert_eq!(
            answer(&keychain, &wanted("one.test:8443")),
            pair("alice", "b")
        );
        helper(
            folder,
            "erase",
            &format!("{asked}username=alice\npassword=b\n"),
        );
        assert_eq!(answer(&keychain, &wanted("one.test:8443")), None);
    });
}

#[test]
fn an_authorization_is_nothing_to_gits_helper() {
    beside_gits_helper("an_authorization_is_nothing_to_gits_helper", |folder| {
        let keychain = keychain();
        let bearer = Query {
            username: None,
            password: None,
            authtype: Some(b"Bearer".to_vec()),
            credential: Some(Secret::new(b"token")),
            ..rejected("one.test", "", "")
        };
        keychain
            .store(&Credential::complete(bearer).unwrap())
            .unwrap();
        let asked = "protocol=https\nhost=one.test\n";
        assert_eq!(helper_says(folder, asked), "");
        helper(folder, "erase", asked);
        helper(folder, "erase", "protocol=https\n");
        assert!(keychain.get(&wanted("one.test")).unwrap().is_some());
    });
}
