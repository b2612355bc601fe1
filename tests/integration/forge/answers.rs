//! The answers of `tests/answers/answers.txt`, with the outcome of each: as the reader of answers reads them, and by the
//! program against a forge that gives them.

use std::fs;
use std::thread;

use git_credential_pat::credential::token::TokenKind;
use git_credential_pat::forge::answer::HttpAnswer;
use git_credential_pat::forge::github::GitHub;
use git_credential_pat::forge::gitlab::GitLab;
use git_credential_pat::forge::{Forge, TokenVerdict, reading};
use git_credential_pat::secret::Buffer;
use serde_json::Value;

use super::http::Response;
use super::work::Work;
use super::{Manner, Speaks, now};
use crate::process;

const TABLE: &str = include_str!("../../answers/answers.txt");
/// So many rows at most share a forge, which answers one row at a time.
const SHARE: usize = 24;

/// One answer, and what follows.
#[derive(Debug, Default, Clone)]
struct Row {
    name: String,
    ask: String,
    token: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    reader: String,
    check: String,
    login: String,
    lookup: String,
    doctor: String,
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in TABLE.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix('[') {
            let (ask, name) = title.trim_end_matches(']').split_once(": ").unwrap();
            rows.push(Row {
                name: name.to_owned(),
                ask: ask.to_owned(),
                ..Row::default()
            });
            continue;
        }
        let row = rows.last_mut().unwrap();
        let (field, value) = line.split_once(": ").unwrap();
        let value = value.to_owned();
        match field {
            "token" => row.token = value,
            "status" => row.status = value.parse().unwrap(),
            "header" => {
                let (name, value) = value.split_once(": ").unwrap();
                row.headers.push((name.to_owned(), value.to_owned()));
            }
            "body" => row.body = value,
            "reader" => row.reader = value,
            "check" => row.check = value,
            "login" => row.login = value,
            "lookup" => row.lookup = value,
            "doctor" => row.doctor = value,
            other => panic!("{other}: {line}"),
        }
    }
    rows
}

impl Row {
    fn secret(&self, number: usize) -> String {
        if self.token == "plain" {
            return format!("made-up-{number}-token");
        }
        format!("{}made-up{number}", self.token)
    }

    fn is_of_git(&self) -> bool {
        self.reader.starts_with("git ")
    }

    fn response(&self) -> Response {
        let mut response = Response::new(self.status);
        response.body = self.body.clone().into_bytes();
        for (name, value) in &self.headers {
            response = response.with(name, value.as_bytes());
        }
        response
    }

    fn answer(&self) -> HttpAnswer {
        let mut body = Buffer::with_capacity(self.body.len());
        body.push(self.body.as_bytes());
        let headers = self.headers.iter();
        HttpAnswer {
            status: self.status,
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes().to_vec()))
                .collect(),
            body,
        }
    }
}

#[test]
fn the_reader_reads_every_answer_as_its_outcome() {
    let rows = rows();
    assert!(rows.len() >= 60, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| !row.is_of_git()) {
        let (forge, kind): (&dyn Forge, _) = match &row.ask[..] {
            "github" => (&GitHub, GitHub.token_kind(row.token.as_bytes())),
            "gitlab" => (&GitLab, GitLab.token_kind(row.token.as_bytes())),
            other => panic!("{other}"),
        };
        let kind: Option<TokenKind> = kind;
        let word = match reading::read(forge, &row.answer(), kind, now()) {
            TokenVerdict::Good(_) => "good",
            TokenVerdict::Ended => "expired",
            TokenVerdict::Revoked => "revoked",
            TokenVerdict::Rejected => "rejected",
            TokenVerdict::Blocked { .. } => "blocked",
            TokenVerdict::Limited { .. } => "limited",
            TokenVerdict::Unclear { .. } => "unclear",
        };
        if word != row.reader {
            wrong.push(format!("{}: {}: {word}", row.ask, row.name));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// Every row by the background look-up, `check`, `doctor` and `login`.
#[test]
fn every_answer_has_its_outcome() {
    let rows = rows();
    let mut shares: Vec<Vec<(usize, Row)>> = Vec::new();
    for (number, row) in rows.into_iter().enumerate() {
        match shares.last_mut() {
            Some(share) if share[0].1.ask == row.ask && share.len() < SHARE => {
                share.push((number, row));
            }
            _ => shares.push(vec![(number, row)]),
        }
    }
    let wrong: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = shares
            .iter()
            .map(|share| scope.spawn(|| outcomes(share)))
            .collect();
        let finished = running.into_iter().map(|share| share.join().unwrap());
        finished.flatten().collect()
    });
    assert_eq!(wrong, [""; 0]);
}

fn outcomes(share: &[(usize, Row)]) -> Vec<String> {
    let speaks = match &share[0].1.ask[..] {
        "github" => Speaks::GitHub,
        "gitlab" => Speaks::GitLab,
        "bitbucket" => Speaks::Bitbucket,
        "azure" => Speaks::Azure,
        _ => Speaks::Gitea,
    };
    let work = Work::with(speaks);
    if share[0].1.ask == "unknown" {
        let path = work.sandbox.path("config/git-credential-pat/config.toml");
        fs::write(path, "").unwrap();
    }
    let mut wrong = Vec::new();
    for (number, row) in share {
        let mut expect = |what: &str, is: &str, should: &str| {
            if is != should {
                wrong.push(format!("{}: {}: {what}: {is}", row.ask, row.name));
            }
        };
        let (user, secret) = (format!("u{number}"), row.secret(*number));
        work.forge.answer(Manner::Exactly(row.response()));
        work.forge
            .set(|state| state.git_gets = row.is_of_git().then(|| row.response()));
        work.store(&user, &secret);
        expect("lookup", &lookup(&work, &user, &row.lookup), &row.lookup);

        let path = if row.is_of_git() { "/r.git" } else { "" };
        let url = |user: &str| format!("https://{user}@{}{path}", work.forge.host());
        let checked = work.ask(&format!("check --json {}", url(&user)), b"");
        let json: Value = serde_json::from_slice(&checked.stdout).unwrap_or_default();
        let state = json[0]["state"].as_str().unwrap_or_default();
        let code = checked.status.code().unwrap_or(-1);
        expect("check", &format!("{code} {state}"), &row.check);

        let doctor = work.ask(&format!("doctor --json {}", url(&user)), b"");
        let json: Value = serde_json::from_slice(&doctor.stdout).unwrap_or_default();
        let findings = json.as_array().cloned().unwrap_or_default();
        let mut of_token = findings.iter().filter(|found| found["title"] == "token");
        let found = of_token.next().map(|found| found["outcome"].clone());
        let found = found.unwrap_or_default();
        expect("doctor", found.as_str().unwrap_or("none"), &row.doctor);

        let words = format!("login --with-token {}", url(&format!("l{number}")));
        let login = work.ask(&words, secret.as_bytes());
        let is = if login.status.success() {
            "saved"
        } else {
            "refused"
        };
        expect("login", is, &row.login);
        for output in [&checked, &doctor, &login] {
            let shown = output.text() + &output.stderr;
            let is_clean = !shown.contains(&secret) && !shown.contains(['\u{1b}', '\u{9b}']);
            expect("shown", if is_clean { "clean" } else { &shown }, "clean");
        }
    }
    wrong
}

/// What the background look-up has written down about the token of `user`, once it has.
fn lookup(work: &Work, user: &str, expected: &str) -> String {
    let outcome = || {
        let listed = work.listed();
        let one = listed.iter().find(|one| one["username"] == user);
        let said = one.and_then(|one| one["lookup"].as_str());
        said.unwrap_or("none").to_owned()
    };
    let is_there = || expected == "none" || !matches!(&outcome()[..], "none" | "pending");
    process::until_within(super::work::PATIENCE, is_there);
    outcome()
}
