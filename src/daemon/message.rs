//! The lines of a message between client and daemon, after its header.

use std::time::Duration;

use super::condition::Condition;
use super::header::{Word, compose};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::{Error, LIMIT, write};
use crate::secret::Buffer;
use crate::storage::memory::Lifetime;
use crate::storage::{Listed, Position};

/// The word of the command line that becomes the daemon. [`super::connect`] says it, and the systemd unit.
pub const COMMAND: &str = "serve-memory";
/// The option of [`COMMAND`] for a service manager: the socket's file stays when the daemon ends.
pub const KEEP_SOCKET: &str = "--keep-socket";
const USER_IS_TOKEN: &str = "user_is_token";
const SECRETS: &str = "secrets";

/// What follows [`Word::Get`] and [`Word::Erase`].
pub fn push_query(query: &Query, out: &mut Buffer) -> Result<(), Error> {
    push_number("exact", u64::from(query.is_exact), out);
    push_number("pathless", u64::from(query.is_pathless), out);
    out.push(b"\n");
    write::query(query, out)
}

/// Reads what [`push_query`] wrote.
pub fn read_query(bytes: &[u8]) -> Result<Query, Error> {
    let (numbers, rest) = Numbers::split(bytes)?;
    Ok(Query {
        is_exact: numbers.get("exact")? == 1,
        is_pathless: numbers.find("pathless") == Some(1),
        ..entry(rest)?
    })
}

/// By how many bytes the lines of a protocol, a host, a path and a user are longer than that of their URL.
const URL_IN_LINES: usize = 22;

/// Reads git's part, which may be as large as git's request.
fn entry(bytes: &[u8]) -> Result<Query, Error> {
    // git sends a URL as one line, which becomes four.
    if bytes.len() > LIMIT + URL_IN_LINES {
        return Err(Error::TooLarge);
    }
    read::entry(AttributeLines::new(bytes))
}

fn credential(bytes: &[u8]) -> Result<Credential, Error> {
    Credential::complete(entry(bytes)?).ok_or(Error::Missing { key: "password" })
}

/// How a credential is to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub lifetime: Lifetime,
    /// The entry that is expected under its key.
    pub condition: Condition,
    /// Its place among the other entries.
    pub position: Position,
}

/// What follows [`Word::Store`]. An older daemon ignores the condition and the position.
pub fn push_store(credential: &Credential, terms: Terms, out: &mut Buffer) -> Result<(), Error> {
    let Terms {
        lifetime: Lifetime { timeout, max_age },
        condition,
        position,
    } = terms;
    push_number("timeout", timeout.as_secs(), out);
    push_number("max_age", max_age.as_secs(), out);
    match condition {
        Condition::None => {}
        Condition::Free => push_number("free", 1, out),
        Condition::Same { nonce, code } => {
            push_number("nonce", nonce, out);
            push_number("code", code, out);
        }
    }
    if position == Position::Behind {
        push_number("behind", 1, out);
    }
    out.push(b"\n");
    write::entry(credential, out)
}

/// Reads what [`push_store`] wrote.
pub fn read_store(bytes: &[u8]) -> Result<(Credential, Terms), Error> {
    let (numbers, rest) = Numbers::split(bytes)?;
    let lifetime = Lifetime {
        timeout: Duration::from_secs(numbers.get("timeout")?),
        max_age: Duration::from_secs(numbers.get("max_age")?),
    };
    let same = numbers.find("nonce").zip(numbers.find("code"));
    let condition = match (numbers.find("free"), same) {
        (Some(_), _) => Condition::Free,
        (None, Some((nonce, code))) => Condition::Same { nonce, code },
        (None, None) => Condition::None,
    };
    let position = match numbers.find("behind") {
        Some(_) => Position::Behind,
        None => Position::Newest,
    };
    let terms = Terms {
        lifetime,
        condition,
        position,
    };
    Ok((credential(rest)?, terms))
}

/// What follows [`Word::SetExpiry`]: the new expiry, 0 for none, and the credential as it was.
pub fn push_expiry(
    kept: &Credential,
    expiry: Option<Expiry>,
    out: &mut Buffer,
) -> Result<(), Error> {
    push_number("end", expiry.map_or(0, Expiry::unix), out);
    out.push(b"\n");
    write::entry(kept, out)
}

/// Reads what [`push_expiry`] wrote.
pub fn read_expiry(bytes: &[u8]) -> Result<(Credential, Option<Expiry>), Error> {
    let (numbers, rest) = Numbers::split(bytes)?;
    let expiry = Expiry::from_unix(numbers.get("end")?);
    Ok((credential(rest)?, expiry))
}

/// What follows the answer to [`Word::Get`].
pub fn push_found(found: &Credential, out: &mut Buffer) -> Result<(), Error> {
    write::entry(found, out)?;
    if !found.is_complete() {
        push_user_is_token(&found.key, out);
    }
    Ok(())
}

/// Reads what [`push_found`] wrote; `None` if no entry was found.
pub fn read_found(bytes: &[u8]) -> Result<Option<Credential>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let query = read::entry(AttributeLines::new(bytes))?;
    let mut found = Credential::partial(query);
    if let Some(found) = &mut found
        && !found.is_complete()
    {
        let (numbers, _) = Numbers::split(bytes)?;
        numbers.judge_user(&mut found.key);
    }
    Ok(found)
}

/// Notes that the username is a token: the password that tells it is not in the message. An older program does not know the line.
fn push_user_is_token(key: &Key, out: &mut Buffer) {
    if key.username.as_ref().is_some_and(Username::is_alone) {
        push_number(USER_IS_TOKEN, 1, out);
    }
}

/// What follows [`Word::List`] to ask for the secrets too. An older daemon ignores the line.
pub fn push_with_secrets(out: &mut Buffer) {
    push_number(SECRETS, 1, out);
}

/// Whether [`push_with_secrets`] wrote `bytes`.
pub fn wants_secrets(bytes: &[u8]) -> bool {
    Numbers::split(bytes).is_ok_and(|(numbers, _)| numbers.find(SECRETS) == Some(1))
}

/// What follows the answer to [`Word::List`], entry by entry.
pub fn push_listed(listed: &Listed, out: &mut Buffer) -> Result<(), Error> {
    let described = Query {
        expiry: listed.expiry,
        authtype: listed.scheme.clone(),
        ..Query::of(&listed.key)
    };
    write::query(&described, out)?;
    push_rest(listed, out);
    Ok(())
}

/// The same with the secrets of the entry.
pub fn push_whole(listed: &Listed, kept: &Credential, out: &mut Buffer) -> Result<(), Error> {
    write::entry(kept, out)?;
    push_number(SECRETS, 1, out);
    push_rest(listed, out);
    Ok(())
}

fn push_rest(listed: &Listed, out: &mut Buffer) {
    push_number("renewable", u64::from(listed.is_renewable), out);
    push_user_is_token(&listed.key, out);
    if let Some(forgotten) = listed.forgotten {
        push_number("forgotten", forgotten, out);
    }
    out.push(b"\n");
}

/// Reads what [`push_listed`] wrote.
pub fn read_listed(bytes: &[u8]) -> Result<Vec<Listed>, Error> {
    let all = read_all(bytes)?.into_iter();
    Ok(all.map(|(listed, _)| listed).collect())
}

/// Reads what [`push_whole`] or [`push_listed`] wrote; the latter gives no credential.
pub fn read_all(mut bytes: &[u8]) -> Result<Vec<(Listed, Option<Credential>)>, Error> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let mut query = read::entry(AttributeLines::new(bytes))?;
        let (numbers, rest) = Numbers::split(bytes)?;
        bytes = rest;
        let mut key = query.key().ok_or(Error::Missing { key: "host" })?;
        numbers.judge_user(&mut key);
        query.username.clone_from(&key.username);
        all.push((
            Listed {
                key,
                expiry: query.expiry,
                scheme: query.authtype.clone(),
                is_renewable: numbers.find("renewable") == Some(1),
                forgotten: numbers.find("forgotten"),
                written: None,
            },
            match numbers.find(SECRETS) {
                Some(1) => Credential::partial(query),
                _ => None,
            },
        ));
    }
    Ok(all)
}

/// What `cache status` shows of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub process: u64,
    /// The number of entries.
    pub entries: u64,
    /// The seconds since it started.
    pub age: u64,
    /// Bytes of memory for secrets.
    pub mapped: u64,
    /// Of these, bytes that the system keeps out of swap.
    pub locked: u64,
}

/// What follows the answer to [`Word::Status`].
pub fn push_status(status: &Status, out: &mut Buffer) {
    let parts = [
        ("process", status.process),
        ("entries", status.entries),
        ("age", status.age),
        ("mapped", status.mapped),
        ("locked", status.locked),
    ];
    for (key, value) in parts {
        push_number(key, value, out);
    }
}

/// Reads what [`push_status`] wrote.
pub fn read_status(bytes: &[u8]) -> Result<Status, Error> {
    let (numbers, _) = Numbers::split(bytes)?;
    Ok(Status {
        process: numbers.get("process")?,
        entries: numbers.get("entries")?,
        age: numbers.get("age")?,
        mapped: numbers.get("mapped")?,
        locked: numbers.get("locked")?,
    })
}

/// Composes an answer that is a count.
pub fn compose_count(count: usize) -> Result<Buffer, Error> {
    compose(Word::Done, |out| {
        push_number("count", count as u64, out);
        Ok(())
    })
}

/// Reads the lines that [`compose_count`] wrote.
pub fn read_count(bytes: &[u8]) -> Result<usize, Error> {
    let (numbers, _) = Numbers::split(bytes)?;
    usize::try_from(numbers.get("count")?).map_err(|_| Error::TooLarge)
}

fn push_number(key: &str, value: u64, out: &mut Buffer) {
    for part in [key.as_bytes(), b"=", value.to_string().as_bytes(), b"\n"] {
        out.push(part);
    }
}

/// The numbers of a paragraph, by their keys.
struct Numbers<'a>(Vec<(&'a [u8], u64)>);

impl<'a> Numbers<'a> {
    /// Reads a paragraph, whose other values count for nothing. Returns what follows it too.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        let mut lines = AttributeLines::new(bytes);
        let mut all = Vec::new();
        for line in &mut lines {
            let line = line?;
            let value = std::str::from_utf8(line.value).unwrap_or_default();
            all.extend(value.parse().map(|value| (line.key, value)));
        }
        Ok((Self(all), lines.rest()))
    }

    fn find(&self, key: &str) -> Option<u64> {
        let mut all = self.0.iter();
        all.find(|(name, _)| *name == key.as_bytes())
            .map(|(_, value)| *value)
    }

    /// Applies what [`push_user_is_token`] wrote.
    fn judge_user(&self, key: &mut Key) {
        let is_alone = self.find(USER_IS_TOKEN) == Some(1);
        key.username = key.username.take().map(|name| name.alone(is_alone));
    }

    fn get(&self, key: &'static str) -> Result<u64, Error> {
        self.find(key).ok_or(Error::Missing { key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::header::{HEADER, Header};
    use crate::secret::Secret;

    fn credential() -> Credential {
        Credential {
            key: Key {
                protocol: b"https".to_vec(),
                host: b"example.test".to_vec(),
                path: None,
                username: Some(b"alice".to_vec().into()),
            },
            password: Some(Secret::new(b"one")),
            authorization: None,
            expiry: Expiry::from_unix(77),
            refresh_token: None,
        }
    }

    fn header(bytes: &[u8]) -> Option<Header> {
        Header::parse(bytes[..HEADER].try_into().unwrap(), 4096)
    }

    #[test]
    fn a_store_is_read_back() {
        let lifetime = Lifetime {
            timeout: Duration::from_secs(60),
            max_age: Duration::MAX,
        };
        let same = Condition::still(Some(&credential())).unwrap();
        let terms = Terms {
            lifetime,
            condition: same,
            position: Position::Behind,
        };
        let push = |out: &mut Buffer| push_store(&credential(), terms, out);
        let message = compose(Word::Store, push).unwrap();
        let bytes = message.as_slice();
        assert_eq!(
            header(bytes),
            Some(Header {
                word: Some(Word::Store),
                length: bytes.len() - HEADER
            })
        );
        let (read, kept) = read_store(&bytes[HEADER..]).unwrap();
        assert!(kept.condition == same && same.is_met(Some(&read)));
        assert_eq!(read, credential());
        assert_eq!(
            (kept.lifetime.timeout, kept.lifetime.max_age.as_secs()),
            (lifetime.timeout, u64::MAX)
        );
        assert_eq!(kept.position, Position::Behind);
    }

    #[test]
    fn a_question_is_read_back() {
        let exact = Query::exact(&credential().key);
        let wide = Query {
            is_exact: false,
            username: None,
            ..Query::of(&credential().key)
        };
        for asked in [exact, wide] {
            let mut out = Buffer::with_capacity(64);
            push_query(&asked, &mut out).unwrap();
            let read = read_query(out.as_slice()).unwrap();
            assert_eq!(
                (read.is_exact, read.username, read.host),
                (asked.is_exact, asked.username, asked.host)
            );
        }
        assert!(read_query(b"").is_err() && read_query(b"exact=1\n\n").is_err());
    }

    #[test]
    fn a_name_that_is_a_token_stays_hidden_without_its_password() {
        for (password, is_hidden) in [("x-oauth-basic", true), ("made-up", false)] {
            let mut found = credential();
            let password = Secret::new(password.as_bytes());
            found.key.username = Some(Username::from("MARKER").with_password(&password));
            found.password = None;
            let mut text = Buffer::with_capacity(64);
            push_found(&found, &mut text).unwrap();
            let read = read_found(text.as_slice()).unwrap().unwrap();
            assert_eq!(read.key.hides_user(), is_hidden);
        }
        assert!(read_found(b"").unwrap().is_none());
    }

    #[test]
    fn a_list_is_read_back_without_secrets() {
        let listed = Listed {
            forgotten: Some(99),
            is_renewable: true,
            ..Listed::of(&credential())
        };
        let other = Listed {
            key: Key {
                username: None,
                ..credential().key
            },
            expiry: None,
            ..listed.clone()
        };
        let message = compose(Word::Done, |out| {
            push_listed(&listed, out)?;
            push_listed(&other, out)
        });
        let message = message.unwrap();
        assert!(!message.as_slice().windows(3).any(|window| window == b"one"));
        assert_eq!(
            read_listed(&message.as_slice()[HEADER..]).unwrap(),
            [listed, other]
        );
    }

    #[test]
    fn a_list_with_secrets_is_read_back_and_an_older_daemon_gives_none() {
        let mut wiped = credential();
        wiped.key.username = Some(Username::from("MARKER").alone(true));
        wiped.password = None;
        let all = [credential(), wiped].map(|kept| {
            let listed = Listed {
                forgotten: Some(99),
                ..Listed::of(&kept)
            };
            (listed, kept)
        });
        let (mut whole, mut older) = (Buffer::with_capacity(64), Buffer::with_capacity(64));
        for (listed, kept) in &all {
            push_whole(listed, kept, &mut whole).unwrap();
            push_listed(listed, &mut older).unwrap();
        }
        let older = read_all(older.as_slice()).unwrap();
        let read = read_all(whole.as_slice()).unwrap();
        assert_eq!((read.len(), older.len()), (2, 2));
        for ((listed, kept), (read, older)) in all.into_iter().zip(read.into_iter().zip(older)) {
            assert_eq!((&read.0, read.1), (&listed, Some(kept)));
            assert_eq!(older, (listed, None));
        }
        let mut wish = Buffer::with_capacity(64);
        push_with_secrets(&mut wish);
        assert!(wants_secrets(wish.as_slice()) && !wants_secrets(b""));
    }

    #[test]
    fn counts_and_status_are_read_back() {
        let mut out = Buffer::with_capacity(64);
        let count = compose_count(7).unwrap();
        assert_eq!(read_count(&count.as_slice()[HEADER..]).unwrap(), 7);
        let status = Status {
            process: 1,
            entries: 2,
            age: 3,
            mapped: 4,
            locked: 5,
        };
        out.truncate(0);
        push_status(&status, &mut out);
        assert_eq!(read_status(out.as_slice()).unwrap(), status);
        assert!(read_status(b"process=1\n").is_err());
    }
}
