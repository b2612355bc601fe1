//! `login` without its dialogue: the query under which git will look for a new token, the token's username, and saving it.

use crate::config::Settings;
use crate::config::account;
use crate::credential::Credential;
use crate::credential::expiry::{ExpirySource, StatedExpiry};
use crate::credential::query::Query;
use crate::credential::url;
use crate::credential::username::Username;
use crate::forge::{Page, TokenVerdict, Wish};
use crate::git::http_path::HttpPaths;
use crate::git::remotes::{self, Remotes};
use crate::git::{self, Git};
use crate::helper::Helper;
use crate::helper::expiry::set_expiry;
use crate::helper::issuer::{DefaultUsername, Issuer, retired_reason};
use crate::helper::lookup::Lookup;
use crate::helper::lookup::request::Asked;
use crate::helper::notice::Outcome;
use crate::helper::store::enter;
use crate::journal::known::Known;
use crate::secret::Secret;
use crate::storage;
use crate::terminal::escape::{self, shell_word};
use crate::time::Now;

/// The reason why there is nothing to log in to, or why a token was not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    #[error(
        "the remote {name} is reached over SSH: git asks no helper there, and tokens work over HTTPS only"
    )]
    RemoteOverSsh { name: String, hint: String },
    #[error("the URL of the remote {0} holds a password: git asks no helper")]
    RemoteWithPassword(String),
    #[error("the remote {0} is not reached over HTTPS: no token works there")]
    RemoteNotHttps(String),
    #[error("this secret no longer works ({0}): nothing was changed")]
    Retired(&'static str),
    #[error("{forge} rejects this token ({reason}): nothing was changed")]
    Rejected { forge: String, reason: &'static str },
    #[error(transparent)]
    Url(#[from] url::Error),
    #[error(transparent)]
    Git(#[from] git::failure::Error),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl LoginError {
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::RemoteOverSsh { hint, .. } => Some(hint),
            Self::RemoteWithPassword(_) => {
                Some("take it out with 'git remote set-url', and revoke it at its forge")
            }
            Self::RemoteNotHttps(_) => {
                Some("give the URL that the token is for, such as https://github.com")
            }
            Self::Git(error) => error.hint(),
            Self::Storage(error) => error.hint(),
            Self::Retired(_) | Self::Rejected { .. } => {
                Some("'git credential-pat login --force' saves it all the same")
            }
            Self::Url(_) => None,
        }
    }
}

/// The usual remote of the current repository: its name, safe for a terminal, and its URL. `None`: there is none.
pub(crate) fn usual_remote() -> Result<Option<(String, Query)>, LoginError> {
    let git = Git::find()?;
    let remotes = Remotes::read(&git);
    let Some(remote) = remotes.usual(&git) else {
        return Ok(None);
    };
    let name = escape::safe(remote.name.as_bytes());
    if let Some(ssh) = remote.target.ssh() {
        let is_simple = remote.target.rule.is_none() && !name.starts_with('-');
        let hint = match ssh.https().filter(|_| is_simple) {
            Some(url) => {
                let words = [&remote.name, &url].map(|word| shell_word(word.as_bytes()));
                format!("git remote set-url {}", words.join(" "))
            }
            None => "'git credential-pat doctor' tells how to reach it over HTTPS".to_owned(),
        };
        return Err(LoginError::RemoteOverSsh { name, hint });
    }
    let url = &remote.target.url;
    match url::parse(url.as_bytes()) {
        Ok(query) if query.protocol.as_deref() == Some(b"https") => Ok(Some((name, query))),
        Err(url::Error::Password) => Err(LoginError::RemoteWithPassword(name)),
        Err(error) if url.starts_with("https://") => Err(error.into()),
        _ => Err(LoginError::RemoteNotHttps(name)),
    }
}

/// A problem of the path in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathProblem {
    /// An `[[account]]` needs the path, but git does not send it.
    RuleWithoutPath,
    /// Neither git nor a rule uses the path: it was left out of the query.
    LeftOut,
}

/// Whether git sends the path of a URL to its helpers.
pub(crate) fn is_path_sent(url: &Query) -> bool {
    Git::find().is_ok_and(|git| HttpPaths::of(&git).are_told(url))
}

/// Changes `query` to the one that git will ask: without a path that git does not send, and for the account of the path.
pub(crate) fn as_git_will_ask(
    mut query: Query,
    settings: &Settings,
) -> (Query, Option<PathProblem>) {
    let mut accounts = settings.accounts.iter();
    let has_rule = accounts.any(|account| account.key.path.is_some() && account.covers(&query));
    let mut problem = None;
    if !is_path_sent(&query) {
        if has_rule {
            problem = Some(PathProblem::RuleWithoutPath);
        } else if query.path.take().is_some() {
            problem = Some(PathProblem::LeftOut);
        }
    }
    account::apply(&settings.accounts, &mut query);
    (query, problem)
}

/// The username of the only stored token that `query` matches. If none is stored, the username that the forge of `token` accepts.
/// `Err`: the users of several stored tokens, or no user at all.
pub(crate) fn known_username(
    helper: &Helper,
    query: &Query,
    token: Option<&Secret>,
) -> Result<Result<Username, Vec<Username>>, storage::Error> {
    let mut known = Vec::new();
    for (_, listed) in helper.storages().list_all()?.value {
        // A token in the place of the name is replaced by a name.
        if query.matches(&listed.key) {
            known.extend(listed.key.username.filter(|name| !name.may_be_token()));
        }
    }
    known.sort_unstable();
    known.dedup();
    if known.len() > 1 {
        return Ok(Err(known));
    }
    if let Some(only) = known.pop() {
        return Ok(Ok(only));
    }
    let key = query.key();
    let default = key
        .zip(token)
        .map(|(key, token)| helper.issuers().username(&key, token, None));
    Ok(match default {
        Some(DefaultUsername::Known(name)) => Ok(Username::from(name)),
        _ => Err(Vec::new()),
    })
}

/// The name of the forge in a sentence.
pub(crate) fn forge_name(issuer: Option<Issuer>) -> String {
    issuer.map_or_else(
        || "the forge".to_owned(),
        |issuer| issuer.forge.kind().to_string(),
    )
}

/// Asks the forge about the token. Fails if the token is invalid, unless `is_forced`. `given`: the URL of the command line, which may
/// name a repository.
pub(crate) fn vet(
    helper: &Helper,
    credential: &Credential,
    given: &Query,
    is_forced: bool,
    now: Now,
) -> Result<(Option<Issuer>, Asked), LoginError> {
    if let Some(reason) = retired_reason(credential).filter(|_| !is_forced) {
        return Err(LoginError::Retired(reason));
    }
    let repositories = remotes::repositories(Some(given));
    let (issuer, asked) = Lookup(helper).ask_with(credential, &repositories, now);
    if asked.is_rejection() && !is_forced {
        let reason = match asked {
            Asked::Told(TokenVerdict::Ended) => "it has expired",
            Asked::Told(TokenVerdict::Revoked) => "it was revoked",
            _ => "it is incomplete, for another host, or invalid",
        };
        let forge = forge_name(issuer);
        return Err(LoginError::Rejected { forge, reason });
    }
    Ok((issuer, asked))
}

/// The pages that create a token for `query`, the first choice first.
pub(crate) fn creation_pages(helper: &Helper, query: &Query, wish: &Wish) -> Vec<Page> {
    let issuers = helper.issuers();
    let found = query
        .key()
        .and_then(|key| issuers.issuer(&key, None, None).zip(issuers.site(&key)));
    found.map_or_else(Vec::new, |(issuer, site)| {
        issuer.forge.creation_pages(&site, wish)
    })
}

/// Saves a token with the answer of its forge. The value is what is known about the token now, or why that was not saved.
pub(crate) fn save(
    helper: &Helper,
    credential: &Credential,
    issuer: Option<Issuer>,
    asked: &Asked,
    stated: Option<StatedExpiry>,
    now: Now,
) -> Result<Outcome<Result<Known, storage::Error>>, LoginError> {
    let entered = enter(helper, credential, ExpirySource::Person, now)?;
    Ok(Outcome {
        value: settle(helper, credential, issuer, asked, stated, now),
        notices: entered.notices,
    })
}

fn settle(
    helper: &Helper,
    credential: &Credential,
    issuer: Option<Issuer>,
    asked: &Asked,
    stated: Option<StatedExpiry>,
    now: Now,
) -> Result<Known, storage::Error> {
    // The expiry and scopes that were known of the same token stay.
    let saved = helper.storages().kept_for(&Query::exact(&credential.key))?;
    let saved = saved.filter(|saved| saved.has_same_secrets(credential));
    let saved = saved.as_ref().unwrap_or(credential);
    let known = Lookup(helper).settle(saved, issuer.as_ref(), asked, now)?;
    // `never` withdraws an expiry that the user gave before, but not the forge's.
    let is_certain =
        matches!(known.end, Some((_, source)) if !ExpirySource::Forge.outranks(source));
    if stated == Some(StatedExpiry::Never) && !is_certain {
        set_expiry(helper, &Query::exact(&credential.key), None, now)?;
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::expiry::Expiry;
    use crate::helper::notice::Notice;
    use crate::helper::storages::Storages;
    use crate::storage::memory::Memory;
    use crate::storage::{Error, Expected, Listed, Position, Storage, StorageKind};
    use crate::time;

    /// Keeps entries, and fails to list them.
    #[derive(Debug)]
    struct Unlisted(Memory);

    impl Storage for Unlisted {
        fn kind(&self) -> StorageKind {
            StorageKind::Memory
        }

        fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
            self.0.get(wanted)
        }

        fn put(
            &self,
            credential: &Credential,
            position: Position,
            expected: Expected<'_>,
        ) -> Result<bool, Error> {
            self.0.put(credential, position, expected)
        }

        fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
            self.0.set_expiry(kept, end)
        }

        fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
            self.0.erase(unwanted)
        }

        fn list(&self) -> Result<Vec<Listed>, Error> {
            Err(Error::Failed {
                operation: "list",
                kind: StorageKind::Memory,
                cause: "made up".into(),
            })
        }

        fn check(&self) -> Result<(), Error> {
            Ok(())
        }
    }

    /// A keychain that cannot be reached.
    #[derive(Debug)]
    struct Away;

    impl Away {
        fn error<T>() -> Result<T, Error> {
            Err(Error::Unavailable {
                kind: StorageKind::Keychain,
                cause: "made up".into(),
            })
        }
    }

    impl Storage for Away {
        fn kind(&self) -> StorageKind {
            StorageKind::Keychain
        }

        fn get(&self, _wanted: &Query) -> Result<Option<Credential>, Error> {
            Self::error()
        }

        fn put(
            &self,
            _credential: &Credential,
            _position: Position,
            _expected: Expected<'_>,
        ) -> Result<bool, Error> {
            Self::error()
        }

        fn set_expiry(&self, _kept: &Credential, _end: Option<Expiry>) -> Result<bool, Error> {
            Self::error()
        }

        fn erase(&self, _unwanted: &Query) -> Result<usize, Error> {
            Self::error()
        }

        fn list(&self) -> Result<Vec<Listed>, Error> {
            Self::error()
        }

        fn check(&self) -> Result<(), Error> {
            Self::error()
        }
    }

    #[test]
    fn the_notices_of_a_saved_token_survive_a_failure_to_withdraw_its_expiry() {
        let folder = tempfile::tempdir().unwrap();
        let list: Vec<Box<dyn Storage>> =
            vec![Box::new(Away), Box::new(Unlisted(Memory::new(time::now)))];
        let helper = Helper::over(Storages::of(list, false), folder.path());
        let described = Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"one.test".to_vec()),
            username: Some(b"alice".to_vec().into()),
            password: Some(Secret::new(b"made-up")),
            ..Query::default()
        };
        let credential = Credential::complete(described).unwrap();
        let save = |stated| {
            let now = time::now();
            save(&helper, &credential, None, &Asked::NoForge, stated, now).unwrap()
        };
        assert!(save(None).value.is_ok());
        let outcome = save(Some(StatedExpiry::Never));
        assert!(matches!(outcome.value, Err(Error::Failed { .. })));
        assert!(matches!(
            outcome.notices[..],
            [Notice::PassedOver {
                cause: Error::Unavailable { .. }
            }]
        ));
        let kept = helper.storages().kept_for(&Query::exact(&credential.key));
        assert_eq!(kept.unwrap(), Some(credential));
    }
}
