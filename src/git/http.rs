//! git's settings for HTTP, for one URL and for all.

use std::process::Command;

use super::command::run;
use super::failure::Error;
use super::{Git, HANDED_ON};

/// Settings by name; `None` for a name alone, which means true.
type NamedValues = Vec<(String, Option<String>)>;

impl Git {
    /// Every `http.*` setting that holds for `url`, every `remote.*.proxy` and the `protocol.*` ones, by name. Asked from nowhere: a repository's settings do not count, and those in [`HANDED_ON`] only if
    /// `is_handed_on`.
    pub fn http_settings(&self, url: &str, is_handed_on: bool) -> Result<NamedValues, Error> {
        let mut settings = Vec::new();
        for words in [
            &["-z", "--get-urlmatch", "http", url][..],
            &["-z", "--get-regexp", r"^(remote\..*\.proxy|protocol\..*)$"],
        ] {
            let command = self.config_from_nowhere(words, is_handed_on);
            settings.extend(pairs(&listed(command)?));
        }
        Ok(settings)
    }

    /// Every `http.*` and `includeIf.*` setting of the person's and the system's, for whichever URL. Asked from nowhere, so no
    /// condition holds.
    pub fn own_http_settings(&self) -> Result<NamedValues, Error> {
        let words = ["-z", "--get-regexp", r"^(http|includeif)\."];
        Ok(pairs(&listed(self.config_from_nowhere(&words, false))?).collect())
    }

    /// The `http.*` ones of them asked from here, where conditions may hold.
    pub fn http_settings_here(&self) -> Result<NamedValues, Error> {
        let mut command = Command::new(&self.program);
        command.args(["config", "-z", "--show-scope", "--get-regexp", r"^http\."]);
        for name in HANDED_ON {
            command.env_remove(name);
        }
        let output = listed(command)?;
        let mut own = String::new();
        let mut parts = output.split_terminator('\0');
        while let (Some(scope), Some(setting)) = (parts.next(), parts.next()) {
            if matches!(scope, "global" | "system") {
                own.push_str(setting);
                own.push('\0');
            }
        }
        Ok(pairs(&own).collect())
    }
}

/// What `git config` lists; nothing where it says that nothing is set (status 1).
fn listed(mut command: Command) -> Result<String, Error> {
    let (status, output, complaint) = run(&mut command)?;
    if matches!(status.code(), Some(0 | 1)) {
        return Ok(String::from_utf8_lossy(&output).into_owned());
    }
    let complaint = String::from_utf8_lossy(&complaint);
    Err(Error::Refused(complaint.trim().to_owned()))
}

/// The names and values that `git config -z` lists.
fn pairs(text: &str) -> impl Iterator<Item = (String, Option<String>)> {
    let lines = text.split('\0').filter(|setting| !setting.is_empty());
    lines.map(|line| match line.split_once('\n') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (line.to_owned(), None),
    })
}
