//! The target names of items: from the key of a credential and back.
//!
//! | program | target | user in the target |
//! |---|---|---|
//! | git-credential-wincred | `git:https://USER@HOST[:PORT][/PATH]` | always, raw |
//! | GCM | `git:https://HOST[:PORT][/PATH]`, path encoded | only if another user has that name; `@` as `_` |
//! | GCM with a namespace | `NAMESPACE:https://…` | as above |
//! | this program, without a password | `git-credential-pat:https://USER@HOST[:PORT][/PATH]` | if there is one, raw |
//! | gh and glab (go-keyring) | `SERVICE:USER` | always |
//!
//! The user is always the field `UserName`: the target may leave it out, or spell it differently.

use super::generic::GenericCredential;
use crate::credential::host::{is_host, is_path, is_protocol};
use crate::credential::key::Key;
use crate::credential::percent::decode_strictly;
use crate::credential::username::Username;
use crate::storage::keychain::attributes::Schema;

/// Windows puts this before a target in some listings, and GCM cuts it.
const LEGACY: &str = "LegacyGeneric:target=";

/// The program that an item belongs to, by its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ItemOwner {
    /// git's helpers: git-credential-wincred, GCM and this program share these items.
    Git,
    /// This program alone.
    Ours,
    /// GCM with a namespace of its own.
    Gcm,
    /// A program that uses go-keyring, or any other one.
    GoKeyring,
}

impl ItemOwner {
    pub(super) fn of(target: &str) -> Self {
        let (program, rest) = target.split_once(':').unwrap_or_default();
        match program {
            "git" => Self::Git,
            "git-credential-pat" => Self::Ours,
            _ if rest.starts_with("https://") || rest.starts_with("http://") => Self::Gcm,
            _ => Self::GoKeyring,
        }
    }

    /// The schema of the items that this program stores.
    pub(super) fn schema(self) -> Option<Schema> {
        match self {
            Self::Git => Some(Schema::Password),
            Self::Ours => Some(Schema::Authorization),
            Self::Gcm | Self::GoKeyring => None,
        }
    }

    /// The beginning of the targets of items with `schema`.
    pub(super) fn prefix(schema: Schema) -> &'static str {
        match schema {
            Schema::Password => "git:",
            Schema::Authorization => "git-credential-pat:",
        }
    }
}

/// The target as the calls take it.
pub(super) fn plain(target: &str) -> &str {
    target.strip_prefix(LEGACY).unwrap_or(target)
}

/// Returns the key of an item that begins with `prefix`; `None`: it belongs to no URL, or holds a refresh token of GCM.
pub(super) fn key(credential: &GenericCredential, prefix: &str) -> Option<Key> {
    let url = plain(&credential.target).strip_prefix(prefix)?;
    let (protocol, rest) = url.split_once("://")?;
    let (has_user, rest) = after_user(rest, credential.user.as_deref().unwrap_or_default());
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.to_ascii_lowercase();
    // GCM writes no comment. git-credential-wincred and this program do.
    let is_of_gcm = credential.comment.as_ref().is_none_or(Vec::is_empty);
    if is_of_gcm && is_renewal(&host, path) {
        return None;
    }
    let mut path = path.as_bytes().to_vec();
    if is_of_gcm && let Some(decoded) = decode_strictly(&path) {
        path = decoded;
    }
    let is_sound = is_protocol(protocol.as_bytes())
        && (host.is_empty() || is_host(host.as_bytes()))
        && is_path(&path);
    let user = credential.user.clone().filter(|user| !user.is_empty());
    let user = user.or(has_user.then(String::new));
    is_sound.then(|| Key {
        protocol: protocol.as_bytes().to_vec(),
        host: host.into_bytes(),
        path: Some(path).filter(|path| !path.is_empty()),
        username: user.map(|user| Username::from(&user[..])),
    })
}

/// Cuts the user, raw or as GCM spells it. Another user is cut too: the name may be older than the item. Returns whether there
/// was one.
fn after_user<'a>(rest: &'a str, user: &str) -> (bool, &'a str) {
    for spelling in [user, &user.replace('@', "_")] {
        let cut = rest.strip_prefix(spelling);
        if let Some(after) = cut.and_then(|after| after.strip_prefix('@')) {
            return (true, after);
        }
    }
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => (true, &rest[at + 1..]),
        None => (false, rest),
    }
}

/// GCM keeps a refresh token as an item of its own, which only GCM can use.
fn is_renewal(host: &str, path: &str) -> bool {
    host.starts_with("oauth-refresh-token.")
        || host.starts_with("refresh_token.")
        || path == "refresh_token"
        || path.ends_with("/refresh_token")
}

/// Returns the targets for a new item of `key`, in order of preference: with the user, as git-credential-wincred writes it, and
/// without, as GCM does. `None` if the key is not text.
pub(super) fn candidates(key: &Key, prefix: &str) -> Option<Vec<String>> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let mut place = text(&key.host)?.to_owned();
    if let Some(path) = &key.path {
        place.push('/');
        place.push_str(text(path)?);
    }
    let start = format!("{prefix}{}://", text(&key.protocol)?);
    let mut targets = Vec::new();
    if let Some(user) = &key.username {
        targets.push(format!("{start}{}@{place}", text(user.expose())?));
    }
    targets.push(format!("{start}{place}"));
    Some(targets)
}
