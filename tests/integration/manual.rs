//! The manual page is what the program says of itself, and each promise of docs/security.md has a test.
//!
//! `UPDATE_DOCS=1 cargo test --test integration manual` writes the page anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use git_credential_pat::cli::command_line;

/// The day of the release, for the foot of the page: without one, what follows it would take its place.
const WRITTEN: &str = "2026-11-21";

/// What stands at the end of the manual page; the rest comes from the program.
const OWN_SECTIONS: &str = include_str!("../../docs/sections.roff");

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap()
}

#[test]
fn the_manual_page_is_current() {
    let page = manual_page();
    let path = project("docs/git-credential-pat.1");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, &page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = page
        .lines()
        .zip(kept.lines())
        .find(|(now, kept)| now != kept);
    assert!(
        page == kept,
        "docs/git-credential-pat.1 is not what the program says of itself, first at {differs:?}: run \
         'UPDATE_DOCS=1 cargo test --test integration manual' and look at the difference"
    );
}

/// The table at the end of docs/security.md has a row for each promise, and names only tests, faults and programs that exist.
#[test]
fn promises_name_tests_that_exist() {
    let gaps = gaps(&read("docs/security.md"));
    assert!(gaps.is_empty(), "in docs/security.md: {gaps:#?}");
}

#[test]
fn a_promise_without_a_test_is_found() {
    let promises = "## Promises\n\n- **One.** Text.\n- **Two.** Text.\n\n## Limits\n\n- **Root** sees all.\n\n| promise | tests |\n|---|---|\n";
    let both = format!(
        "{promises}| One | F22 to F28, `races::a_hundred_and_twenty_eight_first_stores_at_once` |\n| Two | `tests/fuzz/run terminal` |\n"
    );
    assert!(gaps(&both).is_empty(), "{:?}", gaps(&both));
    for (rows, expected) in [
        ("| One | U1 |\n", "no test: Two"),
        ("| One | U1 |\n| Two | |\n", "no test: Two"),
        (
            "| One | U1 |\n| Two | U2 |\n| | `races::no_such_test` |\n",
            "no such test: `races::no_such_test`",
        ),
        (
            "| One | U1 |\n| Two | `no_such_room::in_memory` |\n",
            "no such test: `no_such_room::in_memory`",
        ),
        ("| One | U1 |\n| Two | U99 |\n", "no such test: U99"),
        (
            "| One | U1 |\n| Two | `tests/no_such_program` |\n",
            "no such test: `tests/no_such_program`",
        ),
        (
            "| One | U1 |\n| Two | U2 |\n| Three | U2 |\n",
            "no such promise: Three",
        ),
    ] {
        assert_eq!(gaps(&format!("{promises}{rows}")), [expected], "{rows}");
    }
    assert_eq!(
        gaps("## Promises\n\n- Text.\n\n## Limits\n"),
        ["no name: - Text."]
    );
}

/// The promises without a test, and the rows of the table that name no promise or no test.
fn gaps(text: &str) -> Vec<String> {
    let faults = read_all("tests/faults", "py");
    let mut gaps = Vec::new();
    let mut untested = Vec::new();
    let (promises, rest) = text.split_once("\n## Limits\n").unwrap();
    let (_, promises) = promises.split_once("## Promises\n").unwrap();
    for line in promises.lines().filter(|line| line.starts_with("- ")) {
        match line
            .strip_prefix("- **")
            .and_then(|line| line.split_once(".**"))
        {
            Some((name, _)) => untested.push(name),
            None => gaps.push(format!("no name: {line}")),
        }
    }
    let all = untested.clone();
    let table = rest
        .split_once("| promise | tests |\n")
        .map_or("", |(_, table)| table);
    // An empty first cell continues the row above.
    let mut promise = "";
    for row in table.lines().skip(1) {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (name, tests) = (
            cells.next().unwrap_or_default(),
            cells.next().unwrap_or_default(),
        );
        if !name.is_empty() {
            promise = name;
        }
        if !all.contains(&promise) {
            gaps.push(format!("no such promise: {promise}"));
        }
        for name in tests
            .split(", ")
            .flat_map(|range| range.split(" to "))
            .filter(|name| !name.is_empty())
        {
            untested.retain(|untested| *untested != promise);
            if !is_test(name, &faults) {
                gaps.push(format!("no such test: {name}"));
            }
        }
    }
    gaps.extend(untested.iter().map(|name| format!("no test: {name}")));
    gaps
}

/// A test is `module::name`, a program is a path, and a name without backticks is a fault.
fn is_test(name: &str, faults: &str) -> bool {
    let Some(name) = name
        .strip_prefix('`')
        .and_then(|name| name.strip_suffix('`'))
    else {
        return faults.contains(&format!("@fault(\"{name}\","));
    };
    match name.rsplit_once("::") {
        Some((module, test)) => has_test(module, test),
        None => project(name.split(' ').next().unwrap_or_default()).is_file(),
    }
}

fn has_test(module: &str, test: &str) -> bool {
    let path = format!("tests/integration/{}", module.replace("::", "/"));
    let places = [
        format!("{path}.rs"),
        format!("{path}/mod.rs"),
        module.to_owned(),
    ];
    let mut texts = places
        .iter()
        .filter_map(|path| fs::read_to_string(project(path)).ok());
    let wanted = format!("fn {test}() {{");
    texts.any(|text| {
        let mut parts = text.split("#[test]\n").skip(1);
        parts.any(|part| {
            let first = part.lines().find(|line| line.contains("fn "));
            first.is_some_and(|line| line.trim() == wanted)
        })
    })
}

fn read_all(folder: &str, extension: &str) -> String {
    fs::read_dir(project(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

fn manual_page() -> String {
    let line = command_line();
    let man = Man::new(line.clone())
        .title("GIT-CREDENTIAL-PAT")
        .date(WRITTEN)
        .manual("Git Manual");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    let mut page = String::from_utf8(page).unwrap();
    let about = line.get_about().unwrap().to_string().replace('\n', " ");
    let mut head = Roff::new();
    head.control("SH", ["NAME"]);
    head.text([roman(
        "git-credential-pat - keep personal access tokens for git, and warn before they expire",
    )]);
    head.control("SH", ["SYNOPSIS"]);
    head.control("nf", []);
    for command in line.get_subcommands() {
        leaves(command, "git credential-pat", &mut |command, name| {
            head.text(usage(command, name));
        });
    }
    head.control("fi", []);
    head.control("SH", ["DESCRIPTION"]);
    head.text([roman(format!("{about}."))]);
    head.control("PP", []);
    let after = line.get_after_help().unwrap().to_string();
    head.text([roman(after.replace('\n', " "))]);
    head.control("SH", ["COMMANDS"]);
    for command in line.get_subcommands() {
        leaves(command, "", &mut |command, name| {
            head.control("SS", [name.trim()]);
            let text = command.get_long_about().or(command.get_about());
            for (at, paragraph) in text.unwrap().to_string().split("\n\n").enumerate() {
                if at > 0 {
                    head.control("PP", []);
                }
                let paragraph = paragraph.replace('\n', " ");
                let end = if paragraph.ends_with(['.', '?']) {
                    ""
                } else {
                    "."
                };
                head.text([roman(format!("{paragraph}{end}"))]);
            }
            for alias in command.get_visible_aliases() {
                head.control("PP", []);
                head.text([bold(alias), roman(" is a short name of this command.")]);
            }
            options(&mut head, command);
            let help = command.get_after_help().map(ToString::to_string);
            for paragraph in help.unwrap_or_default().split("\n\n") {
                if paragraph.starts_with("Exit status: ") {
                    head.control("PP", []);
                    head.text([roman(paragraph.replace('\n', " "))]);
                }
            }
        });
    }
    head.control("SH", ["OPTIONS"]);
    head.text([roman(
        "Every command takes these. In git's configuration they stand before git's own word:",
    )]);
    head.control("PP", []);
    head.text([bold(
        "credential.helper = /home/octocat/.local/bin/git-credential-pat --storage memory --timeout 8h",
    )]);
    // With --help and --version.
    let mut built = line.clone();
    built.build();
    options(&mut head, &built);
    let _ = write!(page, "{}", without_preamble(&head.render()));
    page.push_str(OWN_SECTIONS);
    wrapped(&page)
}

/// With no line of text longer than 80 bytes; lines that are set as they stand, and requests, stay as they are. `.TP` takes
/// one line for its title, so a long title goes on after `.TQ`.
fn wrapped(page: &str) -> String {
    let mut text = String::new();
    let (mut is_set_as_it_stands, mut is_title) = (false, false);
    for line in page.lines() {
        let next = if is_title { "\n.TQ\n" } else { "\n" };
        is_title = line == ".TP";
        match line {
            ".nf" => is_set_as_it_stands = true,
            ".fi" => is_set_as_it_stands = false,
            _ => {}
        }
        if is_set_as_it_stands || line.starts_with('.') {
            text.push_str(line);
            text.push('\n');
            continue;
        }
        let mut length = 0;
        for word in line.split(' ') {
            // A line that begins with one of these would be a request.
            let may_begin = !word.starts_with(['.', '\'']);
            if length > 0 && length + 1 + word.len() > 80 && may_begin {
                text.push_str(next);
                length = 0;
            } else if length > 0 {
                text.push(' ');
                length += 1;
            }
            text.push_str(word);
            length += word.len();
        }
        text.push('\n');
    }
    text
}

/// The commands that have none below them.
fn leaves(command: &clap::Command, before: &str, look: &mut impl FnMut(&clap::Command, &str)) {
    let name = format!("{before} {}", command.get_name());
    if command.has_subcommands() {
        for inner in command.get_subcommands() {
            leaves(inner, &name, look);
        }
    } else {
        look(command, &name);
    }
}

/// The name, then what may and what must stand after it.
fn usage(command: &clap::Command, name: &str) -> Vec<Inline> {
    let mut words = vec![bold(name)];
    for argument in command.get_arguments() {
        let value = value_of(argument);
        let is_required = argument.is_required_set();
        words.push(roman(if is_required { " " } else { " [" }));
        if let Some(long) = argument.get_long() {
            words.push(bold(format!("--{long}")));
            if let Some(value) = value {
                words.push(roman(" "));
                words.push(italic(value));
            }
        } else {
            words.push(italic(value.unwrap_or_default()));
        }
        if !is_required {
            words.push(roman("]"));
        }
    }
    words
}

fn options(page: &mut Roff, command: &clap::Command) {
    for argument in command.get_arguments() {
        page.control("TP", []);
        let value = value_of(argument);
        let short = argument.get_short().map(|short| format!("-{short}"));
        let long = argument.get_long().map(|long| format!("--{long}"));
        let names: Vec<String> = short.into_iter().chain(long).collect();
        let names = names.join(", ");
        page.text(match value {
            Some(value) if names.is_empty() => vec![italic(value)],
            Some(value) => vec![bold(names), roman(" "), italic(value)],
            None => vec![bold(names)],
        });
        let help = argument.get_long_help().or(argument.get_help());
        let help = help.map_or_else(String::new, ToString::to_string);
        let choices: Vec<_> = argument
            .get_possible_values()
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        let choices = if choices.is_empty() || value_of(argument).is_none() {
            String::new()
        } else {
            format!(": {}", choices.join(", "))
        };
        page.text([roman(format!("{}{choices}.", help.replace('\n', " ")))]);
    }
}

fn value_of(argument: &clap::Arg) -> Option<String> {
    if !argument.get_action().takes_values() {
        return None;
    }
    let names = argument.get_value_names().map(|names| names.join(" "));
    Some(names.unwrap_or_else(|| argument.get_id().as_str().to_uppercase()))
}

/// Every piece would bring the definitions that stand at the head of a page.
fn without_preamble(text: &str) -> &str {
    text.find(".SH").map_or(text, |start| &text[start..])
}
