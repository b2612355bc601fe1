//! git's settings for HTTP, for one URL and for all.

use std::ffi::OsString;

use super::failure::Error;
use super::{Git, os_string};
use crate::credential::host::split_at;

/// Settings by name; `None` for a name alone, which means true.
pub(crate) type NamedValues = Vec<(String, Option<OsString>)>;

impl Git {
    /// Every `http.*` setting that holds for `url`, every `remote.*.proxy` and the `protocol.*` ones, by name. Asked from nowhere:
    /// a repository's settings do not count, and those in [`super::HANDED_ON`] only if `is_handed_on`.
    pub(crate) fn http_settings(
        &self,
        url: &str,
        is_handed_on: bool,
    ) -> Result<NamedValues, Error> {
        let of_url = ["-z", "--get-urlmatch", "http", url];
        let others = r"^(remote\..*\.proxy|protocol\..*)$";
        let mut settings = self.asked_from_nowhere(&of_url, is_handed_on)?;
        settings.extend(self.asked_from_nowhere(&["-z", "--get-regexp", others], is_handed_on)?);
        Ok(settings)
    }

    /// Every setting of the person's and the system's whose name matches the pattern. Asked from nowhere, so no condition holds:
    /// another person may have written the current repository.
    pub(crate) fn own_settings(&self, pattern: &str) -> Result<NamedValues, Error> {
        self.asked_from_nowhere(&["-z", "--get-regexp", pattern], false)
    }

    /// The `http.*` ones of them asked from here, where conditions may hold.
    pub(crate) fn http_settings_here(&self) -> Result<NamedValues, Error> {
        let mut here = self.settings(r"^http\.")?;
        here.retain(|setting| matches!(&setting.scope[..], "global" | "system"));
        let named = here.into_iter().map(|setting| {
            let value = (!setting.is_bare).then_some(setting.value);
            (setting.key.to_string_lossy().into_owned(), value)
        });
        Ok(named.collect())
    }

    /// The names and values that `git config -z` lists with `arguments`.
    fn asked_from_nowhere(
        &self,
        arguments: &[&str],
        is_handed_on: bool,
    ) -> Result<NamedValues, Error> {
        let output = self.config_from_nowhere(arguments, is_handed_on)?;
        let mut settings = Vec::new();
        for line in output
            .split(|&byte| byte == 0)
            .filter(|line| !line.is_empty())
        {
            let (name, value) = split_at(line, b'\n');
            let value = value.map(|value| os_string(value.to_vec()));
            settings.push((String::from_utf8_lossy(name).into_owned(), value));
        }
        Ok(settings)
    }
}
