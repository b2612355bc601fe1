//! Which gits the tests use: the one a person would use, and the distribution's, if that is another.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::tool;

/// One git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Git {
    pub program: PathBuf,
    /// Major and minor, such as `(2, 39)`.
    pub version: (u32, u32),
}

impl Git {
    fn at(program: PathBuf) -> Option<Self> {
        let output = Command::new(&program).arg("version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = text.split_whitespace().nth(2)?;
        let mut parts = number.split('.').map(|part| part.parse().ok());
        let version = (parts.next()??, parts.next()??);
        Some(Self { program, version })
    }

    /// The git that is found first: never older than the other one.
    pub fn new() -> Self {
        all()[0].clone()
    }
}

/// New, and old if that is another version.
pub fn all() -> &'static [Git] {
    static ALL: OnceLock<Vec<Git>> = OnceLock::new();
    ALL.get_or_init(|| {
        let new = Git::at(tool::need("git")).expect("a git that tells its version");
        let old = Git::at(PathBuf::from("/usr/bin/git"));
        let mut all = vec![new];
        match old {
            Some(old) if old.version != all[0].version => all.push(old),
            _ => eprintln!(
                "only one git here, {:?}: no tests with a second one",
                all[0].version
            ),
        }
        all.sort_by_key(|git| std::cmp::Reverse(git.version));
        all
    })
}
