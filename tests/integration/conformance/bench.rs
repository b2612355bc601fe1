//! A helper, and two ways to ask it: by its own command line, and through git.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::askpass::{Askpass, PASSWORD};
use crate::attributes::{Answer, lines};
use crate::git::Git;
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

/// A helper that is held to the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    GitCache,
    GitStore,
    Memory,
    File,
    Keychain,
}

impl Subject {
    /// For git's `credential.helper`.
    fn setting(self, options: &str) -> String {
        match self {
            Self::GitCache => format!("cache {options}"),
            Self::GitStore => format!("store {options}"),
            Self::Memory => format!("{PROGRAM} --storage memory {options}"),
            Self::File => format!("{PROGRAM} --storage file {options}"),
            Self::Keychain => format!("{PROGRAM} --storage keychain {options}"),
        }
    }

    /// Git's own, which come with their git and know what it knows.
    pub fn is_git(self) -> bool {
        matches!(self, Self::GitCache | Self::GitStore)
    }

    /// Whether it forgets after a `--timeout`.
    pub fn forgets(self) -> bool {
        matches!(self, Self::GitCache | Self::Memory)
    }
}

/// Who speaks to the helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// We do.
    Direct,
    /// `git credential fill`, `approve` and `reject` do.
    ThroughGit,
}

/// One subject in a sandbox.
#[derive(Debug)]
pub struct Bench {
    pub subject: Subject,
    pub way: Way,
    sandbox: Sandbox,
    askpass: Askpass,
    asked: AtomicUsize,
}

/// What came back for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The helper knew.
    Known(Answer),
    /// It did not: git went on to ask a person, or would have.
    Nothing(Answer),
}

impl Found {
    /// What was printed, known or not.
    pub fn printed(&self) -> &Answer {
        let (Self::Known(answer) | Self::Nothing(answer)) = self;
        answer
    }

    /// The attribute `key`, if the helper knew.
    pub fn known(&self, key: &str) -> Option<&str> {
        match self {
            Self::Known(answer) => answer.get(key),
            Self::Nothing(_) => None,
        }
    }
}

impl Bench {
    pub fn new(subject: Subject, way: Way, git: &Git) -> Self {
        let mut sandbox = Sandbox::with(git.clone());
        if subject == Subject::Keychain {
            sandbox.start_keyring();
        }
        let askpass = Askpass::new(&sandbox.path("askpass"));
        Self {
            subject,
            way,
            sandbox,
            askpass,
            asked: AtomicUsize::new(0),
        }
    }

    /// A host that no other case has used.
    pub fn host(&self) -> String {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        format!("host-{number}.example.test")
    }

    pub fn store(&self, pairs: &[(&str, &str)]) -> Result<(), String> {
        self.store_with("", pairs)
    }

    /// `options` go to the helper.
    pub fn store_with(&self, options: &str, pairs: &[(&str, &str)]) -> Result<(), String> {
        let output = match self.way {
            Way::Direct => self.helper(options, "store", pairs),
            Way::ThroughGit => self.through_git(options, "approve", pairs),
        };
        silent(&output)
    }

    pub fn erase(&self, pairs: &[(&str, &str)]) -> Result<(), String> {
        let output = match self.way {
            Way::Direct => self.helper("", "erase", pairs),
            Way::ThroughGit => self.through_git("", "reject", pairs),
        };
        silent(&output)
    }

    pub fn get(&self, pairs: &[(&str, &str)]) -> Result<Found, String> {
        self.askpass.forget();
        let output = match self.way {
            Way::Direct => self.helper("", "get", pairs),
            Way::ThroughGit => self.through_git("", "fill", pairs),
        };
        if !output.status.success() {
            return Err(format!("looking up failed: {output:?}"));
        }
        let answer = Answer::read(&output.stdout);
        let is_known = match self.way {
            Way::Direct => answer.has_secret(),
            // Git prints an authtype that it was asked for, with or without a secret.
            Way::ThroughGit => {
                self.askpass.questions().is_empty() && answer.get("password") != Some(PASSWORD)
            }
        };
        Ok(if is_known {
            Found::Known(answer)
        } else {
            Found::Nothing(answer)
        })
    }

    fn helper(&self, options: &str, operation: &str, pairs: &[(&str, &str)]) -> Output {
        let words = format!("{} {operation}", self.subject.setting(options));
        let mut words = words.split_whitespace();
        let mut command = if self.subject.is_git() {
            let name = format!("credential-{}", words.next().unwrap());
            self.sandbox.git(&[&name])
        } else {
            self.sandbox.command(words.next().unwrap())
        };
        command.args(words);
        process::run(&mut command, &lines(pairs))
    }

    fn through_git(&self, options: &str, operation: &str, pairs: &[(&str, &str)]) -> Output {
        let helper = format!("credential.helper={}", self.subject.setting(options));
        let mut settings = vec!["-c", &helper];
        // Git leaves the path out otherwise.
        if pairs.iter().any(|(key, _)| *key == "path") {
            settings.extend(["-c", "credential.useHttpPath=true"]);
        }
        let mut command: Command = self.sandbox.git(&settings);
        command.args(["credential", operation]);
        command.env("GIT_ASKPASS", self.askpass.program());
        process::run(&mut command, &lines(pairs))
    }
}

fn silent(output: &Output) -> Result<(), String> {
    if output.status.success() && output.stdout.is_empty() {
        Ok(())
    } else {
        Err(format!("not done, or not silently: {output:?}"))
    }
}
