//! Entries in a plaintext file, compared with git-credential-store.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::programs::{Git, Options};
use crate::report::{Report, Unit};
use crate::scene::{HOST, Scene, TOKEN};
use crate::series::{Candidate, Comparison};
use crate::table::{Table, grouped, microseconds, ratio};

const OURS: &str = "data/git-credential-pat/credentials";
const GITS: &str = "home/.git-credentials";

/// `count` entries, the one for the host last.
pub fn entries(count: usize, line: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for at in 1..count {
        text.push_str(&line(&format!("host{at}.bench.test")));
    }
    text + &line(HOST)
}

/// An entry as git-credential-pat writes it.
pub fn paragraph(host: &str) -> String {
    let mut text = String::new();
    write!(
        text,
        "protocol=https\nhost={host}\nusername=alice\npassword={TOKEN}\n\n"
    )
    .unwrap();
    text
}

/// An entry as git-credential-store writes it.
pub fn url(host: &str) -> String {
    format!("https://alice:{TOKEN}@{host}\n")
}

pub fn measure(options: &Options, git: &Git, report: &mut Report) {
    let mut table = Table::new(&[
        "operation",
        "entries",
        "program",
        "median µs",
        "minimum µs",
        "p95 µs",
        "ratio",
    ]);
    for (name, count, budget, rounds) in [
        ("file: get, 1 entry", 1, 0.45, 1000),
        ("file: get, 1,000 entries", 1000, 0.35, 500),
        ("file: get, 100,000 entries", 100_000, 0.06, 300),
    ] {
        let scene = filled(options, &format!("file-{count}"), count);
        let candidates = candidates(options, git, &scene, "get", "query");
        for candidate in &candidates {
            candidate.must_print(TOKEN);
        }
        let rounds = if options.quick { rounds / 20 } else { rounds };
        let get = Comparison::run(candidates, rounds);
        add(&mut table, "`get`", count, &get);
        report.figure(name, Unit::Ratio, budget, |build| get.ratio(build));
    }
    let store = new_store(options, git);
    add(&mut table, "new `store`", 100_000, &store);
    report.figure(
        "file: new store, 100,000 entries",
        Unit::Ratio,
        0.30,
        |build| store.ratio(build),
    );
    report.section("Plaintext file", TEXT, table);
}

fn filled(options: &Options, name: &str, count: usize) -> Scene {
    let scene = Scene::new(&options.folder, name);
    scene.write(OURS, &entries(count, paragraph));
    scene.write(GITS, &entries(count, url));
    scene
}

fn candidates(
    options: &Options,
    git: &Git,
    scene: &Scene,
    operation: &str,
    input: &str,
) -> Vec<Candidate> {
    let reference = scene.spawn(&git.store, &[operation], input);
    let mut candidates = vec![Candidate::new("git-credential-store", None, reference)];
    for ours in &options.ours {
        let spawn = scene.spawn(&ours.path, &["--storage", "file", operation], input);
        candidates.push(Candidate::new(ours.label(), Some(ours.build), spawn));
    }
    candidates
}

/// Every run adds the same entry to a new copy of the same file.
fn new_store(options: &Options, git: &Git) -> Comparison {
    let scene = filled(options, "new", 100_000);
    scene.write(
        "new",
        &format!("protocol=https\nhost=new.{HOST}\nusername=alice\npassword={TOKEN}\n"),
    );
    let mut candidates = candidates(options, git, &scene, "store", "new");
    for candidate in &mut candidates {
        let path = scene.path(if candidate.build.is_some() {
            OURS
        } else {
            GITS
        });
        let original = scene.path(if candidate.build.is_some() {
            "ours"
        } else {
            "gits"
        });
        fs::copy(&path, &original).unwrap();
        candidate.prepare = Some(Box::new(move || restore(&original, &path)));
    }
    Comparison::run(candidates, if options.quick { 3 } else { 40 })
}

/// Also waits for the disk, so that no run pays for the copy of another one.
fn restore(original: &PathBuf, path: &Path) {
    fs::copy(original, path).unwrap();
    fs::File::open(path).unwrap().sync_all().unwrap();
}

fn add(table: &mut Table, operation: &str, count: usize, comparison: &Comparison) {
    let git = comparison.0[0].times.median().as_secs_f64();
    for row in &comparison.0 {
        table.row([
            operation.to_owned(),
            grouped(u64::try_from(count).unwrap()),
            row.label.clone(),
            microseconds(row.times.median()),
            microseconds(row.times.minimum()),
            microseconds(row.times.percentile(95)),
            ratio(row.times.median().as_secs_f64() / git),
        ]);
    }
}

const TEXT: &str = "\
The matching entry is the last one in the file. Each new `store` starts from the same file, on the same disk for all programs.
git-credential-pat waits until the new file is on the disk (`fsync`). git-credential-store does not.";
