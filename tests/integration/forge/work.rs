//! Somebody at work with a forge: settings, git, the program, time.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::schema::{faults, of};
use super::{Forge, Speaks, Token, now};
use crate::askpass::Askpass;
use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

pub const HOUR: u64 = 3600;
pub const DAY: u64 = 24 * HOUR;
/// Whole days are said as days: this is none, nor is it after some seconds.
pub const ABOUT_AN_HOUR: u64 = 5000;

/// Where GitLab replaces a token by its successor.
pub const ROTATE: &str = "/api/v4/personal_access_tokens/self/rotate";

pub const JOURNAL: &str = "state/git-credential-pat/journal";

/// Kept in a file: nothing but the look-up runs on behind anybody's back.
pub const STORAGE: &str = "--storage file";

/// Everything ends before the folder it runs in goes.
#[derive(Debug)]
pub struct Work {
    pub forge: Forge,
    pub askpass: Askpass,
    pub sandbox: Sandbox,
}

impl Work {
    /// With look-ups on and nothing configured but the host's forge.
    pub fn with(speaks: Speaks) -> Self {
        Self::with_settings(speaks, "[lookup]\nenabled = true\n", "")
    }

    /// As [`Work::with`], and look-ups off.
    pub fn without_lookups(speaks: Speaks) -> Self {
        Self::with_settings(speaks, "[lookup]\nenabled = false\n", "")
    }

    /// As [`Work::without_lookups`], and alice's `token` is kept and good.
    pub fn keeping(speaks: Speaks, token: Token) -> Self {
        let work = Self::without_lookups(speaks);
        work.store("alice", &token.secret);
        work.forge.issue(token);
        work
    }

    /// `rule` is added to the host's rule.
    pub fn with_settings(speaks: Speaks, settings: &str, rule: &str) -> Self {
        let sandbox = Sandbox::new();
        let forge = Forge::start(&sandbox, speaks);
        let settings = format!(
            "{settings}[[host]]\nurl = \"{}\"\nforge = \"{}\"\n{rule}",
            forge.url(),
            speaks.name()
        );
        let folder = sandbox.path("config/git-credential-pat");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("config.toml"), settings).unwrap();
        sandbox.configure_git(&format!("[credential]\n\thelper = {PROGRAM} {STORAGE}\n"));
        let askpass = Askpass::new(&sandbox.path("askpass"));
        Self {
            forge,
            askpass,
            sandbox,
        }
    }

    /// Turns look-ups on or off.
    pub fn look_up(&self, wanted: bool) {
        let path = self.sandbox.path("config/git-credential-pat/config.toml");
        let settings = fs::read_to_string(&path).unwrap();
        let (old, new) = (
            format!("enabled = {}", !wanted),
            format!("enabled = {wanted}"),
        );
        assert!(settings.contains(&old), "{settings}");
        fs::write(&path, settings.replace(&old, &new)).unwrap();
    }

    /// Somebody who trusts the forge's authority, answers for `alice`, and is not asked at the terminal.
    pub fn trusting(&self, mut command: Command) -> Command {
        command.env("GIT_ASKPASS", self.askpass.program());
        command.env("GIT_SSL_CAINFO", self.forge.authority());
        command.env("SSL_CERT_FILE", self.forge.authority());
        command
    }

    pub fn git(&self, arguments: &[&str]) -> Output {
        process::run(&mut self.trusting(self.sandbox.git(arguments)), b"")
    }

    /// The program with its storage.
    pub fn command(&self, words: &str) -> Command {
        self.trusting(self.sandbox.helper(&format!("{STORAGE} {words}")))
    }

    pub fn ask(&self, words: &str, input: &[u8]) -> Output {
        process::run(&mut self.command(words), input)
    }

    /// How often GitLab was asked to rotate.
    pub fn rotations(&self) -> usize {
        let asked = self.forge.asked().into_iter();
        asked.filter(|(_, path, _)| path == ROTATE).count()
    }

    /// How many rotations are pending in the journal.
    pub fn pending(&self) -> usize {
        let journal = fs::read_to_string(self.sandbox.path(JOURNAL)).unwrap_or_default();
        let lines = journal.lines();
        lines.filter(|line| line.starts_with("rotation=")).count()
    }

    /// Holds the time at which a forge was asked for a new token and has not answered.
    pub fn guard(&self) -> PathBuf {
        self.sandbox.path("state/git-credential-pat/rotation")
    }

    /// Removes the journal with its pending rotations, and the guard.
    pub fn forget_rotations(&self) {
        for path in [self.sandbox.path(JOURNAL), self.guard()] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            }
        }
    }

    /// As git does after a success.
    #[track_caller]
    pub fn store(&self, username: &str, secret: &str) {
        self.ask("store", &self.credential(username, secret))
            .succeeded();
    }

    pub fn credential(&self, username: &str, secret: &str) -> Vec<u8> {
        let host = self.forge.host();
        lines(&[
            ("protocol", "https"),
            ("host", &host),
            ("username", username),
            ("password", secret),
        ])
    }

    /// As git does before a request.
    pub fn get(&self) -> Output {
        let host = self.forge.host();
        self.ask("get", &lines(&[("protocol", "https"), ("host", &host)]))
    }

    /// The password that is answered.
    pub fn kept(&self) -> Option<String> {
        let answer = Answer::read(&self.get().succeeded().stdout);
        answer.get("password").map(str::to_owned)
    }

    /// What `list --json` says of all credentials.
    #[track_caller]
    pub fn listed(&self) -> Vec<Value> {
        let output = self.ask("list --json", b"").succeeded();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(faults(&of("list"), &json), [""; 0], "{json:#}");
        json.as_array().expect("a list").clone()
    }

    /// What it says of the only one.
    #[track_caller]
    pub fn only_one(&self) -> Value {
        let listed = self.listed();
        assert_eq!(listed.len(), 1, "{listed:#?}");
        listed.into_iter().next().unwrap()
    }

    /// Waits until it has the end of the only credential.
    #[track_caller]
    pub fn wait_for_end(&self, ends: u64) -> Value {
        let is_known = process::until_within(PATIENCE, || {
            // The storage is told first, the journal who said so.
            let listed = self.only_one();
            listed["expires_at_unix"] == ends && listed["expires_from"] == "forge"
        });
        let listed = self.only_one();
        assert!(
            is_known,
            "not {ends}: {listed:#}\n{:#?}",
            self.forge.record()
        );
        listed
    }
}

/// "Within a few seconds", on a machine that has other things to do.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// In so many days, and somewhat more.
pub fn in_days(days: u64) -> u64 {
    now() + days * DAY + ABOUT_AN_HOUR
}

/// Midnight in UTC at the start of a day, so many days ahead.
pub fn midnight_in_days(days: u64) -> u64 {
    (now() / DAY + days) * DAY
}
