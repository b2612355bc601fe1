//! The target of a command: reads a URL as a user types it, and finds the stored entries that it means.

use crate::config::account::{self, Account};
use crate::credential::query::Query;
use crate::credential::url;
use crate::credential::username::is_token_as_host;
use crate::helper::Helper;
use crate::storage;

/// A word that names no target of a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("git asks no helper for this kind of URL")]
    NotHttps,
    #[error("this is a token, not a URL")]
    Token,
    #[error("the URL has no valid host")]
    Host,
    #[error(transparent)]
    Url(#[from] url::Error),
}

impl TargetError {
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotHttps => Some("tokens work over HTTPS: use the repository's https:// URL"),
            Self::Token => Some(
                "give the forge's URL, such as https://github.com; tokens are read from the terminal or standard input",
            ),
            Self::Host | Self::Url(url::Error::Host) => Some(
                "a name has letters, digits, '-' and '.': 'github.com', 'https://git.example.com:8443'",
            ),
            Self::Url(url::Error::Query) => Some("leave out the part from '?' or '#' on"),
            Self::Url(_) => None,
        }
    }
}

/// Reads a URL. A bare host means `https://`.
pub(crate) fn parse(typed: &str) -> Result<Query, TargetError> {
    let (protocol, rest) = typed.split_once("://").unwrap_or(("https", typed));
    let start = typed.split('/').next().unwrap_or_default();
    let is_scp_like = !typed.contains("://") && start.contains('@') && start.contains(':');
    let is_path = typed.starts_with(['/', '.']);
    if is_path || is_scp_like || ["ssh", "git", "git+ssh", "ssh+git", "file"].contains(&protocol) {
        return Err(TargetError::NotHttps);
    }
    let query = url::parse(format!("{protocol}://{rest}").as_bytes())?;
    match query.host.as_deref() {
        Some(host) if is_token_as_host(host) => Err(TargetError::Token),
        // A URL may hold these bytes, and the name of a host does not. `%` begins the zone of an IPv6 address.
        Some(host)
            if host
                .iter()
                .any(|byte| b"*+,=~".contains(byte) || *byte == b'%' && host[0] != b'[') =>
        {
            Err(TargetError::Host)
        }
        Some(_) => Ok(query),
        None => Err(TargetError::Host),
    }
}

/// The query for the stored entries that `wanted` means: those under its own path, else those of the `[[account]]` for the path,
/// else the entry that git would get.
pub(crate) fn stored(
    accounts: &[Account],
    helper: &Helper,
    wanted: Query,
) -> Result<Query, storage::Error> {
    if wanted.path.is_none() {
        return Ok(wanted);
    }
    let listed = helper.storages().list_all()?.value;
    let is_stored = |query: &Query| listed.iter().any(|(_, listed)| query.matches(&listed.key));
    if is_stored(&wanted) {
        return Ok(wanted);
    }
    let mut of_account = wanted.duplicate();
    account::apply(accounts, &mut of_account);
    if is_stored(&of_account) {
        return Ok(of_account);
    }
    let found = helper.storages().kept_for(&wanted)?;
    Ok(found.map_or(wanted, |found| Query::exact(&found.key)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credential::key::Key;
    use crate::credential::username::Username;

    fn a_host() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z][a-z0-9-]{0,10}(\\.[a-z][a-z0-9]{0,5}){0,2}(:[1-9][0-9]{0,3})?",
            Just("[::1]:8443".to_owned()),
            Just("[fe80::1%eth0]".to_owned()),
            Just("b\u{fc}cher.test".to_owned()),
        ]
    }

    fn a_key() -> impl Strategy<Value = Key> {
        let path = prop_oneof!["[a-z /.%?#&@:\\\\~+=-]{1,12}", "\\PC{1,8}"];
        let user = prop_oneof![
            "[a-zA-Z0-9@%:/. _-]{1,12}",
            "\\PC{1,6}",
            "[a-z\t\x01\x1b\x7f]{1,6}"
        ];
        let of_web = (
            prop_oneof![Just("https"), Just("http"), Just("smtp")],
            a_host(),
            proptest::option::of(path.clone()),
            proptest::option::of(user),
        );
        let of_file = ("(/[a-z ]{1,5}){1,3}/?", Just(()));
        prop_oneof![
            of_web.prop_map(|(protocol, host, path, user)| Key {
                protocol: protocol.into(),
                host: host.into_bytes(),
                path: path.map(String::into_bytes),
                username: user.map(|user| Username::from(user.into_bytes())),
            }),
            of_file.prop_map(|(path, ())| Key {
                protocol: b"cert".to_vec(),
                host: Vec::new(),
                path: Some(path.into_bytes()),
                username: None,
            }),
        ]
    }

    #[test]
    fn a_percent_sign_is_part_of_a_zone_only() {
        for typed in ["a%25b.test", "https://a%25b.test/x", "a*b.test", "a~b.test"] {
            assert!(matches!(parse(typed), Err(TargetError::Host)), "{typed}");
        }
        assert!(parse("https://[fe80::1%25eth0]").is_ok());
    }

    proptest! {
        /// What `list` shows, and what stands in hints.
        #[test]
        fn each_url_that_is_shown_means_the_same_entry(key in a_key()) {
            let whole = parse(&key.encoded()).ok().and_then(|said| said.key());
            let expected = Key {
                username: key.username.clone().filter(|name| !name.may_be_token()),
                ..key.clone()
            };
            prop_assert!(whole.as_ref() == Some(&expected), "{}", key.encoded());
            let shown = String::from_utf8(key.url()).unwrap();
            let bare = parse(&shown).ok().and_then(|said| said.key());
            let expected = Key { username: None, ..key };
            prop_assert!(bare.as_ref() == Some(&expected), "{}", shown);
        }
    }
}
