//! Whether a prompt may wait for a person, and whether git can ask: not where git was told to stay silent.

use std::env;
use std::time::Duration;

use super::boolean;
use crate::platform::{has_terminal, is_graphical};

/// The time a person has to unlock the keychain.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns how long a prompt for the keychain's password may wait; zero if no user would see it.
pub fn prompt_patience() -> Duration {
    if is_terminal_prompt_off() || is_interactive_off() || !is_graphical() {
        Duration::ZERO
    } else {
        PATIENCE
    }
}

/// Returns whether git can ask the user for a password: with the terminal, or with an askpass program (git's `prompt.c`). To start
/// no process, it does not look for `credential.interactive` and `core.askPass` in git's configuration files.
pub fn can_ask() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_interactive_off() {
        return false;
    }
    is_set("GIT_ASKPASS")
        || is_set("SSH_ASKPASS")
        || parameters().to_ascii_lowercase().contains("'core.askpass")
        || (!is_terminal_prompt_off() && has_terminal())
}

fn is_terminal_prompt_off() -> bool {
    env::var("GIT_TERMINAL_PROMPT").is_ok_and(|value| is_false(&value))
}

fn is_interactive_off() -> bool {
    interactive_setting(&parameters()).is_some_and(is_false)
}

/// What `-c` set, as git passes it on.
fn parameters() -> String {
    env::var("GIT_CONFIG_PARAMETERS").unwrap_or_default()
}

/// `never` is a word of Git Credential Manager.
fn is_false(value: &str) -> bool {
    value.eq_ignore_ascii_case("never") || boolean::parse(value.as_bytes()) == Some(false)
}

/// `credential.interactive` (git 2.47) as git passes on what `-c` set: `'key'='value'`, before 2.31 `'key=value'`.
fn interactive_setting(parameters: &str) -> Option<&str> {
    const KEY: &str = "credential.interactive";
    let at = parameters.to_ascii_lowercase().rfind(KEY)?;
    let rest = parameters.get(at + KEY.len()..)?;
    let value = rest.trim_start_matches('\'').strip_prefix('=')?;
    value.trim_start_matches('\'').split('\'').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_is_false_too() {
        assert!(is_false("never") && is_false("Never") && is_false("0") && is_false(""));
        assert!(!is_false("always") && !is_false("1"));
    }

    #[test]
    fn finds_credential_interactive_among_the_parameters_of_git() {
        for (parameters, value) in [
            ("'credential.interactive'='false'", Some("false")),
            (
                "'core.askpass'='true' 'credential.interactive'='never' 'a.b'='c'",
                Some("never"),
            ),
            ("'credential.interactive=0'", Some("0")),
            (
                "'Credential.Interactive'='false' 'credential.interactive'='true'",
                Some("true"),
            ),
            ("'credential.interactive'", None),
            ("'credential.interactive'=''", Some("")),
            ("", None),
        ] {
            assert_eq!(interactive_setting(parameters), value, "{parameters}");
        }
    }
}
