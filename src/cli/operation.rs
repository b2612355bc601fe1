//! git's four operations: one request in, one answer out, in one write.

use std::io::Write;

use super::exit_code::ExitCode;
use super::failure::CliResult;
use super::streams::Streams;
use super::ui;
use crate::config::{Flags, Settings, account};
use crate::git::may_prompt::{can_ask, prompt_patience};
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
use crate::{platform, time, trace};

/// Carries out `operation`. git ignores our exit status; people and scripts do not.
pub(super) fn run(operation: Operation, flags: Flags, streams: &mut Streams) -> CliResult {
    platform::harden();
    if operation == Operation::Capability {
        let capabilities = b"version 0\ncapability authtype\ncapability state\n";
        streams.output.write_all(capabilities)?;
        return Ok(ExitCode::SUCCESS);
    }
    let bytes = read::receive(&mut *streams.input)?;
    let mut request = read::request(bytes.as_slice())?;
    let again = flags.clone();
    let settings = Settings::load(flags)?;
    account::apply(&settings.accounts, &mut request.query);
    let helper = Helper::new(&settings, prompt_patience());
    let now = time::now();
    match operation {
        Operation::Get => get(&helper, &request, now, streams)?,
        Operation::Store => save(&helper, &again, request, now, streams)?,
        Operation::Erase => reject(&helper, &request, now, streams)?,
        Operation::Capability => {}
    }
    Ok(ExitCode::SUCCESS)
}

// Not inlined: the stack and the code of one operation would cost the others page faults.
#[inline(never)]
fn save(
    helper: &Helper,
    flags: &Flags,
    request: Request,
    now: time::Now,
    streams: &mut Streams,
) -> CliResult<()> {
    let outcome = store(helper, request, now)?;
    if let Some(key) = outcome.value {
        // The expiry may still be looked up after a later `store`.
        let started = background::start(flags, &key);
        trace::tell("look-up", || match started {
            Ok(()) => "a background process asks the forge for the expiry".to_owned(),
            Err(_) => "no background process could be started".to_owned(),
        });
    }
    ui::notices(streams, &outcome.notices, now.unix);
    Ok(())
}

#[inline(never)]
fn reject(
    helper: &Helper,
    request: &Request,
    now: time::Now,
    streams: &mut Streams,
) -> CliResult<()> {
    let outcome = erase(helper, request, streams.terminals.error_is_terminal, now);
    ui::notices(streams, &outcome.notices, now.unix);
    outcome.value?;
    Ok(())
}

#[inline(never)]
fn get(helper: &Helper, request: &Request, now: time::Now, streams: &mut Streams) -> CliResult<()> {
    let outcome = get::get(helper, request, now)?;
    let mut answer = Buffer::with_capacity(512);
    let mut notices = outcome.notices;
    let Answer {
        credential,
        state,
        is_last,
        forge,
    } = outcome.value;
    let state = state.as_deref().map(|state| AnswerState { state, is_last });
    // A client without the capability `authtype` cannot use an answer that needs it. git would have no credential, and not
    // prompt.
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
    for notice in &mut notices {
        notice.expects_prompt(can_ask);
    }
    ui::notices(streams, &notices, now.unix);
    streams.output.write_all(answer.as_slice())?;
    Ok(())
}
