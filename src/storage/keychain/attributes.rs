//! What an item tells of itself: the key of its credential, as attributes and back, and when it was stored.

use std::collections::HashMap;

use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;

/// The attribute that tells what kind of item this is (libsecret, `SecretSchema`).
pub(super) const SCHEMA: &str = "xdg:schema";

/// What git-credential-libsecret gave its items before git 2.43 (libsecret, `SECRET_SCHEMA_COMPAT_NETWORK`). Others keep
/// theirs under it too: git's are known by their label. What is stored anew is not kept so.
const OLDER: &str = "org.gnome.keyring.NetworkPassword";

/// Which kind of item. Both hold git's attribute lines; only the first is looked at by git's own helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// A password, exactly as git-credential-libsecret keeps it.
    Password,
    /// Authtype and credential alone. That helper would take the empty password for the secret, and it looks for
    /// `server` without looking at the schema: so no attribute here has a name of its.
    Authorization,
}

/// What an item tells of its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// All of it.
    Key(Key),
    /// Nothing yet: in a locked keyring that was never open, gnome-keyring shows digests in place of the attributes, and
    /// still finds them.
    Hidden,
    /// It is none of git's.
    Foreign,
}

impl Schema {
    pub(super) const ALL: [Self; 2] = [Self::Password, Self::Authorization];

    /// What items of this kind call themselves: new ones by the first name.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["org.git.Password", OLDER],
            Self::Authorization => &["org.git-credential-pat.Authorization"],
        }
    }

    fn protocol(self) -> &'static str {
        match self {
            Self::Password => "protocol",
            Self::Authorization => "git-protocol",
        }
    }

    fn host(self) -> &'static str {
        match self {
            Self::Password => "server",
            Self::Authorization => "git-host",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Password => "object",
            Self::Authorization => "git-path",
        }
    }

    fn username(self) -> &'static str {
        match self {
            Self::Password => "user",
            Self::Authorization => "git-username",
        }
    }

    /// What finds every item of this kind, search by search.
    pub(super) fn everything(self) -> Vec<ItemAttributes> {
        let name = |name: &&str| vec![(SCHEMA, (*name).to_owned())];
        self.names().iter().map(name).collect()
    }

    /// The attributes of the items that may fit `wanted`, search by search; none if no item can. They only narrow: an item
    /// without some attribute that `wanted` leaves open is found too, and so is the same host with a port.
    pub(super) fn searches(self, wanted: &Query, spelling: Spelling) -> Vec<ItemAttributes> {
        let (Some(host), Some(more)) = (wanted.host.as_deref().and_then(text), self.more(wanted))
        else {
            return Vec::new();
        };
        let mut searches = match spelling {
            // Not the schema: gnome-keyring tells a false one of items that it hides, and would not find them.
            Spelling::AsKept => vec![self.host_attributes(host)],
            Spelling::Any => self.everything(),
        };
        for attributes in &mut searches {
            attributes.extend(more.iter().cloned());
        }
        searches
    }

    /// Those of all but the host.
    fn more(self, wanted: &Query) -> Option<ItemAttributes> {
        let mut attributes = vec![(self.protocol(), text(wanted.protocol.as_deref()?)?)];
        for (name, value) in [
            (self.path(), wanted.path.as_deref()),
            (
                self.username(),
                wanted.username.as_ref().map(Username::expose),
            ),
        ] {
            if let Some(value) = value {
                attributes.push((name, text(value)?));
            }
        }
        Some(attributes)
    }

    /// The attributes of an item kept under `key`; `None` if it holds what no attribute can.
    pub(super) fn attributes(self, key: &Key) -> Option<ItemAttributes> {
        let name = (SCHEMA, self.names()[0].to_owned());
        let rest = self.searches(&Query::of(key), Spelling::AsKept);
        let rest = rest.into_iter().next()?;
        Some([name].into_iter().chain(rest).collect())
    }

    /// git-credential-libsecret cuts the host at its last colon. That would cut `[::1]` in two, so here a port is what it
    /// can write back: a number of 16 bits that is not 0.
    fn host_attributes(self, host: String) -> ItemAttributes {
        let cut = host.rsplit_once(':').filter(|(_, port)| {
            port.parse::<u16>()
                .is_ok_and(|number| number > 0 && number.to_string() == *port)
        });
        match cut {
            Some((server, port)) if self == Self::Password => {
                vec![(self.host(), server.to_owned()), ("port", port.to_owned())]
            }
            _ => vec![(self.host(), host)],
        }
    }

    /// The key that `attributes` tell. The host may be in the letters that a person typed; keys have lower case. `label`
    /// is asked for only where the attributes alone do not tell whose it is.
    pub(super) fn key<E>(
        self,
        attributes: &HashMap<String, String>,
        label: impl FnOnce() -> Result<String, E>,
    ) -> Result<Seen, E> {
        let value = |name: &str| attributes.get(name).map(|value| value.as_bytes().to_vec());
        let Some(protocol) = value(self.protocol()) else {
            return Ok(Seen::Hidden);
        };
        let name = attributes.get(SCHEMA).map(String::as_str);
        let is_ours = name.is_some_and(|name| self.names().contains(&name))
            && (name != Some(OLDER) || label()?.starts_with(LABEL));
        let Some(mut host) = value(self.host()).filter(|_| is_ours) else {
            return Ok(Seen::Foreign);
        };
        host.make_ascii_lowercase();
        if self == Self::Password
            && let Some(port) = attributes.get("port")
        {
            host.push(b':');
            host.extend_from_slice(port.as_bytes());
        }
        Ok(Seen::Key(Key {
            protocol,
            host,
            path: value(self.path()),
            username: value(self.username()).map(Username::from),
        }))
    }
}

/// Names and values.
pub(super) type ItemAttributes = Vec<(&'static str, String)>;

/// How closely a host is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// In the letters that our keys have. Fast: the service itself finds it.
    AsKept,
    /// In any letters, as git's own helper may have been given it: every host of the protocol comes back.
    Any,
}

/// When an item was stored; the larger is the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Stored {
    /// In Unix seconds.
    pub(super) modified: u64,
    /// In Unix seconds.
    pub(super) created: u64,
    /// Of two items made within the same second, the higher is the later.
    pub(super) number: u64,
}

/// How the label of each of git's items begins.
const LABEL: &str = "Git: ";

/// What people see in their keyring: git-credential-libsecret's words.
pub(super) fn label(key: &Key) -> String {
    let mut url = key.url();
    if key.path.is_none() {
        url.push(b'/');
    }
    format!("{LABEL}{}", String::from_utf8_lossy(&url))
}

/// The service keeps text, and ends it at a NUL.
fn text(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    (!text.contains('\0')).then(|| text.to_owned())
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

    fn seen(schema: Schema, attributes: &HashMap<String, String>, label: &str) -> Seen {
        let label = || Ok::<_, std::convert::Infallible>(label.to_owned());
        schema.key(attributes, label).unwrap()
    }

    fn map(attributes: ItemAttributes) -> HashMap<String, String> {
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        attributes.into_iter().map(owned).collect()
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
        assert_eq!(
            attributes.unwrap(),
            expected.map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn an_authorization_shares_no_attribute_with_gits_helper() {
        let attributes = Schema::Authorization.attributes(&key("one.test:1", Some("a"), Some("b")));
        let theirs = ["protocol", "server", "port", "object", "user"];
        assert!(
            attributes
                .unwrap()
                .iter()
                .all(|(name, value)| !theirs.contains(name) && value != "org.git.Password")
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
                    let attributes = map(schema.attributes(&key).unwrap());
                    assert_eq!(seen(schema, &attributes, ""), Seen::Key(key), "{host}");
                }
            }
        }
    }

    #[test]
    fn an_ipv6_address_is_not_cut() {
        let attributes = map(Schema::Password
            .attributes(&key("[::1]", None, None))
            .unwrap());
        assert_eq!(attributes["server"], "[::1]");
        assert!(!attributes.contains_key("port"));
    }

    #[test]
    fn other_items_are_foreign_and_locked_ones_hidden() {
        let mut attributes = map(Schema::Password
            .attributes(&key("One.TEST", None, None))
            .unwrap());
        let seen = |attributes: &HashMap<_, _>, label| seen(Schema::Password, attributes, label);
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
