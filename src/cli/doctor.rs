//! `doctor`: prints why git gets no token, and what to do.

use std::fmt::Write as _;
use std::io;

use super::exit_code::ExitCode;
use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::table::cell::Tone;
use super::wrap::wrapped;
use super::{open_anyway, ui};
use crate::config::Flags;
use crate::credential::username::without_tokens;
use crate::tasks::doctor::finding::{Finding, FindingState};
use crate::tasks::doctor::{Doctor, Surroundings};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time;

/// The columns before the text, for the word of the outcome.
const WORD: usize = 9;

/// Find out why git gets no token, and what to do about it
#[derive(clap::Args)]
#[command(after_help = "Exit status: 0 no problem was found, 1 a problem was found.")]
pub(super) struct Arguments {
    /// A URL such as https://github.com/octocat/hello.git, or the name of a remote. Its forge and its git server are
    /// asked with the stored token
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let surroundings = Surroundings::read();
    let target = arguments.url.as_deref().map(|url| surroundings.target(url));
    let without_token = target
        .as_ref()
        .and_then(|target| surroundings.without_token(target));
    let findings = if let Some(findings) = without_token {
        findings
    } else {
        let url = target
            .map(|target| target::parse(&target.url))
            .transpose()?;
        let opened = match open_anyway(flags, url.as_ref()) {
            Err(Failure::Config(error)) => Err(error),
            opened => Ok(opened?),
        };
        let doctor = Doctor {
            surroundings: &surroundings,
            url: url.as_ref(),
            opened: &opened,
            now: time::now(),
        };
        let findings = doctor.examine(arguments.url.as_deref());
        findings.ok_or_else(|| unknown_target(&surroundings.remote_names()))?
    };
    let mut states = findings.iter().map(|finding| finding.outcome);
    let has_problem = states.any(|state| state == FindingState::Problem);
    print(streams, findings, arguments.json)?;
    Ok(ExitCode::from(u8::from(has_problem)))
}

fn unknown_target(remotes: &[&str]) -> Failure {
    let names: Vec<String> = remotes
        .iter()
        .map(|name| format!("'{}'", escape::safe(name.as_bytes())))
        .collect();
    let here = if names.is_empty() {
        "there is no remote here".to_owned()
    } else {
        format!("the remotes here are {}", names.join(", "))
    };
    Failure::Plain {
        what: "this is neither a URL nor a remote's name".to_owned(),
        hint: Some(format!(
            "give a URL such as https://github.com/octocat/hello.git, or a remote's name; {here}"
        )),
    }
}

fn tone(state: FindingState) -> Tone {
    match state {
        FindingState::Ok => Tone::Good,
        FindingState::Note => Tone::Soon,
        FindingState::Problem => Tone::Bad,
    }
}

fn print(streams: &mut Streams, findings: Vec<Finding>, is_json: bool) -> io::Result<()> {
    let safe = |text: String| escape::whole(&without_tokens(&text));
    let findings: Vec<Finding> = findings
        .into_iter()
        .map(|finding| Finding {
            says: safe(finding.says),
            remedy: finding.remedy.map(safe),
            ..finding
        })
        .collect();
    if is_json {
        return ui::print_json(streams, &findings);
    }
    let mut text = String::new();
    for finding in findings {
        let (outcome, title) = (finding.outcome.word(), finding.title);
        let style = ui::style(streams, tone(finding.outcome));
        let blanks = " ".repeat(WORD - outcome.len());
        let room = streams
            .terminals
            .columns
            .map(|columns| columns.saturating_sub(WORD));
        let says = wrapped(&format!("{title}: {}", finding.says), room);
        let says = says.join(&format!("\n{:WORD$}", ""));
        let _ = writeln!(text, "{style}{outcome}{style:#}{blanks}{says}");
        if let Some(remedy) = finding.remedy {
            let _ = writeln!(text, "{:<WORD$}{remedy}", "  try");
        }
    }
    ui::print(streams, &text)
}
