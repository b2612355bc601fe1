//! glab, GitLab's command line: the `hosts` of its `config.yml`, and items of the keychain, where it keeps tokens by default
//! (gitlab-org/cli: `internal/config`, `internal/commands/auth/login/helper.go`).

use std::path::PathBuf;
use std::rc::Rc;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::yaml::document::{Document, Leaf};
use super::{Error, Found, Neighbour, Place, Reading, https, remove_token};
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::storage::keychain::Keychain;

/// The user for an OAuth token, and the one that glab answers for it (docs.gitlab.com, "OAuth 2.0", Git over HTTPS). For a
/// personal token GitLab takes any.
const DEFAULT_USER: &[u8] = b"oauth2";
/// The user for a job's token (docs.gitlab.com, "CI/CD job token").
const JOB: &[u8] = b"gitlab-ci-token";
/// glab's default host. It may have an item for this host that its file does not name.
const GITLAB: &[u8] = b"gitlab.com";
/// The most hosts that are looked up in the keychain.
const MOST_HOSTS: usize = 20;

/// glab's file and items.
#[derive(Debug)]
pub struct Glab {
    /// Its `config.yml`.
    pub(super) file: PathBuf,
    pub(super) keychain: Rc<Keychain>,
}

impl Glab {
    fn read_file(&self, document: &Document, host: &[u8], reading: &mut Reading) {
        let place = Place::File(self.file.clone());
        for key in keys(document, host) {
            if let Some(leaf) = document.get(&[b"hosts", host, key.as_bytes()])
                && is_token(leaf)
            {
                let said = said(document, host, key, &leaf.value);
                reading.take(said, &place, Some(leaf.line));
            }
        }
    }

    /// `glab:HOST:token` or, of an older glab, `glab:HOST`; and `glab:HOST:job_token`.
    fn read_items(
        &self,
        document: &Document,
        host: &[u8],
        reading: &mut Reading,
    ) -> Result<(), Error> {
        let Ok(name) = std::str::from_utf8(host) else {
            return Ok(());
        };
        for key in keys(document, host) {
            let mut services = vec![format!("glab:{name}:{key}")];
            if key == "token" {
                services.push(format!("glab:{name}"));
            }
            for service in services {
                for item in self.keychain.external(vec![("service", service)])? {
                    let said = said(document, host, key, item.secret.expose());
                    reading.take(said, &Place::Keychain(item.attributes), None);
                }
            }
        }
        Ok(())
    }
}

impl Neighbour for Glab {
    fn name(&self) -> &'static str {
        "glab"
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let document = reading.open_yaml(&self.file);
        let mut hosts: Vec<&[u8]> = Vec::new();
        for leaf in &document.leaves {
            if let [hosts_key, host] = &leaf.path[..]
                && hosts_key == b"hosts"
            {
                hosts.push(host);
            }
        }
        for host in &hosts {
            self.read_file(&document, host, &mut reading);
        }
        if !hosts.contains(&GITLAB) {
            hosts.push(GITLAB);
        }
        for host in hosts.iter().take(MOST_HOSTS) {
            if let Err(error) = self.read_items(&document, host, &mut reading) {
                reading.troubles.push(error);
                break;
            }
        }
        // glab asks the keychain first with this setting, else last.
        reading.found.sort_by_key(|found| {
            let is_item = matches!(found.place, Place::Keychain(_));
            let host = &found.credential.key.host[..];
            is_item != (document.value(&[b"hosts", host, b"use_keyring"]) == Some(b"true"))
        });
        reading
    }

    fn remove(&self, meant: &Found) -> Result<usize, Error> {
        remove_token(&self.keychain, meant, |document, leaf| {
            let [hosts, host, key] = &leaf.path[..] else {
                return None;
            };
            let key = std::str::from_utf8(key).unwrap_or_default();
            if hosts != b"hosts" || !KEYS.contains(&key) || !is_token(leaf) {
                return None;
            }
            said(document, host, key, &leaf.value)
        })
    }
}

/// The keys of tokens in glab's order. An OAuth token comes before both.
const KEYS: [&str; 2] = ["job_token", "token"];

fn keys(document: &Document, host: &[u8]) -> [&'static str; 2] {
    let [job, token] = KEYS;
    if is_oauth(document, host) {
        [token, job]
    } else {
        [job, token]
    }
}

fn is_oauth(document: &Document, host: &[u8]) -> bool {
    document.value(&[b"hosts", host, b"is_oauth2"]) == Some(b"true")
}

/// An alias is counted as skipped.
fn is_token(leaf: &Leaf) -> bool {
    leaf.is_alias || !leaf.value.is_empty()
}

fn said(document: &Document, host: &[u8], key: &str, secret: &[u8]) -> Option<Query> {
    let value = |name: &[u8]| document.value(&[b"hosts", host, name]);
    // A token for an API without HTTPS is not for https://HOST.
    if value(b"api_protocol").is_some_and(|protocol| protocol != b"https") {
        return None;
    }
    if key == "job_token" {
        return Some(https(host, JOB, secret));
    }
    let named = value(b"user").or(value(b"username"));
    let named = named.filter(|_| !is_oauth(document, host));
    Some(Query {
        expiry: value(b"oauth2_expiry_date").and_then(expiry),
        ..https(host, named.unwrap_or(DEFAULT_USER), secret)
    })
}

/// When an OAuth token expires: RFC 3339 or, of an older glab, as Go's `time.RFC822` writes the local time. A zone
/// that is only a name is unknown.
fn expiry(text: &[u8]) -> Option<Expiry> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
    let moment = moment.or_else(|| rfc822(text))?;
    Expiry::from_unix(u64::try_from(moment.unix_timestamp()).ok()?)
}

/// Such as `26 Nov 26 00:00 UTC`, with `+0100` or `+01` for the zone, and with four digits for the year, as some write it.
fn rfc822(text: &str) -> Option<OffsetDateTime> {
    const FORM: &[BorrowedFormatItem<'_>] = format_description!(
        "[day padding:none] [month repr:short] [year] [hour]:[minute] [offset_hour sign:mandatory][offset_minute]"
    );
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [day, month, year, time, zone] = words[..] else {
        return None;
    };
    // No token of GitLab is older than this century.
    let century = if year.len() == 2 { "20" } else { "" };
    let (zone, minutes) = match zone {
        "UTC" | "GMT" | "UT" | "Z" => ("+00", "00"),
        zone => (zone, if zone.len() == 3 { "00" } else { "" }),
    };
    let text = format!("{day} {month} {century}{year} {time} {zone}{minutes}");
    OffsetDateTime::parse(&text, FORM).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::keychain::tests::empty;

    fn glab_at(path: PathBuf) -> Glab {
        Glab {
            file: path,
            keychain: Rc::new(empty()),
        }
    }

    const CONFIG: &str = "# What protocol to use when performing Git operations.\ngit_protocol: ssh\neditor:\ncheck_update: true\nhost: gitlab.com\nhosts:\n    gitlab.com:\n        # What protocol to use to access the API endpoint.\n        api_protocol: https\n        api_host: gitlab.com\n        token: !!null tok-one\n        user: alice\n    gl.test:8443:\n        token: tok-two\n        is_oauth2: \"true\"\n        oauth2_expiry_date: 26 Nov 26 00:00 UTC\n    plain.test:\n        api_protocol: http\n        token: tok-three\n    empty.test:\n        token:\n";

    #[test]
    fn reads_the_hosts() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.yml");
        std::fs::write(&path, CONFIG).unwrap();
        let glab = glab_at(path.clone());
        let reading = glab.read();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let row = |found: &Found| {
            let key = &found.credential.key;
            let user = text(key.username.as_ref().unwrap().expose());
            let secret = text(found.secret().unwrap().expose());
            let end = found.credential.expiry.map(Expiry::unix);
            (text(&key.url()), user, secret, end)
        };
        let rows: Vec<_> = reading.found.iter().map(row).collect();
        let expected = [
            ("https://gitlab.com", "alice", "tok-one", None),
            (
                "https://gl.test:8443",
                "oauth2",
                "tok-two",
                Some(1_795_651_200),
            ),
        ];
        let owned = |(url, user, secret, end): (&str, &str, &str, Option<u64>)| {
            (url.to_owned(), user.to_owned(), secret.to_owned(), end)
        };
        assert_eq!(rows, expected.map(owned));
        assert_eq!((reading.skipped.count, reading.troubles.len()), (1, 0));

        assert_eq!(glab.remove(&reading.found[0]).unwrap(), 1);
        let left = std::fs::read_to_string(&path).unwrap();
        assert_eq!(left, CONFIG.replace("        token: !!null tok-one\n", ""));
    }

    #[test]
    fn what_is_strange_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.yml");
        let glab = glab_at(path.clone());
        assert!(glab.read().troubles.is_empty(), "nothing is there");
        std::fs::write(&path, "hosts:\n    a.test: token: tok\n").unwrap();
        assert!(matches!(glab.read().troubles[..], [Error::Wording { .. }]));
    }

    #[test]
    fn an_expiry_is_read_however_glab_wrote_it() {
        const MOMENT: u64 = 1_795_651_200;
        for (text, expected) in [
            ("2026-11-26T00:00:00Z", Some(MOMENT)),
            ("2026-11-26T01:00:00+01:00", Some(MOMENT)),
            ("2026-11-25T19:30:00.123456789-04:30", Some(MOMENT)),
            ("26 Nov 26 00:00 UTC", Some(MOMENT)),
            ("26 Nov 26 00:00 GMT", Some(MOMENT)),
            ("26 Nov 26 01:00 +0100", Some(MOMENT)),
            ("25 Nov 26 21:00 -03", Some(MOMENT)),
            ("26 Nov 2026 00:00 UTC", Some(MOMENT)),
            ("01 Jan 50 00:00 UTC", Some(2_524_608_000)),
            ("31 Dec 98 23:59 UTC", Some(4_070_908_740)),
            ("26 Nov 26 00:00 CET", None),
            ("26 Nov 26 00:00 +1", None),
            ("26 Nov 26 00:00 +0é", None),
            ("26 Nov 26 25:00 UTC", None),
            ("0001-01-01T00:00:00Z", None),
            ("soon", None),
            ("", None),
        ] {
            let read = expiry(text.as_bytes()).map(Expiry::unix);
            assert_eq!(read, expected, "{text}");
        }
    }
}
