//! A `get` from the keychain, compared with git's own helper for it; gh's helper beside them.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::programs::{Git, Options};
use crate::report::{Report, Unit};
use crate::scale;
use crate::scene::{QUERY, Scene, TOKEN, find};
use crate::series::{Candidate, Comparison};
use crate::table::{Table, seconds};

const ITEMS: usize = 400;

/// A message bus and an unlocked gnome-keyring, for one scene. Both end when this is dropped.
struct Keyring(Vec<Child>);

impl Keyring {
    /// `None` if a program for it is missing.
    fn start(scene: &mut Scene) -> Option<Self> {
        let [bus, keyring] = [find("dbus-daemon")?, find("gnome-keyring-daemon")?];
        let asks = find("dbus-send")?;
        let address = format!("unix:path={}", scene.path("bus").display());
        scene.set("DBUS_SESSION_BUS_ADDRESS", &address);
        let at = format!("--address={address}");
        let bus = scene.spawn(
            &bus,
            &["--session", "--nofork", "--nopidfile", &at],
            "nothing",
        );
        let mut started = Self(vec![bus.command(&[]).spawn().unwrap()]);
        until("the message bus", || scene.path("bus").exists());

        let folder = format!("--control-directory={}", scene.path("run").display());
        let words = ["--foreground", "--unlock", "--components=secrets", &folder];
        let mut keyring = scene.spawn(&keyring, &words, "nothing").command(&[]);
        let mut keyring = keyring.stdin(Stdio::piped()).spawn().unwrap();
        keyring
            .stdin
            .take()
            .unwrap()
            .write_all(b"a password of the keyring's")
            .unwrap();
        started.0.insert(0, keyring);
        // Only asked about: a question to the service itself would have the bus start another one.
        let name = [
            "--dest=org.freedesktop.DBus",
            "/",
            "org.freedesktop.DBus.NameHasOwner",
            "string:org.freedesktop.secrets",
        ];
        until("the keyring", || {
            answer(scene, &asks, &name).contains("boolean true")
        });
        // The service has its name before it has unlocked the keyring.
        let lock = [
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets/collection/login",
            "org.freedesktop.DBus.Properties.Get",
            "string:org.freedesktop.Secret.Collection",
            "string:Locked",
        ];
        until("the unlocked keyring", || {
            answer(scene, &asks, &lock).contains("boolean false")
        });
        Some(started)
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        for process in &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// What the bus answers, as `dbus-send` prints it.
fn answer(scene: &Scene, dbus_send: &Path, words: &[&str]) -> String {
    let words = [&["--session", "--print-reply"], words].concat();
    let mut ask = scene.spawn(dbus_send, &words, "nothing").command(&[]);
    let output = ask.stdout(Stdio::piped()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn until(what: &str, is_there: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{what} did not start"
        );
        sleep(Duration::from_millis(20));
    }
}

pub fn measure(options: &Options, git: &Git, report: &mut Report) {
    let mut scene = Scene::new(&options.folder, "keychain");
    match (&options.libsecret, Keyring::start(&mut scene)) {
        (Some(libsecret), Some(_keyring)) => {
            let reference = scene.spawn(libsecret, &["get"], "query");
            let mut candidates = vec![Candidate::new("git-credential-libsecret", None, reference)];
            for ours in &options.ours {
                let spawn = scene.spawn(&ours.path, &["--storage", "keychain", "get"], "query");
                candidates.push(Candidate::new(ours.label(), Some(ours.build), spawn));
            }
            scene.spawn(libsecret, &["store"], "stored").measure();
            for candidate in &candidates {
                candidate.must_print(TOKEN);
            }
            let get = Comparison::run(candidates, if options.quick { 20 } else { 300 });
            report.section("`get` from the keychain", GET, get.table());
            report.figure("keychain: get", Unit::Ratio, 0.20, |build| get.ratio(build));
            items(options, &scene, report);
        }
        _ => eprintln!(
            "LEFT OUT, the keychain: git-credential-libsecret, gnome-keyring or dbus is missing\n"
        ),
    }
    gh(options, git, report);
}

/// `list` with many items of one host.
fn items(options: &Options, scene: &Scene, report: &mut Report) {
    let Some(first) = options.ours.first() else {
        return;
    };
    let count = if options.quick { 40 } else { ITEMS };
    for at in 0..count {
        scene.write(
            "item",
            &format!("{QUERY}username=user{at}\npassword={TOKEN}\n"),
        );
        scene
            .spawn(&first.path, &["--storage", "keychain", "store"], "item")
            .measure();
    }
    let mut table = Table::new(&["command", "items", "program", "median", "slowest"]);
    let mut medians = Vec::new();
    for ours in &options.ours {
        let times = scale::command(
            &ours.path,
            scene,
            "keychain",
            &["list"],
            if options.quick { 2 } else { 5 },
        );
        let (median, slowest) = (times.median(), times.percentile(100));
        table.row([
            "`list`".to_owned(),
            count.to_string(),
            ours.label(),
            seconds(median),
            seconds(slowest),
        ]);
        medians.push((ours.build, median.as_secs_f64()));
    }
    report.section("`list` of a keyring", ITEMS_TEXT, table);
    if !options.quick {
        let median = |build| {
            medians
                .iter()
                .find(|(of, _)| *of == build)
                .map(|(_, median)| *median)
        };
        report.figure(
            "keychain: list, 400 items of a host",
            Unit::Seconds,
            1.0,
            median,
        );
    }
}

/// gh's helper, which reads the token from gh's own file.
fn gh(options: &Options, git: &Git, report: &mut Report) {
    let Some(program) = find("gh") else {
        eprintln!("LEFT OUT, gh: it is not installed\n");
        return;
    };
    let scene = Scene::new(&options.folder, "gh");
    let hosts = format!(
        "github.com:\n    user: alice\n    oauth_token: {TOKEN}\n    git_protocol: https\n"
    );
    scene.write("config/gh/hosts.yml", &hosts);
    scene.write("github", "protocol=https\nhost=github.com\n");
    scene.write(
        "home/.git-credentials",
        &format!("https://alice:{TOKEN}@github.com\n"),
    );
    let store = scene.spawn(&git.store, &["get"], "github");
    let words = ["auth", "git-credential", "get"];
    let gh = scene.spawn(&program, &words, "github");
    let gh = Candidate::new("gh auth git-credential", None, gh);
    gh.must_print(TOKEN);
    let candidates = vec![Candidate::new("git-credential-store", None, store), gh];
    let get = Comparison::run(candidates, if options.quick { 5 } else { 60 });
    report.section("`get` by gh", GH, get.table());
}

/// The first line of what a program prints as its version.
pub fn version(program: &str) -> Option<String> {
    let output = Command::new(find(program)?)
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().next()?.to_owned())
}

const GET: &str = "\
All programs ask the same unlocked gnome-keyring, on a message bus of its own, for the same item.
git-credential-libsecret is built from git's sources, with the system's libsecret.";

const ITEMS_TEXT: &str = "\
All items are for one host, and have different users.";

const GH: &str = "\
For information: gh reads its token from a file, so git-credential-store stands beside it.";
