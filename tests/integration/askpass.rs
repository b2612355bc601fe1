//! Somebody who answers when git asks for a username or a password, and counts how often it does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What is answered when nothing else was said: no storage holds these.
pub const USERNAME: &str = "asked-username";
/// The same for passwords.
pub const PASSWORD: &str = "asked-password";

/// A program for `GIT_ASKPASS`.
#[derive(Debug)]
pub struct Askpass {
    folder: PathBuf,
}

impl Askpass {
    pub fn new(folder: &Path) -> Self {
        let askpass = Self {
            folder: folder.to_path_buf(),
        };
        fs::create_dir_all(folder).unwrap();
        let script = format!(
            "#!/bin/sh\ncd '{}' || exit\nprintf '%s\\n' \"$1\" >>questions\n\
             case $1 in Username*) cat username ;; *) cat password ;; esac\n",
            folder.display()
        );
        fs::write(askpass.program(), script).unwrap();
        fs::set_permissions(askpass.program(), fs::Permissions::from_mode(0o700)).unwrap();
        askpass.answers(USERNAME, PASSWORD);
        askpass.forget();
        askpass
    }

    pub fn program(&self) -> PathBuf {
        self.folder.join("askpass")
    }

    /// What to answer from now on.
    pub fn answers(&self, username: &str, password: &str) {
        fs::write(self.folder.join("username"), format!("{username}\n")).unwrap();
        fs::write(self.folder.join("password"), format!("{password}\n")).unwrap();
    }

    /// What git has asked since the last [`Askpass::forget`].
    pub fn questions(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("questions")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    pub fn forget(&self) {
        fs::write(self.folder.join("questions"), "").unwrap();
    }
}
