//! `status`: prints one screen: git, the storages, the tokens, and the next expiry.

mod json;
mod lines;
mod screen;
mod tokens;

use self::lines::{hint, lines};
use self::screen::show;
use super::exit_code::ExitCode;
use super::failure::CliResult;
use super::streams::Streams;
use super::{settings_anyway, ui};
use crate::config::Flags;
use crate::credential::query::Query;
use crate::git::Git;
use crate::tasks::doctor::query::Question;
use crate::tasks::status::{AskedUrl, StatusScreen};
use crate::tasks::target;
use crate::time;

/// Show on one screen whether git calls this helper, which storages work, and which token expires next
#[derive(clap::Args)]
#[command(
    after_help = "No forge is asked: 'check' does that. 'doctor' finds the causes of problems.\n\n\
    Exit status: 0 all is well, 1 git does not call this helper, no storage can be used, or another failure, 3 a token expires \
    soon, 4 a token has expired or was rejected, 5 unknown: a storage could not tell, such as a locked keyring. If several \
    apply, 1 comes first, then 4, 3 and 5."
)]
pub(super) struct Arguments {
    /// A URL such as https://github.com or https://octocat@github.com, or of a repository: shows only what concerns it
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let url = arguments.url.as_deref().map(target::parse).transpose()?;
    let settings = settings_anyway(flags, url.as_ref())?;
    let question = url.as_ref().map(|url| {
        let git = Git::find().ok();
        Question::of(git.as_ref(), &settings.accounts, url)
    });
    let asked = url.as_ref().zip(question.as_ref());
    let asked = asked.map(|(url, question)| AskedUrl {
        url,
        wanted: &question.wanted,
        unmatched_rule: question.untold.as_ref(),
    });
    let unix_now = time::now().unix;
    let status = StatusScreen::read(&settings, asked, unix_now);
    let url = url.as_ref().and_then(Query::key);
    let url = url.map(|key| key.argument());
    let lines = lines(&status, url.as_deref(), unix_now);
    let hint = hint(&lines, url.as_deref());
    let hint = hint.as_deref();
    if arguments.json {
        let json = json::StatusJson::of(&status, hint);
        ui::print_json(streams, &json)?;
    } else {
        show(streams, &lines, hint)?;
    }
    Ok(ExitCode::from(status.level().exit_code()))
}
