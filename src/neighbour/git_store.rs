//! git-credential-store: a line for each credential, as a URL with its secret in it (git-credential-store(1)).

use std::ops::Range;
use std::path::PathBuf;

use super::{Error, Found, Neighbour, Place, Reading};
use crate::credential::host::split_at;
use crate::credential::host::without_slashes;
use crate::credential::percent::decode;
use crate::credential::query::Query;
use crate::credential::url::split_scheme;
use crate::files::external;
use crate::secret::Secret;

/// git's own limit for a line of a credential.
const LONGEST: usize = 64 * 1024;
/// A file of the largest size has fewer lines, unless they are shorter than any token.
const MOST: usize = 250_000;

/// Its files in its own order.
#[derive(Debug)]
pub struct GitStore {
    files: Vec<PathBuf>,
    most: usize,
}

impl GitStore {
    pub(super) fn of(files: Vec<PathBuf>) -> Self {
        Self { files, most: MOST }
    }
}

impl Neighbour for GitStore {
    fn name(&self) -> &'static str {
        "git-store"
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::of_at_most(self.most);
        for path in &self.files {
            let Some(bytes) = reading.open(path) else {
                continue;
            };
            let place = Place::File(path.clone());
            for (number, line) in (1..).zip(lines(bytes.as_slice())) {
                let text = &bytes.as_slice()[line];
                // git ignores these lines, too.
                if !text.trim_ascii().is_empty() && text[0] != b'#' {
                    reading.take(said(text), &place, Some(number));
                }
            }
        }
        reading
    }

    fn remove(&self, found: &Found) -> Result<usize, Error> {
        let Place::File(path) = &found.place else {
            return Ok(0);
        };
        Ok(external::cut(path, |bytes| {
            let is_meant = |line: &Range<usize>| found.is_in(said(&bytes[line.clone()]));
            let with_end = |line: Range<usize>| line.start..(line.end + 1).min(bytes.len());
            lines(bytes).filter(is_meant).map(with_end).collect()
        })?)
    }
}

/// The lines without their line feed.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .map(move |line| {
            let end = start + line.len();
            let text = start..end - usize::from(line.ends_with(b"\n"));
            start = end;
            text
        })
}

/// The query in a line, read as git reads it (`credential_from_url_gently`): the user ends at the first `:`, the secret at the
/// first `@`, the host at the first of `/?#`. A line without a user or a secret is not used.
///
/// git takes a carriage return at the end for a part of the path, or of the host where no `/` follows. With one in the path it
/// still answers for the host, so that the byte is left out. With one in the host it never answers.
fn said(line: &[u8]) -> Option<Query> {
    if line.len() > LONGEST {
        return None;
    }
    let (protocol, rest) = split_scheme(line)?;
    // git compares protocols with their case, and has none in capitals.
    if protocol.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let end = rest.iter().position(|byte| b"/?#".contains(byte));
    let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
    let (user, host) = split_at(authority, b'@');
    let (name, secret) = split_at(user, b':');
    if !path.is_empty() && !path.starts_with(b"/") {
        return None;
    }
    let path = without_slashes(path.strip_suffix(b"\r").unwrap_or(path));
    Some(Query {
        protocol: Some(protocol.to_vec()),
        host: Some(decode(host?).0.to_vec()),
        path: (!path.is_empty()).then(|| decode(path).0.to_vec()),
        username: Some(decode(name).0.to_vec().into()),
        password: Some(Secret::new(&decode(secret?).0)),
        ..Query::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(text: &[u8]) -> (tempfile::TempDir, PathBuf, GitStore) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".git-credentials");
        std::fs::write(&path, text).unwrap();
        let files = vec![home.path().join("none"), path.clone()];
        let store = GitStore::of(files);
        (home, path, store)
    }

    fn shown(found: &Found) -> [String; 3] {
        let key = &found.credential.key;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        [
            text(&key.url()),
            text(key.username.as_ref().unwrap().expose()),
            text(found.secret().unwrap().expose()),
        ]
    }

    #[test]
    fn reads_what_git_writes() {
        let (_home, _, store) = store(
            b"https://alice:tok-%40one@One.test\nhttps://bob%40corp:tok-two@two.test%3a8443/a/b.git\nhttp://:tok-three@[::1]:80\n",
        );
        let reading = store.read();
        let shown: Vec<_> = reading.found.iter().map(shown).collect();
        assert_eq!(
            shown,
            [
                ["https://one.test", "alice", "tok-@one"],
                ["https://two.test:8443/a/b.git", "bob@corp", "tok-two"],
                ["http://[::1]:80", "", "tok-three"],
            ]
        );
        assert_eq!((reading.skipped.count, reading.troubles.len()), (0, 0));
        assert!(reading.found.iter().all(|found| found.place.is_plaintext()));
    }

    #[test]
    fn hostile_lines_are_counted_and_kept_byte_for_byte() {
        let mut text = Vec::new();
        let hostile: [&[u8]; 13] = [
            b"https://victim:topsecret@victim.test%0d\n",
            b"https://u:p%0Ahost%3Dx@h.test\n",
            b"https://u:p@good.test@evil.test\n",
            b"https://u:p@good.test%40evil.test\n",
            b"https://u:p@a\0b.test\n",
            b"https://u:p@evil.test?good.test\n",
            b"https://u@no-secret.test\n",
            b"https://u:@no-secret.test\n",
            b"nonsense\n",
            b"ht tp://u:p@h.test\n",
            b"HTTPS://u:p@h.test\n",
            b"https://u:p@h.test\r\n",
            b"\xef\xbb\xbfhttps://u:p@h.test\n",
        ];
        text.extend_from_slice(b"# a comment\n\n");
        for line in hostile {
            text.extend_from_slice(line);
        }
        let huge = format!("https://u:{}@h.test\n", "x".repeat(1024 * 1024));
        text.extend_from_slice(huge.as_bytes());
        let kept = text.clone();
        text.extend_from_slice(b"https://alice:tok-one@one.test");
        let (_home, path, store) = store(&text);
        let reading = store.read();
        assert_eq!((reading.found.len(), reading.skipped.count), (1, 14));
        assert_eq!(store.remove(&reading.found[0]).unwrap(), 1);
        assert_eq!(std::fs::read(path).unwrap(), kept);
    }

    #[test]
    fn the_same_line_twice_is_one() {
        let line = "https://alice:tok@one.test\n";
        let (_home, path, store) = store(format!("{line}{line}").as_bytes());
        let reading = store.read();
        assert_eq!((reading.found.len(), reading.skipped.count), (1, 0));
        assert_eq!(store.remove(&reading.found[0]).unwrap(), 2);
        assert_eq!(std::fs::read(path).unwrap(), b"");
    }

    #[test]
    fn only_the_same_secret_goes() {
        let (_home, path, store) =
            store(b"https://alice:tok-old@one.test\nhttps://bob:tok-bob@one.test\n");
        let reading = store.read();
        let new = "https://alice:tok-new@one.test\nhttps://bob:tok-bob@one.test\n";
        std::fs::write(&path, new).unwrap();
        assert_eq!(store.remove(&reading.found[0]).unwrap(), 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), new);
        assert_eq!(store.remove(&reading.found[1]).unwrap(), 1);
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "https://alice:tok-new@one.test\n"
        );
    }

    #[test]
    fn never_more_than_so_many() {
        let line = |number: usize| format!("https://a:tok@{number}.test\n");
        let text: String = (0..15).map(line).collect();
        let (_home, _, mut store) = store(text.as_bytes());
        store.most = 10;
        let reading = store.read();
        assert_eq!((reading.found.len(), reading.surplus), (10, 5));
    }
}
