//! git's four operations: one request in, one answer out, in one write.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::streams::Streams;
use super::ui;
use crate::config::{Flags, Settings, account};
use crate::helper::lookup::background;
use crate::helper::notice::Notice;
use crate::helper::{self, Helper};
use crate::protocol::Operation;
use crate::protocol::read::{self, Request};
use crate::protocol::write::{self, AnswerState};
use crate::secret::Buffer;
use crate::{platform, time};

/// How long a person may take to unlock the keychain.
const PROMPT: Duration = Duration::from_secs(60);

/// Carries out `operation`. git ignores how we end; people and scripts do not.
pub(super) fn run(operation: Operation, flags: Flags, streams: &mut Streams) -> ExitCode {
    platform::harden();
    if operation == Operation::Capability {
        return finish(
            streams,
            b"version 0\ncapability authtype\ncapability state\n",
        );
    }
    let request =
        read::receive(&mut *streams.input).and_then(|bytes| read::request(bytes.as_slice()));
    let mut request = match request {
        Ok(request) => request,
        Err(error) => {
            ui::error(streams, &error, None);
            return ExitCode::FAILURE;
        }
    };
    let again = flags.clone();
    let settings = match Settings::load(flags) {
        Ok(settings) => settings,
        Err(error) => {
            ui::error(streams, &error, Some(error.hint()));
            return ExitCode::FAILURE;
        }
    };
    account::apply(&settings.accounts, &mut request.query);
    let helper = Helper::new(&settings, prompt_patience());
    let now = time::now();
    let result = match operation {
        Operation::Get => return get(&helper, &request, now, streams),
        Operation::Store => helper.store(request, now).map(|outcome| {
            if let Some(key) = outcome.value {
                // A date that is not found out today is found out tomorrow.
                let _ = background::start(&again, &key);
            }
            outcome.notices
        }),
        Operation::Erase => {
            let outcome = helper.refuse(&request, streams.error_is_terminal, now);
            ui::notices(streams, &outcome.notices, now.unix);
            outcome.value.map(|()| Vec::new())
        }
        Operation::Capability => Ok(Vec::new()),
    };
    match result {
        Ok(notices) => {
            ui::notices(streams, &notices, now.unix);
            ExitCode::SUCCESS
        }
        Err(error) => {
            ui::error(streams, &error, error.hint());
            ExitCode::FAILURE
        }
    }
}

fn get(helper: &Helper, request: &Request, now: time::Now, streams: &mut Streams) -> ExitCode {
    let outcome = match helper.get(request, now) {
        Ok(outcome) => outcome,
        Err(error) => {
            ui::error(streams, &error, error.hint());
            return ExitCode::FAILURE;
        }
    };
    let mut answer = Buffer::with_capacity(512);
    let mut notices = outcome.notices;
    // What can only be said with authtype is not there for who does not understand it: git would be left with neither
    // a credential nor a prompt.
    let helper::Answer {
        credential,
        state,
        is_last,
        clues,
    } = outcome.value;
    let state = state.as_deref().map(|state| AnswerState { state, is_last });
    let found = credential.filter(|found| {
        request.understands.authtype || found.password.is_some() || found.refresh_token.is_some()
    });
    if let Some(found) = found
        && let Err(cause) = write::answer(&found, request.understands.authtype, state, &mut answer)
    {
        notices = vec![Notice::Unwritable {
            key: found.key,
            cause,
        }];
        answer.truncate(0);
    }
    write::notes(&clues, &mut answer);
    ui::notices(streams, &notices, now.unix);
    finish(streams, answer.as_slice())
}

/// A reader that went away is no failure: it has what it wanted.
fn finish(streams: &mut Streams, answer: &[u8]) -> ExitCode {
    match streams.output.write_all(answer) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            ui::complain(streams, "cannot write the answer", None);
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Zero where nobody would see the question: without a display, or where git was told not to ask.
pub(super) fn prompt_patience() -> Duration {
    let has = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let terminal_prompt = env::var("GIT_TERMINAL_PROMPT").is_ok_and(|value| is_false(&value));
    let parameters = env::var("GIT_CONFIG_PARAMETERS").unwrap_or_default();
    let interactive = interactive_setting(&parameters).is_some_and(is_false);
    if terminal_prompt || interactive || !(has("DISPLAY") || has("WAYLAND_DISPLAY")) {
        Duration::ZERO
    } else {
        PROMPT
    }
}

/// As git reads it (git-config(1), "boolean"): an empty value and every zero are false. `never` is a word of Git Credential Manager's.
fn is_false(value: &str) -> bool {
    let value = value.trim_start().to_ascii_lowercase();
    let zeros = value.strip_suffix(['k', 'm', 'g']).unwrap_or(&value);
    let zeros = zeros.strip_prefix(['+', '-']).unwrap_or(zeros);
    let zeros = zeros.strip_prefix("0x").unwrap_or(zeros);
    let is_zero = !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0');
    is_zero || matches!(&value[..], "" | "false" | "no" | "off" | "never")
}

/// `credential.interactive` (git 2.47) as git hands on what `-c` set: `'key'='value'`, before 2.31 `'key=value'`.
fn interactive_setting(parameters: &str) -> Option<&str> {
    const KEY: &str = "credential.interactive";
    let at = parameters.to_ascii_lowercase().rfind(KEY)?;
    let rest = parameters
        .get(at + KEY.len()..)?
        .trim_start_matches('\'')
        .strip_prefix('=')?;
    rest.trim_start_matches('\'').split('\'').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_reads_as_false_is_false() {
        for value in [
            "", "0", "00", "-0", "+0", "0x0", "0k", " 0", "false", "No", "OFF", "never",
        ] {
            assert!(is_false(value), "{value:?}");
        }
        for value in ["1", "10", "01", "true", "yes", "on", "k", "-", "0x"] {
            assert!(!is_false(value), "{value:?}");
        }
    }

    #[test]
    fn finds_credential_interactive_among_what_git_hands_on() {
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
