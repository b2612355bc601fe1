//! `token`: prints the token that git would get for a URL, for scripts.

use std::io::Write;

use clap::builder::NonEmptyStringValueParser;

use super::exit_code::ExitCode;
use super::failure::{CliResult, Failure, nothing_known};
use super::streams::Streams;
use super::usage::MISUSE;
use super::{open, ui};
use crate::config::{Flags, account};
use crate::credential::Credential;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::git::Git;
use crate::helper::get;
use crate::secret::{Buffer, Secret};
use crate::tasks::doctor::query::Question;
use crate::tasks::target;
use crate::time;

/// Print the token that git would get for a URL, for scripts
///
/// Prints the token and a line feed. Of an Authorization header such as Bearer, prints the part after the scheme.
#[derive(clap::Args)]
#[command(
    after_help = "Exit status: 0 a token was printed, 1 there is no valid token, 2 standard output is a terminal.\n\n\
    Keep the token out of argument lists, which other users can read:\n  \
    printf 'Authorization: Bearer %s\\n' \"$(git credential-pat token URL)\" |\n    curl -H @- URL"
)]
pub(super) struct Arguments {
    /// A URL such as https://github.com or https://octocat@github.com, or of a repository
    url: String,
    /// The username, if it is not in the URL; by default the token that git gets without one
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    username: Option<String>,
    /// Print the token on a terminal, too
    #[arg(long)]
    show: bool,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let mut url = target::parse(&arguments.url)?;
    if let Some(name) = &arguments.username {
        let name = Username::from(&name[..]);
        let other = url.username.replace(name.clone());
        if other.is_some_and(|other| !other.is_empty() && other != name) {
            let what = "the URL and --username name two users";
            ui::complain(streams, what, Some("name the user once"));
            return Ok(ExitCode::from(MISUSE));
        }
    }
    let (settings, helper) = open(flags, Some(&url))?;
    let question = Question::of(Git::find().ok().as_ref(), &settings.accounts, &url);
    let mut wanted = question.asked;
    account::apply(&settings.accounts, &mut wanted);
    let now = time::now();
    let marks = helper.journal().whole_snapshot();
    let marks = marks.map_err(Failure::UnreadableJournal)?;
    let outcome = get::for_script(&helper, &wanted, marks, now)?;
    let is_whole = outcome.is_whole();
    ui::notices(streams, &outcome.notices, now.unix);
    let Some(found) = outcome.value else {
        return Err(if is_whole {
            no_token(&url)
        } else {
            nothing_known()
        });
    };
    let Some(secret) = printed(&found) else {
        return Err(no_token(&url));
    };
    if streams.terminals.output_is_terminal && !arguments.show {
        let what = "the token is not shown on a terminal";
        let hint = format!("add --show to see it: '{} --show'", command("token", &url));
        ui::complain(streams, what, Some(&hint));
        return Ok(ExitCode::from(MISUSE));
    }
    let mut line = Buffer::with_capacity(secret.len() + 1);
    line.push(secret);
    line.push(b"\n");
    streams.output.write_all(line.as_slice())?;
    Ok(ExitCode::SUCCESS)
}

/// The token itself: the password, the part of an authorization after its scheme, or a username that is the token.
fn printed(found: &Credential) -> Option<&[u8]> {
    let alone = found
        .key
        .username
        .as_ref()
        .filter(|name| name.is_alone() && name.may_be_token());
    let password = found.password.as_ref().map(Secret::expose);
    alone
        .map(Username::expose)
        .or(password)
        .or(found.parameters().map(Secret::expose))
}

fn no_token(url: &Query) -> Failure {
    Failure::Plain {
        what: "no valid token is kept for this URL".to_owned(),
        hint: Some(format!(
            "save one with '{}'; 'git credential-pat list' shows what is kept",
            command("login", url)
        )),
    }
}

fn command(name: &str, url: &Query) -> String {
    let url = url.key().map(|key| key.argument()).unwrap_or_default();
    format!("git credential-pat {name} {url}")
}
