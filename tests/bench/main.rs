//! How long one `get` takes, beside git's own helpers, as ratios within one run: `cargo bench`.
//!
//! Whole processes, interleaved so that a busy moment hits all alike. On a shared machine the numbers move; the ratios
//! hold better, and instruction counts (shown where valgrind is there) hold best.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 200;
const QUESTION: &str = "protocol=https\nhost=bench.test\n";
const TOKEN: &str = "username=alice\npassword=made-up-token-of-a-usual-length-0123456789\n";

struct Candidate {
    name: &'static str,
    command: Vec<String>,
}

fn main() {
    // `cargo test --benches` and `cargo bench -- FILTER` hand over arguments that mean nothing here.
    let home = tempfile::tempdir().unwrap();
    for folder in ["run", "cache"] {
        fs::create_dir(home.path().join(folder)).unwrap();
    }
    private(&home.path().join("run"));
    private(home.path());
    let ours = env!("CARGO_BIN_EXE_git-credential-pat").to_owned();
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let candidates = [
        Candidate {
            name: "memory",
            command: [vec![ours.clone()], words(&["--storage", "memory"])].concat(),
        },
        Candidate {
            name: "git credential-cache",
            command: words(&["git", "credential-cache"]),
        },
        Candidate {
            name: "file",
            command: [vec![ours.clone()], words(&["--storage", "file"])].concat(),
        },
        Candidate {
            name: "git credential-store",
            command: words(&["git", "credential-store"]),
        },
    ];
    let question = home.path().join("question");
    fs::write(&question, QUESTION).unwrap();
    for candidate in &candidates {
        let mut child = command(candidate, "store", home.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(format!("{QUESTION}{TOKEN}").as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success(), "{}: store", candidate.name);
        let output = command(candidate, "get", home.path())
            .stdin(File::open(&question).unwrap())
            .output()
            .unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(
            answer.contains("made-up-token"),
            "{}: no answer",
            candidate.name
        );
    }
    let mut times: Vec<Vec<Duration>> = vec![Vec::with_capacity(RUNS); candidates.len()];
    for _ in 0..RUNS {
        for (candidate, times) in candidates.iter().zip(&mut times) {
            let mut command = command(candidate, "get", home.path());
            command
                .stdin(File::open(&question).unwrap())
                .stdout(Stdio::null());
            let start = Instant::now();
            let status = command.status().unwrap();
            times.push(start.elapsed());
            assert!(status.success());
        }
    }
    println!("get of one credential, {RUNS} interleaved runs, whole process");
    println!(
        "{:<22} {:>10} {:>10} {:>14}",
        "", "min µs", "median µs", "instructions"
    );
    let medians: Vec<u128> = times.iter_mut().map(|times| median(times)).collect();
    for ((candidate, times), median) in candidates.iter().zip(&times).zip(&medians) {
        let least = times.iter().min().unwrap().as_micros();
        let instructions = instructions(candidate, &question, home.path());
        println!(
            "{:<22} {least:>10} {median:>10} {instructions:>14}",
            candidate.name
        );
    }
    #[allow(clippy::cast_precision_loss)]
    let ratio = |one: usize, other: usize| medians[one] as f64 / medians[other] as f64;
    println!(
        "ratio of medians: memory / git credential-cache = {:.2}",
        ratio(0, 1)
    );
    println!(
        "ratio of medians: file / git credential-store = {:.2}",
        ratio(2, 3)
    );
    for stop in [
        words(&[&ours, "cache", "stop"]),
        words(&["git", "credential-cache", "exit"]),
    ] {
        let candidate = Candidate {
            name: "stop",
            command: stop[..stop.len() - 1].to_vec(),
        };
        let _ = command(&candidate, &stop[stop.len() - 1], home.path()).output();
    }
}

fn private(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
}

fn command(candidate: &Candidate, operation: &str, home: &Path) -> Command {
    let mut command = Command::new(&candidate.command[0]);
    command
        .args(&candidate.command[1..])
        .arg(operation)
        .env_clear();
    command
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home);
    command
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .env("XDG_CACHE_HOME", home.join("cache"));
    command
}

fn median(times: &mut [Duration]) -> u128 {
    times.sort_unstable();
    times[times.len() / 2].as_micros()
}

/// Counted by callgrind in user space, git's further processes left out; `-` without valgrind.
fn instructions(candidate: &Candidate, question: &Path, home: &Path) -> String {
    let mut counted = Command::new("valgrind");
    counted
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(&candidate.command)
        .arg("get");
    counted
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .env("XDG_CACHE_HOME", home.join("cache"));
    counted
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME");
    let output = File::open(question)
        .ok()
        .and_then(|question| counted.stdin(question).output().ok());
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
        .unwrap_or_default();
    let line = text.lines().find(|line| line.contains("refs:"));
    line.and_then(|line| line.split_whitespace().last())
        .unwrap_or("-")
        .to_owned()
}
