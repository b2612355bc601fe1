//! Whether git calls this helper, and which other helpers it calls.

use std::path::Path;

use super::level::Level;
use crate::credential::query::Query;
use crate::credential::url::without_secrets;
use crate::git::Git;
use crate::git::chain::{HelperChain, contexts_without_ours, helper_lines, missing_program};
use crate::git::context::context_of;
use crate::git::failure::Error;
use crate::git::helper_line::{is_ours, named};
use crate::git::setting::Setting;

pub(crate) enum GitCalls {
    Called(Chain),
    /// An empty value after our line drops it: the place of that value.
    Dropped(String),
    /// No line names this helper.
    NotSetUp,
    /// A line names a program that is not there.
    Missing(String),
    /// git fails.
    Failed(Error),
}

/// The helpers that git calls for the URL or, without one, for every URL.
#[derive(Default)]
pub(crate) struct Chain {
    /// The URLs for which git calls this helper; empty: every URL.
    pub(crate) only: Vec<String>,
    /// The names of the other helpers, in order.
    pub(crate) before: Vec<String>,
    pub(crate) after: Vec<String>,
    /// The URLs for which an empty value drops this helper.
    pub(crate) not_for: Vec<String>,
}

impl GitCalls {
    pub(super) fn read(url: Option<&Query>) -> Self {
        let lines = Git::find().and_then(|git| helper_lines(&git));
        match lines {
            Ok(lines) => Self::of(&lines, url),
            Err(error) => Self::Failed(error),
        }
    }

    fn of(lines: &[Setting], url: Option<&Query>) -> Self {
        let chain = HelperChain::of(lines, url);
        if let Some(at) = chain.position_of_ours() {
            if let Some(program) = missing_program(&chain.helpers[at].value) {
                return Self::Missing(program);
            }
            let others = |helpers: &[Setting]| {
                let others = helpers.iter().filter(|line| !is_ours(&line.value));
                others.map(|line| named(&line.value)).collect()
            };
            let mut called = Chain {
                before: others(&chain.helpers[..at]),
                after: others(&chain.helpers[at..]),
                ..Chain::default()
            };
            if url.is_none() {
                let without = contexts_without_ours(lines);
                called.not_for = shown(without.into_iter().map(|(line, _)| line));
            }
            return Self::Called(called);
        }
        if let Some([empty, _]) = &chain.dropped {
            return Self::Dropped(place(empty));
        }
        let mut only = Vec::new();
        if url.is_none() {
            only = shown(lines.iter().filter(|line| is_ours(&line.value)));
        }
        if only.is_empty() {
            return Self::NotSetUp;
        }
        Self::Called(Chain {
            only,
            ..Chain::default()
        })
    }

    pub(crate) fn level(&self) -> Level {
        match self {
            Self::Called(Chain {
                before,
                after,
                not_for,
                ..
            }) if before.is_empty() && after.is_empty() && not_for.is_empty() => Level::Good,
            Self::Called(_) => Level::Note,
            Self::Dropped(_) | Self::NotSetUp | Self::Missing(_) | Self::Failed(_) => {
                Level::Failure
            }
        }
    }
}

/// The contexts of `lines`, each once and without secrets.
fn shown<'a>(lines: impl Iterator<Item = &'a Setting>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in lines {
        let key = without_secrets(&line.key);
        let Some(context) = context_of(&key) else {
            continue;
        };
        let context = String::from_utf8_lossy(context).into_owned();
        if !all.contains(&context) {
            all.push(context);
        }
    }
    all
}

/// The name of the file, which is enough to find it, and the scope.
fn place(setting: &Setting) -> String {
    let name = Path::new(&setting.origin).file_name();
    let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    format!("{} {name}", setting.scope).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;

    fn of(lines: &[(&str, &str)], url: Option<&str>) -> GitCalls {
        let lines = lines.iter();
        let lines: Vec<Setting> = lines
            .map(|(key, value)| Setting::global(key, value))
            .collect();
        let url = url.map(|url| url::parse(url.as_bytes()).unwrap());
        GitCalls::of(&lines, url.as_ref())
    }

    #[test]
    fn a_helper_for_one_url_is_called_there_only() {
        let lines = [("credential.https://one.test.helper", "pat")];
        let GitCalls::Called(chain) = of(&lines, None) else {
            panic!("not called");
        };
        assert_eq!(chain.only, ["https://one.test"]);
        assert!(matches!(
            of(&lines, Some("https://two.test")),
            GitCalls::NotSetUp
        ));
    }

    #[test]
    fn a_program_that_is_gone_is_not_called() {
        let lines = [("credential.helper", "/nowhere/git-credential-pat")];
        let calls = of(&lines, None);
        assert!(matches!(calls, GitCalls::Missing(program) if program.starts_with("/nowhere")));
    }
}
