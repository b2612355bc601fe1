//! The configuration files of one scope.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::failure::Error;
use crate::files::places::Places;
use crate::git::Git;

/// The configuration files that setup and undo may change.
pub struct Setup<'a> {
    pub git: &'a Git,
    pub places: &'a Places,
    /// `--global`, `--local` or `--system`, as `git config` takes it.
    pub scope: &'static str,
}

impl Setup<'_> {
    /// Returns the value of every `key` in this scope. The key must hold no secret: it is an argument.
    pub fn values(&self, key: &OsStr) -> Result<Vec<OsString>, Error> {
        let words = [self.scope, "-z", "--get-all"].map(OsStr::new);
        Ok(self.git.config_values(&[&words[..], &[key]].concat())?)
    }

    /// Returns the files that git may write in this scope.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let files = self.git.config_files(self.scope)?;
        let files = files.ok_or(Error::NoRepository)?.into_iter();
        Ok(files.map(|file| self.named(file)).collect())
    }

    /// Returns one name for a file. A repository's is the same from each of its folders and worktrees.
    pub(super) fn named(&self, file: PathBuf) -> PathBuf {
        let folder = file.parent().filter(|_| self.scope == "--local");
        let folder = folder.and_then(|folder| folder.canonicalize().ok());
        match (folder, file.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => file,
        }
    }

    pub(super) fn records_folder(&self) -> PathBuf {
        self.places.state.join(format!("setup{}", self.scope))
    }

    pub(super) fn draft(&self, file: &Path) -> Result<Draft, Error> {
        match Draft::of(file) {
            Err(error) if self.scope != "--system" && error.is_denied() => {
                Err(Error::ReadOnly(Box::new(error)))
            }
            draft => draft,
        }
    }
}
