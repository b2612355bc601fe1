//! netrc: words in a file, read by curl, ftp and others (netrc(5)). Only read: it belongs to more programs than git.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{Error, LONGEST, Neighbour, Place, Reading, https};
use crate::credential::query::Query;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Its file, and what may stand beside it, encrypted.
#[derive(Debug)]
pub struct Netrc {
    pub(super) file: PathBuf,
}

impl Neighbour for Netrc {
    fn name(&self) -> &'static str {
        "netrc"
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        if let Some(bytes) = reading.open(&self.file) {
            let place = Place::File(self.file.clone());
            // libcurl takes the mark and the word behind it for one word, and so loses the entry.
            if bytes.as_slice().starts_with(BYTE_ORDER_MARK) {
                reading.skipped.add(&place, Some(1));
            }
            each_entry(bytes.as_slice(), |entry| {
                // It is for no host of its own.
                if entry.is_default {
                    return;
                }
                let line = Some(entry.line);
                reading.take(entry.said(), &place, line);
            });
        }
        let mut path = self.file.clone().into_os_string();
        path.push(".gpg");
        let path = PathBuf::from(path);
        if path.symlink_metadata().is_ok() {
            reading.troubles.push(Error::Encrypted {
                path,
                problem: "it is encrypted",
                hint: "decrypt it to a file of its own, and name that with 'netrc:PATH'",
            });
        }
        reading
    }
}

/// Returns the entry with which libcurl, and so git, signs in at `host` (without a port) before git calls a helper: the first one
/// of `user`, if the URL names one, else the first. An entry without a user or a password is passed over.
pub fn first_entry(bytes: &[u8], host: Option<&[u8]>, user: Option<&[u8]>) -> Option<NetrcEntry> {
    let mut first: Option<NetrcEntry> = None;
    each_entry(bytes, |entry| {
        let is_of_user = |entry: &NetrcEntry| entry.login.as_ref().map(|login| &login[..]) == user;
        let is_better = first
            .as_ref()
            .is_none_or(|first| user.is_some() && is_of_user(&entry) && !is_of_user(first));
        if entry.is_for(host) && entry.is_complete() && is_better {
            first = Some(entry);
        }
    });
    first
}

/// Gives each entry to `take`. Keywords are those of libcurl, in any case, and those of git's netrc helper besides; a word
/// that is none is passed over. Of an entry that is complete nothing changes any more (seen of libcurl 7.88).
fn each_entry(bytes: &[u8], mut take: impl FnMut(NetrcEntry)) {
    let mut open: Option<NetrcEntry> = None;
    let mut words = Words {
        rest: bytes,
        line: 1,
    };
    while let Some(mut word) = words.next() {
        word.make_ascii_lowercase();
        match &word[..] {
            keyword @ (b"machine" | b"default") => {
                let is_default = keyword == b"default";
                let next = NetrcEntry {
                    line: words.line,
                    is_default,
                    host: if is_default { None } else { words.next() },
                    ..NetrcEntry::default()
                };
                open.replace(next).into_iter().for_each(&mut take);
            }
            b"macdef" => words.skip_macro(),
            b"account" => {
                words.next();
            }
            keyword => {
                if let Some(entry) = &mut open {
                    entry.take(keyword, &mut words);
                }
            }
        }
    }
    open.into_iter().for_each(&mut take);
}

/// The words between one `machine` and the next.
#[derive(Default)]
pub struct NetrcEntry {
    /// The line where the entry begins, the first being 1.
    pub line: usize,
    is_default: bool,
    /// `None` for the default, which is for every host, and for an entry that cannot be used.
    pub host: Option<Zeroizing<Vec<u8>>>,
    /// Some files have a token here.
    pub login: Option<Zeroizing<Vec<u8>>>,
    pub password: Option<Zeroizing<Vec<u8>>>,
    protocol: Option<Zeroizing<Vec<u8>>>,
    port: Option<Zeroizing<Vec<u8>>>,
}

impl NetrcEntry {
    fn is_for(&self, host: Option<&[u8]>) -> bool {
        let named = self.host.as_ref().zip(host);
        self.is_default || named.is_some_and(|(named, host)| named.eq_ignore_ascii_case(host))
    }

    fn is_complete(&self) -> bool {
        self.login.is_some() && self.password.is_some()
    }

    fn take(&mut self, keyword: &[u8], words: &mut Words) {
        let is_complete = self.is_complete();
        let slot = match keyword {
            b"login" | b"user" | b"username" if !is_complete => &mut self.login,
            b"password" if !is_complete => &mut self.password,
            b"protocol" => &mut self.protocol,
            b"port" => &mut self.port,
            _ => return,
        };
        *slot = words.next();
    }

    /// `None` if it cannot be used: the default, which is for no host of its own, and an entry without a user or a password.
    fn said(self) -> Option<Query> {
        let mut host = self.host?.to_vec();
        if let Some(port) = self.port {
            // git's netrc helper takes a word there for the protocol.
            if !port.iter().all(u8::is_ascii_digit) {
                return None;
            }
            host.extend([b":", &port[..]].concat());
        }
        let mut said = https(&host, &self.login?, &self.password?);
        if let Some(protocol) = self.protocol {
            said.protocol = Some(protocol.to_vec());
        }
        Some(said)
    }
}

/// The words of the file. As for libcurl, a word may stand in double quotes, with `\` before what is meant as it is. A quote
/// that its line does not end is the end of the file: libcurl reads no further.
struct Words<'a> {
    rest: &'a [u8],
    /// The line where `rest` begins, from 1.
    line: usize,
}

impl Words<'_> {
    /// Moves on by `count` bytes, or to the end.
    fn skip(&mut self, count: Option<usize>) {
        let count = count.unwrap_or(usize::MAX).min(self.rest.len());
        let (passed, rest) = self.rest.split_at(count);
        self.line += passed.split(|&byte| byte == b'\n').count() - 1;
        self.rest = rest;
    }

    /// To the blank line that ends a macro, or to the end.
    fn skip_macro(&mut self) {
        // In one pass: a file may be nothing but macros.
        let mut ends = self
            .rest
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n');
        let end = ends.find_map(|(at, _)| match &self.rest[at + 1..] {
            [b'\n', ..] => Some(at + 2),
            [b'\r', b'\n', ..] => Some(at + 3),
            _ => None,
        });
        self.skip(end);
    }
}

impl Iterator for Words<'_> {
    type Item = Zeroizing<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.skip(self.rest.iter().position(|&byte| !is_space(byte)));
            if *self.rest.first()? != b'#' {
                break;
            }
            self.skip(self.rest.iter().position(|&byte| byte == b'\n'));
        }
        let is_quoted = self.rest[0] == b'"';
        let most = self.rest.len().min(LONGEST);
        let mut word = Zeroizing::new(Vec::with_capacity(64));
        let mut at = usize::from(is_quoted);
        let mut is_open = is_quoted;
        while let Some(&byte) = self.rest.get(at) {
            at += 1;
            match byte {
                b'"' if is_quoted => {
                    is_open = false;
                    break;
                }
                b'\n' if is_quoted => break,
                b'\\' if is_quoted && self.rest.get(at) != Some(&b'\n') => {
                    word.extend(self.rest.get(at).map(|&escaped| match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => other,
                    }));
                    at += 1;
                }
                byte if is_space(byte) && !is_quoted => {
                    // A line end may be the first of two that end a macro.
                    at -= 1;
                    break;
                }
                // What is too long becomes too long for what comes after, and is not used.
                byte if word.len() <= most => word.push(byte),
                _ => {}
            }
        }
        self.skip(Some(at).filter(|_| !is_open));
        (!is_open).then_some(word)
    }
}

/// As C's `isspace`.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbour::Found;

    fn read(text: &str) -> (Vec<[String; 3]>, usize) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".netrc");
        std::fs::write(&path, text).unwrap();
        let reading = Netrc { file: path }.read();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let shown = |found: &Found| {
            let key = &found.credential.key;
            [
                text(&key.url()),
                text(key.username.as_ref().unwrap().expose()),
                text(found.secret().unwrap().expose()),
            ]
        };
        (
            reading.found.iter().map(shown).collect(),
            reading.skipped.count,
        )
    }

    fn rows(rows: &[[&str; 3]]) -> Vec<[String; 3]> {
        rows.iter().map(|row| row.map(str::to_owned)).collect()
    }

    #[test]
    fn reads_words_in_any_lay_out() {
        let text = "machine one.test login alice password tok-one\nmachine Two.test\n\tlogin bob\n\taccount x\n\tpassword \"tok \\\"two\\\"\"\n# machine three.test login x password y\nmachine four.test port 8443 protocol http username carol password tok-four # comment\n";
        let expected = rows(&[
            ["https://one.test", "alice", "tok-one"],
            ["https://two.test", "bob", "tok \"two\""],
            ["http://four.test:8443", "carol", "tok-four"],
        ]);
        assert_eq!(read(text), (expected, 0));
    }

    #[test]
    fn a_macro_is_no_entry_and_a_default_fits_no_host() {
        let text = "machine one.test login alice password tok-one\nmacdef init\nmachine evil.test login x password y\n\nmachine two.test login bob password tok-two\ndefault login anonymous password me@there\n";
        let expected = rows(&[
            ["https://one.test", "alice", "tok-one"],
            ["https://two.test", "bob", "tok-two"],
        ]);
        assert_eq!(read(text), (expected, 0));
        assert_eq!(
            read("macdef init\nmachine evil.test login x password y\n"),
            (vec![], 0)
        );
    }

    /// As seen of libcurl 7.88.
    #[test]
    fn a_quote_ends_with_its_line_or_ends_the_file() {
        let one = rows(&[["https://one.test", "alice", "tok-one"]]);
        for (text, skipped) in [
            ("machine one.test login alice password tok-one\n\"open", 0),
            (
                "machine one.test login alice password tok-one\nmachine two.test login bob password \"open\nmachine three.test login \"carol\" password \"tok\"\nmachine four.test login dave password tok",
                1,
            ),
            (
                "machine\x0bone.test login alice password tok-one\x0bmachine two.test login \"bob\\\n\" password tok",
                1,
            ),
        ] {
            assert_eq!(read(text), (one.clone(), skipped), "{text}");
            let found = first_entry(text.as_bytes(), Some(b"four.test"), None);
            assert!(found.is_none(), "{text}");
        }
    }

    #[test]
    fn hostile_words_are_counted() {
        let huge = "x".repeat(1024 * 1024);
        for text in [
            "machine good.test@evil.test login a password b",
            "machine one.test login a",
            "machine one.test password b",
            "machine one.test login a password",
            "machine one.test login a password \"b\nhost=evil.test\"",
            "machine one.test login a password \"b\\nhost=evil.test\"",
            "machine one.test login a password \"b",
            "machine one.test port https login a password b",
            "machine one\x1b[2J.test login a password b",
            "\u{feff}machine one.test login a password b",
            "machine",
            &format!("machine one.test login a password {huge}"),
        ] {
            assert_eq!(read(text), (vec![], 1), "{}", &text[..text.len().min(80)]);
        }
        assert_eq!(read(""), (vec![], 0));
        assert_eq!(read("login a password b"), (vec![], 0));
        assert_eq!(read("default login a password b"), (vec![], 0));
    }

    /// It takes minutes where every macro is looked through to the end of the file.
    #[test]
    fn a_file_of_macros_is_read_in_one_pass() {
        let macros = "macdef a\n\n".repeat(400_000);
        let text = format!("{macros}machine one.test login alice password a");
        let found = first_entry(text.as_bytes(), Some(b"one.test"), None).unwrap();
        assert_eq!(found.line, 800_001);
        for text in [&text, "macdef a\r\nmachine b\r\n\r\nmachine c"] {
            let mut count = 0;
            each_entry(text.as_bytes(), |_| count += 1);
            assert_eq!(count, 1);
        }
    }

    /// As seen of git 2.39 and 2.47 with libcurl 7.88.
    #[test]
    fn the_first_is_the_one_that_libcurl_takes() {
        let two = "machine one.test login bob password b\nmachine One.Test login alice password a";
        let default = "\n\ndefault login d password d\nmachine one.test login alice password a";
        let odd =
            "# machine one.test login x password x\nmachine one.test\n login o\n odd\n password o";
        let bare_then_default = "machine one.test login bob\ndefault login d password d";
        let bare_then_named = "machine one.test password a\nmachine one.test login al password b";
        for (text, host, user, expected) in [
            (two, Some("one.test"), None, Some(("bob", 1))),
            (two, Some("one.test"), Some("alice"), Some(("alice", 2))),
            (two, Some("one.test"), Some("carol"), Some(("bob", 1))),
            (two, Some("two.test"), None, None),
            (two, None, None, None),
            (default, Some("one.test"), None, Some(("d", 3))),
            (default, None, None, Some(("d", 3))),
            (odd, Some("one.test"), None, Some(("o", 2))),
            ("machine one.test login a", Some("one.test"), None, None),
            (bare_then_default, Some("one.test"), None, Some(("d", 2))),
            (bare_then_named, Some("one.test"), None, Some(("al", 2))),
            (
                "default\nMACHINE one.test LOGIN bob PASSWORD b",
                Some("one.test"),
                None,
                Some(("bob", 2)),
            ),
            ("machine", Some("one.test"), None, None),
            (
                "machine one.test:8443 login a password b",
                Some("one.test"),
                None,
                None,
            ),
        ] {
            let found = first_entry(
                text.as_bytes(),
                host.map(str::as_bytes),
                user.map(str::as_bytes),
            );
            let found = found.map(|first| (first.login.unwrap().to_vec(), first.line));
            let expected = expected.map(|(login, line)| (login.as_bytes().to_vec(), line));
            assert_eq!(found, expected, "{text} {host:?} {user:?}");
        }
    }

    #[test]
    fn what_is_encrypted_is_named_and_nothing_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".netrc");
        std::fs::write(&path, "machine one.test login a password b").unwrap();
        std::fs::write(home.path().join(".netrc.gpg"), "x").unwrap();
        let netrc = Netrc { file: path };
        let reading = netrc.read();
        assert!(matches!(reading.troubles[..], [Error::Encrypted { .. }]));
        assert!(netrc.remove(&reading.found[0]).is_err());
    }
}
