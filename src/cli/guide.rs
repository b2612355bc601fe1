//! Guides a user to a new token: shows the forge's page that creates it, reads the token, and warns about it.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Read;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::ui;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::pasted;
use crate::forge::{Page, TokenVerdict, Wish};
use crate::git::Git;
use crate::helper::issuer::Issuer;
use crate::helper::lookup::request::Asked;
use crate::platform::{self, URL_OPENER, is_graphical, open_url};
use crate::secret::{Buffer, Secret};
use crate::tasks::login;
use crate::terminal::escape;
use crate::terminal::prompt::{Dialogue, Error};

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

/// The options of the page that creates a token.
#[derive(clap::Args)]
pub(super) struct PageArguments {
    /// Show the page that creates the token, but open no browser
    #[arg(long)]
    no_browser: bool,
    /// Also show the page's address as a QR code
    #[arg(long)]
    qr: bool,
}

/// Shows the first of `pages` with all its values, and the others by their address.
pub(super) fn show(
    streams: &mut Streams,
    pages: &[Page],
    options: &PageArguments,
) -> CliResult<()> {
    let Some((first, others)) = pages.split_first() else {
        return Ok(());
    };
    let mut text = String::new();
    if options.qr {
        text.push_str(&code(&first.url, platform::window_size()));
    }
    let _ = writeln!(
        text,
        "create a new {} here:\n  {}",
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
            "or a new {}:\n  {}",
            other.title,
            escape::whole(&other.url)
        );
    }
    // A closed output is an error here: nothing has been done yet.
    let unseen = |_| Failure::new("cannot show the page that creates the token", None);
    ui::print(streams, &text).map_err(unseen)?;
    if !options.no_browser && is_graphical() && browse(&first.url) {
        ui::print(streams, "the page opens in your browser\n").map_err(unseen)?;
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
}
