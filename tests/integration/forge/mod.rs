//! A forge of a test's own: an API and a git endpoint on one origin, behind a certificate of a private authority.
//!
//! What it knows of tokens, how it answers and which certificate it shows may be changed at any time; what happened is on
//! record in order, with every token by its name.

mod certificates;
mod elsewhere;
mod gitea;
mod github;
mod gitlab;
mod http;
mod proxy;
mod record;
mod repository;
pub mod schema;
mod server;
pub mod work;

// The tests.
mod answers;
mod check;
mod dialogue;
mod doctor;
mod doctor_question;
mod doctor_replies;
mod first_cause;
mod git_settings;
mod hostile;
mod itself;
mod learnt;
mod login;
mod outcomes;
mod rotate;
mod rotate_broken_off;
mod rotate_everywhere;
mod rotate_once;
mod rotate_pending;

use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;

pub use self::certificates::{Certificate, Certificates};
pub use self::elsewhere::Elsewhere;
use self::http::Response;
pub use self::proxy::Proxy;
use self::record::Record;
pub use self::record::{Entry, Event};
use self::repository::Repository;
use crate::process;
use crate::sandbox::Sandbox;

/// Whose answers it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    GitHub,
    GitLab,
    Gitea,
    /// Nothing is at its API for a token.
    Bitbucket,
    /// The same.
    Azure,
}

impl Speaks {
    /// As `forge` in a `[[host]]` rule.
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::Bitbucket => "bitbucket",
            Self::Azure => "azure",
        }
    }
}

/// What the forge knows of a token.
#[derive(Debug, Clone)]
pub struct Token {
    /// For the record; unique.
    pub name: String,
    pub secret: String,
    pub scopes: Vec<String>,
    /// In Unix seconds. GitLab tells the day only.
    pub ends: Option<u64>,
    pub fate: Fate,
    /// What was rotated into what is one family.
    family: usize,
    number: usize,
}

/// What has become of a token, apart from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Good,
    Revoked,
    /// 403 until it is authorized for the organization's single sign-on.
    NeedsSso,
    /// 403: the organization allows no life as long.
    LivesTooLong,
    /// 404, as for a fine-grained token without this repository.
    SeesNoRepository,
    /// As [`Fate::NeedsSso`], but only git is told, with the link.
    GitNeedsSso,
    /// Reads and may not write: 403 at a push.
    MayNotPush,
    /// Reads, and gets this status at a push.
    PushGets(u16),
    /// 410, as Bitbucket's app passwords.
    Retired,
    /// Git takes it, and GitLab's `self` knows no such kind: 400.
    OtherKind,
}

impl Token {
    /// Good without end, with the scopes that git needs.
    pub fn new(name: &str, secret: &str) -> Self {
        let scopes = if secret.starts_with("glpat-") {
            vec!["api", "write_repository"]
        } else {
            vec!["repo", "workflow"]
        };
        Self {
            name: name.to_owned(),
            secret: secret.to_owned(),
            scopes: scopes.into_iter().map(str::to_owned).collect(),
            ends: None,
            fate: Fate::Good,
            family: 0,
            number: 0,
        }
    }

    pub fn ends(self, ends: u64) -> Self {
        Self {
            ends: Some(ends),
            ..self
        }
    }

    pub fn scopes(self, scopes: &[&str]) -> Self {
        Self {
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            ..self
        }
    }

    pub fn fate(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known == scope)
    }

    fn is_fine_grained(&self) -> bool {
        self.secret.starts_with("github_pat_")
    }

    fn is_dead(&self) -> bool {
        self.fate == Fate::Revoked || self.ends.is_some_and(|ends| ends <= now())
    }
}

/// How GitHub tells when a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// `2023-01-31 23:00:00 UTC`
    Utc,
    /// `2023-01-31 23:00:00 +0200`
    Offset,
    /// The trap of fine-grained tokens: the time of the request, with an offset.
    OfTheRequest,
}

/// How the API answers. Git is always answered honestly and at once.
#[derive(Debug, Clone)]
pub enum Manner {
    Honest,
    /// Honest, after this long.
    Late(Duration),
    /// Honest, when another manner is chosen.
    Held,
    /// The connection is taken, and not even TLS is spoken. Git gets no answer either.
    Mute,
    /// The request is taken and never answered.
    Silent,
    /// Honest, one byte a second.
    Drip,
    /// 200 and headers without end.
    EndlessHeaders,
    /// 200, the honest headers, and a body of so many bytes.
    Flood(u64),
    /// To another place.
    Redirect(u16, String),
    /// Honest, but for these headers instead of those of the same names; values are any bytes.
    Headers(Vec<(String, Vec<u8>)>),
    /// 200 and this for JSON.
    Body(Vec<u8>),
    /// This status, and nothing.
    Status(u16),
    /// This answer.
    Exactly(http::Response),
    /// Does what was asked and hangs up without a word.
    Rude,
    /// These bytes, which need not be HTTP.
    Raw(Vec<u8>),
    /// In this manner to whoever wants a token replaced, which is done; honest to all others.
    ToRotations(Box<Manner>),
}

/// What may be changed while it runs.
#[derive(Debug)]
pub struct State {
    url: String,
    tokens: Vec<Token>,
    manner: Manner,
    /// GitHub's.
    pub dates: Dates,
    /// GitHub's `POST /credentials/revoke`: `false` as on github.com, `true` as on Enterprise Server.
    pub revocation_wants_authentication: bool,
    /// GitHub's: after so many bad tokens good ones get 403, too.
    pub locks_out_after: Option<usize>,
    failed_attempts: usize,
    /// The reply of git's endpoint instead, to every client.
    git_gets: Option<Response>,
    /// The path that the API lives below; nothing of the forge's is elsewhere.
    pub base: String,
    /// GitLab's `self` answers 200 with `revoked` and `active` for dead tokens, instead of 401.
    pub tells_of_the_dead: bool,
}

impl State {
    fn token(&self, secret: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.secret == secret)
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Token)) {
        let mut found = self.tokens.iter_mut().filter(|token| token.name == name);
        change(found.next().expect("a token of that name"));
    }

    fn is_locked_out(&self) -> bool {
        self.locks_out_after
            .is_some_and(|most| self.failed_attempts >= most)
    }
}

/// What the threads of a forge have in common.
#[derive(Debug)]
struct Shared {
    speaks: Speaks,
    state: Mutex<State>,
    changed: Condvar,
    certificate: Mutex<Arc<ServerConfig>>,
    repository: Repository,
    record: Record,
    is_closing: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

/// Ends, with everything it does, when it is dropped: before the sandbox it was made in.
#[derive(Debug)]
pub struct Forge {
    shared: Arc<Shared>,
    certificates: Certificates,
    port: u16,
    listener: Option<JoinHandle<()>>,
}

impl Forge {
    /// With one repository of one commit, `r.git`, and no token yet.
    pub fn start(sandbox: &Sandbox, speaks: Speaks) -> Self {
        let certificates = Certificates::new(sandbox);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            url: format!("https://localhost:{port}"),
            tokens: Vec::new(),
            manner: Manner::Honest,
            dates: Dates::Utc,
            revocation_wants_authentication: false,
            locks_out_after: None,
            failed_attempts: 0,
            git_gets: None,
            base: String::new(),
            tells_of_the_dead: false,
        };
        let shared = Arc::new(Shared {
            speaks,
            state: Mutex::new(state),
            changed: Condvar::new(),
            certificate: Mutex::new(certificates.server(sandbox, Certificate::Good)),
            repository: Repository::new(sandbox),
            record: Record::default(),
            is_closing: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let for_listener = Arc::clone(&shared);
        let listener = thread::spawn(move || server::listen(&for_listener, &listener));
        Self {
            shared,
            certificates,
            port,
            listener: Some(listener),
        }
    }

    /// `localhost` with the port.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.host())
    }

    pub fn repository(&self) -> String {
        format!("{}/r.git", self.url())
    }

    /// The certificate to trust, for `GIT_SSL_CAINFO` or `SSL_CERT_FILE`.
    pub fn authority(&self) -> PathBuf {
        self.certificates.authority()
    }

    /// The same for [`Certificate::OwnAuthority`].
    pub fn own_authority(&self) -> PathBuf {
        self.certificates.own_authority()
    }

    /// An authority of the same name as [`Forge::authority`], which signed nothing that is shown but [`Certificate::Stranger`].
    pub fn other_authority(&self, sandbox: &Sandbox) -> PathBuf {
        self.certificates.other_authority(sandbox)
    }

    /// From now on there is this token.
    pub fn issue(&self, token: Token) {
        let mut state = self.state();
        let number = state.tokens.len() + 1;
        state.tokens.push(Token {
            family: number,
            number,
            ..token
        });
    }

    /// Changes a token by its name.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Token)) {
        self.state().change(name, change);
    }

    /// All tokens, with what rotation has added: `name+` comes from `name`.
    pub fn tokens(&self) -> Vec<Token> {
        self.state().tokens.clone()
    }

    /// From now on the API answers like this; what is held goes.
    pub fn answer(&self, manner: Manner) {
        self.state().manner = manner;
        self.shared.changed.notify_all();
    }

    /// Changes what is not said of tokens and manners.
    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
    }

    /// From now on it shows this certificate, to git, too.
    pub fn show(&self, sandbox: &Sandbox, certificate: Certificate) {
        *self.shared.certificate.lock().unwrap() = self.certificates.server(sandbox, certificate);
    }

    /// From now on it shows [`Certificate::Good`], and speaks nothing newer than TLS 1.2.
    pub fn speak_only_tls12(&self, sandbox: &Sandbox) {
        *self.shared.certificate.lock().unwrap() = self.certificates.tls12_server(sandbox);
    }

    /// Puts a mark on the record.
    pub fn note(&self, mark: &str) {
        self.shared.record.add(Event::Note(mark.to_owned()));
    }

    pub fn record(&self) -> Vec<Entry> {
        self.shared.record.entries()
    }

    /// The requests to the API so far: method, path, whose token.
    pub fn asked(&self) -> Vec<(String, String, String)> {
        let entries = self.record().into_iter();
        let asked = entries.filter_map(|entry| match entry.event {
            Event::Asked {
                method,
                path,
                token,
                ..
            } if server::is_api(&path) => Some((method, path, token)),
            _ => None,
        });
        asked.collect()
    }

    /// Waits until the API has been asked so often.
    #[track_caller]
    pub fn wait_until_asked(&self, times: usize) {
        let is_asked = process::until(|| self.asked().len() >= times);
        assert!(
            is_asked,
            "the API was not asked {times} times: {:#?}",
            self.record()
        );
    }

    /// Waits until something is on record.
    #[track_caller]
    pub fn wait_until(&self, is_it: impl Fn(&Event) -> bool) {
        let happened = process::until(|| self.record().iter().any(|entry| is_it(&entry.event)));
        assert!(happened, "it never happened: {:#?}", self.record());
    }

    /// How long before the API's first answer to the token called `name` the mark `name` was put on record; `None`: there
    /// is no answer yet. A mark that came after the answer fails the test.
    #[track_caller]
    pub fn lead(&self, name: &str) -> Option<Duration> {
        let record = self.record();
        let noted = record
            .iter()
            .find(|entry| entry.event == Event::Note(name.to_owned()));
        let noted = noted.expect("a mark of that name").at;
        let is_request = |event: &Event, wanted: usize| {
            matches!(event, Event::Asked { number, path, token, .. }
                if *number == wanted && token == name && server::is_api(path))
        };
        let is_answer = |event: &Event| {
            matches!(event, Event::Answered { number, .. }
                if record.iter().any(|entry| is_request(&entry.event, *number)))
        };
        let answered = record.iter().find(|entry| is_answer(&entry.event))?.at;
        assert!(noted < answered, "it waited for the forge: {record:#?}");
        Some(answered - noted)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::SeqCst);
        // Whoever waits has looked before this, or will look after.
        drop(self.shared.state.lock());
        self.shared.changed.notify_all();
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // So that it looks up from its listening.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}
