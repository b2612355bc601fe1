//! The plaintext file survives: whenever its writer is killed, whatever the disk refuses, the old file or the new one is
//! there, whole, and the next writer works at once and cleans up.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::attributes::lines;
use crate::process::{self, Output};
use crate::sandbox::Sandbox;
use crate::tool;

/// What may change a disk. Those that a machine does not have are passed over.
const CALLS: &[&str] = &[
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "ftruncate",
    "fchmod",
    "link",
    "linkat",
];
const OPENINGS: &[&str] = &["open", "openat", "openat2", "flock", "mkdir", "mkdirat"];
/// No writer needs as many of one kind; so many would be a loop of ours.
const MANY: usize = 200;

#[derive(Debug, Clone, Copy)]
enum Writer {
    Ours,
    GitStore,
}

/// A file with one credential, and the same file after a second one was stored.
struct Fixture {
    sandbox: Sandbox,
    writer: Writer,
    folder: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Fixture {
    fn new(writer: Writer) -> Self {
        let sandbox = Sandbox::new();
        let folder = sandbox.path("vault");
        fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let mut fixture = Self {
            sandbox,
            writer,
            folder,
            old: Vec::new(),
            new: Vec::new(),
        };
        fixture.run(None, "first").succeeded();
        fixture.old = fs::read(fixture.file()).unwrap();
        fixture.run(None, "second").succeeded();
        fixture.new = fs::read(fixture.file()).unwrap();
        assert_ne!(fixture.old, fixture.new);
        fixture
    }

    fn file(&self) -> PathBuf {
        self.folder.join("credentials")
    }

    fn log(&self) -> PathBuf {
        self.sandbox.path("strace.log")
    }

    /// Stores the credential of `name`, with a fault injected if one is given.
    fn run(&self, fault: Option<&str>, name: &str) -> Output {
        let file = self.file();
        let writer = match self.writer {
            Writer::Ours => {
                let mut command = self.sandbox.helper("--storage file --file");
                command.arg(&file).arg("store");
                command
            }
            Writer::GitStore => {
                let mut command = self.sandbox.git(&["credential-store", "--file"]);
                command.arg(&file).arg("store");
                command
            }
        };
        let mut command = match fault {
            None => writer,
            Some(fault) => self.traced(&writer, fault),
        };
        let host = format!("{name}.example.test");
        let secret = secret(name);
        let credential = [
            ("protocol", "https"),
            ("host", &host[..]),
            ("username", name),
            ("password", &secret),
        ];
        process::run(&mut command, &lines(&credential))
    }

    fn traced(&self, writer: &Command, fault: &str) -> Command {
        let mut strace = self.sandbox.command(tool::need("strace"));
        strace.args(["-f", "-qq", "-o"]).arg(self.log());
        let call = fault.split(':').next().unwrap();
        strace.arg("-e").arg(format!("trace=?{call}"));
        strace.arg("-e").arg(format!("inject=?{fault}"));
        strace.arg(writer.get_program()).args(writer.get_args());
        strace
    }

    /// Back to the old file, and nothing else.
    fn reset(&self) {
        for (path, _) in self.sandbox.files("vault") {
            if path != self.file() {
                fs::remove_file(path).unwrap();
            }
        }
        fs::write(self.file(), &self.old).unwrap();
    }

    /// The files beside ours that hold a secret.
    fn leftovers(&self) -> Vec<PathBuf> {
        let holds_secret = |bytes: &[u8]| {
            ["first", "second"]
                .iter()
                .any(|name| contains(bytes, secret(name).as_bytes()))
        };
        let files = self.sandbox.files("vault").into_iter();
        files
            .filter(|(path, bytes)| *path != self.file() && holds_secret(bytes))
            .map(|(path, _)| path)
            .collect()
    }

    /// Stores with `fault` at the first, second, third … `call` until no more of them are made. Returns how often the
    /// fault struck, and what was wrong afterwards.
    fn inject(&self, call: &str, fault: &str) -> (usize, Vec<String>) {
        let mut wrong = Vec::new();
        for number in 1..=MANY {
            self.reset();
            let output = self.run(Some(&format!("{call}:{fault}:when={number}")), "second");
            let log = fs::read_to_string(self.log()).unwrap();
            if !log.contains("(INJECTED)") && !log.contains("killed by SIGKILL") {
                assert!(
                    output.status.success(),
                    "strace does not run here: {output:?}"
                );
                return (number - 1, wrong);
            }
            let at = format!("{call} {number}, {fault}");
            wrong.extend(
                self.check(&output)
                    .into_iter()
                    .map(|what| format!("{at}: {what}")),
            );
        }
        panic!("{call} more than {MANY} times");
    }

    fn check(&self, output: &Output) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut claim = |is_so: bool, what: &str| {
            if !is_so {
                wrong.push(format!("{what}: {output:?}"));
            }
        };
        let is_killed = output.status.code().is_none();
        let found = fs::read(self.file()).unwrap_or_default();
        claim(
            found == self.old || found == self.new,
            "the file is neither the old nor the new one",
        );
        claim(
            !output.status.success() || found == self.new,
            "says it is stored, and it is not",
        );
        claim(
            is_killed || self.leftovers().is_empty(),
            "leaves a copy of the secrets though it lived on",
        );
        claim(output.status.code() != Some(101), "panics");
        claim(
            !output.stderr.contains(&secret("second")),
            "shows the secret",
        );

        let next = self.run(None, "second");
        claim(next.status.success(), "the next one fails");
        claim(
            fs::read(self.file()).unwrap_or_default() == self.new,
            "the next one does not store",
        );
        claim(
            self.leftovers().is_empty(),
            "the next one leaves a copy of the secrets",
        );
        wrong
    }
}

fn secret(name: &str) -> String {
    format!("secret-of-{name}-0123456789")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// All `calls`, every time they are made.
fn inject_all(writer: Writer, calls: &[&str], fault: &str) -> (usize, Vec<String>) {
    let fixture = Fixture::new(writer);
    let mut struck = 0;
    let mut wrong = Vec::new();
    for call in calls {
        let (times, what) = fixture.inject(call, fault);
        struck += times;
        wrong.extend(what);
    }
    (struck, wrong)
}

fn survives(calls: &[&str], fault: &str, at_least: usize) {
    let (struck, wrong) = inject_all(Writer::Ours, calls, fault);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        struck >= at_least,
        "only {struck} faults of {fault}: are these the calls it makes?"
    );
}

#[test]
fn a_kill_at_any_change_leaves_the_old_or_the_new_file() {
    // One write, one sync of the file and one of its folder, one rename.
    survives(CALLS, "signal=SIGKILL", 4);
}

#[test]
fn a_full_disk_leaves_the_old_or_the_new_file() {
    survives(CALLS, "error=ENOSPC", 3);
}

#[test]
fn a_broken_disk_leaves_the_old_or_the_new_file() {
    survives(CALLS, "error=EIO", 3);
}

#[test]
fn a_kill_at_any_opening_leaves_the_old_or_the_new_file() {
    survives(OPENINGS, "signal=SIGKILL", 2);
}

#[test]
fn a_full_disk_at_any_opening_leaves_the_old_or_the_new_file() {
    survives(OPENINGS, "error=ENOSPC", 2);
}

/// The tests themselves: what a killed git leaves behind is seen.
#[test]
fn git_store_is_caught_leaving_its_lock() {
    let (struck, wrong) = inject_all(Writer::GitStore, &["write", "rename"], "signal=SIGKILL");
    assert!(struck >= 2, "{struck}");
    assert!(
        wrong.iter().any(|what| what.contains("the next one fails")),
        "{wrong:#?}"
    );
    assert!(
        !wrong
            .iter()
            .any(|what| what.contains("neither the old nor the new")),
        "{wrong:#?}"
    );
}

/// And so is a writer that writes in place.
#[test]
fn a_writer_in_place_is_caught() {
    let fixture = Fixture::new(Writer::GitStore);
    let path: &Path = &fixture.file();
    fs::write(path, &fixture.new[..fixture.new.len() - 7]).unwrap();
    let output = process::run(&mut fixture.sandbox.command("/bin/false"), b"");
    let wrong = fixture.check(&output);
    assert!(
        wrong[0].contains("neither the old nor the new"),
        "{wrong:#?}"
    );
}
