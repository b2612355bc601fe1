//! A storage of the program, asked by its command line, for the cases that git holds every helper to.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::attributes::{Answer, lines};
use crate::sandbox::{Output, Sandbox};

/// A storage that is held to the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Memory,
    File,
    Keychain,
}

impl Subject {
    fn storage(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File => "file",
            Self::Keychain => "keychain",
        }
    }

    /// Whether it forgets after a `--timeout`.
    pub fn forgets(self) -> bool {
        self == Self::Memory
    }
}

/// Who speaks to the helper: here only the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Direct,
    #[allow(dead_code, reason = "a case asks for it")]
    ThroughGit,
}

/// One subject in a sandbox.
#[derive(Debug)]
pub struct Bench {
    pub subject: Subject,
    pub way: Way,
    sandbox: Sandbox,
    asked: AtomicUsize,
}

/// What came back for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The helper knew.
    Known(Answer),
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
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            way: Way::Direct,
            sandbox: if cfg!(target_os = "macos") && subject == Subject::Keychain {
                Sandbox::in_home_of_user()
            } else {
                Sandbox::new()
            },
            asked: AtomicUsize::new(0),
        }
    }

    /// A host that no other case has used, and no other run: a keychain of the system outlives the sandbox.
    pub fn host(&self) -> String {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        format!("host-{number}-{}.example.test", std::process::id())
    }

    pub fn store(&self, pairs: &[(&str, &str)]) -> Result<(), String> {
        self.store_with("", pairs)
    }

    /// `options` go to the helper.
    pub fn store_with(&self, options: &str, pairs: &[(&str, &str)]) -> Result<(), String> {
        silent(&self.helper(options, "store", pairs))
    }

    pub fn erase(&self, pairs: &[(&str, &str)]) -> Result<(), String> {
        silent(&self.helper("", "erase", pairs))
    }

    pub fn get(&self, pairs: &[(&str, &str)]) -> Result<Found, String> {
        let output = self.helper("", "get", pairs);
        if !output.status.success() {
            return Err(format!("looking up failed: {output:?}"));
        }
        let answer = Answer::read(&output.stdout);
        Ok(if answer.has_secret() {
            Found::Known(answer)
        } else {
            Found::Nothing(answer)
        })
    }

    /// Removes what the cases left in a keychain that outlives the sandbox.
    pub fn clear(&self) {
        for number in 0..self.asked.load(Ordering::Relaxed) {
            let host = format!("host-{number}-{}.example.test", std::process::id());
            let pairs = [("protocol", "https"), ("host", &host[..])];
            self.helper("", "erase", &pairs);
        }
    }

    fn helper(&self, options: &str, operation: &str, pairs: &[(&str, &str)]) -> Output {
        let storage = self.subject.storage();
        let words = format!("--storage {storage} {options} {operation}");
        self.sandbox.ask(&words, &lines(pairs))
    }
}

fn silent(output: &Output) -> Result<(), String> {
    if output.status.success() && output.stdout.is_empty() {
        Ok(())
    } else {
        Err(format!("not done, or not silently: {output:?}"))
    }
}
