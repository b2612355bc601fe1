//! `doctor`: prints why git gets no token, and what to do.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use serde::Serialize;

use super::failure::Failure;
use super::streams::Streams;
use super::{open, ui};
use crate::config::Flags;
use crate::credential::username::without_tokens;
use crate::tasks::doctor::finding::{Finding, Outcome};
use crate::tasks::doctor::{Doctor, Surroundings};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time;

/// Find out why git gets no token, and what to do about it
#[derive(clap::Args)]
// clap prints the text as it is.
#[allow(clippy::doc_markdown)]
#[command(after_help = "Exit status: 0 no problem was found, 1 a problem was found.")]
pub(super) struct Arguments {
    /// A URL such as https://github.com/octocat/hello.git, or the name of a remote: asks its forge and its git server, with the stored token
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct FindingJson {
    title: &'static str,
    outcome: &'static str,
    says: String,
    remedy: Option<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
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
        let opened = match open(flags, url.as_ref()) {
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
        findings.map_err(|_| unknown_target(&surroundings.remote_names()))?
    };
    print(streams, &findings, arguments.json)?;
    let has_problem = findings
        .iter()
        .any(|finding| finding.outcome == Outcome::Problem);
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

fn print(streams: &mut Streams, findings: &[Finding], is_json: bool) -> io::Result<()> {
    let safe = |text: &str| escape::whole(&without_tokens(text));
    let all: Vec<FindingJson> = findings
        .iter()
        .map(|finding| FindingJson {
            title: finding.title,
            outcome: finding.outcome.word(),
            says: safe(&finding.says),
            remedy: finding.remedy.as_deref().map(safe),
        })
        .collect();
    if is_json {
        return ui::print_json(streams, &all);
    }
    let mut text = String::new();
    for finding in all {
        let (outcome, title) = (finding.outcome, finding.title);
        let _ = writeln!(text, "{outcome:<8} {title}: {}", finding.says);
        if let Some(remedy) = finding.remedy {
            let _ = writeln!(text, "{:<8} {remedy}", "  try");
        }
    }
    ui::print(streams, &text)
}
