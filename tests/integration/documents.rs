//! The documents against the program, both ways: each variable, setting and exit status of the program is in the manual and in
//! the manual page, and the documents name no command, option, variable, setting or status that does not exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use git_credential_pat::cli::command_line;

use crate::manual_sections::having;
use crate::sandbox::Sandbox;

pub const MANUAL: &str = "docs/manual.md";
const PAGE: &str = "docs/git-credential-pat.1";

/// Names without an underscore that the program reads.
const SHORT_VARIABLES: [&str; 8] = [
    "HOME", "PATH", "TERM", "DISPLAY", "NETRC", "COLUMNS", "LANG", "USER",
];

/// In the source and yet no variables that change what the program does.
const NO_VARIABLES: [(&str, &str); 10] = [
    ("USER", "a column of `list`"),
    ("GIT_CONFIG", "set for git"),
    ("GIT_EDITOR", "set for git"),
    ("GIT_DIR", "set for git"),
    ("GIT_WORK_TREE", "removed for git"),
    ("GIT_COMMON_DIR", "removed for git"),
    ("GIT_ASKPASS", "removed for git"),
    ("SSH_ASKPASS", "removed for git"),
    ("GCM_INTERACTIVE", "set for GCM"),
    ("SSH_CONNECTION", "read on macOS"),
];

/// By the libraries of folders and of certificates.
const READ_BY_LIBRARIES: [&str; 4] = [
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Not the names of variables.
const PLACEHOLDERS: [&str; 1] = ["YOUR_TOKEN"];

/// Options of git, of `install.sh` and of other programs in the documents.
const FOREIGN_OPTIONS: [&str; 16] = [
    "--path",
    "--extra-experimental-features",
    "--repository",
    "--release",
    "--add",
    "--binary",
    "--fixed-value",
    "--get-all",
    "--now",
    "--prefix",
    "--purge",
    "--setup",
    "--show-origin",
    "--token",
    "--unset-all",
    "--user",
];

/// Documents for those who change the program.
const FOR_DEVELOPERS: [&str; 4] = [
    "architecture.md",
    "benchmarks.md",
    "glossary.md",
    "security.md",
];

pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap()
}

/// The manual page without its markup, and with each title in one line.
fn page() -> String {
    let page = read(PAGE);
    let plain = ["\\fB", "\\fI", "\\fR"];
    let page = plain.iter().fold(page, |page, mark| page.replace(mark, ""));
    page.replace("\\-", "-")
        .replace("\\&", "")
        .replace("\n.TQ\n", " ")
}

/// What users read: README, the manual, and the guides in `docs`.
fn documents() -> Vec<(String, String)> {
    let mut documents = vec![("README.md".to_owned(), read("README.md"))];
    for entry in fs::read_dir(project("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_markdown = Path::new(&name)
            .extension()
            .is_some_and(|found| found == "md");
        if is_markdown && !FOR_DEVELOPERS.contains(&&name[..]) {
            let path = format!("docs/{name}");
            let text = read(&path);
            documents.push((path, text));
        }
    }
    documents
}

/// The code of the program without its tests and comments.
fn source() -> String {
    fn collect(folder: &Path, source: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "tests") {
                    collect(&path, source);
                }
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
            for line in code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
            {
                source.push_str(line);
                source.push('\n');
            }
        }
    }
    let mut source = String::new();
    collect(&project("src"), &mut source);
    source
}

fn is_variable(word: &str) -> bool {
    let is_of_name =
        |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    let has_middle = word.trim_matches('_').contains('_');
    (has_middle || SHORT_VARIABLES.contains(&word))
        && word.starts_with(|letter: char| letter.is_ascii_uppercase())
        && !word.ends_with('_')
        && word.chars().all(is_of_name)
}

/// The variables that the program reads or hands on, as literals in its code.
fn variables(source: &str) -> BTreeSet<&str> {
    let literals = source.split('"').filter(|word| is_variable(word));
    let literals = literals.filter(|word| !word.starts_with("CARGO_"));
    literals
        .filter(|word| NO_VARIABLES.iter().all(|(name, _)| name != word))
        .collect()
}

#[test]
fn each_variable_is_documented_and_read() {
    let source = source();
    let variables = variables(&source);
    assert!(
        variables.contains("NO_COLOR") && variables.len() > 30,
        "{variables:?}"
    );
    let gaps = variable_gaps(&read(MANUAL), &page(), &variables);
    assert_eq!(gaps, [""; 0], "for the page, see docs/sections.roff");
    let unused = NO_VARIABLES
        .iter()
        .filter(|(name, _)| !source.contains(&format!("\"{name}\"")));
    let unused: Vec<_> = unused.collect();
    assert!(unused.is_empty(), "no longer in the source: {unused:?}");
}

#[test]
fn a_variable_that_one_side_lacks_is_found() {
    let (source, manual, page) = (source(), read(MANUAL), page());
    let gaps = |manual: &str, page: &str| variable_gaps(manual, page, &variables(&source));
    let changed = |from: &str, to: &str| {
        assert_eq!(manual.matches(from).count(), 1, "{from}");
        gaps(&manual.replace(from, to), &page)
    };
    assert_eq!(
        changed("| `COLUMNS` | the", "| `COLUMNS`, `NO_SUCH_NAME` | the"),
        ["docs/manual.md: NO_SUCH_NAME is not read"]
    );
    assert_eq!(
        changed("| `COLUMNS` | the", "| `COLUMNS`, `USER` | the"),
        ["docs/manual.md: USER is not read"]
    );
    assert_eq!(
        changed("In a repository you may", "With GIT_FROB, you may"),
        ["docs/manual.md: GIT_FROB is not read"]
    );
    assert_eq!(
        changed(
            "| `GIT_CREDENTIAL_PAT_TRACE` | `1`, or",
            "| the trace | `1`, or"
        ),
        ["docs/manual.md, Environment: GIT_CREDENTIAL_PAT_TRACE is missing"]
    );
    assert_eq!(
        changed("| `COLUMNS` | the", "| the terminal | the"),
        ["docs/manual.md, Environment: COLUMNS is missing"]
    );
    for (from, to, expected) in [
        (
            "\nCOLUMNS\n",
            "\nCOLUMNS, GIT_FROB\n",
            "docs/git-credential-pat.1: GIT_FROB is not read",
        ),
        (
            "\nCOLUMNS\n",
            "\nTERM\n",
            "docs/git-credential-pat.1, ENVIRONMENT: COLUMNS is missing",
        ),
    ] {
        assert_eq!(page.matches(from).count(), 1, "{from}");
        assert_eq!(gaps(&manual, &page.replace(from, to)), [expected]);
    }
}

/// The variables that are read and not in the part about the environment, and those that are anywhere and not read.
fn variable_gaps(manual: &str, page: &str, variables: &BTreeSet<&str>) -> Vec<String> {
    let mut gaps = Vec::new();
    for (path, text, title, start, end) in [
        (MANUAL, manual, "Environment", "\n## Environment\n", "\n## "),
        (PAGE, page, "ENVIRONMENT", "\n.SH ENVIRONMENT\n", "\n.SH "),
    ] {
        let environment = section(text, start, end);
        // The first cells of the table, or the titles of the entries.
        let titles: Vec<&str> = if path == MANUAL {
            let rows = environment.lines().filter(|line| line.starts_with("| "));
            rows.map(|row| row.split(" | ").next().unwrap()).collect()
        } else {
            let entries = environment.split(".TP\n").skip(1);
            entries.map(|entry| entry.lines().next().unwrap()).collect()
        };
        let titles: BTreeSet<&str> = titles.into_iter().flat_map(words).collect();
        let missing = variables.iter().filter(|name| !titles.contains(*name));
        gaps.extend(missing.map(|name| format!("{path}, {title}: {name} is missing")));
        let mut named: BTreeSet<&str> = words(text).filter(|word| word.contains('_')).collect();
        named.extend(titles);
        for name in named {
            // Of the same meaning in capitals.
            let is_lower = name.ends_with("_proxy") && !name.starts_with('_');
            let upper = if is_lower {
                name.to_ascii_uppercase()
            } else {
                name.to_owned()
            };
            let is_read = variables.contains(&upper[..]) || READ_BY_LIBRARIES.contains(&&upper[..]);
            if is_variable(&upper) && !is_read && !PLACEHOLDERS.contains(&name) {
                gaps.push(format!("{path}: {name} is not read"));
            }
        }
    }
    gaps
}

/// The parts of `text` that may be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
}

/// The part of `text` between `start` and the next `end`.
pub fn section<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, text) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start:?}"));
    text.split(end).next().unwrap()
}

#[test]
fn each_command_line_in_the_documents_is_understood() {
    let mut count = 0;
    let mut faults = Vec::new();
    let mut all = documents();
    all.push((PAGE.to_owned(), page()));
    for (path, text) in &all {
        for line in command_lines(text) {
            count += 1;
            if let Some(fault) = fault_in(&line) {
                faults.push(format!("{path}: {line}\n    {fault}"));
            }
        }
    }
    assert!(count > 100, "{count} command lines");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Each `git credential-pat …`, up to what a shell would not pass on, or to the end of the quotation.
fn command_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        // Titles and synopses have placeholders for options, too.
        if line.starts_with('#') || line.contains('[') {
            continue;
        }
        for part in line.split("git credential-pat ").skip(1) {
            let end = part.find([
                '`', '\'', '"', '|', '<', '>', ';', '#', ')', ':', '…', '(', '=',
            ]);
            let part = part[..end.unwrap_or(part.len())].trim_end_matches(['.', ',', ' ', '\\']);
            lines.push(format!("git credential-pat {part}"));
        }
    }
    lines
}

/// Why the program does not understand the line.
fn fault_in(line: &str) -> Option<String> {
    let words = line.split_whitespace().skip(1);
    let words: Vec<&str> = words.collect();
    // A command that is only named may lack its arguments, and prose may follow it.
    let mut command = command_line();
    command.build();
    let mut known = &command;
    let mut is_first = true;
    for word in &words[1..] {
        if let Some(option) = word.strip_prefix("--") {
            let name = option.split('=').next().unwrap_or_default();
            let mut options = known.get_arguments().filter_map(clap::Arg::get_long);
            let is_known = ["help", "version"].contains(&name) || options.any(|long| long == name);
            if !is_known {
                return Some(format!("no option --{name}"));
            }
        } else if let Some(letter) = word.strip_prefix('-') {
            let mut options = command.get_arguments().filter_map(clap::Arg::get_short);
            if !options.any(|short| letter == short.to_string()) {
                return Some(format!("no option -{letter}"));
            }
        } else if let Some(inner) = known.find_subcommand(word) {
            known = inner;
            is_first = false;
        } else if is_first && !is_operation(word) {
            return Some(format!("no command {word}"));
        }
    }
    None
}

/// Whether git, and not a user, gives this word.
fn is_operation(word: &str) -> bool {
    ["get", "store", "erase", "capability", "STORAGE", "PATH"].contains(&word)
        || word.starts_with(char::is_uppercase)
        || ["memory", "file", "keychain", "auto"]
            .iter()
            .any(|storage| word.starts_with(storage))
        || word.starts_with(|letter: char| letter.is_ascii_digit() || letter == '/')
}

#[test]
fn each_option_in_the_documents_exists() {
    let mut known: BTreeSet<String> = ["--help".to_owned(), "--version".to_owned()].into();
    let mut command = command_line();
    command.build();
    collect_options(&command, &mut known);
    let mut foreign: BTreeSet<&str> = FOREIGN_OPTIONS.into();
    for (path, text) in documents() {
        for word in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-') {
            let is_option = word.starts_with("--") && word.len() > 3 && !word.starts_with("---");
            if !is_option || known.contains(word) {
                continue;
            }
            foreign.remove(word);
            assert!(
                FOREIGN_OPTIONS.contains(&word),
                "{path} names {word}, which does not exist"
            );
        }
    }
    assert!(foreign.is_empty(), "in no document any more: {foreign:?}");
}

fn collect_options(command: &clap::Command, known: &mut BTreeSet<String>) {
    for option in command.get_arguments() {
        let aliases = option.get_all_aliases().unwrap_or_default();
        let names = option.get_long().into_iter().chain(aliases);
        known.extend(names.map(|name| format!("--{name}")));
    }
    for inner in command.get_subcommands() {
        collect_options(inner, known);
    }
}

#[test]
fn each_exit_status_is_documented_and_exists() {
    let source = source();
    let mut statuses: BTreeSet<u32> = [0, 1].into();
    let number = |text: &str| -> Option<u32> {
        let digits = text.chars().take_while(char::is_ascii_digit);
        digits.collect::<String>().parse().ok()
    };
    statuses.extend(source.split("ExitCode::from(").filter_map(number));
    for name in ["MISUSE", "UNKNOWN"] {
        let constant = format!("const {name}: u8 = ");
        statuses.extend(source.split(&constant).skip(1).filter_map(number));
    }
    let states = section(&source, "fn exit_code(self) -> u8 {", "\n    }\n");
    statuses.extend(states.split("=> ").filter_map(number));

    let (manual, page) = (read(MANUAL), page());
    let gaps = |manual: &str, page: &str| status_gaps(manual, page, &statuses);
    assert_eq!(
        gaps(&manual, &page),
        [""; 0],
        "for the page, see docs/sections.roff"
    );

    // And a change would be found.
    let changed = manual.replace("| 130 | of `login`", "| 131 | of `login`");
    assert_eq!(
        gaps(&changed, &page),
        [
            "docs/manual.md: 130 is missing",
            "docs/manual.md: there is no 131"
        ]
    );
    let changed = page.replace("\n130\n", "\n131\n");
    assert_eq!(
        gaps(&manual, &changed),
        [
            "docs/git-credential-pat.1: 130 is missing",
            "docs/git-credential-pat.1: there is no 131"
        ]
    );
    let changed = page.replace("Of check and status:", "Of check:");
    assert_eq!(
        gaps(&manual, &changed),
        ["docs/git-credential-pat.1: 3, 4, 5 does not name status"]
    );
}

/// The statuses that one of the two tables lacks or has too many, and the commands that the page does not name.
fn status_gaps(manual: &str, page: &str, statuses: &BTreeSet<u32>) -> Vec<String> {
    let manual = section(manual, "\n## Exit status\n", "\n## ");
    let rows = manual.lines().filter_map(|row| row.strip_prefix("| "));
    let of_manual: BTreeSet<u32> = rows
        .flat_map(|row| numbers(row.split('|').next().unwrap()))
        .collect();
    let page = section(page, "\n.SH \"EXIT STATUS\"\n", "\n.SH ");
    let mut of_page = BTreeSet::new();
    let mut gaps = Vec::new();
    let mut line = command_line();
    line.build();
    for entry in page.split(".TP\n").skip(1) {
        let (title, meaning) = entry.split_once('\n').unwrap();
        of_page.extend(numbers(title));
        let words: BTreeSet<&str> = words(meaning).collect();
        let commands = numbers(title).into_iter().filter(|&status| status > 2);
        let commands: BTreeSet<String> =
            commands.flat_map(|status| having(status, &line)).collect();
        let unnamed = commands.iter().filter(|name| !words.contains(&&name[..]));
        gaps.extend(unnamed.map(|name| format!("{PAGE}: {title} does not name {name}")));
    }
    for (path, found) in [(MANUAL, of_manual), (PAGE, of_page)] {
        gaps.extend(differences(path, statuses, &found));
    }
    gaps
}

/// What `found` lacks, and what it has too much.
fn differences<T: Ord + std::fmt::Display>(
    path: &str,
    expected: &BTreeSet<T>,
    found: &BTreeSet<T>,
) -> Vec<String> {
    let missing = expected.difference(found);
    let mut gaps: Vec<String> = missing
        .map(|name| format!("{path}: {name} is missing"))
        .collect();
    let unknown = found.difference(expected);
    gaps.extend(unknown.map(|name| format!("{path}: there is no {name}")));
    gaps
}

pub fn numbers(text: &str) -> Vec<u32> {
    let words = text.split(|letter: char| !letter.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn each_setting_is_documented_and_exists() {
    let sandbox = Sandbox::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for name in names_in(&sandbox, "no_such_name = 1\n") {
        let table = names_in(&sandbox, &format!("[{name}]\nno_such_name = 1\n"));
        let list = names_in(&sandbox, &format!("[[{name}]]\nno_such_name = 1\n"));
        if table.is_empty() && list.is_empty() {
            known.insert(name.clone());
        }
        let inner = table.into_iter().chain(list);
        known.extend(inner.map(|inner| format!("{name}.{inner}")));
    }
    assert!(
        known.contains("host.lifetime") && known.contains("memory.timeout"),
        "{known:?}"
    );

    let (manual, page) = (read(MANUAL), page());
    let gaps = |manual: &str, page: &str| setting_gaps(manual, page, &known);
    assert_eq!(
        gaps(&manual, &page),
        [""; 0],
        "for the page, see docs/sections.roff"
    );

    // And a change would be found.
    for (from, to, expected) in [
        (
            "| `warn.every` | at most",
            "| `warn.often` | at most",
            vec![
                "docs/manual.md: warn.every is missing",
                "docs/manual.md: there is no warn.often",
            ],
        ),
        (
            "if the token expires soon (`warn.before`)",
            "if the token expires soon (`warn.frob`)",
            vec!["docs/manual.md: there is no warn.frob"],
        ),
        (
            "max_age = \"12h\"\n",
            "",
            vec!["docs/manual.md, the example: memory.max_age is missing"],
        ),
    ] {
        assert_eq!(manual.matches(from).count(), 1, "{from}");
        assert_eq!(gaps(&manual.replace(from, to), &page), expected);
    }
    let changed = page.replace("\nfile.path\n", "\nfile.frob\n");
    assert_eq!(
        gaps(&manual, &changed),
        [
            "docs/git-credential-pat.1: file.path is missing",
            "docs/git-credential-pat.1: there is no file.frob"
        ]
    );

    // And each example is taken.
    let mut count = 0;
    for (path, text) in documents() {
        for example in text.split("```toml\n").skip(1) {
            count += 1;
            let said = config(&sandbox, example.split("```").next().unwrap());
            assert_eq!(said, "", "{path}: {example}");
        }
    }
    assert!(count >= 1, "{count} examples");
}

/// The settings that the tables or the example lack, and those that a table or a sentence of the manual has too many.
fn setting_gaps(manual: &str, page: &str, known: &BTreeSet<String>) -> Vec<String> {
    let configuration = section(manual, "\n## Configuration file\n", "\n## ");
    let rows = configuration
        .lines()
        .filter_map(|row| row.strip_prefix("| `"));
    let mut of_manual: BTreeSet<String> = rows
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect();
    let mut gaps = Vec::new();
    for row in &of_manual {
        if !known.contains(row) {
            gaps.push(format!("{MANUAL}: there is no {row}"));
        }
    }
    let missing = known.difference(&of_manual);
    gaps.splice(
        0..0,
        missing.map(|name| format!("{MANUAL}: {name} is missing")),
    );
    let tables: BTreeSet<&str> = known
        .iter()
        .filter_map(|name| Some(name.split_once('.')?.0))
        .collect();
    for word in manual.split('`') {
        let is_setting = word.split_once('.').is_some_and(|(table, name)| {
            tables.contains(table)
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '_')
        });
        if is_setting && !known.contains(word) && of_manual.insert(word.to_owned()) {
            gaps.push(format!("{MANUAL}: there is no {word}"));
        }
    }
    let example = section(configuration, "```toml\n", "```");
    let (mut table, mut of_example) = (String::new(), BTreeSet::new());
    for line in example.lines() {
        let line = line.split('#').next().unwrap().trim();
        if line.starts_with('[') {
            table = format!("{}.", line.trim_matches(['[', ']']));
        } else if let Some((name, _)) = line.split_once(" = ") {
            of_example.insert(format!("{table}{name}"));
        }
    }
    gaps.extend(differences(
        &format!("{MANUAL}, the example"),
        known,
        &of_example,
    ));

    let page = section(page, "\n.SH SETTINGS\n", "\n.SH ");
    let mut of_page = BTreeSet::new();
    for entry in page.split(".TP\n").skip(1) {
        let names = entry.lines().next().unwrap().replace(',', "");
        let mut words = names.split(' ');
        match words.clone().next().unwrap().strip_prefix("[[") {
            Some(list) => {
                let list = list.trim_end_matches(']');
                of_page.extend(words.skip(1).map(|name| format!("{list}.{name}")));
            }
            None => of_page.extend(words.by_ref().map(str::to_owned)),
        }
    }
    gaps.extend(differences(PAGE, known, &of_page));
    gaps
}

#[test]
fn each_file_is_in_the_manual_and_in_the_page() {
    let (manual, page) = (read(MANUAL), page());
    assert_eq!(file_gaps(&manual, &page), [""; 0]);
    let changed = manual.replace(
        "git-credential-pat/journal` | `XDG",
        "git-credential-pat/diary` | `XDG",
    );
    assert_eq!(
        file_gaps(&changed, &page),
        [
            "docs/git-credential-pat.1: ~/.local/state/git-credential-pat/diary is missing",
            "docs/git-credential-pat.1: there is no ~/.local/state/git-credential-pat/journal",
            "the program has no file \"diary\"",
        ]
    );
}

/// The files that only one of the two names, and those whose names the program does not have.
fn file_gaps(manual: &str, page: &str) -> Vec<String> {
    let manual = section(manual, "\n## Files\n", "\n\nThe folders");
    let cells = manual.lines().filter_map(|row| row.split(" | ").nth(1));
    let of_manual: BTreeSet<&str> = cells.filter_map(|cell| cell.split('`').nth(1)).collect();
    let page = section(page, "\n.SH FILES\n", "\n.SH ");
    let entries = page.split(".TP\n").skip(1);
    let of_page: BTreeSet<&str> = entries.map(|entry| entry.lines().next().unwrap()).collect();
    let mut gaps = differences(PAGE, &of_manual, &of_page);
    let source = source();
    for place in of_manual {
        let name = place.rsplit('/').next().unwrap();
        if !source.contains(&format!("\"{name}\"")) {
            gaps.push(format!("the program has no file {name:?}"));
        }
    }
    gaps
}

/// The names that the program would have understood in place of `no_such_name`.
fn names_in(sandbox: &Sandbox, settings: &str) -> Vec<String> {
    let said = config(sandbox, settings);
    let Some((_, names)) = said.split_once("unknown field `no_such_name`, expected ") else {
        return Vec::new();
    };
    let names = names.lines().next().unwrap_or_default();
    names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// What `list` complains of with this configuration file.
fn config(sandbox: &Sandbox, settings: &str) -> String {
    let path = sandbox.path("settings.toml");
    fs::write(&path, settings).unwrap();
    let words = format!("--config {} --storage file list", path.display());
    sandbox.ask(&words, b"").stderr
}

#[test]
fn each_link_between_documents_leads_somewhere() {
    let documents = documents();
    let mut count = 0;
    for (path, text) in &documents {
        for link in text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
        {
            if link.contains("://") || link.is_empty() {
                continue;
            }
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() {
                project(path)
            } else {
                project(path).parent().unwrap().join(file)
            };
            let target =
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {link}: {error}"));
            let has_anchor = anchor.is_empty() || anchors(&target).contains(anchor);
            assert!(has_anchor, "{path}: no heading for {link}");
        }
    }
    assert!(count > 30, "{count} links");
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|letter| letter.is_alphanumeric() || "-_ ".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter })
            .collect()
    };
    headings.map(anchor).collect()
}
