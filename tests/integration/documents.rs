//! The documents against the program, both ways: each variable, setting and exit status of the program is in the manual and in
//! the manual page, and the documents name no command, option, variable, setting or status that does not exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use git_credential_pat::cli::command_line;

use crate::sandbox::Sandbox;

const MANUAL: &str = "docs/manual.md";
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

/// Options of git, of `install.sh` and of other programs in the documents.
const FOREIGN_OPTIONS: [&str; 12] = [
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

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap()
}

/// The manual page without its markup.
fn page() -> String {
    let page = read(PAGE);
    let plain = ["\\fB", "\\fI", "\\fR"];
    let page = plain.iter().fold(page, |page, mark| page.replace(mark, ""));
    page.replace("\\-", "-").replace("\\&", "")
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
                collect(&path, source);
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
fn each_variable_is_documented() {
    let source = source();
    let variables = variables(&source);
    assert!(
        variables.contains("NO_COLOR") && variables.len() > 30,
        "{variables:?}"
    );
    let (manual, page) = (read(MANUAL), page());
    let missing = |text: &str| -> Vec<&str> {
        let is_word = |name: &str| {
            let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            text.split(|letter| !is_of_name(letter))
                .any(|word| word == name)
        };
        variables
            .iter()
            .copied()
            .filter(|name| !is_word(name))
            .collect()
    };
    assert_eq!(missing(&manual), [""; 0], "not in {MANUAL}");
    assert_eq!(
        missing(&page),
        [""; 0],
        "not in {PAGE}: add to docs/sections.roff"
    );
    let unused = NO_VARIABLES
        .iter()
        .filter(|(name, _)| !source.contains(&format!("\"{name}\"")));
    let unused: Vec<_> = unused.collect();
    assert!(unused.is_empty(), "no longer in the source: {unused:?}");
}

#[test]
fn each_documented_variable_is_read() {
    let source = source();
    let manual = read(MANUAL);
    let manual = section(&manual, "\n## Environment\n", "\n## ");
    let page = page();
    let page = section(&page, "\n.SH ENVIRONMENT\n", "\n.SH ");
    let of_manual = manual.split('`').skip(1).step_by(2);
    let of_page = page.split(".TP\n").skip(1).flat_map(|entry| {
        let names = entry.lines().next().unwrap_or_default();
        names.split([',', ' '])
    });
    let mut count = 0;
    for name in of_manual.chain(of_page) {
        let is_lower = name.ends_with("_proxy");
        if !is_variable(name) && !is_lower {
            continue;
        }
        count += 1;
        // Of the same meaning in capitals.
        let name = if is_lower {
            name.to_ascii_uppercase()
        } else {
            name.to_owned()
        };
        let is_read =
            READ_BY_LIBRARIES.contains(&&name[..]) || source.contains(&format!("\"{name}\""));
        assert!(
            is_read,
            "{name} is documented, and the program does not read it"
        );
    }
    assert!(count > 40, "{count} variables");
}

/// The part of `text` between `start` and the next `end`.
fn section<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
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

    let manual = read(MANUAL);
    let manual = section(&manual, "\n## Exit status\n", "\n## ");
    let rows = manual.lines().filter_map(|row| row.strip_prefix("| "));
    let of_manual: BTreeSet<u32> = rows
        .flat_map(|row| numbers(row.split('|').next().unwrap()))
        .collect();
    assert_eq!(of_manual, statuses, "{MANUAL}");
    let page = page();
    let page = section(&page, "\n.SH \"EXIT STATUS\"\n", "\n.SH ");
    let entries = page.split(".TP\n").skip(1);
    let of_page: BTreeSet<u32> = entries
        .flat_map(|entry| numbers(entry.lines().next().unwrap()))
        .collect();
    assert_eq!(of_page, statuses, "{PAGE}: see docs/sections.roff");
}

fn numbers(text: &str) -> Vec<u32> {
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

    let manual = read(MANUAL);
    let manual = section(&manual, "\n## Configuration file\n", "\n## ");
    let rows = manual.lines().filter_map(|row| row.strip_prefix("| `"));
    let of_manual: BTreeSet<String> = rows
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(of_manual, known, "{MANUAL}");

    let page = page();
    let page = section(&page, "\n.SH SETTINGS\n", "\n.SH ");
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
    assert_eq!(of_page, known, "{PAGE}: see docs/sections.roff");

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
