//! The user's git, started by commands that people run. git's own operations (get, store, erase) never start it.

pub mod boolean;
pub mod chain;
pub mod command;
pub mod context;
pub mod failure;
pub mod helper_line;
mod http;
pub mod http_path;
pub mod http_settings;
pub mod may_prompt;
pub mod network;
mod no_proxy;
pub mod remotes;
pub mod setting;
pub mod ssh;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::Command;

use self::command::run;
use self::failure::Error;
use self::setting::Setting;
use crate::credential::host::split_at;
use crate::platform::{is_readable, os_string, signal_of};
use crate::secret::Buffer;

/// Variables with settings: those of `git -c`, and those of a shell for its commands.
pub const HANDED_ON: [&str; 2] = ["GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"];

/// Returns the key `credential.URL.NAME`.
pub(crate) fn key_of(url: &[u8], name: &str) -> OsString {
    os_string([b"credential.", url, b".", name.as_bytes()].concat())
}

/// The git program.
#[derive(Debug)]
pub struct Git {
    program: PathBuf,
}

impl Git {
    /// Finds the first git on PATH.
    pub fn find() -> Result<Self, Error> {
        let program = Self::on_path("git").ok_or(Error::Missing)?;
        Ok(Self { program })
    }

    /// Returns the first program of that name on PATH. Relative and empty entries are passed over: they depend on the current
    /// folder.
    pub fn on_path(name: &str) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|program| program.is_file())
    }

    /// Runs `git config` with `arguments`. Returns its output; `None`: the setting does not exist (status 1, or 5 on removal).
    pub fn config<I: AsRef<OsStr>>(&self, arguments: &[I]) -> Result<Option<Vec<u8>>, Error> {
        answered(self.command(&["config"]).args(arguments))
    }

    /// Returns the configuration file of the current repository; `None` outside of one.
    pub fn local_config(&self) -> Result<Option<PathBuf>, Error> {
        let path = self.line(&["rev-parse", "--git-path", "config"])?;
        Ok(path.map(PathBuf::from))
    }

    /// Returns the files that git may write for `scope`, such as `--global` (git-config(1), FILES); `None`: the scope is that of a
    /// repository, and there is none.
    pub fn config_files(&self, scope: &str) -> Result<Option<Vec<PathBuf>>, Error> {
        let variable = match scope {
            "--local" => "",
            "--system" => "GIT_CONFIG_SYSTEM",
            _ => "GIT_CONFIG_GLOBAL",
        };
        let named = |variable| {
            let path = env::var_os(variable).filter(|path| !path.is_empty());
            path.map(PathBuf::from)
        };
        let only = match scope {
            "--local" => self.local_config()?,
            "--system" if named(variable).is_none() => self.system_config()?,
            _ => named(variable),
        };
        let files = match (only, scope) {
            (Some(path), _) => vec![path],
            (None, "--local") => return Ok(None),
            (None, "--system") => vec!["/etc/gitconfig".into(), "/usr/local/etc/gitconfig".into()],
            (None, _) => {
                let home = named("HOME");
                let in_home = home.as_ref().map(|home| home.join(".config"));
                let folder = named("XDG_CONFIG_HOME").or(in_home);
                let files = [
                    home.map(|home| home.join(".gitconfig")),
                    folder.map(|folder| folder.join("git/config")),
                ];
                files.into_iter().flatten().collect()
            }
        };
        let files: io::Result<Vec<_>> = files.iter().map(std::path::absolute).collect();
        Ok(Some(files.map_err(Error::Run)?))
    }

    /// Returns the one of them that git writes (git-config(1), FILES).
    pub fn config_file(&self, scope: &str) -> Result<Option<PathBuf>, Error> {
        let is_empty = |name| env::var_os(name).is_some_and(|path| path.is_empty());
        if scope == "--global" && is_empty("GIT_CONFIG_GLOBAL") {
            let what = "GIT_CONFIG_GLOBAL is empty, so there is no such file";
            return Err(Error::Refused(what.to_owned()));
        }
        let files = self.config_files(scope)?;
        if scope == "--system" && files.as_ref().is_some_and(|files| files.len() > 1) {
            let what = "it does not say where the system's settings are";
            return Err(Error::Refused(what.to_owned()));
        }
        let files = files.unwrap_or_default();
        let readable = files.iter().find(|path| is_readable(path));
        Ok(readable.or(files.first()).cloned())
    }

    /// Returns the system's file. Its path is built into git, which passes it to an editor.
    fn system_config(&self) -> Result<Option<PathBuf>, Error> {
        let mut command = self.command(&["config", "--system", "--edit"]);
        command.env("GIT_EDITOR", "printf %s");
        let (status, output, _) = run(&mut command)?;
        let path = PathBuf::from(os_string(output));
        Ok((status.success() && path.is_absolute()).then_some(path))
    }

    /// Runs `git config -z` with `arguments`, and returns the values.
    pub fn config_values<I: AsRef<OsStr>>(&self, arguments: &[I]) -> Result<Vec<OsString>, Error> {
        let output = self.config(arguments)?.unwrap_or_default();
        let mut values: Vec<_> = output
            .split(|&byte| byte == 0)
            .map(<[u8]>::to_vec)
            .collect();
        values.pop();
        Ok(values.into_iter().map(os_string).collect())
    }

    /// Returns the values of every global and system setting whose name matches the pattern. git runs outside of any repository:
    /// another person may have written the current one.
    pub fn own_values(&self, pattern: &str) -> Result<Vec<OsString>, Error> {
        let settings = self.own_settings(pattern)?.into_iter();
        Ok(settings.filter_map(|(_, value)| value).collect())
    }

    /// Runs `git config` outside of any repository. Returns its output. `is_handed_on`: whether the settings count that a hook
    /// or an outer git hands on.
    fn config_from_nowhere(
        &self,
        arguments: &[&str],
        is_handed_on: bool,
    ) -> Result<Vec<u8>, Error> {
        let mut command = self.command(&["config"]);
        command.args(arguments);
        leave_repository(&mut command);
        command.env_remove("GIT_CONFIG");
        if !is_handed_on {
            for name in HANDED_ON {
                command.env_remove(name);
            }
        }
        Ok(answered(&mut command)?.unwrap_or_default())
    }

    /// Returns a line such as `git version 2.47.3`.
    pub fn version(&self) -> Result<String, Error> {
        let line = self.line(&["--version"])?.unwrap_or_default();
        Ok(line.to_string_lossy().into_owned())
    }

    /// Returns the current branch; `None`: none, or there is no repository.
    pub fn branch(&self) -> Result<Option<String>, Error> {
        let line = self.line(&["symbolic-ref", "--quiet", "--short", "HEAD"])?;
        Ok(line.and_then(|line| line.into_string().ok()))
    }

    /// Returns the line that git prints; `None`: it fails.
    fn line(&self, arguments: &[&str]) -> Result<Option<OsString>, Error> {
        let (status, mut output, _) = run(&mut self.command(arguments))?;
        if output.last() == Some(&b'\n') {
            output.pop();
        }
        let is_line = status.success() && !output.is_empty();
        Ok(is_line.then(|| os_string(output)))
    }

    /// Returns every setting whose name matches the pattern, in the order in which git reads them, those of the repository too.
    pub fn settings(&self, pattern: &str) -> Result<Vec<Setting>, Error> {
        self.settings_at(&[], pattern)
    }

    /// The settings at a place, such as `--file PATH`. No key is an argument: one may hold a password.
    pub fn settings_at(&self, place: &[&OsStr], pattern: &str) -> Result<Vec<Setting>, Error> {
        let words = [
            "-z",
            "--show-scope",
            "--show-origin",
            "--get-regexp",
            pattern,
        ];
        let words = [place, &words.map(OsStr::new)].concat();
        let values = self.config_values(&words)?;
        let text = |value: &OsString| value.to_string_lossy().into_owned();
        let settings = values.chunks_exact(3).map(|three| {
            let (key, value) = split_at(three[2].as_encoded_bytes(), b'\n');
            Setting {
                is_bare: value.is_none(),
                scope: text(&three[0]),
                origin: text(&three[1]).trim_start_matches("file:").to_owned(),
                key: os_string(key.to_vec()),
                value: os_string(value.unwrap_or_default().to_vec()),
            }
        });
        Ok(settings.collect())
    }

    /// Returns every setting of `scope`, `--system` or `--global`, whose name matches the pattern. Asked from nowhere: a mistake in
    /// the configuration of a repository does not count. Works with git before 2.26, which does not tell the scope.
    pub fn settings_of(&self, scope: &str, pattern: &str) -> Result<Vec<Setting>, Error> {
        let output = self.config_from_nowhere(&[scope, "-z", "--get-regexp", pattern], false)?;
        let lines = output.split(|&byte| byte == 0);
        let settings = lines.filter(|line| !line.is_empty()).map(|line| {
            let (key, value) = split_at(line, b'\n');
            Setting {
                is_bare: value.is_none(),
                scope: scope.trim_start_matches('-').to_owned(),
                origin: String::new(),
                key: os_string(key.to_vec()),
                value: os_string(value.unwrap_or_default().to_vec()),
            }
        });
        Ok(settings.collect())
    }

    /// Returns the credential that git gets from its helpers, without a prompt; `None`: no helper has one. git runs outside of any
    /// repository: another person may have written its helpers.
    pub fn fill(&self, question: &[u8]) -> Result<Option<Buffer>, Error> {
        let mut command = self.command_without_prompt();
        command.args(["-c", "credential.interactive=false"]);
        // The query has a path only if git would tell it, perhaps by a setting of the repository.
        command.args(["-c", "credential.useHttpPath=true", "credential", "fill"]);
        command.env("GCM_INTERACTIVE", "never");
        command::ask(&mut command, question)
    }

    /// Whether git gets any answer from the server at `url`. No helper is called, and no setting of a repository counts.
    pub fn reaches(&self, url: &str) -> Result<bool, Error> {
        let mut command = self.command_without_prompt();
        command.args(["-c", "credential.helper=", "ls-remote", "--", url]);
        command.env("LC_ALL", "C");
        let (status, _, complaint) = run(&mut command)?;
        let complaint = String::from_utf8_lossy(&complaint);
        // By `remote-curl.c`: the server wants a credential, or has no such repository, or answers with an error.
        let answers = ["could not read Username", "' not found", "returned error: "];
        Ok(status.success() || answers.iter().any(|answer| complaint.contains(answer)))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words);
        command
    }

    /// Returns a command outside of any repository that asks no person.
    fn command_without_prompt(&self) -> Command {
        let mut command = self.command(&["-c", "core.askPass="]);
        leave_repository(&mut command);
        command.env_remove("GIT_ASKPASS").env_remove("SSH_ASKPASS");
        command.env("GIT_TERMINAL_PROMPT", "0");
        command
    }
}

/// Runs `git config`. Returns its output; `None`: the setting does not exist (status 1, or 5 on removal).
fn answered(command: &mut Command) -> Result<Option<Vec<u8>>, Error> {
    let (status, output, complaint) = run(command)?;
    let complaint = String::from_utf8_lossy(&complaint);
    match status.code() {
        Some(0) => Ok(Some(output)),
        Some(1 | 5) => Ok(None),
        None => Err(Error::Ended(signal_of(status))),
        _ => Err(Error::Refused(complaint.trim().to_owned())),
    }
}

/// Makes git run outside of any repository.
fn leave_repository(command: &mut Command) {
    command.current_dir("/").env("GIT_DIR", "/dev/null");
    command
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_COMMON_DIR");
}
