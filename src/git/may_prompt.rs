//! Whether a prompt may wait for a person: only where a display exists and git was not told to stay silent.

use std::env;
use std::time::Duration;

use super::boolean;
use crate::platform::is_graphical;

/// The time a person has to unlock the keychain.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns how long a prompt for the keychain's password may wait; zero if no user would see it.
pub fn prompt_patience() -> Duration {
    let terminal_prompt = env::var("GIT_TERMINAL_PROMPT").is_ok_and(|value| is_false(&value));
    let parameters = env::var("GIT_CONFIG_PARAMETERS").unwrap_or_default();
    let interactive = interactive_setting(&parameters).is_some_and(is_false);
    if terminal_prompt || interactive || !is_graphical() {
        Duration::ZERO
    } else {
        PATIENCE
    }
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
