//! The forge's page that creates a token: its values, its address, a QR code and the browser.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::ui;
use crate::credential::expiry::Expiry;
use crate::forge::{Page, Wish};
use crate::git::Git;
use crate::platform::{self, URL_OPENER, is_graphical, open_url};
use crate::terminal::escape;

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
        ui::done(streams, "the page opens in your browser\n").map_err(unseen)?;
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
