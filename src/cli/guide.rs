//! Guides a user to a new token: shows the forge's page that creates it, reads the token, and saves it.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Read};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::ui;
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::pasted::{self, Flaw};
use crate::credential::query::Query;
use crate::forge::{Page, TokenVerdict, Wish};
use crate::git::Git;
use crate::helper::Helper;
use crate::helper::issuer::Issuer;
use crate::helper::lookup::request::Asked;
use crate::platform::{self, URL_OPENER, is_graphical, open_url};
use crate::secret::{Buffer, Secret};
use crate::tasks::login::{self, SavedToken};
use crate::terminal::escape;
use crate::terminal::prompt::{Dialogue, Error};
use crate::time::{Now, in_words};

/// Longer than any token.
const LONGEST: usize = 64 * 1024;
const DAY: u64 = 86_400;
/// The default lifetime of a new token, in days.
const USUAL: u64 = 90;

/// The properties of a new token. `end`: its expiry.
pub(super) fn wish(end: Option<Expiry>, unix_now: u64) -> Wish {
    let days = end.map_or(USUAL, |end| end.left(unix_now).div_ceil(DAY));
    let days = u16::try_from(days).unwrap_or(u16::MAX).max(1);
    let end = end.or_else(|| Expiry::from_unix(unix_now + u64::from(days) * DAY));
    let last_day = end.and_then(Expiry::rfc3339).unwrap_or_default();
    Wish {
        name: format!("git on {}", platform::host_name().to_string_lossy()),
        days,
        last_day: last_day.chars().take(10).collect(),
    }
}

/// How a page is shown, besides by its address.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// In a browser, where there is one.
    pub(super) may_open: bool,
    /// As a QR code.
    pub(super) wants_code: bool,
}

/// Shows the first of `pages` with all its values, and the others by their address.
pub(super) fn show(streams: &mut Streams, pages: &[Page], how: How) -> CliResult<()> {
    // A closed output is an error here: nothing has been done yet.
    show_all(streams, pages, how)
        .map_err(|_| Failure::new("cannot show the page that creates the token", None))
}

fn show_all(streams: &mut Streams, pages: &[Page], how: How) -> io::Result<()> {
    let Some((first, others)) = pages.split_first() else {
        return Ok(());
    };
    let mut text = String::new();
    if how.wants_code {
        text.push_str(&code(&first.url, platform::window_size()));
    }
    let _ = writeln!(
        text,
        "create {} {} here:\n  {}",
        article(first.title),
        first.title,
        escape::whole(&first.url)
    );
    text.push_str("with these values, where the page has not filled them in:\n");
    for (name, value) in &first.values {
        let _ = writeln!(text, "  {name}: {}", escape::whole(value));
    }
    for other in others {
        let _ = writeln!(
            text,
            "or {} {}:\n  {}",
            article(other.title),
            other.title,
            escape::whole(&other.url)
        );
    }
    ui::print(streams, &text)?;
    if how.may_open && is_graphical() && browse(&first.url) {
        return ui::print(streams, "the page opens in your browser\n");
    }
    Ok(())
}

/// The QR code of `url` with its caption, or the reason why there is none.
fn code(url: &str, window: Option<(usize, usize)>) -> String {
    if !draws_blocks(|name| env::var_os(name)) {
        return "no QR code: this terminal does not show its blocks\n".to_owned();
    }
    let Ok(code) = QrCode::new(url.as_bytes()) else {
        return "no QR code: the address is too long for one\n".to_owned();
    };
    let code = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    let width = code.lines().map(|line| line.chars().count()).max();
    let size = (width.unwrap_or_default(), code.lines().count());
    let fits = |(columns, lines): (usize, usize)| size.0 <= columns && size.1 <= lines;
    if window.is_none_or(fits) {
        format!("{code}\nthe QR code is of {}\n", escape::whole(url))
    } else {
        format!(
            "no QR code: it needs {} columns and {} lines\n",
            size.0, size.1
        )
    }
}

fn article(title: &str) -> &'static str {
    if title.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    }
}

/// Whether the terminal shows blocks, which only UTF-8 has (locale(7)).
fn draws_blocks(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let mut locales = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let locale = locales.find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let locale = locale
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    !is_dumb && (locale.contains("utf-8") || locale.contains("utf8"))
}

/// Opens a page in the browser; false if no program can.
fn browse(url: &str) -> bool {
    Git::on_path(URL_OPENER).is_some_and(|program| open_url(&program, url))
}

/// Tells whether a token is saved that the forge does not accept, or a text that cannot be sent as one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfUnfit {
    /// Yes: the person gave `--force`.
    Keep,
    /// No, but `--force` would.
    MayForce,
    /// No.
    Refuse,
}

/// Asks the forge about the token of `credential`, and warns if the forge gives no clear answer. Fails if the token is invalid, unless
/// it is saved all the same. `given`: the URL on the command line, which may name a repository.
pub(super) fn vet(
    streams: &mut Streams,
    helper: &Helper,
    credential: &Credential,
    given: &Query,
    if_unfit: IfUnfit,
    now: Now,
) -> CliResult<(Option<Issuer>, Asked)> {
    let vetted = login::vet(helper, credential, given, if_unfit == IfUnfit::Keep, now);
    let (issuer, asked) = vetted.map_err(|error| match if_unfit {
        IfUnfit::MayForce => {
            Failure::new(error.to_string(), "--force saves the token all the same")
        }
        _ => error.into(),
    })?;
    warn_if_unsure(streams, &asked, &login::forge_name(issuer), &credential.key);
    Ok((issuer, asked))
}

/// Vets the token of `credential`, and saves it.
pub(super) fn keep(
    streams: &mut Streams,
    helper: &Helper,
    credential: &Credential,
    given: &Query,
    if_unfit: IfUnfit,
    now: Now,
) -> CliResult<SavedToken> {
    let (issuer, asked) = vet(streams, helper, credential, given, if_unfit, now)?;
    let saved = login::save(helper, credential, issuer, &asked, now)?;
    ui::notices(streams, &saved.notices, now.unix);
    warn_of_scopes(streams, issuer, saved.scopes.as_deref());
    Ok(saved)
}

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
        let what = format!(
            "the token lacks the scope '{}': {}",
            lack.scope, lack.consequence
        );
        ui::warn(streams, &what, None);
    }
}

/// Warns if the forge blocks the token, or gave no clear answer about it.
fn warn_if_unsure(streams: &mut Streams, asked: &Asked, forge: &str, key: &Key) {
    match asked {
        Asked::Told(TokenVerdict::Blocked { authorize, words }) => {
            let hint = authorize
                .as_ref()
                .map(|page| format!("for single sign-on open {page} within the hour"));
            let words = words.as_deref().unwrap_or("no reason given");
            let what = format!("{forge} knows this token but blocks it: {words}");
            ui::warn(streams, &what, hint.as_deref());
        }
        Asked::Told(TokenVerdict::Limited { status, wait }) => {
            let what = format!(
                "cannot tell whether the token works: {forge} limits requests for now ({status})"
            );
            let hint = wait.map(|wait| {
                let url = key.argument();
                let wait = in_words(wait);
                format!("in {wait}, ask again with 'git credential-pat check {url}'")
            });
            ui::warn(streams, &what, hint.as_deref());
        }
        Asked::Told(TokenVerdict::Unclear { status }) => {
            let what = format!(
                "cannot tell whether the token works: {forge} answers {status}, which says nothing about it"
            );
            ui::warn(streams, &what, None);
        }
        Asked::NotThere(kind) => {
            let what = format!(
                "cannot tell whether the token works: {kind} is not at the root of this host, so the token was not sent"
            );
            let hint = "name the forge's URL in a [[host]] rule in config.toml";
            ui::warn(streams, &what, Some(hint));
        }
        Asked::Failed(error) => {
            let what = "cannot tell whether the token works";
            ui::warn_of(streams, what, error, error.setting_hint().as_deref());
        }
        _ => {}
    }
}

/// Turns the echo of the terminal off until the dialogue is dropped.
pub(super) fn dialogue(streams: &mut Streams) -> CliResult<Dialogue> {
    ui::dialogue(streams).map_err(|error| match error {
        Error::NoTerminal(_) => Failure::new(
            "there is no terminal to type the token at",
            "give it to 'git credential-pat login URL --with-token' on standard input",
        ),
        error => error.into(),
    })
}

/// Asks for the token as the last question. The dialogue stays open: a person who sees nothing happen may type the token
/// again.
pub(super) fn typed_token(
    streams: &mut Streams,
    dialogue: &mut Dialogue,
    if_unfit: IfUnfit,
) -> CliResult<Secret> {
    match dialogue.hidden_line("Token (not shown): ") {
        Ok(typed) => token(streams, typed.as_slice(), if_unfit),
        Err(error @ Error::TooLong) => Err(Failure::new(
            format!("cannot read this token here: {error}"),
            "give it to 'git credential-pat login URL --with-token' on standard input",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Reads the whole of standard input as one token.
pub(super) fn piped_token(streams: &mut Streams, if_unfit: IfUnfit) -> CliResult<Secret> {
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
    token(streams, input.as_slice(), if_unfit)
}

fn token(streams: &mut Streams, given: &[u8], if_unfit: IfUnfit) -> CliResult<Secret> {
    let token = pasted::cleaned(given);
    let flaw = pasted::flaw(token);
    let is_kept = if_unfit == IfUnfit::Keep && flaw.is_some_and(Flaw::can_be_kept);
    if let Some(flaw) = flaw.filter(|_| !is_kept) {
        let hint = match if_unfit {
            IfUnfit::MayForce if flaw.can_be_kept() => {
                "give the token alone; --force saves this all the same"
            }
            _ => "give the token alone",
        };
        return Err(Failure::Plain {
            what: format!("this cannot be sent as a token ({flaw}): nothing was changed"),
            hint: Some(hint.to_owned()),
        });
    }
    if token.len() < given.trim_ascii().len() {
        let what = "left out the text around the token, such as quotes, 'Bearer' or 'NAME='";
        ui::warn(streams, what, None);
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_where_blocks_are_shown() {
        let drawn = |variables: &[(&str, &str)]| {
            draws_blocks(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let usual = ("LANG", "de_DE.UTF-8");
        assert!(drawn(&[usual]) && drawn(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]));
        assert!(!drawn(&[]) && !drawn(&[usual, ("LC_ALL", "C")]));
        assert!(!drawn(&[usual, ("TERM", "dumb")]));
    }

    #[test]
    fn articles() {
        assert_eq!(
            ["API token", "access token", "classic token"].map(article),
            ["an", "an", "a"]
        );
    }
}
