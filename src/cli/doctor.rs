//! `doctor`: looks at everything, and says what is in the way.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use serde::Serialize;

use super::streams::Streams;
use super::{Failure, described, open, ui};
use crate::config::{Error, Flags};
use crate::credential::description::Description;
use crate::helper::examine::{self, Ssh};
use crate::helper::finding::{Finding, Outcome};
use crate::helper::{Helper, chain, verify};
use crate::plain;
use crate::time;

/// Look at what git and this helper do together, and for a URL why git fails there
#[derive(clap::Args)]
// The text is shown to people as it stands.
#[allow(clippy::doc_markdown)]
#[command(after_help = "Exit status: 0 nothing is in the way, 1 a problem was found.")]
pub(super) struct Arguments {
    /// Such as https://github.com/octocat/hello.git: its forge and its git server are asked, with the token that is kept
    url: Option<String>,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
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
    let (git, found) = examine::git();
    let mut findings = vec![found];
    let ssh = arguments.url.as_deref().and_then(Ssh::parse);
    let url = match (&arguments.url, &ssh) {
        (Some(url), None) => Some(described(url)?),
        _ => None,
    };
    if let Some(ssh) = ssh {
        let remote = git.as_ref().and_then(|git| examine::remote_of(git, &ssh));
        findings.push(match remote {
            Some(remote) => ssh.finding(&remote, ""),
            None => ssh.finding_without_remote(),
        });
    } else {
        let helper = match open(flags, url.as_ref()) {
            Ok((settings, helper)) => {
                findings.push(Finding::ok(
                    "configuration",
                    "config.toml can be read, or is not there",
                ));
                findings.extend(helper.examine_storages(&settings));
                Some(helper)
            }
            Err(Failure::Config(error)) => {
                findings.push(unreadable(&error));
                None
            }
            Err(failure) => return Err(failure),
        };
        let kept = kept(helper.as_ref(), url.as_ref())?;
        if let Some(git) = &git {
            findings.extend(chain::examine(git, url.as_ref(), kept.as_ref()));
            let host = url.as_ref().and_then(|url| url.host.as_deref());
            let host = host.map(|host| String::from_utf8_lossy(host).into_owned());
            findings.extend(examine::remotes(git, host.as_deref()));
        }
        findings.extend(examine::environment(git.as_ref(), url.as_ref()));
        findings.extend(verify::examine(git.as_ref(), url.as_ref()));
        if let (Some(helper), Some(url)) = (helper, url) {
            findings.extend(helper.why(&url, kept.as_ref(), time::now()));
        }
    }
    print(streams, &findings, arguments.json)?;
    let is_ill = findings
        .iter()
        .any(|found| found.outcome == Outcome::Problem);
    Ok(ExitCode::from(u8::from(is_ill)))
}

fn kept(
    helper: Option<&Helper>,
    url: Option<&Description>,
) -> Result<Option<crate::credential::Credential>, Failure> {
    match (helper, url) {
        (Some(helper), Some(url)) => Ok(helper.kept_for(url)?),
        _ => Ok(None),
    }
}

fn unreadable(error: &Error) -> Finding {
    Finding::problem("configuration", error.to_string(), error.hint())
}

fn print(streams: &mut Streams, findings: &[Finding], is_json: bool) -> io::Result<()> {
    let shown: Vec<Shown> = findings
        .iter()
        .map(|found| Shown {
            title: found.title,
            outcome: found.outcome.word(),
            says: plain::whole(&found.says),
            remedy: found.remedy.as_deref().map(plain::whole),
        })
        .collect();
    if is_json {
        let json = serde_json::to_string_pretty(&shown)?;
        return ui::print(streams, &format!("{json}\n"));
    }
    let mut text = String::new();
    for Shown {
        title,
        outcome,
        says,
        remedy,
    } in shown
    {
        let _ = writeln!(text, "{outcome:<8} {title}: {says}");
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:<8} {remedy}", "  try");
        }
    }
    ui::print(streams, &text)
}
