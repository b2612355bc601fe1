//! The attributes of an item: from the key of its credential and back.

use super::items::ItemAttributes;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;

/// The attribute with the kind of an item (libsecret, `SecretSchema`).
pub(super) const SCHEMA: &str = "xdg:schema";

/// The schema of git-credential-libsecret before git 2.43 (libsecret, `SECRET_SCHEMA_COMPAT_NETWORK`). Other programs use it
/// too, so the label identifies git's items. New items never have this schema.
const OLDER: &str = "org.gnome.keyring.NetworkPassword";

/// The kind of an item. Both kinds hold git's attribute lines. git's own helper reads only the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// A password, exactly as git-credential-libsecret stores it.
    Password,
    /// Authtype and credential without a password. git's helper would return the empty password. It searches by `server`
    /// without the schema, so no attribute here has one of its names.
    Authorization,
}

/// The key of an item, as its attributes show it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Key(Key),
    /// In a locked keyring that was never open, gnome-keyring shows digests in place of the attributes. A search still finds
    /// the item.
    Hidden,
    /// The item does not belong to git.
    Foreign,
}

impl Schema {
    pub(super) const ALL: [Self; 2] = [Self::Password, Self::Authorization];

    /// The names of this schema. New items get the first.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["org.git.Password", OLDER],
            Self::Authorization => &["org.git-credential-pat.Authorization"],
        }
    }

    /// The names of the attributes for protocol, host, path and username.
    pub(super) fn attribute_names(self) -> [&'static str; 4] {
        match self {
            Self::Password => ["protocol", "server", "object", "user"],
            Self::Authorization => ["git-protocol", "git-host", "git-path", "git-username"],
        }
    }

    /// The searches that find every item of this kind.
    pub(super) fn everything(self) -> Vec<ItemAttributes> {
        let names = self.names().iter();
        let name = |&name: &&str| ItemAttributes::from([named(SCHEMA, name)]);
        names.map(name).collect()
    }

    /// The searches that find every item that may match `wanted`; none if no item can. They also find other items, such as
    /// the same host with a port.
    pub(super) fn searches(self, wanted: &Query, spelling: Spelling) -> Vec<ItemAttributes> {
        let (Some(host), Some(more)) = (wanted.host.as_deref().and_then(text), self.more(wanted))
        else {
            return Vec::new();
        };
        let mut searches = match spelling {
            // Without the schema: gnome-keyring shows a wrong one for hidden items, and would not find them.
            Spelling::AsKept => vec![self.host_attributes(host)],
            Spelling::Any => self.everything(),
        };
        for attributes in &mut searches {
            attributes.extend(more.clone());
        }
        searches
    }

    /// The attributes except the host.
    fn more(self, wanted: &Query) -> Option<ItemAttributes> {
        let [protocol, _, path, username] = self.attribute_names();
        let mut attributes =
            ItemAttributes::from([named(protocol, text(wanted.protocol.as_deref()?)?)]);
        let user = wanted.username.as_ref().map(Username::expose);
        for (name, value) in [(path, wanted.path.as_deref()), (username, user)] {
            if let Some(value) = value {
                attributes.extend([named(name, text(value)?)]);
            }
        }
        Some(attributes)
    }

    /// The attributes of the item for `key`; `None` if no attribute can hold a part of it.
    pub(super) fn attributes(self, key: &Key) -> Option<ItemAttributes> {
        let mut attributes = self.searches(&Query::of(key), Spelling::AsKept).pop()?;
        attributes.extend([named(SCHEMA, self.names()[0])]);
        Some(attributes)
    }

    /// git-credential-libsecret splits the host at its last colon, which would split `[::1]`. So only a port that it can
    /// write back counts: a number from 1 to 65535.
    fn host_attributes(self, host: &str) -> ItemAttributes {
        let [_, server_name, ..] = self.attribute_names();
        let cut = host.rsplit_once(':').filter(|(_, port)| {
            port.parse::<u16>()
                .is_ok_and(|number| number > 0 && number.to_string() == *port)
        });
        match cut {
            Some((server, port)) if self == Self::Password => {
                ItemAttributes::from([named(server_name, server), named("port", port)])
            }
            _ => ItemAttributes::from([named(server_name, host)]),
        }
    }

    /// Whether only the label of an item with these attributes identifies the program.
    pub(super) fn needs_label(self, attributes: &ItemAttributes) -> bool {
        let name = attributes.get(SCHEMA);
        self == Self::Password && name.is_some_and(|name| name == OLDER)
    }

    /// Reads the key from `attributes`. The host may have capitals, as the user typed it; keys have lower case. `label`: where
    /// [`Schema::needs_label`].
    pub(super) fn key(self, attributes: &ItemAttributes, label: Option<&str>) -> Seen {
        let value = |name: &str| attributes.get(name).map(|value| value.as_bytes().to_vec());
        let [protocol, host, path, username] = self.attribute_names();
        let Some(protocol) = value(protocol) else {
            return Seen::Hidden;
        };
        let name = attributes.get(SCHEMA).map(String::as_str);
        let is_ours = name.is_some_and(|name| self.names().contains(&name))
            && (name != Some(OLDER) || label.is_some_and(|label| label.starts_with(LABEL)));
        let Some(mut host) = value(host).filter(|_| is_ours) else {
            return Seen::Foreign;
        };
        host.make_ascii_lowercase();
        if self == Self::Password
            && let Some(port) = attributes.get("port")
        {
            host.push(b':');
            host.extend_from_slice(port.as_bytes());
        }
        Seen::Key(Key {
            protocol,
            host,
            path: value(path),
            username: value(username).map(Username::from),
        })
    }
}

/// The spelling of the host in a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Lower case, as in our keys. Fast: the service finds the item.
    AsKept,
    /// Any case, since git's own helper stores the host as git gives it. The search returns every host of the protocol.
    Any,
}

/// The prefix of the labels of git's items.
const LABEL: &str = "Git: ";

/// The label in the user's keyring, as git-credential-libsecret writes it.
pub(super) fn label(key: &Key) -> String {
    let mut url = key.url();
    if key.path.is_none() {
        url.push(b'/');
    }
    format!("{LABEL}{}", String::from_utf8_lossy(&url))
}

/// `None` if the service cannot hold `value`: it takes UTF-8 text without NUL.
fn text(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok();
    text.filter(|text| !text.contains('\0'))
}

fn named(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(host: &str, path: Option<&str>, username: Option<&str>) -> Key {
        Key {
            protocol: b"https".to_vec(),
            host: host.as_bytes().to_vec(),
            path: path.map(|path| path.as_bytes().to_vec()),
            username: username.map(Username::from),
        }
    }

    fn seen(schema: Schema, attributes: &ItemAttributes, label: &str) -> Seen {
        schema.key(attributes, Some(label))
    }

    #[test]
    fn attributes_are_those_of_gits_helper() {
        let attributes =
            Schema::Password.attributes(&key("one.test:8443", Some("a.git"), Some("")));
        let expected = [
            ("xdg:schema", "org.git.Password"),
            ("server", "one.test"),
            ("port", "8443"),
            ("protocol", "https"),
            ("object", "a.git"),
            ("user", ""),
        ];
        let expected = expected.map(|(name, value)| named(name, value));
        assert_eq!(attributes.unwrap(), ItemAttributes::from(expected));
    }

    #[test]
    fn an_authorization_shares_no_attribute_with_gits_helper() {
        let attributes = Schema::Authorization.attributes(&key("one.test:1", Some("a"), Some("b")));
        let theirs = ["protocol", "server", "port", "object", "user"];
        assert!(
            attributes.unwrap().iter().all(
                |(name, value)| !theirs.contains(&name.as_str()) && value != "org.git.Password"
            )
        );
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let hosts = [
            "one.test",
            "one.test:443",
            "one.test:0",
            "one.test:080",
            "one.test:99999",
            "one.test:",
            "[::1]",
            "[::1]:8443",
            "[fe80::1%25eth0]",
            "",
        ];
        for host in hosts {
            for schema in Schema::ALL {
                for key in [key(host, None, None), key(host, Some("a/b"), Some("alice"))] {
                    let attributes = schema.attributes(&key).unwrap();
                    assert_eq!(seen(schema, &attributes, ""), Seen::Key(key), "{host}");
                }
            }
        }
    }

    #[test]
    fn an_ipv6_address_is_not_cut() {
        let attributes = Schema::Password
            .attributes(&key("[::1]", None, None))
            .unwrap();
        assert_eq!(attributes["server"], "[::1]");
        assert!(!attributes.contains_key("port"));
    }

    #[test]
    fn other_items_are_foreign_and_locked_ones_hidden() {
        let mut attributes = Schema::Password
            .attributes(&key("One.TEST", None, None))
            .unwrap();
        let seen = |attributes: &ItemAttributes, label| seen(Schema::Password, attributes, label);
        let known = || Seen::Key(key("one.test", None, None));
        assert_eq!(seen(&attributes, "whatever"), known());
        attributes.insert(SCHEMA.to_owned(), OLDER.to_owned());
        assert_eq!(seen(&attributes, "Git: https://One.TEST/"), known());
        assert_eq!(seen(&attributes, "dav://One.TEST/"), Seen::Foreign);
        attributes.insert(SCHEMA.to_owned(), "org.epiphany.FormPassword".to_owned());
        assert_eq!(seen(&attributes, "Git: https://One.TEST/"), Seen::Foreign);
        attributes.remove(SCHEMA);
        assert_eq!(seen(&attributes, "Git: https://One.TEST/"), Seen::Foreign);
        attributes.remove("protocol");
        assert_eq!(seen(&attributes, ""), Seen::Hidden);
    }

    #[test]
    fn what_is_not_text_is_searched_for_nowhere() {
        let wanted = Query::of(&key("one.test", None, None));
        for bad in [&b"\xFF"[..], b"a\0b"] {
            let wanted = Query {
                username: Some(bad.to_vec().into()),
                ..wanted.duplicate()
            };
            assert!(Schema::Password.searches(&wanted, Spelling::Any).is_empty());
        }
        assert!(
            Schema::Password
                .searches(&Query::default(), Spelling::AsKept)
                .is_empty()
        );
    }

    #[test]
    fn labels_are_urls() {
        assert_eq!(
            label(&key("one.test:1", None, Some("a"))),
            "Git: https://one.test:1/"
        );
        assert_eq!(
            label(&key("one.test", Some("a.git"), None)),
            "Git: https://one.test/a.git"
        );
    }
}
