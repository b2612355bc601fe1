//! How to remove a setting from git's configuration.

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
    if setting.scope == "command" {
        return format!(
            "take {key} out of the command line, GIT_CONFIG_COUNT or GIT_CONFIG_PARAMETERS"
        );
    }
    if shown != setting.key {
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
    let (key, origin) = (
        shell_word(key.as_encoded_bytes()),
        shell_word(setting.origin.as_bytes()),
    );
    format!("take {key} out of {origin} ({})", setting.scope)
}
