//! `doctor`: looks at everything, and says what is in the way.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use serde::Serialize;

use super::streams::Streams;
use super::{Failure, described, open, ui};
use crate::config::{Error, Flags, Settings};
use crate::credential::Credential;
use crate::credential::query::Query;
use crate::credential::url;
use crate::credential::username::without_tokens;
use crate::git::Git;
use crate::helper::Helper;
use crate::tasks::doctor::finding::{Finding, Outcome};
use crate::tasks::doctor::query::Question;
use crate::tasks::doctor::remotes::{self, Remote, Rewriting, Way};
use crate::tasks::doctor::ssh::Ssh;
use crate::tasks::doctor::{certificates, chain, header, local_checks, netrc, token_check};
use crate::terminal::escape;
use crate::time;

/// Look at what git and this helper do together, and for a URL why git fails there
#[derive(clap::Args)]
// The text is shown to people as it stands.
#[allow(clippy::doc_markdown)]
#[command(after_help = "Exit status: 0 nothing is in the way, 1 a problem was found.")]
pub(super) struct Arguments {
    /// Such as https://github.com/octocat/hello.git, or a remote's name: its forge and its git server are asked, with the token that is kept
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
    let (git, found) = local_checks::git();
    let mut findings = vec![found];
    let rewriting = git.as_ref().map(Rewriting::of).unwrap_or_default();
    let remotes = git.as_ref().map(|git| remotes::all(git, &rewriting));
    let remotes = remotes.unwrap_or_default();
    let way = arguments
        .url
        .as_deref()
        .map(|url| way(url, &rewriting, &remotes));
    let without_token = way.as_ref();
    let without_token = without_token.and_then(|way| way.finding(&rewriting, &remotes));
    if let Some(found) = without_token {
        findings.push(found);
    } else {
        let url = way.map(|way| described(&way.url)).transpose()?;
        let known = match open(flags, url.as_ref()) {
            Ok((settings, helper)) => {
                findings.push(Finding::ok(
                    "configuration",
                    "config.toml can be read, or is not there",
                ));
                findings.extend(helper.examine_storages(&settings));
                Some((settings, helper))
            }
            Err(Failure::Config(error)) => {
                findings.push(unreadable(&error));
                None
            }
            Err(failure) => return Err(failure),
        };
        let now = time::now();
        let asked = match (&known, &url) {
            (Some((settings, helper)), Some(url)) => {
                let question = Question::of(git.as_ref(), &settings.accounts, url);
                let kept = helper.answer_to(&question.wanted, now);
                Some((helper, url, question, kept))
            }
            _ => None,
        };
        let is_unknown = matches!(&asked, Some((_, _, _, Ok(None))));
        if let Some(typed) = arguments.url.as_deref().filter(|_| is_unknown)
            && is_word(typed)
            && remotes.iter().all(|remote| remote.name != typed)
        {
            return Err(neither(&remotes));
        }
        if let Some(git) = &git {
            let kept = asked.as_ref().and_then(|(_, _, question, kept)| {
                // What has ended is not given to git.
                let ended =
                    |kept: &&Credential| kept.expiry.is_some_and(|end| end.is_past(now.unix));
                let kept = kept.as_ref().ok()?.as_ref();
                Some((question, kept.filter(|kept| !ended(kept))?))
            });
            findings.extend(chain::examine(git, url.as_ref(), kept));
            findings.extend(header::examine(git, url.as_ref()));
            findings.extend(netrc::examine(url.as_ref(), kept.map(|(_, kept)| kept)));
            if let (Some((settings, _)), None) = (&known, &url) {
                findings.extend(token_check::of_accounts(git, &settings.accounts));
            }
            for remote in &remotes {
                findings.extend(of_remote(
                    git,
                    &rewriting,
                    known.as_ref(),
                    remote,
                    url.as_ref(),
                ));
            }
        }
        findings.extend(local_checks::environment(
            git.as_ref(),
            url.as_ref(),
            known.as_ref().map(|(_, helper)| helper),
            now,
        ));
        findings.extend(certificates::examine(git.as_ref(), url.as_ref()));
        if let Some((helper, url, question, kept)) = &asked {
            let kept = kept.as_ref().map(Option::as_ref);
            findings.extend(helper.why(url, question, kept, git.as_ref(), now));
        }
    }
    if let Some(found) = local_checks::unanswered().filter(|_| git.is_some()) {
        // All that git says of its settings is missing below.
        findings.insert(1, found);
    }
    print(streams, &findings, arguments.json)?;
    let is_ill = findings
        .iter()
        .any(|found| found.outcome == Outcome::Problem);
    Ok(ExitCode::from(u8::from(is_ill)))
}

/// What is rather meant for a remote than for a host, though a host may be called so.
fn is_word(typed: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    typed.bytes().all(is_usual) && !typed.eq_ignore_ascii_case("localhost")
}

/// For what is neither of a remote nor of a host that anything is kept for.
fn neither(remotes: &[Remote]) -> Failure {
    let mut names: Vec<String> = remotes
        .iter()
        .map(|remote| format!("'{}'", escape::safe(remote.name.as_bytes())))
        .collect();
    names.dedup();
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

/// Where git goes by what somebody typed: a remote's name, or a URL.
fn way(typed: &str, rewriting: &Rewriting, remotes: &[Remote]) -> Way {
    if let Some(remote) = remotes.iter().find(|remote| remote.name == typed) {
        return remote.way.clone();
    }
    let is_bare_host = !typed.contains("://")
        && Ssh::parse(typed).is_some_and(|ssh| {
            // To git `one.test:8443/r` is the folder `8443/r` over SSH; to people it is a port.
            let port = ssh.path.split('/').next().unwrap_or_default();
            !typed.contains('@') && port.bytes().all(|byte| byte.is_ascii_digit())
        });
    if is_bare_host {
        return rewriting.way(&format!("https://{typed}"));
    }
    rewriting.way(typed)
}

/// What keeps tokens from serving a remote; with a URL, only of those at its host.
fn of_remote(
    git: &Git,
    rewriting: &Rewriting,
    known: Option<&(Settings, Helper)>,
    remote: &Remote,
    url: Option<&Query>,
) -> Option<Finding> {
    let host = url.and_then(|url| url.host.as_deref());
    let host = host.map(|host| String::from_utf8_lossy(host).into_owned());
    let is_asked = host
        .as_deref()
        .is_none_or(|host| remote.host().as_deref() == Some(remotes::without_port(host)));
    if !is_asked {
        return None;
    }
    if let Some(found) = remote.finding(rewriting) {
        return Some(found);
    }
    let said = url::parse(remote.way.url.as_bytes()).ok()?;
    let is_the_same = url.is_some_and(|url| url.username == said.username);
    let (settings, helper) = known.filter(|_| said.username.is_some() && !is_the_same)?;
    let question = Question::of(Some(git), &settings.accounts, &said);
    helper.of_remotes_user(&question, &remote.name)
}

fn unreadable(error: &Error) -> Finding {
    Finding::problem("configuration", error.to_string(), error.hint())
}

fn shown(text: &str) -> String {
    escape::whole(&without_tokens(text))
}

fn print(streams: &mut Streams, findings: &[Finding], is_json: bool) -> io::Result<()> {
    let all: Vec<Shown> = findings
        .iter()
        .map(|found| Shown {
            title: found.title,
            outcome: found.outcome.word(),
            says: shown(&found.says),
            remedy: found.remedy.as_deref().map(shown),
        })
        .collect();
    if is_json {
        let json = serde_json::to_string_pretty(&all)?;
        return ui::print(streams, &format!("{json}\n"));
    }
    let mut text = String::new();
    for Shown {
        title,
        outcome,
        says,
        remedy,
    } in all
    {
        let _ = writeln!(text, "{outcome:<8} {title}: {says}");
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:<8} {remedy}", "  try");
        }
    }
    ui::print(streams, &text)
}
