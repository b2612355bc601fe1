//! glab, GitLab's command line: the `hosts` of its `config.yml` (gitlab-org/cli: `internal/config`).

use std::path::PathBuf;

use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::macros::format_description;

use super::{Error, Found, Neighbour, Place, Reading};
use crate::credential::expiry::Expiry;
use crate::foreign;
use crate::secret::Buffer;
use crate::yaml::{self, Leaf};

/// Whom GitLab takes a token from if no user is named (docs.gitlab.com, "OAuth 2.0", Git over HTTPS).
const ANYBODY: &[u8] = b"oauth2";

/// Its file.
#[derive(Debug)]
pub struct Glab {
    file: PathBuf,
}

impl Glab {
    /// With `file` for its `config.yml`.
    pub fn at(file: PathBuf) -> Self {
        Self { file }
    }
}

impl Neighbour for Glab {
    fn name(&self) -> &'static str {
        "glab"
    }

    fn places(&self) -> Vec<Place> {
        vec![Place::File(self.file.clone())]
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let bytes = match foreign::read(&self.file) {
            Ok(bytes) => bytes,
            Err(error) => {
                reading.troubles.push(error.into());
                return reading;
            }
        };
        match yaml::leaves(bytes.as_ref().map_or(&b""[..], Buffer::as_slice)) {
            Ok(leaves) => {
                for leaf in leaves.iter().filter(|leaf| is_token(leaf)) {
                    reading.take(found(&leaves, leaf, Place::File(self.file.clone())));
                }
            }
            Err(cause) => reading.troubles.push(Error::Wording {
                path: self.file.clone(),
                cause,
            }),
        }
        reading
    }

    fn remove(&self, meant: &Found) -> Result<usize, Error> {
        let Place::File(path) = &meant.place else {
            return Ok(0);
        };
        let removed = foreign::cut(path, |bytes| {
            let leaves = yaml::leaves(bytes).unwrap_or_default();
            let is_meant = |leaf: &&Leaf| {
                found(&leaves, leaf, meant.place.clone()).is_some_and(|kept| kept.is_same(meant))
            };
            let tokens = leaves.iter().filter(|leaf| is_token(leaf));
            tokens
                .filter(is_meant)
                .map(|leaf| leaf.line.clone())
                .collect()
        })?;
        Ok(removed)
    }
}

/// `hosts: HOST: token:`.
fn is_token(leaf: &Leaf) -> bool {
    let is_there =
        matches!(&leaf.path[..], [hosts, _, name] if hosts == b"hosts" && name == b"token");
    is_there && !leaf.value.is_empty()
}

fn found(leaves: &[Leaf], token: &Leaf, place: Place) -> Option<Found> {
    let host = token.path.get(1)?;
    let said = |name: &[u8]| {
        let leaf = leaves
            .iter()
            .find(|leaf| leaf.is_at(&[b"hosts", host, name]));
        leaf.map(|leaf| &leaf.value[..])
            .filter(|value| !value.is_empty())
    };
    // Another protocol than HTTPS was wanted for asking GitLab: the token is not for what we would make of it.
    if said(b"api_protocol").is_some_and(|protocol| protocol != b"https") {
        return None;
    }
    let user = said(b"user").or(said(b"username")).unwrap_or(ANYBODY);
    let expiry = said(b"oauth2_expiry_date").and_then(end);
    Found::for_host(host, user, &token.value, expiry, place)
}

/// The end of an OAuth token, as Go writes it (time.RFC822), in UTC.
fn end(text: &[u8]) -> Option<Expiry> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_suffix(" UTC").or(text.strip_suffix(" GMT"))?;
    // The year has two digits, and is of this century.
    let (day, rest) = text.split_at_checked(text.rfind(' ')?)?;
    let (day, year) = day.split_at_checked(day.rfind(' ')?)?;
    let text = format!("{day} 20{}{rest}", year.trim_start());
    let lay_out = format_description!("[day] [month repr:short] [year] [hour]:[minute]");
    let moment = PrimitiveDateTime::parse(&text, lay_out).ok()?;
    let seconds = OffsetDateTime::unix_timestamp(moment.assume_utc());
    Expiry::from_unix(u64::try_from(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "# What protocol to use when performing Git operations.\ngit_protocol: ssh\neditor:\ncheck_update: true\nhost: gitlab.com\nhosts:\n    gitlab.com:\n        # What protocol to use to access the API endpoint.\n        api_protocol: https\n        api_host: gitlab.com\n        token: !!null tok-one\n        user: alice\n    gl.test:8443:\n        token: tok-two\n        is_oauth2: \"true\"\n        oauth2_expiry_date: 26 Nov 26 00:00 UTC\n    plain.test:\n        api_protocol: http\n        token: tok-three\n    empty.test:\n        token:\n";

    #[test]
    fn reads_the_hosts() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.yml");
        std::fs::write(&path, CONFIG).unwrap();
        let glab = Glab::at(path.clone());
        let reading = glab.read();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let row = |found: &Found| {
            let key = &found.credential.key;
            let user = text(key.username.as_deref().unwrap());
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
        assert_eq!((reading.skipped, reading.troubles.len()), (1, 0));

        assert_eq!(glab.remove(&reading.found[0]).unwrap(), 1);
        let left = std::fs::read_to_string(&path).unwrap();
        assert_eq!(left, CONFIG.replace("        token: !!null tok-one\n", ""));
    }

    #[test]
    fn what_is_strange_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.yml");
        let glab = Glab::at(path.clone());
        assert!(glab.read().troubles.is_empty(), "nothing is there");
        std::fs::write(&path, "hosts:\n    a.test: {token: tok}\n").unwrap();
        assert!(matches!(glab.read().troubles[..], [Error::Wording { .. }]));
        for (text, end_is) in [
            ("26 Nov 26 00:00 UTC", true),
            ("26 Nov 26 00:00 CET", false),
            ("soon", false),
            ("", false),
        ] {
            assert_eq!(end(text.as_bytes()).is_some(), end_is, "{text}");
        }
    }
}
