//! What a person, a full disk or a neighbour can put in the way: a clear word, a bound, and nobody else's file touched.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::attributes::{Answer, lines};
use crate::process;
use crate::sandbox::{PROGRAM, Sandbox};
use crate::tool;

const QUESTION: &[u8] = b"protocol=https\nhost=example.test\n\n";

fn credential(password: &str) -> Vec<u8> {
    lines(&[
        ("protocol", "https"),
        ("host", "example.test"),
        ("username", "alice"),
        ("password", password),
    ])
}

fn ending(password: &str, end: u64) -> Vec<u8> {
    let mut bytes = credential(password);
    bytes.pop();
    write!(bytes, "password_expiry_utc={end}\n\n").unwrap();
    bytes
}

fn vault(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.path("vault");
    fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    folder
}

/// Runs the file storage in `file`.
fn with_file(
    sandbox: &Sandbox,
    file: impl AsRef<OsStr>,
    operation: &str,
    input: &[u8],
) -> process::Output {
    let mut command = sandbox.helper("--storage file --file");
    process::run(command.arg(file).arg(operation), input)
}

fn password(output: &process::Output) -> Option<String> {
    Answer::read(&output.stdout)
        .get("password")
        .map(str::to_owned)
}

#[test]
fn a_file_is_the_one_that_was_named_or_none() {
    let sandbox = Sandbox::new();
    let folder = vault(&sandbox);
    let named = folder.join(OsStr::from_bytes(b"cr\xe9dits"));
    with_file(&sandbox, &named, "store", &credential("made-up")).succeeded();
    assert!(fs::read(&named).unwrap().ends_with(b"password=made-up\n\n"));
    let mut glued = OsString::from("--file=");
    glued.push(&named);
    for words in [&[&glued][..], &[&"--file".into(), &named.clone().into()]] {
        let mut command = sandbox.helper("--storage file");
        let got = process::run(command.args(words).arg("get"), QUESTION).succeeded();
        assert_eq!(password(&got).as_deref(), Some("made-up"));
    }

    let reserved = folder.join(".it.git-credential-pat-new");
    for wrong in [PathBuf::from("/"), folder.join(".."), reserved] {
        let stored = with_file(&sandbox, &wrong, "store", &credential("made-up"));
        assert_eq!(stored.status.code(), Some(1), "{stored:?}");
        let name = wrong.to_str().unwrap();
        assert!(
            stored
                .stderr
                .contains(&format!("{name} cannot be the plaintext file")),
            "{stored:?}"
        );
        let settings = format!("[file]\npath = '{name}'\n");
        let folder = sandbox.path("config/git-credential-pat");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.toml"), settings).unwrap();
        let stored = sandbox.ask("--storage file store", &credential("made-up"));
        assert_eq!(stored.status.code(), Some(1), "{stored:?}");
        fs::remove_file(folder.join("config.toml")).unwrap();
    }
    assert!(sandbox.files("data").is_empty());
}

#[test]
fn a_file_beside_ours_is_left_alone() {
    let sandbox = Sandbox::new();
    let folder = vault(&sandbox);
    for name in ["tokens.new", "tokens.lock"] {
        fs::write(folder.join(name), "a person's").unwrap();
    }
    for (name, secret) in [("tokens", "one"), ("other.new", "two"), ("other", "three")] {
        let stored = with_file(&sandbox, folder.join(name), "store", &credential(secret));
        stored.succeeded();
    }
    for name in ["tokens.new", "tokens.lock"] {
        assert_eq!(fs::read(folder.join(name)).unwrap(), b"a person's");
    }
    for (name, secret) in [("tokens", "one"), ("other.new", "two"), ("other", "three")] {
        let got = with_file(&sandbox, folder.join(name), "get", QUESTION);
        assert_eq!(password(&got).as_deref(), Some(secret));
    }
}

/// Whoever takes the lock of `file` and never lets go.
fn lock(file: &Path) -> fs::File {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    let mut options = fs::File::options();
    let held = options.write(true).create(true).mode(0o600).open(name);
    let held = held.unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    held
}

#[test]
fn the_second_round_answers_though_a_storage_cannot_forget() {
    let sandbox = Sandbox::new();
    let file = vault(&sandbox).join("credentials");
    let words = |operation: &str| {
        format!(
            "--storage file,memory --file {} {operation}",
            file.display()
        )
    };
    with_file(&sandbox, &file, "store", &credential("dead")).succeeded();
    sandbox
        .ask("--storage memory store", &credential("good"))
        .succeeded();
    let question = b"capability[]=state\nprotocol=https\nhost=example.test\n\n";
    let first = sandbox.ask(&words("get"), question).succeeded();
    assert_eq!(password(&first).as_deref(), Some("dead"));
    let state = first.text();
    let state = state
        .lines()
        .find(|line| line.starts_with("state[]="))
        .unwrap();
    let again = format!(
        "capability[]=state\nprotocol=https\nhost=example.test\nusername=alice\n{state}\n\n"
    );

    let _held = lock(&file);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Another process that gets on, and on.
        scope.spawn(|| {
            // Bounded, so that a test that fails ends too.
            for _ in 0..400 {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                fs::File::open(&file)
                    .unwrap()
                    .set_modified(SystemTime::now())
                    .unwrap();
                thread::sleep(Duration::from_millis(100));
            }
        });
        let patience = Duration::from_secs(20);
        let mut second = sandbox.helper(&words("get"));
        let second = process::run_within(patience, &mut second, again.as_bytes());
        let mut erase = sandbox.helper(&words("erase"));
        let erased = process::run_within(patience, &mut erase, &credential("dead"));
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(password(&second).as_deref(), Some("good"), "{second:?}");
        assert!(
            second.status.success() && second.stderr.contains("locked"),
            "{second:?}"
        );
        assert_eq!(erased.status.code(), Some(1), "{erased:?}");
    });
}

#[test]
fn who_reads_no_messages_is_answered_all_the_same() {
    let sandbox = Sandbox::new();
    let (_reader, mut full) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&full, true).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&full, false).unwrap();
    let file = vault(&sandbox).join("credentials");
    let soon = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 3600;
    let ending = ending("made-up", soon);
    with_file(&sandbox, &file, "store", &ending).succeeded();
    let check = &|words: &str, input: &[u8], code: i32| {
        let mut command = sandbox.helper("--storage file --file");
        command.arg(if words == "--file" {
            Path::new("/")
        } else {
            &*file
        });
        command
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command.stderr(full.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let status = process::wait_for(&mut child, words);
        assert_eq!(status.code(), Some(code));
        let mut answer = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut answer)
            .unwrap();
        assert_eq!(answer.contains("password=made-up"), code == 0, "{answer}");
    };
    thread::scope(|scope| {
        for (words, input, code) in [
            ("get", &b"bad\n\n"[..], 1),
            ("get", QUESTION, 0),
            ("--file", QUESTION, 1),
        ] {
            scope.spawn(move || check(words, input, code));
        }
    });
}

#[test]
fn a_limit_on_files_is_an_error_that_is_told() {
    let sandbox = Sandbox::new();
    let file = vault(&sandbox).join("credentials");
    let mut command = sandbox.command(tool::need("prlimit"));
    command.arg("--fsize=1000").arg(PROGRAM);
    command
        .args(["--storage", "file", "--file"])
        .arg(&file)
        .arg("store");
    let stored = process::run(&mut command, &credential(&"x".repeat(50_000)));
    assert_eq!(stored.status.code(), Some(1), "{stored:?}");
    assert!(stored.stderr.contains("cannot write "), "{stored:?}");
    let names: Vec<PathBuf> = sandbox
        .files("vault")
        .into_iter()
        .map(|file| file.0)
        .collect();
    assert_eq!(names, [file.with_extension("lock")]);
}

#[test]
fn very_many_entries_under_one_key_are_one_question() {
    let sandbox = Sandbox::new();
    let file = vault(&sandbox).join("credentials");
    with_file(&sandbox, &file, "store", &credential("made-up")).succeeded();
    let mut entries = fs::OpenOptions::new().append(true).open(&file).unwrap();
    entries
        .write_all(&credential("made-up").repeat(20_000))
        .unwrap();
    entries.write_all(&ending("made-up", 77)).unwrap();
    let mut get = sandbox.helper("--storage file --file");
    let patience = Duration::from_secs(30);
    let got = process::run_within(patience, get.arg(&file).arg("get"), QUESTION).succeeded();
    assert_eq!(password(&got), None);
    assert!(got.stderr.contains("expired"), "{got:?}");
}

#[test]
fn what_the_reader_takes_the_daemon_takes() {
    const LIMIT: usize = 1024 * 1024;
    let sandbox = Sandbox::new();
    for (url, host) in [(false, "example.test"), (true, "other.test")] {
        let fixed = if url {
            format!("url=https://alice@{host}\npassword=\n\n")
        } else {
            format!("protocol=https\nhost={host}\nusername=alice\npassword=\n\n")
        };
        let long = "x".repeat(LIMIT - fixed.len());
        let request = fixed.replace("password=", &format!("password={long}"));
        assert_eq!(request.len(), LIMIT);
        sandbox
            .ask("--storage memory store", request.as_bytes())
            .succeeded();
        let question = format!("protocol=https\nhost={host}\n\n");
        let got = sandbox.ask("--storage memory get", question.as_bytes());
        assert!(password(&got) == Some(long), "{}", got.stderr);
        let erased = sandbox.ask("--storage memory erase", request.as_bytes());
        assert_eq!(erased.succeeded().stderr, "");
        let got = sandbox.ask("--storage memory get", question.as_bytes());
        assert_eq!(password(&got), None);
    }
}

#[test]
fn a_configuration_that_others_can_write_is_refused() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("config.toml");
    fs::write(&path, "storage = 'file'").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let stored = sandbox.ask("store", &credential("made-up"));
    assert_eq!(stored.status.code(), Some(1), "{stored:?}");
    assert!(
        stored
            .stderr
            .contains("config.toml can be written by other users"),
        "{stored:?}"
    );
    assert!(stored.stderr.contains("hint: "), "{stored:?}");
    assert!(sandbox.files("data").is_empty());
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    sandbox.ask("store", &credential("made-up")).succeeded();
    assert!(!sandbox.files("data").is_empty());
}

/// A repository cannot choose the storages of a command.
#[test]
fn a_repositorys_configuration_gives_no_options() {
    let sandbox = Sandbox::new();
    sandbox
        .ask("--storage file store", &credential("made-up"))
        .succeeded();
    process::run(&mut sandbox.git(&["init", "--quiet"]), b"").succeeded();
    let program = PROGRAM;
    let helper = format!("{program} --storage file");
    for (scope, counts) in [("--local", false), ("--global", true)] {
        let mut config = sandbox.git(&["config", scope, "credential.helper", &helper]);
        process::run(&mut config, b"").succeeded();
        let listed = sandbox.ask("list", b"").succeeded();
        let is_read = listed.text().contains("(plaintext)");
        assert_eq!(is_read, counts, "{scope}: {listed:?}");
    }
}

#[test]
fn a_file_beside_the_socket_is_left_alone() {
    let sandbox = Sandbox::new();
    let socket = vault(&sandbox).join("socket");
    let beside = socket.with_extension("new");
    fs::write(&beside, "a person's").unwrap();
    let store = |sandbox: &Sandbox| {
        let mut command = sandbox.helper("--storage memory --socket");
        process::run(command.arg(&socket).arg("store"), &credential("made-up"))
    };
    let stored = store(&sandbox);
    assert_eq!(stored.status.code(), Some(1), "{stored:?}");
    assert_eq!(fs::read(&beside).unwrap(), b"a person's");
    fs::remove_file(&beside).unwrap();
    store(&sandbox).succeeded();
}
