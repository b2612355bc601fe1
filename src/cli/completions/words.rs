//! The candidates for the last word of a command line.

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};

use super::super::command_line;
use super::urls::{self, UrlKind};
use crate::protocol::Operation;
use crate::terminal::escape;

/// The hidden command that shells run: the words after the program's name follow, the last one is to be completed.
pub(super) const COMMAND: &str = "complete-words";
/// Tells the shell to complete the names of files itself.
const FILES: &str = ":files";
const STORAGES: [&str; 4] = ["auto", "memory", "keychain", "file"];
const SOURCES: [&str; 9] = [
    "gh",
    "glab",
    "gcm",
    "git-store",
    "git-store:",
    "git-cache",
    "netrc",
    "netrc:",
    "env:",
];

/// A line for each candidate: the whole word, and its help after a tab.
pub(super) fn candidates(words: &[String]) -> String {
    let mut line = command_line();
    line.build();
    let Some((last, before)) = words.split_last() else {
        return String::new();
    };
    let mut place = WordPlace::start(&line, &line);
    for word in before {
        place.pass(word);
    }
    let mut text = String::new();
    for candidate in place.candidates(last) {
        if candidate == FILES || candidate.starts_with(&last[..]) {
            text.push_str(&candidate);
            text.push('\n');
        }
    }
    text
}

/// A candidate is a word and, after a tab, its help.
type Candidates = Vec<String>;

/// The place of a word on the command line.
struct WordPlace<'a> {
    program: &'a Command,
    command: &'a Command,
    /// After `help`: the command that the words name.
    topic: Option<&'a Command>,
    /// The option whose value comes next.
    option: Option<&'a Arg>,
    /// How many values without a name came before.
    positionals: usize,
    /// After `--`.
    has_no_options: bool,
}

impl<'a> WordPlace<'a> {
    fn start(program: &'a Command, command: &'a Command) -> Self {
        Self {
            program,
            command,
            topic: Some(program),
            option: None,
            positionals: 0,
            has_no_options: false,
        }
    }

    fn pass(&mut self, word: &str) {
        if self.option.take().is_some() {
            return;
        }
        if self.has_no_options {
            self.positionals += 1;
        } else if word == "--" {
            self.has_no_options = true;
        } else if let Some(name) = word.strip_prefix("--") {
            self.option = self.value_of(name);
        } else if word.starts_with('-') {
            // No short option takes a value.
        } else if let Some(command) = self.command.find_subcommand(word) {
            *self = Self::start(self.program, command);
        } else {
            self.positionals += 1;
            self.topic = self.topic.and_then(|topic| topic.find_subcommand(word));
        }
    }

    /// The option `name`, if its value is the next word.
    fn value_of(&self, name: &str) -> Option<&'a Arg> {
        let mut options = self.command.get_opts();
        options.find(|option| option.get_long() == Some(name))
    }

    fn candidates(&self, word: &str) -> Candidates {
        if let Some(option) = self.option {
            return self.option_values(option, word);
        }
        if !self.has_no_options && word.starts_with('-') {
            return match word.split_once('=') {
                Some((name, value)) => self.assigned(name, value),
                None => self.options(),
            };
        }
        if self.command.get_name() == "help" {
            return self.topic.map_or_else(Vec::new, commands);
        }
        if self.command.has_subcommands() {
            return commands(self.command);
        }
        let mut positionals = self.command.get_positionals();
        let takes_more = |last: &&Arg| {
            let range = last.get_num_args();
            range.is_some_and(|range| range.max_values() > 1)
        };
        let argument = positionals.nth(self.positionals);
        let argument =
            argument.or_else(|| self.command.get_positionals().last().filter(takes_more));
        match argument {
            Some(argument) if argument.get_id() == "url" && self.command.get_name() == "login" => {
                urls::known(word, UrlKind::Both)
            }
            Some(argument) => values(argument, word),
            None => Vec::new(),
        }
    }

    /// `--storage=memory`.
    fn assigned(&self, name: &str, value: &str) -> Candidates {
        let Some(option) = self.value_of(name.trim_start_matches('-')) else {
            return Vec::new();
        };
        let mut all = self.option_values(option, value);
        for candidate in all.iter_mut().filter(|candidate| *candidate != FILES) {
            candidate.insert_str(0, &format!("{name}="));
        }
        all
    }

    fn option_values(&self, option: &Arg, word: &str) -> Candidates {
        let mut all = values(option, word);
        if option.get_id() == "storage" && self.command.get_name() == "list" {
            all.push("all\t".to_owned());
        }
        all
    }

    fn options(&self) -> Candidates {
        let mut all = Vec::new();
        for option in self.command.get_arguments() {
            if let Some(name) = option.get_long().filter(|_| !option.is_hide_set()) {
                all.push(format!("--{name}\t{}", first_line(option.get_help())));
            }
        }
        all
    }
}

/// The commands for users, who do not type git's operations.
fn commands(of: &Command) -> Candidates {
    let mut all = Vec::new();
    for command in of.get_subcommands() {
        let name = command.get_name();
        let is_for_git = Operation::from_word(name.as_bytes()).is_some();
        if !is_for_git && !command.is_hide_set() {
            all.push(format!("{name}\t{}", first_line(command.get_about())));
        }
    }
    all
}

fn values(argument: &Arg, word: &str) -> Candidates {
    let possible = argument.get_possible_values();
    if !possible.is_empty() && !matches!(argument.get_action(), ArgAction::SetTrue) {
        let names = possible.iter().map(PossibleValue::get_name);
        return names.map(|name| format!("{name}\t")).collect();
    }
    match argument.get_id().as_str() {
        "storage" => storages(word),
        "from" => SOURCES.map(|source| format!("{source}\t")).to_vec(),
        "url" => urls::known(word, UrlKind::Tokens),
        "rule" => urls::known(word, UrlKind::Rules),
        "file" | "socket" | "config" => vec![FILES.to_owned()],
        _ => Vec::new(),
    }
}

/// A list of storages is separated by commas.
fn storages(word: &str) -> Candidates {
    let (before, _) = word.rsplit_once(',').unwrap_or_default();
    let named: Vec<&str> = before.split(',').filter(|name| !name.is_empty()).collect();
    let mut all = Vec::new();
    for storage in STORAGES {
        if named.is_empty() {
            all.push(format!("{storage}\t"));
        } else if storage != "auto" && !named.contains(&storage) {
            all.push(format!("{before},{storage}\t"));
        }
    }
    all
}

fn first_line(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    escape::whole(help.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::choice::Choice;
    use crate::neighbour::registry::Source;
    use crate::platform::testing::DRIVE;

    fn completed(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let text = candidates(&words);
        let names = text
            .lines()
            .map(|line| line.split('\t').next().unwrap_or_default());
        names.map(str::to_owned).collect()
    }

    #[test]
    fn commands_options_and_values_are_completed() {
        for (line, expected) in [
            ("lo", &["login", "logout"][..]),
            ("--storage memory,", &["memory,keychain", "memory,file"]),
            ("--storage=k", &["--storage=keychain"]),
            ("list --storage m", &["memory"]),
            ("ls --storage=a", &["--storage=auto", "--storage=all"]),
            ("login --storage a", &["auto"]),
            ("list --sort u", &["url", "used"]),
            ("cache st", &["status", "stop"]),
            ("help log", &["login", "logout"]),
            ("help cache st", &["status", "stop"]),
            ("help login ", &[]),
            ("help nothing ", &[]),
            ("account r", &["remove"]),
            ("completions z", &["zsh"]),
            ("import git", &["git-store", "git-store:", "git-cache"]),
            ("import gh gl", &["glab"]),
            ("logout --y", &["--yes"]),
            ("--file ", &[":files"]),
            ("list ", &[]),
            ("nothing-known ", &[]),
            ("ge", &[]),
        ] {
            let mut found = completed(line);
            match line {
                // No command: commands are offered, and none of git's.
                "nothing-known " => found.retain(|word| word == "get"),
                // The user's own keychain may have entries.
                "list " => found.retain(|word| !word.contains("://")),
                _ => {}
            }
            assert_eq!(found, expected, "{line}");
        }
        assert!(completed("login --").contains(&"--with-token".to_owned()));
        assert!(completed("login --").contains(&"--storage".to_owned()));
        for operation in ["get", "store", "erase", "capability", COMMAND] {
            assert!(
                !completed("").contains(&operation.to_owned()),
                "{operation}"
            );
        }
    }

    #[test]
    fn what_is_offered_is_understood() {
        for storage in STORAGES {
            assert!(storage.parse::<Choice>().is_ok(), "{storage}");
        }
        for source in SOURCES {
            let whole = match source {
                "env:" => "env:NAME".to_owned(),
                _ if source.ends_with(':') => format!("{source}{DRIVE}/path"),
                _ => source.to_owned(),
            };
            assert!(whole.parse::<Source>().is_ok(), "{source}");
        }
    }
}
