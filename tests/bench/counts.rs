//! Counts that do not depend on how busy the machine is: instructions and page faults of one operation.

use std::path::PathBuf;
use std::process::Stdio;

use crate::cache::Scenes;
use crate::programs::{Build, Git, Options};
use crate::report::{Report, Unit};
use crate::scene::find;
use crate::spawn::Spawn;
use crate::table::{Table, grouped, or_dash};

/// Name, operation and input. `fetch` is the `get` of a fetch.
pub const OPERATIONS: [(&str, &str, &str); 4] = [
    ("get", "get", "query"),
    ("fetch", "get", "fetch"),
    ("store", "store", "stored"),
    ("capability", "capability", "nothing"),
];

pub struct Counts {
    pub label: String,
    /// `None`: the program is not ours.
    pub build: Option<Build>,
    pub operation: &'static str,
    /// In user space, by callgrind. `None` without valgrind.
    pub instructions: Option<u64>,
    pub faults: u64,
    median_faults: u64,
}

/// Counts each operation of each program, with one entry in memory.
pub fn count(options: &Options, git: &Git, scenes: &Scenes) -> Vec<Counts> {
    let mut all = Vec::new();
    for (name, operation, input) in OPERATIONS {
        for candidate in scenes.candidates(options, git, operation, input) {
            all.push(of(candidate.label, candidate.build, name, &candidate.spawn));
        }
    }
    all
}

pub fn measure(options: &Options, git: &Git, scenes: &Scenes, report: &mut Report) {
    let mut all = count(options, git, scenes);
    if let Some(floor) = &options.floor {
        let nothing: [&str; 0] = [];
        let spawn = scenes.git.spawn(floor, &nothing, "nothing");
        all.push(of(
            "an empty static C program".to_owned(),
            None,
            "-",
            &spawn,
        ));
    }
    let mut table = Table::new(&[
        "operation",
        "program",
        "instructions",
        "page faults",
        "median",
    ]);
    for counts in &all {
        table.row([
            counts.operation.to_owned(),
            counts.label.clone(),
            or_dash(counts.instructions.map(grouped)),
            grouped(counts.faults),
            grouped(counts.median_faults),
        ]);
    }
    report.section("Instructions and page faults", TEXT, table);
    for (name, operation, budget) in [
        ("get: page faults", "get", 35.0),
        ("capability: page faults", "capability", 25.0),
    ] {
        report.figure(name, Unit::Count, budget, |build| {
            Some(number(find_counts(&all, build, operation)?.faults))
        });
    }
    report.figure("get: instructions", Unit::Count, 120_000.0, |build| {
        find_counts(&all, build, "get")?.instructions.map(number)
    });
}

pub fn find_counts<'all>(
    all: &'all [Counts],
    build: Build,
    operation: &str,
) -> Option<&'all Counts> {
    let is_it = |counts: &&Counts| counts.build == Some(build) && counts.operation == operation;
    all.iter().find(is_it)
}

#[allow(clippy::cast_precision_loss)]
fn number(count: u64) -> f64 {
    count as f64
}

fn of(label: String, build: Option<Build>, operation: &'static str, spawn: &Spawn) -> Counts {
    let mut faults: Vec<u64> = (0..40)
        .map(|_| spawn.measure_at_fixed_addresses().faults)
        .collect();
    faults.sort_unstable();
    Counts {
        label,
        build,
        operation,
        instructions: instructions(spawn),
        faults: faults[0],
        median_faults: faults[faults.len() / 2],
    }
}

/// The least of three runs.
fn instructions(spawn: &Spawn) -> Option<u64> {
    let valgrind: PathBuf = find("valgrind")?;
    let words = [
        valgrind.to_str()?,
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ];
    let run = || {
        let output = spawn.command(&words).stderr(Stdio::piped()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("refs:"))?;
        line.split_whitespace()
            .last()?
            .replace(',', "")
            .parse()
            .ok()
    };
    (0..3).filter_map(|_| run()).min()
}

const TEXT: &str = "\
Instructions are those in user space, counted by valgrind's callgrind. Page faults are the minimum and the median of 40 runs
with the kernel's address randomisation off, of a program that was read from the disk as after a reboot. Most of the time of
a short process goes to page faults. `fetch` is the `get` of a fetch after the server's 401: git also sends its capabilities and
the server's realm, and takes a `state[]`. `tests/bench/guard` fails if a change raises these counts above `tests/bench/limits`.";
