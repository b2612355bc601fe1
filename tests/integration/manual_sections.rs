//! The manual cut by its commands: the section of each command against its arguments, options and exit statuses in the
//! program, both ways.

use std::collections::BTreeSet;

use clap::{Arg, Command};
use git_credential_pat::cli::command_line;

use crate::documents::{MANUAL, numbers, read, section};

const PROGRAM: &str = "git credential-pat ";

/// Exit statuses that any command may have, besides those that its help states.
const GENERAL: [u32; 3] = [0, 1, 2];

/// A mistake that `login` finds in a pasted token.
const PASTED: &str = "--token=TOKEN";

/// After Ctrl-D, with the commands that the manual and the page name for it.
const INTERRUPTED: (u32, [&str; 2]) = (130, ["login", "rotate"]);

#[test]
fn the_manual_says_of_each_command_what_the_program_has() {
    let manual = read(MANUAL);
    assert_eq!(gaps(&manual), [""; 0], "{MANUAL}");
    let names = entries(&manual, &mut Vec::new());
    assert!(names.len() > 20, "{} commands", names.len());
}

/// Changes of the manual, and the gap that each makes.
const CHANGES: [(&str, &str, &str); 21] = [
    (
        "- `--show`: prints",
        "- Prints",
        "token: --show is not in its list",
    ),
    (
        "- `--reminder`: only",
        "- Only",
        "setup: --reminder is not in its list",
    ),
    (
        "`--yes`: does not ask.\n- `--dry-run`: shows the credentials",
        "`--yes`: does not ask.\n- Shows the credentials",
        "logout: --dry-run is not in its list",
    ),
    (
        " `--json` prints JSON.\n",
        "\n",
        "cache status: --json is not in its list",
    ),
    (
        "- `--show`: prints",
        "- `--sort ORDER`: sorts.\n- `--show`: prints",
        "token: it has no option --sort",
    ),
    (
        "If several apply, 1 comes first,",
        "`--all` shows all. If several apply, 1 comes first,",
        "status: it has no option --all",
    ),
    (
        "`login --expires DATE`, or",
        "`login --until DATE`, or",
        "`login --until DATE`: it has no option --until",
    ),
    (
        "- `--keep URL`: keeps",
        "- `--keep`: keeps",
        "clean: --keep takes \"URL\", and not \"\"",
    ),
    (
        "`--sort used`: the one",
        "`--sort size`: the one",
        "list: --sort takes no \"size\"; list: --sort may be \"used\"",
    ),
    (
        "### git credential-pat token URL\n",
        "### git credential-pat frob [URL]\n\nText.\n\n### git credential-pat token URL\n",
        "no such command: frob [URL]",
    ),
    (
        "### git credential-pat logout [URL]",
        "### git credential-pat logout URL",
        "logout: its heading has \"URL\", and the program \"[URL]\"",
    ),
    (
        "### git credential-pat help [COMMAND…]\n",
        "#### Help\n",
        "help is not described",
    ),
    (
        "- `git credential-pat cache stop`: stops",
        "- Stops",
        "cache stop is not described",
    ),
    (
        "`rm` is a short name for `logout`.",
        "",
        "logout: its short name `rm` is missing",
    ),
    (
        "`rm` is a short name for `logout`.",
        "`rm` is a short name for `logout`. `del` is a short name for `logout`.",
        "`del` is no short name for `logout`",
    ),
    (
        "| 5 | unknown, because a forge",
        "| 9 | unknown, because a forge",
        "check: exit statuses {0, 3, 4, 9}, and in the program {0, 3, 4, 5}",
    ),
    (
        "| 5 | unknown: a storage could not tell, such as a locked keyring, or a forge blocks a token |\n",
        "",
        "status: exit statuses {0, 1, 3, 4}, and in the program {0, 1, 3, 4, 5}",
    ),
    (
        "an error that\nnames the remotes.",
        "exit status 7.",
        "doctor: it has no exit status 7",
    ),
    (
        "| 3, 4, 5 | of [check](#git-credential-pat-check-url) and [status](#git-credential-pat-status-url) |",
        "| 3, 4, 5 | of [check](#git-credential-pat-check-url) |",
        "exit status 3: of {\"check\"}, and in the program of {\"check\", \"status\"}",
    ),
    (
        "`--quiet` together are a usage error",
        "`--quiet` together have exit status 8",
        "there is no exit status 8",
    ),
    (
        "| `--socket PATH` | the memory",
        "| `--pipe PATH` | the memory",
        "Options of the helper: no row --socket PATH; Options of the helper: there is no --pipe PATH",
    ),
];

#[test]
fn each_kind_of_change_in_a_section_is_found() {
    let manual = read(MANUAL);
    for change in CHANGES {
        assert_found(&manual, change, gaps);
    }
}

/// `gaps` finds in the manual with `from` changed to `to` what is expected, and only that.
#[track_caller]
pub fn assert_found(
    manual: &str,
    (from, to, expected): (&str, &str, &str),
    gaps: fn(&str) -> Vec<String>,
) {
    assert_eq!(manual.matches(from).count(), 1, "{from}");
    let found = gaps(&manual.replace(from, to));
    assert_eq!(found.join("; "), expected, "{from} -> {to}");
}

/// What the manual says of one command.
struct Entry {
    name: String,
    arguments: String,
    text: String,
    /// Whether the entry is an item in the list of a group, such as `cache`, and has no list of its own.
    is_item: bool,
}

/// All differences between the commands of the program and their sections.
fn gaps(manual: &str) -> Vec<String> {
    let mut line = command_line();
    line.build();
    let mut gaps = Vec::new();
    let entries = entries(manual, &mut gaps);
    let mut undescribed: BTreeSet<String> = leaves(&line, "").into_iter().collect();
    for entry in &entries {
        let Some(command) = find(&line, &entry.name) else {
            let heading = format!("{} {}", entry.name, entry.arguments);
            gaps.push(format!("no such command: {}", heading.trim()));
            continue;
        };
        if !undescribed.remove(&entry.name) {
            gaps.push(format!("{} is described twice", entry.name));
        }
        argument_gaps(entry, command, &mut gaps);
        option_gaps(entry, command, &mut gaps);
        value_gaps(entry, command, &mut gaps);
        status_gaps(entry, command, &mut gaps);
        for alias in command.get_visible_aliases() {
            if !entry
                .text
                .contains(&format!("`{alias}` is a short name for `{}`", entry.name))
            {
                gaps.push(format!(
                    "{}: its short name `{alias}` is missing",
                    entry.name
                ));
            }
        }
    }
    let wrapped = manual
        .lines()
        .filter(|line| !line.starts_with("```") && line.matches('`').count() % 2 == 1);
    gaps.extend(wrapped.map(|line| format!("a name in two lines: {line}")));
    gaps.extend(
        undescribed
            .iter()
            .map(|name| format!("{name} is not described")),
    );
    alias_gaps(manual, &line, &mut gaps);
    named_option_gaps(manual, &line, &mut gaps);
    shared_option_gaps(manual, &mut gaps);
    shared_status_gaps(manual, &line, &mut gaps);
    gaps
}

/// One entry for each heading, or for each item below the heading of a group.
fn entries(manual: &str, gaps: &mut Vec<String>) -> Vec<Entry> {
    let line = command_line();
    let commands = section(manual, "\n## Commands\n", "\n## ");
    let mut entries = Vec::new();
    for part in commands.split("\n### ").skip(1) {
        let (heading, text) = part.split_once('\n').unwrap();
        let Some(heading) = heading.strip_prefix(PROGRAM) else {
            gaps.push(format!("no heading of a command: {heading}"));
            continue;
        };
        let group = find(&line, heading).filter(|command| command.has_subcommands());
        if group.is_none() && !heading.contains(", ") {
            let (name, arguments) = parted(&line, heading);
            entries.push(Entry {
                name,
                arguments,
                text: text.to_owned(),
                is_item: false,
            });
            continue;
        }
        let mut named = Vec::new();
        for item in text.split("\n- `").skip(1) {
            let item = item.split("\n\n").next().unwrap();
            let (code, text) = item.split_once('`').unwrap();
            let (name, arguments) = parted(&line, code.strip_prefix(PROGRAM).unwrap_or(code));
            named.push(name.clone());
            entries.push(Entry {
                name,
                arguments,
                text: text.to_owned(),
                is_item: true,
            });
        }
        if group.is_none() && named.join(", ") != heading {
            gaps.push(format!("{heading}: its list has {named:?}"));
        }
    }
    entries
}

/// The words of a heading that name a command, and the others.
fn parted(line: &Command, heading: &str) -> (String, String) {
    let words: Vec<&str> = heading.split(' ').collect();
    let mut known = line;
    let mut count = 0;
    while let Some(inner) = words
        .get(count)
        .and_then(|word| known.find_subcommand(word))
    {
        known = inner;
        count += 1;
    }
    let count = count.max(1);
    (words[..count].join(" "), words[count..].join(" "))
}

pub fn find<'a>(line: &'a Command, name: &str) -> Option<&'a Command> {
    let mut words = name.split(' ');
    words.try_fold(line, |command, word| {
        let mut inner = command.get_subcommands();
        inner.find(|inner| inner.get_name() == word && !inner.is_hide_set())
    })
}

/// The names of the commands that have none below them.
pub fn leaves(command: &Command, before: &str) -> Vec<String> {
    let mut names = Vec::new();
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        let name = format!("{before} {}", inner.get_name());
        if inner.has_subcommands() {
            names.extend(leaves(inner, &name));
        } else {
            names.push(name.trim_start().to_owned());
        }
    }
    names
}

/// The heading has the arguments of the command as its usage has them.
fn argument_gaps(entry: &Entry, command: &Command, gaps: &mut Vec<String>) {
    let mut expected = Vec::new();
    for argument in command.get_positionals() {
        let is_list = argument
            .get_num_args()
            .is_some_and(|count| count.max_values() > 1);
        let name = format!("{}{}", value_of(argument), if is_list { "…" } else { "" });
        expected.push(if argument.is_required_set() {
            name
        } else {
            format!("[{name}]")
        });
    }
    let expected = expected.join(" ");
    if entry.arguments != expected {
        let (name, found) = (&entry.name, &entry.arguments);
        gaps.push(format!(
            "{name}: its heading has {found:?}, and the program {expected:?}"
        ));
    }
}

fn value_of(argument: &Arg) -> String {
    if !argument.get_action().takes_values() {
        return String::new();
    }
    let names = argument.get_value_names().map(|names| names.join(" "));
    names.unwrap_or_else(|| argument.get_id().as_str().to_uppercase())
}

/// Each option of the command is in the list of its section, and each option there is one of the command or of all.
fn option_gaps(entry: &Entry, command: &Command, gaps: &mut Vec<String>) {
    let name = &entry.name;
    let options = codes(&entry.text).filter(|code| is_option(code));
    let mut all: Vec<&str> = options.collect();
    let listed: Vec<&str> = if entry.is_item {
        all.clone()
    } else {
        listed(&entry.text)
    };
    all.dedup();
    for code in &all {
        let (option, value) = code.split_once(' ').unwrap_or((code, ""));
        let Some(argument) = known(command, option) else {
            gaps.push(format!("{name}: it has no option {option}"));
            continue;
        };
        let choices = argument.get_possible_values();
        let takes = value_of(argument);
        let is_choice = choices.iter().any(|choice| choice.get_name() == value);
        if argument.is_global_set() {
            continue;
        }
        if !choices.is_empty() && !takes.is_empty() {
            if !value.is_empty() && !is_choice && value != takes {
                gaps.push(format!("{name}: {option} takes no {value:?}"));
            }
        } else if value != takes && (listed.contains(code) || !value.is_empty()) {
            gaps.push(format!(
                "{name}: {option} takes {takes:?}, and not {value:?}"
            ));
        }
    }
    for argument in command
        .get_arguments()
        .filter(|argument| !is_shared(argument))
    {
        let Some(long) = argument.get_long() else {
            continue;
        };
        let option = format!("--{long}");
        if !listed
            .iter()
            .any(|code| code.split(' ').next() == Some(&option))
        {
            gaps.push(format!("{name}: {option} is not in its list"));
        }
    }
    if name == "help" {
        for option in ["--help", "-h", "--version", "-V"] {
            if !all.contains(&option) {
                gaps.push(format!("{name}: {option} is missing"));
            }
        }
    }
}

fn is_option(code: &str) -> bool {
    let name = code.trim_start_matches('-');
    name.len() < code.len()
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && code != PASTED
}

/// The values that an option or an argument of the command can have are in its section.
fn value_gaps(entry: &Entry, command: &Command, gaps: &mut Vec<String>) {
    for argument in command
        .get_arguments()
        .filter(|argument| !is_shared(argument))
    {
        let Some(long) = argument.get_long().or(Some("")) else {
            continue;
        };
        if value_of(argument).is_empty() {
            continue;
        }
        for choice in argument.get_possible_values() {
            let choice = choice.get_name();
            let wanted = if long.is_empty() {
                choice.to_owned()
            } else {
                format!("--{long} {choice}")
            };
            if !codes(&entry.text).any(|code| code == wanted) {
                gaps.push(format!("{}: --{long} may be {choice:?}", entry.name));
            }
        }
    }
}

/// Whether every command has this option.
fn is_shared(argument: &Arg) -> bool {
    argument.is_global_set() || ["help", "version"].contains(&argument.get_id().as_str())
}

/// The argument of the command that `option` names.
pub fn known<'a>(command: &'a Command, option: &str) -> Option<&'a Arg> {
    let mut arguments = command.get_arguments();
    arguments.find(|argument| {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        [long, short].iter().flatten().any(|name| name == option)
    })
}

/// The options at the beginning of the items of a list.
fn listed(text: &str) -> Vec<&str> {
    let mut listed = Vec::new();
    for item in text.lines().filter_map(|line| line.strip_prefix("- `")) {
        for (number, piece) in item.split('`').enumerate() {
            match number % 2 {
                0 if piece.starts_with('-') => listed.push(piece),
                1 if piece.contains(':') => break,
                _ => {}
            }
        }
    }
    listed
}

/// What stands between backticks, outside of examples.
pub fn codes(text: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    let mut codes = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced && !line.starts_with("    ") {
            codes.extend(line.split('`').skip(1).step_by(2));
        }
    }
    codes.into_iter()
}

/// The exit statuses that the help of a command states.
fn stated(command: &Command) -> BTreeSet<u32> {
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let statuses = help.split_once("Exit status: ");
    let statuses = statuses.map_or("", |(_, text)| text.split('.').next().unwrap());
    numbers(statuses).into_iter().collect()
}

/// The table of a section has the statuses that the help states, and its sentences name no other.
fn status_gaps(entry: &Entry, command: &Command, gaps: &mut Vec<String>) {
    let name = &entry.name;
    let expected = stated(command);
    let mut found = BTreeSet::new();
    for table in entry.text.split("| exit status | meaning |\n").skip(1) {
        let rows = table.lines().skip(1);
        let rows = rows.map_while(|row| row.strip_prefix("| "));
        found.extend(rows.flat_map(|row| numbers(row.split('|').next().unwrap())));
    }
    if found != expected {
        gaps.push(format!(
            "{name}: exit statuses {found:?}, and in the program {expected:?}"
        ));
    }
    for status in statuses_in_sentences(&entry.text) {
        let is_known = GENERAL.contains(&status)
            || expected.contains(&status)
            || status == INTERRUPTED.0 && INTERRUPTED.1.contains(&&name[..]);
        if !is_known {
            gaps.push(format!("{name}: it has no exit status {status}"));
        }
    }
}

/// The numbers after "exit status" and "exit status is".
fn statuses_in_sentences(text: &str) -> Vec<u32> {
    let text = text.replace('\n', " ");
    let mut statuses = Vec::new();
    for rest in text.split("xit status ").skip(1) {
        let rest = rest.strip_prefix("is ").unwrap_or(rest);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        statuses.extend(digits.parse::<u32>());
    }
    statuses
}

/// Each "`x` is a short name for `y`" is true.
fn alias_gaps(manual: &str, line: &Command, gaps: &mut Vec<String>) {
    for sentence in manual
        .split("` is a short name for `")
        .collect::<Vec<_>>()
        .windows(2)
    {
        let alias = sentence[0].rsplit('`').next().unwrap();
        let name = sentence[1].split('`').next().unwrap();
        let is_alias = find(line, name)
            .is_some_and(|command| command.get_visible_aliases().any(|known| known == alias));
        if !is_alias {
            gaps.push(format!("`{alias}` is no short name for `{name}`"));
        }
    }
}

/// Each option after the name of a command, such as in `login --expires`, is one of that command, in all of the manual.
fn named_option_gaps(manual: &str, line: &Command, gaps: &mut Vec<String>) {
    for code in codes(manual) {
        let code = code.strip_prefix(PROGRAM).unwrap_or(code);
        let (name, rest) = parted(line, code);
        let Some(command) = find(line, &name) else {
            continue;
        };
        for option in rest.split(' ').filter(|word| word.starts_with('-')) {
            if known(command, option).is_none() {
                gaps.push(format!("`{code}`: it has no option {option}"));
            }
        }
    }
}

/// The tables of "Options of the helper" have the options that every command takes.
fn shared_option_gaps(manual: &str, gaps: &mut Vec<String>) {
    let text = section(manual, "\n## Options of the helper\n", "\n## ");
    let mut rows = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| `-")) {
        let cell = row.split(" | ").next().unwrap();
        rows.insert(codes(cell).collect::<Vec<_>>().join(", "));
    }
    let mut options = BTreeSet::new();
    for argument in command_line()
        .get_arguments()
        .filter(|argument| argument.is_global_set())
    {
        let short = argument.get_short().map(|short| format!("-{short}, "));
        let option = format!(
            "{}--{} {}",
            short.unwrap_or_default(),
            argument.get_long().unwrap(),
            value_of(argument)
        );
        options.insert(option.trim_end().to_owned());
    }
    let place = "Options of the helper";
    gaps.extend(
        options
            .difference(&rows.iter().map(ToString::to_string).collect())
            .map(|option| format!("{place}: no row {option}")),
    );
    gaps.extend(
        rows.iter()
            .filter(|row| !options.contains(*row))
            .map(|row| format!("{place}: there is no {row}")),
    );
}

/// The table of "Exit status" names the commands that have a status of their own.
fn shared_status_gaps(manual: &str, line: &Command, gaps: &mut Vec<String>) {
    let text = section(manual, "\n## Exit status\n", "\n## ");
    for row in text.lines().filter_map(|row| row.strip_prefix("| ")) {
        let (statuses, meaning) = row.split_once(" | ").unwrap_or_default();
        let words: BTreeSet<&str> = meaning.split(['`', '[', ']']).skip(1).step_by(2).collect();
        let names: BTreeSet<String> = leaves(line, "")
            .into_iter()
            .filter(|name| words.contains(&&name[..]))
            .collect();
        for status in numbers(statuses) {
            if GENERAL.contains(&status) {
                continue;
            }
            let expected = having(status, line);
            if names != expected {
                gaps.push(format!(
                    "exit status {status}: of {names:?}, and in the program of {expected:?}"
                ));
                break;
            }
        }
    }
    let mut all: BTreeSet<u32> = [INTERRUPTED.0].into();
    all.extend(GENERAL);
    for name in leaves(line, "") {
        all.extend(stated(find(line, &name).unwrap()));
    }
    let others = manual.replace(section(manual, "\n## Commands\n", "\n## "), "");
    for status in statuses_in_sentences(&others) {
        if !all.contains(&status) {
            gaps.push(format!("there is no exit status {status}"));
        }
    }
}

/// The commands that can have this exit status.
pub fn having(status: u32, line: &Command) -> BTreeSet<String> {
    if status == INTERRUPTED.0 {
        return INTERRUPTED.1.map(str::to_owned).into();
    }
    let mut names = leaves(line, "");
    names.retain(|name| stated(find(line, name).unwrap()).contains(&status));
    names.into_iter().collect()
}
