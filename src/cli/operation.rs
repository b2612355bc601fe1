//! git's four operations: one request in, one answer out, in one write.

use std::io::{self, Write};
use std::process::ExitCode;

use super::streams::Streams;
use super::ui;
use crate::config::{Flags, Settings, account};
use crate::git::may_prompt::prompt_patience;
use crate::helper::Helper;
use crate::helper::erase::erase;
use crate::helper::get::{self, Answer};
use crate::helper::lookup::background;
use crate::helper::notice::Notice;
use crate::helper::store::store;
use crate::protocol::Operation;
use crate::protocol::read::{self, Request};
use crate::protocol::write::{self, AnswerState};
use crate::secret::Buffer;
use crate::{platform, time};

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
        Operation::Store => store(&helper, request, now).map(|outcome| {
            if let Some(key) = outcome.value {
                // A date that is not found out today is found out tomorrow.
                let _ = background::start(&again, &key);
            }
            outcome.notices
        }),
        Operation::Erase => {
            let outcome = erase(&helper, &request, streams.error_is_terminal, now);
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
    let outcome = match get::get(helper, request, now) {
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
    let Answer {
        credential,
        state,
        is_last,
        forge,
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
    write::notes(forge.as_slice(), &mut answer);
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
