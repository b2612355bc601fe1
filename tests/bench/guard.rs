//! Compares the counts of our programs with `tests/bench/limits`, or writes that file anew.

use std::fmt::Write as _;
use std::fs;

use crate::counts::{Counts, OPERATIONS, find_counts};
use crate::programs::{Build, Options};
use crate::table::{Table, grouped};

const LIMITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/limits");

/// In percent of what was reached.
const LIMIT: u64 = 105;
/// At least so many more page faults: the environment of the user costs some.
const SPARE_FAULTS: u64 = 2;

struct Limit {
    instructions: u64,
    faults: u64,
}

/// Prints each count and its limit. False if one is over, or has no limit.
pub fn compare(options: &Options, all: &[Counts]) -> bool {
    let limits = fs::read_to_string(LIMITS).unwrap();
    let mut table = Table::new(&[
        "program",
        "operation",
        "instructions",
        "limit",
        "page faults",
        "limit",
        "",
    ]);
    let mut is_within = true;
    for (build, counts) in ours(options, all) {
        let instructions = counts.instructions.expect("valgrind counted nothing");
        let limit = limit(&limits, build, counts.operation);
        let verdict = match &limit {
            None => "no limit",
            Some(limit) if instructions > limit.instructions || counts.faults > limit.faults => {
                "over"
            }
            Some(_) => "ok",
        };
        is_within &= verdict == "ok";
        let limit = limit.unwrap_or(Limit {
            instructions: 0,
            faults: 0,
        });
        table.row([
            build.label().to_owned(),
            counts.operation.to_owned(),
            grouped(instructions),
            grouped(limit.instructions),
            grouped(counts.faults),
            grouped(limit.faults),
            verdict.to_owned(),
        ]);
    }
    println!("{table}");
    if !is_within {
        eprintln!("error: more instructions or page faults than tests/bench/limits allows");
    }
    is_within
}

/// Replaces the limits of the programs that were counted; those of others stay. Returns true.
pub fn update(options: &Options, all: &[Counts]) -> bool {
    let old = fs::read_to_string(LIMITS).unwrap();
    let is_kept = |line: &&str| {
        !options
            .ours
            .iter()
            .any(|ours| line.starts_with(ours.build.name()))
    };
    let mut new: String = old
        .lines()
        .filter(is_kept)
        .map(|line| format!("{line}\n"))
        .collect();
    for (build, counts) in ours(options, all) {
        let above = |reached: u64| (reached * LIMIT).div_ceil(100);
        let instructions = above(counts.instructions.expect("valgrind counted nothing"));
        let (name, operation, faults) = (
            build.name(),
            counts.operation,
            above(counts.faults).max(counts.faults + SPARE_FAULTS),
        );
        writeln!(
            new,
            "{name:<6} {operation:<12} {instructions:>12} {faults:>6}"
        )
        .unwrap();
    }
    fs::write(LIMITS, new).unwrap();
    println!("wrote tests/bench/limits");
    true
}

fn ours<'all>(
    options: &'all Options,
    all: &'all [Counts],
) -> impl Iterator<Item = (Build, &'all Counts)> {
    let of = move |build| {
        OPERATIONS
            .iter()
            .filter_map(move |(name, _, _)| find_counts(all, build, name))
    };
    options
        .ours
        .iter()
        .flat_map(move |ours| of(ours.build).map(move |counts| (ours.build, counts)))
}

/// A line of the file: target, operation, instructions, page faults.
fn limit(limits: &str, build: Build, operation: &str) -> Option<Limit> {
    for line in limits.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [target, of, instructions, faults] = words[..]
            && target == build.name()
            && of == operation
        {
            return Some(Limit {
                instructions: instructions.parse().unwrap(),
                faults: faults.parse().unwrap(),
            });
        }
    }
    None
}
