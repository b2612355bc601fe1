//! The list of traps for other systems names tests and steps that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const README: &str = include_str!("../other-systems/README.md");
const WORKFLOW: &str = include_str!("../../.github/workflows/ci.yml");

/// The rows of the table under a heading, cell by cell.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let section = text.split(heading).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let table = section.lines().filter(|line| line.starts_with('|'));
    let mut rows = Vec::new();
    // The first two lines are the heading of the table.
    for line in table.skip(2) {
        let cells = line.trim_matches('|').split('|');
        rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
    }
    rows
}

fn tests_in(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_in(&path, names);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for part in text.split("fn ").skip(1) {
                names.insert(part.split('(').next().unwrap_or_default().to_owned());
            }
        }
    }
}

fn steps() -> Vec<&'static str> {
    let names = WORKFLOW
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- name: "));
    names.map(|name| name.trim_matches('"')).collect()
}

/// What a row names and is not there.
fn missing(row: &[String], tests: &BTreeSet<String>, steps: &[&str]) -> Vec<String> {
    let mut missing = Vec::new();
    let [_, _, named, step] = row else {
        return vec![format!("{row:?} has not four cells")];
    };
    for name in named.split(", ").filter(|name| !name.is_empty()) {
        if !tests.contains(name.trim_matches('`')) {
            missing.push(format!("no test {name}"));
        }
    }
    let begins = format!("{step}:");
    if !steps.iter().any(|name| name.starts_with(&begins)) {
        missing.push(format!("no step {step}"));
    }
    missing
}

#[test]
fn each_trap_has_a_test_or_a_step_that_exists() {
    let mut tests = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "tests/integration", "tests/portable"] {
        tests_in(&root.join(folder), &mut tests);
    }
    let (rows, steps) = (rows(README, "## Traps"), steps());
    assert_eq!(rows.len(), 25);
    for row in &rows {
        assert_eq!(missing(row, &tests, &steps), [""; 0], "{row:?}");
    }
    let row = ["a", "b", "`no_such_test`", "trap 99"].map(str::to_owned);
    assert_eq!(missing(&row, &tests, &steps).len(), 2);
}

#[test]
fn each_limit_of_wine_has_a_step_that_exists() {
    let (rows, steps) = (rows(README, "## Limits of wine"), steps());
    assert!(rows.len() >= 10);
    for row in rows {
        let step = row
            .last()
            .unwrap()
            .split(", install")
            .next()
            .unwrap()
            .to_owned();
        let is_there = steps.iter().any(|name| name.contains(&step));
        assert!(is_there, "{row:?}");
    }
}
