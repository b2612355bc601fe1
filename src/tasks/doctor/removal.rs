//! How to remove a setting from git's configuration.

use std::env;
use std::path::Path;

use crate::credential::url::without_secrets;
use crate::git::setting::Setting;
use crate::terminal::escape::shell_word;

/// Returns the command that removes `setting`. `flag` and `value` select one of several values of its key, and begin with a space.
/// A setting with a secret in its key, or one that no file holds, has no such command.
pub(super) fn removal(setting: &Setting, flag: &str, value: &str) -> String {
    let shown = without_secrets(&setting.key);
    let key = shell_word(shown.as_encoded_bytes());
    let file = Path::new(&setting.origin);
    if setting.scope == "command" || shown != setting.key {
        return by_hand(setting);
    }
    // The file may be one that the scope's own file includes.
    let place = if file.is_absolute() {
        format!("--file {}", shell_word(file.as_os_str().as_encoded_bytes()))
    } else {
        format!("--{}", setting.scope)
    };
    format!("git config {place}{flag} --unset-all {key}{value}")
}

/// Tells which setting to remove from which file.
pub(super) fn by_hand(setting: &Setting) -> String {
    let key = without_secrets(&setting.key);
    if setting.scope == "command" {
        let key = shell_word(key.as_encoded_bytes());
        return format!("take {key} out of {}", handed_on(setting));
    }
    let (key, origin) = (
        shell_word(key.as_encoded_bytes()),
        shell_word(setting.origin.as_bytes()),
    );
    format!("take {key} out of {origin} ({})", setting.scope)
}

/// The variable that hands on a setting (git(1), `-c`; git-config(1), ENVIRONMENT).
fn handed_on(setting: &Setting) -> String {
    let count = env::var("GIT_CONFIG_COUNT").ok();
    let count: u16 = count.and_then(|count| count.parse().ok()).unwrap_or(0);
    for index in (0..count).rev() {
        let name = format!("GIT_CONFIG_KEY_{index}");
        let value = format!("GIT_CONFIG_VALUE_{index}");
        let is_key = env::var_os(&name).is_some_and(|key| key.eq_ignore_ascii_case(&setting.key));
        if is_key && env::var_os(&value).is_some_and(|set| set == setting.value) {
            return format!("{name} and {value}, or unset GIT_CONFIG_COUNT");
        }
    }
    "the options of 'git -c', or unset GIT_CONFIG_PARAMETERS".to_owned()
}
