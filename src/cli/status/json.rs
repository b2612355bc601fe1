//! `status --json`.

use serde::Serialize;

use crate::cli::json::{ShownKey, moment, text};
use crate::credential::expiry::Expiry;
use crate::credential::username::without_tokens;
use crate::helper::token_state::TokenState;
use crate::tasks::status::StatusScreen;
use crate::tasks::status::calls::{Chain, GitCalls};

#[derive(Serialize)]
pub(super) struct StatusJson {
    exit_status: u8,
    git: GitJson,
    storages: Vec<StorageJson>,
    journal_problem: Option<String>,
    tokens: Vec<StatusTokenJson>,
    accounts: usize,
    rule_without_path: Option<String>,
    hint: Option<String>,
}

#[derive(Serialize)]
struct GitJson {
    calls_this_helper: bool,
    only_for: Vec<String>,
    not_for: Vec<String>,
    before: Vec<String>,
    after: Vec<String>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct StorageJson {
    storage: String,
    state: &'static str,
    cause: Option<String>,
}

#[derive(Serialize)]
struct StatusTokenJson {
    #[serde(flatten)]
    key: ShownKey,
    storage: String,
    state: TokenState,
    expires_at: Option<String>,
    expires_at_unix: Option<u64>,
    last_used: Option<String>,
    unused: bool,
}

impl StatusJson {
    pub(super) fn of(status: &StatusScreen, hint: Option<&str>) -> Self {
        let storages = status.storages.iter().map(|storage| StorageJson {
            storage: storage.kind.to_string(),
            state: storage.health.word(),
            cause: storage.cause.as_deref().map(without_tokens),
        });
        let tokens = status.tokens.iter().map(|token| StatusTokenJson {
            key: (&token.key).into(),
            storage: token.storage.to_string(),
            state: token.state,
            expires_at: token.expiry.and_then(Expiry::rfc3339),
            expires_at_unix: token.expiry.map(Expiry::unix),
            last_used: moment(token.last_used),
            unused: token.unused_since.is_some(),
        });
        Self {
            exit_status: status.level().exit_code(),
            git: GitJson::of(&status.calls),
            storages: storages.collect(),
            journal_problem: status.journal.clone(),
            tokens: tokens.collect(),
            accounts: status.accounts,
            rule_without_path: status
                .unmatched_rule
                .as_ref()
                .map(|rule| text(&rule.key.url())),
            hint: hint.map(without_tokens),
        }
    }
}

impl GitJson {
    fn of(calls: &GitCalls) -> Self {
        let none = Chain::default();
        let (chain, problem) = match calls {
            GitCalls::Called(chain) => (chain, None),
            GitCalls::NotSetUp => (&none, Some("not set up".to_owned())),
            GitCalls::Dropped(place) => (&none, Some(format!("an empty value drops it ({place})"))),
            GitCalls::Missing(program) => (&none, Some(format!("{program} is no program"))),
            GitCalls::Failed(error) => (&none, Some(error.to_string())),
        };
        let safe = |all: &[String]| all.iter().map(|text| without_tokens(text)).collect();
        Self {
            calls_this_helper: problem.is_none(),
            only_for: safe(&chain.only),
            not_for: safe(&chain.not_for),
            before: safe(&chain.before),
            after: safe(&chain.after),
            problem: problem.as_deref().map(without_tokens),
        }
    }
}
