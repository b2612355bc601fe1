//! A made-up home with made-up tokens and a fixed clock, in which a command line runs as a user would type it.
//!
//! Its real paths are as long as the names that stand for them (`/home/octocat`, `/run/user/1000`), so that columns keep their
//! widths. The clock is libfaketime's. The memory daemon clears its environment, so it keeps the real clock.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, kill_process};
use tempfile::{NamedTempFile, TempDir};

use crate::forge::{Certificates, Fate, Forge, Speaks, Token};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox, processes_whose};
use crate::terminal::Session;
use crate::tool;

/// Noon of this day, UTC, is the time in every scene.
const NOW: &str = "2026-11-28 12:00:00";
const HOME: &str = "/home/octocat";
const RUNTIME: &str = "/run/user/1000";
/// As long as `localhost:` and a port of five digits.
const HOST: &str = "git.example.com";
/// Each made-up token has these letters, by which it is found and hidden.
const MADE_UP: &str = "made-up";

/// What a user types when the program asks.
#[derive(Debug)]
pub struct Answer {
    pub prompt: String,
    pub keys: String,
}

#[derive(Debug)]
pub struct Scene {
    /// Stands for git.example.com.
    forge: Option<Forge>,
    /// Has the keyring.
    sandbox: Sandbox,
    home: TempDir,
    runtime: TempDir,
    /// Real texts, and what is shown for them.
    names: Vec<(String, String)>,
}

impl Scene {
    /// Builds the scenes `names` in their order: the runner's own, or scripts in `tests/transcripts/scenes`.
    pub fn new(names: &[&str]) -> Self {
        let home = folder_as_long_as(HOME);
        let runtime = folder_as_long_as(RUNTIME);
        let shown = [(&home, HOME), (&runtime, RUNTIME)];
        let shown = shown.map(|(real, name)| (text(real.path()), name.to_owned()));
        let mut scene = Self {
            forge: None,
            sandbox: Sandbox::new(),
            home,
            runtime,
            names: shown.into(),
        };
        scene.install();
        for name in names {
            match *name {
                "keyring" => scene.sandbox.start_keyring(),
                "locked-keyring" => {
                    scene.sandbox.start_keyring();
                    scene.sandbox.lock_keyring();
                }
                "git-host" => scene.start_forge(None),
                "github" => scene.start_forge(Some(Speaks::GitHub)),
                "gitlab" => scene.start_forge(Some(Speaks::GitLab)),
                script => {
                    let path = scripts().join(script);
                    let lines = fs::read_to_string(&path);
                    let lines = lines.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    scene.prepare(&lines);
                }
            }
        }
        scene
    }

    /// Packs the home into a file outside of it. `None`: a keyring, a forge or a daemon may change, too.
    pub fn pack(&self) -> Option<NamedTempFile> {
        if !self.is_home_alone() {
            return None;
        }
        let packed = NamedTempFile::new().unwrap();
        let name = packed.path().display();
        let program = "--exclude=./.local/bin/git-credential-pat";
        self.prepare(&format!("tar --create --file={name} {program} ."));
        Some(packed)
    }

    /// Makes the home as it was when it was packed. Returns false if a daemon runs by now.
    pub fn unpack(&self, packed: &NamedTempFile) -> bool {
        let name = packed.path().display();
        self.prepare(&format!(
            "find . -type f ! -path ./.local/bin/git-credential-pat -delete; find . -type l -delete; \
             find . -mindepth 1 -depth -type d -empty -delete; tar --extract --preserve-permissions --file={name}"
        ));
        self.is_home_alone()
    }

    fn is_home_alone(&self) -> bool {
        let has_daemon = self.runtime.path().join("git-credential-pat").exists();
        !has_daemon && self.forge.is_none() && !self.sandbox.has_keyring()
    }

    /// Runs lines of a shell, which must succeed. `functions` are at hand.
    pub fn prepare(&self, lines: &str) {
        let functions = scripts().join("functions");
        let lines = format!("set -eu; . '{}'\n{lines}", functions.display());
        process::run(&mut self.shell(&lines), b"").succeeded();
    }

    /// Runs `line` with its output in pipes and nothing to read.
    pub fn pipe(&self, line: &str) -> Output {
        let mut output = process::run(&mut self.shell(line), b"");
        output.stdout = self.shown(&output.text()).into_bytes();
        output.stderr = self.shown(&output.stderr);
        output
    }

    /// Runs `line` at a terminal so many columns wide. Returns its exit status and all that was shown.
    pub fn terminal(
        &self,
        line: &str,
        columns: u16,
        no_color: bool,
        answers: &[Answer],
    ) -> (i32, String) {
        let mut command = self.shell(line);
        command.env("TERM", "xterm-256color");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let mut session = Session::start_wide(&command, columns);
        for Answer { prompt, keys } in answers {
            session.answer(prompt, keys);
        }
        let (status, shown) = session.finish();
        let shown = self.shown(&shown.replace("\r\n", "\n"));
        (status.code().unwrap_or(-1), shown)
    }

    /// `text` without anything that differs from run to run, and without tokens.
    fn shown(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (real, name) in &self.names {
            text = text.replace(real, name);
        }
        without_made_up(&without_progress(&without_times(&text)))
    }

    /// Starts a forge that knows the token `made-up-octocat`, and one that it rejects, `made-up-revoked`. `None`: the program
    /// does not know what forge the host is.
    fn start_forge(&mut self, speaks: Option<Speaks>) {
        Certificates::make_at(&self.sandbox, clock());
        let forge = Forge::start(&self.sandbox, speaks.unwrap_or(Speaks::Gitea));
        let scopes = ["api", "write_repository", "repo", "workflow"];
        forge.issue(Token::new("octocat", "made-up-octocat").scopes(&scopes));
        forge.issue(Token::new("revoked", "made-up-revoked").fate(Fate::Revoked));
        let host = forge.host();
        assert_eq!(host.len(), HOST.len(), "{host}");
        self.names.push((host, HOST.to_owned()));
        self.forge = Some(forge);
        let Some(speaks) = speaks else {
            // The background look-up would learn the kind of the forge at some moment.
            self.prepare("config '[lookup]' 'enabled = false'");
            return;
        };
        let url = format!("url = \"https://{HOST}\"");
        let rule = format!("forge = \"{}\"", speaks.name());
        self.prepare(&format!("config '[[host]]' '{url}' '{rule}'"));
    }

    /// Puts the program where `install.sh` would.
    fn install(&mut self) {
        let folder = self.home.path().join(".local/bin");
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("git-credential-pat");
        if fs::hard_link(PROGRAM, &program).is_err() {
            fs::copy(PROGRAM, &program).unwrap();
        }
        let settings = "[user]\n\tname = octocat\n\temail = octocat@example.com\n[init]\n\tdefaultBranch = main\n";
        fs::write(self.home.path().join(".gitconfig"), settings).unwrap();
        let version = process::run(&mut self.shell("git version"), b"")
            .succeeded()
            .text();
        let version = version.trim().rsplit(' ').next().unwrap().to_owned();
        self.names.push((version, "2.47.3".to_owned()));
    }

    /// `line` for a shell in the scene.
    fn shell(&self, line: &str) -> Command {
        let mut command = self.sandbox.command("/bin/sh");
        for name in [
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "XDG_CACHE_HOME",
            "GIT_CONFIG_GLOBAL",
            "GIT_TERMINAL_PROMPT",
        ] {
            command.env_remove(name);
        }
        let home = self.home.path();
        let path = std::env::var("PATH").unwrap();
        let mut line = line.to_owned();
        if let Some(forge) = &self.forge {
            line = line.replace(HOST, &forge.host());
            command.env("GIT_SSL_CAINFO", forge.authority());
            command.env("SSL_CERT_FILE", forge.authority());
        }
        command.args(["-c", &line]).current_dir(home);
        command
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", self.runtime.path());
        command.env("PATH", format!("{}/.local/bin:{path}", home.display()));
        command.env("TZ", "UTC").envs(clock());
        command
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if self.runtime.path().join("git-credential-pat").exists() {
            drop(self.shell("git-credential-pat cache stop").output());
        }
        let home = format!("HOME={}", text(self.home.path()));
        let is_ours = |environment: Vec<u8>| {
            environment
                .split(|&byte| byte == 0)
                .any(|variable| variable == home.as_bytes())
        };
        for process in processes_whose("environ", is_ours) {
            let _ = kill_process(process, Signal::KILL);
        }
        let _ = fs::set_permissions(self.home.path(), fs::Permissions::from_mode(0o700));
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/scenes")
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A folder whose path has as many bytes as `name`.
fn folder_as_long_as(name: &str) -> TempDir {
    let prefix = "pat-";
    let length = name.len() - "/tmp/".len() - prefix.len();
    tempfile::Builder::new()
        .prefix(prefix)
        .rand_bytes(length)
        .tempdir_in("/tmp")
        .unwrap()
}

/// The environment in which the clock stands still.
fn clock() -> Vec<(&'static str, OsString)> {
    let clock = [
        ("LD_PRELOAD", faketime().into()),
        ("FAKETIME", NOW.into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("NO_FAKE_STAT", "1".into()),
    ];
    clock.into()
}

/// The library of Debian's package `faketime`, which other systems keep elsewhere.
fn faketime() -> PathBuf {
    tool::need("faketime");
    let name = "faketime/libfaketime.so.1";
    let mut folders = vec![
        PathBuf::from("/usr/lib"),
        PathBuf::from("/usr/lib64"),
        PathBuf::from("/usr/local/lib"),
    ];
    folders.extend(
        fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path()),
    );
    let library = folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|library| library.exists());
    library.expect("libfaketime.so.1, which comes with faketime")
}

/// Hides made-up tokens: a transcript of a real run would have a real one there.
fn without_made_up(text: &str) -> String {
    let is_of_token = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(MADE_UP) {
        let before = rest[..at].trim_end_matches(is_of_token);
        let after = rest[at..].trim_start_matches(is_of_token);
        safe.push_str(before);
        safe.push_str("{token}");
        rest = after;
    }
    safe + rest
}

/// Gives every process in a trace the same number, and every time the same length, which is none.
fn without_times(text: &str) -> String {
    let mut same = String::new();
    for line in text.split_inclusive('\n') {
        if !line.contains("] +") {
            same.push_str(line);
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        for (at, word) in words.iter().enumerate() {
            if at > 0 {
                same.push(' ');
            }
            let is_time = words.get(at + 1).is_some_and(|next| next.starts_with("ms"));
            let start =
                word.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
            match (at, is_time) {
                (1, _) => same.push_str("[4711]"),
                (_, false) if *word == env!("CARGO_PKG_VERSION") => same.push_str("0.1.0"),
                (_, true) => same.extend([start, "0.00"]),
                (_, false) => same.push_str(word),
            }
        }
    }
    same
}

/// Leaves out the progress of a transfer, which differs between versions of git.
fn without_progress(text: &str) -> String {
    let is_progress = |line: &str| {
        let words = [
            "Enumerating objects",
            "Counting objects",
            "Compressing objects",
            "Total ",
            "Receiving objects",
        ];
        let line = line.trim_start_matches("remote: ");
        words.iter().any(|word| line.starts_with(word))
    };
    let lines = text.split_inclusive(['\n', '\r']);
    lines.filter(|line| !is_progress(line)).collect()
}

#[test]
fn a_made_up_token_is_hidden_whole() {
    assert_eq!(without_made_up("a ghp_made-up0.1\nb"), "a {token}\nb");
    assert_eq!(without_made_up("\"made-up\", \"b\""), "\"{token}\", \"b\"");
}

#[test]
fn the_lines_of_a_trace_have_no_times() {
    let line = "12:00:00.000000 [99] +0.42 ms file: has read 7 entries (12.03 ms)\na [1] b\n";
    let same = "12:00:00.000000 [4711] +0.00 ms file: has read 7 entries (0.00 ms)\na [1] b\n";
    assert_eq!(without_times(line), same);
}

#[test]
fn the_clock_of_a_scene_stands_still() {
    let scene = Scene::new(&[]);
    let said = scene.pipe("date -u '+%F %T'; echo \"$HOME $XDG_RUNTIME_DIR\"");
    assert_eq!(said.text(), format!("{NOW}\n{HOME} {RUNTIME}\n"));
}
