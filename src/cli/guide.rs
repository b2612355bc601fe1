//! Asks a user for a username and a token, and warns about a token that the forge does not accept.

use std::io::Read;

use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::ui;
use crate::credential::key::Key;
use crate::credential::pasted;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::forge::TokenVerdict;
use crate::helper::issuer::Issuer;
use crate::helper::lookup::request::Asked;
use crate::secret::{Buffer, Secret};
use crate::tasks::login;
use crate::terminal::escape;
use crate::terminal::prompt::{Dialogue, Error};

/// Longer than any token.
const LONGEST: usize = 64 * 1024;

/// Warns if the token lacks a scope that git needs.
pub(super) fn warn_of_scopes(
    streams: &mut Streams,
    issuer: Option<Issuer>,
    scopes: Option<&[String]>,
) {
    let lack = issuer
        .zip(scopes)
        .and_then(|(issuer, scopes)| issuer.forge.missing_scope(issuer.token, scopes));
    if let Some(lack) = lack {
        ui::warn(streams, &lack.to_string(), None);
    }
}

/// Warns if the forge blocks the token, or gave no clear answer about it.
pub(super) fn warn_if_unsure(
    streams: &mut Streams,
    asked: &Asked,
    issuer: Option<Issuer>,
    key: &Key,
) {
    let Some(reason) = asked.unclear(&login::forge_name(issuer)) else {
        return;
    };
    let hint = match asked {
        Asked::CannotTell | Asked::NoForge | Asked::NotHttps => return,
        Asked::Told(TokenVerdict::Blocked { authorize, .. }) => {
            let page = authorize.as_ref();
            let hint = page.map(|page| format!("for single sign-on open {page} within the hour"));
            return ui::warn(streams, &reason, hint.as_deref());
        }
        Asked::Told(TokenVerdict::Limited { .. }) => Some(format!(
            "ask again with 'git credential-pat check {}'",
            key.argument()
        )),
        asked => asked.setting_hint(),
    };
    let what = "cannot tell whether the token works";
    ui::warn_of(streams, what, &reason, hint.as_deref());
}

/// Turns the echo of the terminal off until the dialogue is dropped.
pub(super) fn dialogue(streams: &mut Streams) -> CliResult<Dialogue> {
    let _ = streams.error.flush();
    Dialogue::open().map_err(|error| match error {
        Error::NoTerminal(_) => Failure::new(
            "there is no terminal to type the token at",
            "give it to 'git credential-pat login URL --with-token' on standard input",
        ),
        error => error.into(),
    })
}

/// Asks for the username of `query`.
pub(super) fn typed_username(dialogue: &mut Dialogue, query: &Query) -> CliResult<Username> {
    let url = query.key().map(|key| key.url()).unwrap_or_default();
    let line = dialogue.shown_line(&format!("Username for {}: ", escape::safe(&url)))?;
    let name = str::from_utf8(line.as_slice()).unwrap_or("\0").trim();
    if name.is_empty() {
        return Err(Failure::new("a token needs a user", None));
    }
    // An arrow key, for example, sends an escape sequence.
    if !name.chars().all(escape::is_plain) {
        let what = "the username contains characters that a terminal does not show";
        return Err(Failure::new(what, "type it again, or give --username"));
    }
    let name = Username::from(name);
    if name.may_be_token() {
        // A username is shown in every list.
        return Err(Failure::new(
            "this is a token, not a username: nothing was changed",
            "it was shown on the terminal: revoke it at its forge",
        ));
    }
    Ok(name)
}

/// Asks for the token as the last question. The dialogue stays open: a person who sees nothing happen may type the token
/// again.
pub(super) fn typed_token(
    streams: &mut Streams,
    dialogue: &mut Dialogue,
    is_forced: bool,
) -> CliResult<Secret> {
    match dialogue.hidden_line("Token (not shown): ") {
        Ok(typed) => token(streams, typed.as_slice(), is_forced),
        Err(error @ Error::TooLong) => Err(Failure::new(
            format!("cannot read this token here: {error}"),
            "give it to 'git credential-pat login URL --with-token' on standard input",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Reads the whole of standard input as one token.
pub(super) fn piped_token(streams: &mut Streams, is_forced: bool) -> CliResult<Secret> {
    let mut input = Buffer::with_capacity(1024);
    loop {
        match input.read_from(
            &mut *streams.input as &mut dyn Read,
            LONGEST + 1 - input.as_slice().len(),
        ) {
            Ok(0) => break,
            Ok(_) if input.as_slice().len() > LONGEST => {
                return Err(Failure::new("this is far longer than a token", None));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => {
                return Err(Failure::new(
                    "cannot read the token from standard input",
                    None,
                ));
            }
        }
    }
    token(streams, input.as_slice(), is_forced)
}

fn token(streams: &mut Streams, given: &[u8], is_forced: bool) -> CliResult<Secret> {
    let token = pasted::cleaned(given);
    if let Some(flaw) = pasted::flaw(token).filter(|flaw| !(is_forced && flaw.can_be_kept())) {
        let what = format!("this cannot be sent as a token ({flaw}): nothing was changed");
        let hint = if flaw.can_be_kept() {
            "give the token alone; 'git credential-pat login --force' saves this all the same"
        } else {
            "give the token alone"
        };
        return Err(Failure::new(what, hint));
    }
    if token.len() < given.trim_ascii().len() {
        let what = "left out the text around the token, such as quotes, 'Bearer' or 'NAME='";
        ui::warn(streams, what, None);
    }
    Ok(Secret::new(token))
}
