//! From the attributes of the Secret Service to the system's own fields, and back.
//!
//! | attributes | item |
//! |---|---|
//! | `org.git.Password`: protocol, server, port, object, user | internet password, exactly as git-credential-osxkeychain writes it |
//! | `org.git-credential-pat.Authorization` | generic password, service `git-credential-pat:URL` |
//! | `service`, `username` | generic password of gh or glab |
//! | schema of Git Credential Manager, `service`, `account` | generic password, service `git:URL` |
//!
//! An IPv6 address keeps its brackets in the server, and its port beside it. git-credential-osxkeychain cuts the host at the
//! first colon, so that it never finds these items; its own have the server `[`, which stands for every address, and are left
//! alone.

use super::raw::{PasswordFields, PasswordItem, PasswordQuery};
use crate::storage::keychain::attributes::{SCHEMA, Schema};
use crate::storage::keychain::items::ItemAttributes;

/// git's protocols as Apple's `kSecAttrProtocol…` strings. git-credential-osxkeychain ignores all others.
const PROTOCOLS: [(&str, &str); 7] = [
    ("https", "htps"),
    ("http", "http"),
    ("ftp", "ftp "),
    ("ftps", "ftps"),
    ("imap", "imap"),
    ("imaps", "imps"),
    ("smtp", "smtp"),
];

/// The authentication type of git's items. Passwords of web forms have `form`.
pub(super) const AUTHENTICATION: &str = "dflt";

/// docker writes the same kind of items, and tells its own by this label.
const DOCKER: &str = "Docker Credentials";

/// The prefix of the service of our own generic items.
const OWN: &str = "git-credential-pat:";

const GCM_SCHEMA: &str = "com.microsoft.GitCredentialManager";
/// Git Credential Manager's default namespace. Another one could be any program's.
const GCM: [&str; 2] = ["git:https://", "git:http://"];

/// A program's way to keep an item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// git's own.
    Password,
    /// Ours.
    Authorization,
    /// An item of go-keyring: gh, glab.
    GoKeyring,
    Gcm,
}

impl ItemKind {
    /// The kind that a search for `wanted` is about; `None`: no item has such attributes here.
    pub(super) fn of(wanted: &ItemAttributes) -> Option<Self> {
        let schema = wanted.get(SCHEMA).map(String::as_str);
        match schema {
            Some(GCM_SCHEMA) => Some(Self::Gcm),
            Some(name) if Some(&name) == Schema::Authorization.names().first() => {
                Some(Self::Authorization)
            }
            Some(name) if Some(&name) == Schema::Password.names().first() => Some(Self::Password),
            // The schema of git's helper before git 2.43, only on the Secret Service.
            Some(_) => None,
            None if wanted.contains_key("service") => Some(Self::GoKeyring),
            None if wanted.contains_key("git-host") => Some(Self::Authorization),
            None => Some(Self::Password),
        }
    }

    /// The search that finds every item of this kind that may match `wanted`.
    pub(super) fn query(self, wanted: &ItemAttributes) -> PasswordQuery<'_> {
        let value = |name: &str| wanted.get(name).map(String::as_str);
        match self {
            Self::Password => PasswordQuery::Internet {
                server: value("server"),
            },
            // The service is known only with the whole URL.
            Self::Authorization => PasswordQuery::Generic { service: None },
            Self::GoKeyring | Self::Gcm => PasswordQuery::Generic {
                service: value("service"),
            },
        }
    }

    /// Returns the attributes of an item of this kind; `None`: it is of another kind. An empty path, or user of an authorization, is
    /// an attribute only if `wanted` has it: the system does not tell an empty one from none.
    pub(super) fn attributes(
        self,
        item: &PasswordItem,
        wanted: &ItemAttributes,
    ) -> Option<ItemAttributes> {
        let mut attributes = ItemAttributes::new();
        let mut add = |name: &str, value: &str| {
            attributes.insert(name.to_owned(), value.to_owned());
        };
        let is_there = |name: &str, value: &str| !value.is_empty() || wanted.contains_key(name);
        match (self, &item.fields) {
            (Self::Password, fields) => return password_attributes(item, fields, &is_there),
            (Self::Authorization, PasswordFields::Generic { service, account }) => {
                let (protocol, place) = service.strip_prefix(OWN)?.split_once("://")?;
                let (host, path) = match place.split_once('/') {
                    Some((host, path)) => (host, Some(path)),
                    None => (place, None),
                };
                add(SCHEMA, Schema::Authorization.names()[0]);
                add("git-protocol", protocol);
                add("git-host", host);
                if let Some(path) = path {
                    add("git-path", path);
                }
                if is_there("git-username", account) {
                    add("git-username", account);
                }
            }
            (Self::GoKeyring, PasswordFields::Generic { service, account }) => {
                add("service", service);
                add("username", account);
            }
            (Self::Gcm, PasswordFields::Generic { service, account }) => {
                GCM.iter().find(|prefix| service.starts_with(**prefix))?;
                add(SCHEMA, GCM_SCHEMA);
                add("service", service);
                add("account", account);
            }
            (_, PasswordFields::Internet { .. }) => return None,
        }
        Some(attributes)
    }
}

fn password_attributes(
    item: &PasswordItem,
    fields: &PasswordFields,
    is_there: &impl Fn(&str, &str) -> bool,
) -> Option<ItemAttributes> {
    let PasswordFields::Internet {
        server,
        port,
        path,
        account,
        protocol,
        authentication,
        domain,
    } = fields
    else {
        return None;
    };
    let is_gits = authentication == AUTHENTICATION && domain.is_empty() && !is_dockers(item);
    if !is_gits || server == "[" {
        return None;
    }
    let (protocol, _) = PROTOCOLS.iter().find(|(_, code)| code == protocol)?;
    let mut attributes = ItemAttributes::from([
        (SCHEMA.to_owned(), Schema::Password.names()[0].to_owned()),
        ("protocol".to_owned(), (*protocol).to_owned()),
        ("server".to_owned(), server.clone()),
    ]);
    if *port > 0 {
        attributes.insert("port".to_owned(), port.to_string());
    }
    // git-credential-osxkeychain answers an empty account with an empty username.
    attributes.insert("user".to_owned(), account.clone());
    if is_there("object", path) {
        attributes.insert("object".to_owned(), path.clone());
    }
    Some(attributes)
}

/// Returns the fields of a new item with these attributes; `None` if the keychain has no form for them.
pub(super) fn fields(attributes: &ItemAttributes) -> Option<PasswordFields> {
    let value = |name: &str| attributes.get(name).cloned().unwrap_or_default();
    match ItemKind::of(attributes)? {
        ItemKind::Password => {
            let protocol = value("protocol");
            let (_, code) = PROTOCOLS.iter().find(|(name, _)| *name == protocol)?;
            let port = attributes.get("port");
            Some(PasswordFields::Internet {
                server: value("server"),
                port: port.map_or(Some(0), |port| port.parse().ok())?,
                path: value("object"),
                account: value("user"),
                protocol: (*code).to_owned(),
                authentication: AUTHENTICATION.to_owned(),
                domain: String::new(),
            })
        }
        ItemKind::Authorization => {
            let (protocol, host) = (value("git-protocol"), value("git-host"));
            let path = attributes.get("git-path");
            let path = path.map_or_else(String::new, |path| format!("/{path}"));
            Some(PasswordFields::Generic {
                service: format!("{OWN}{protocol}://{host}{path}"),
                account: value("git-username"),
            })
        }
        ItemKind::GoKeyring | ItemKind::Gcm => None,
    }
}

/// Whether the item is docker's, which is never changed.
pub(super) fn is_dockers(item: &PasswordItem) -> bool {
    item.label == DOCKER
}
