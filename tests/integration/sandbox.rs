//! Surroundings of a test's own: home, settings, runtime folder, git. Nothing of the user's is read or written, and nothing
//! that was started in them outlives them.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::attributes::lines;
use crate::git::Git;
use crate::keyring::Keyring;
use crate::process::{self, Output};
use crate::tool;

/// The program under test.
pub const PROGRAM: &str = match option_env!("TESTED_PROGRAM") {
    Some(program) => program,
    None => env!("CARGO_BIN_EXE_git-credential-pat"),
};

#[derive(Debug)]
pub struct Sandbox {
    git: Git,
    // Dropped before the folder in which it keeps its files.
    keyring: Option<Keyring>,
    folder: TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        Self::with(Git::new())
    }

    pub fn with(git: Git) -> Self {
        let folder = tempfile::Builder::new().prefix("pat-").tempdir().unwrap();
        let sandbox = Self {
            git,
            keyring: None,
            folder,
        };
        for place in ["home", "config", "data", "state", "cache", "run", "work"] {
            let mut builder = fs::DirBuilder::new();
            builder.mode(0o700).create(sandbox.path(place)).unwrap();
        }
        let settings = "[user]\n\tname = Tester\n\temail = tester@example.test\n[init]\n\tdefaultBranch = main\n";
        fs::write(sandbox.path("gitconfig"), settings).unwrap();
        sandbox
    }

    /// Gives it an unlocked keyring.
    pub fn start_keyring(&mut self) {
        let keyring = Keyring::start(|program| self.command(program));
        self.keyring = Some(keyring);
    }

    pub fn has_keyring(&self) -> bool {
        self.keyring.is_some()
    }

    /// Locks the keyring: from now on it would have to ask for its password.
    pub fn lock_keyring(&self) {
        let mut lock = self.command(tool::need("dbus-send"));
        lock.args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
        ]);
        lock.args([
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
        ]);
        lock.arg("array:objpath:/org/freedesktop/secrets/collection/login");
        process::run(&mut lock, b"").succeeded();
    }

    /// Ends the keyring by `signal`.
    pub fn kill_keyring(&mut self, signal: Signal) {
        self.keyring.as_mut().unwrap().kill(signal);
    }

    /// Stops the keyring in the middle of everything.
    pub fn hang_keyring(&self) {
        self.keyring.as_ref().unwrap().hang();
    }

    /// `home`, `config`, `data`, `state`, `cache`, `run`, `work`, or any other name in the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program that knows nothing of the world outside.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().current_dir(self.path("work"));
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("LANG", "C.UTF-8");
        command.env("HOME", self.path("home"));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("XDG_DATA_HOME", self.path("data"));
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.env("XDG_RUNTIME_DIR", self.path("run"));
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CONFIG_GLOBAL", self.path("gitconfig"));
        command.env("GIT_TERMINAL_PROMPT", "0");
        if let Some(keyring) = &self.keyring {
            command.env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
        }
        command
    }

    /// The program under test, given `words` as a shell would split them at blanks.
    pub fn helper(&self, words: &str) -> Command {
        let mut command = self.command(PROGRAM);
        command.args(words.split_whitespace());
        command
    }

    /// Gives everything in it to another user and group. Only root can.
    pub fn give_to(&self, user: u32, group: u32) {
        let mut chown = Command::new(tool::need("chown"));
        let owner = format!("{user}:{group}");
        chown.args(["-Rh", &owner]).arg(self.folder.path());
        assert!(chown.status().unwrap().success());
    }

    /// `command` run by another user, in its group and no other but `groups`. Only root can.
    pub fn as_user(&self, user: u32, groups: &[u32], command: &Command) -> Command {
        let mut other = self.command(tool::need("setpriv"));
        other.arg(format!("--reuid={user}"));
        other.arg(format!("--regid={user}"));
        if groups.is_empty() {
            other.arg("--clear-groups");
        } else {
            let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
            other.arg(format!("--groups={}", groups.join(",")));
        }
        other.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => other.env(name, value),
                None => other.env_remove(name),
            };
        }
        other
    }

    /// The sandbox's git.
    pub fn git(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.git.program);
        command.args(arguments);
        command
    }

    /// Adds lines to what git reads as the user's settings.
    pub fn configure_git(&self, lines: &str) {
        let path = self.path("gitconfig");
        let old = fs::read_to_string(&path).unwrap();
        fs::write(path, old + lines).unwrap();
    }

    /// Runs the program under test.
    #[track_caller]
    pub fn ask(&self, words: &str, input: &[u8]) -> Output {
        process::run(&mut self.helper(words), input)
    }

    /// Stores a made-up token of `username` for `url` in the file storage.
    #[track_caller]
    pub fn store_in_file(&self, url: &str, username: &str) {
        let place = url.strip_prefix("https://").unwrap();
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        let mut pairs = vec![
            ("protocol", "https"),
            ("host", host),
            ("username", username),
            ("password", "made-up"),
        ];
        if !path.is_empty() {
            pairs.push(("path", path));
        }
        self.ask("--storage file store", &lines(&pairs)).succeeded();
    }

    /// Every file in it and what it holds; `Debug` of a failed comparison names them.
    pub fn files(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.path(name), &mut files);
        files.sort();
        files
    }

    /// The daemons that listen in the sandbox, by their command lines: they have no environment.
    pub fn daemons(&self) -> Vec<Pid> {
        let mark = format!("\0serve-memory\0{}/", self.folder.path().display());
        let is_ours = |line: Vec<u8>| line.windows(mark.len()).any(|part| part == mark.as_bytes());
        processes_whose("cmdline", is_ours)
    }

    /// The processes that were started in the sandbox, as far as they let us see it.
    fn processes(&self) -> Vec<Pid> {
        let mark = format!("HOME={}", self.path("home").display());
        let is_ours = |environment: Vec<u8>| {
            environment
                .split(|&byte| byte == 0)
                .any(|variable| variable == mark.as_bytes())
        };
        let mut all = processes_whose("environ", is_ours);
        all.extend(self.daemons());
        all
    }
}

/// The processes of which `/proc/PID/FILE` can be read and is such.
pub fn processes_whose(file: &str, is_such: impl Fn(Vec<u8>) -> bool) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| fs::read(format!("/proc/{pid}/{file}")).is_ok_and(&is_such))
        .filter_map(Pid::from_raw)
        .collect()
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // By their own commands first: a daemon that hides its environment is found in no other way.
        if self.path("run/git-credential-pat").exists() {
            drop(self.helper("cache stop").output());
        }
        if self.path("cache/git/credential/socket").exists() {
            drop(self.git(&["credential-cache", "exit"]).output());
        }
        self.keyring = None;
        for process in self.processes() {
            let _ = kill_process(process, Signal::KILL);
        }
        // A test may have closed a folder.
        for place in ["state", "data", "config"] {
            let _ = fs::set_permissions(self.path(place), fs::Permissions::from_mode(0o700));
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect(&entry.path(), files);
        } else if kind.is_file() {
            files.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
}
