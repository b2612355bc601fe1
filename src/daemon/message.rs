//! The lines of a message between client and daemon, after its header.

use std::time::Duration;

use super::condition::Condition;
use super::header::{Word, compose};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::{Error, LIMIT, write};
use crate::secret::Buffer;
use crate::storage::memory::Lifetime;
use crate::storage::{Listed, Position};

/// The word of the command line that becomes the daemon. Only [`super::connect`] says it.
pub const COMMAND: &str = "serve-memory";
/// What follows [`Word::Get`] and [`Word::Erase`].
pub fn push_description(query: &Query, out: &mut Buffer) -> Result<(), Error> {
    push_number("exact", u64::from(query.is_exact), out);
    push_number("pathless", u64::from(query.is_pathless), out);
    out.push(b"\n");
    write::query(query, out)
}

/// Reads what [`push_description`] wrote.
pub fn read_description(bytes: &[u8]) -> Result<Query, Error> {
    let mut lines = AttributeLines::new(bytes);
    let numbers = numbers(&mut lines)?;
    let is_exact = number(&numbers, "exact").ok_or(Error::Missing { key: "exact" })? == 1;
    let is_pathless = number(&numbers, "pathless") == Some(1);
    Ok(Query {
        is_exact,
        is_pathless,
        ..entry(lines.rest())?
    })
}

/// By how many bytes the lines of a protocol, a host, a path and a user are longer than that of their URL.
const URL_IN_LINES: usize = 22;

/// Git's own part, which may be as large as git's request.
fn entry(bytes: &[u8]) -> Result<Query, Error> {
    // A URL is one line when it comes, and goes on as four.
    if bytes.len() > LIMIT + URL_IN_LINES {
        return Err(Error::TooLarge);
    }
    read::entry(AttributeLines::new(bytes))
}

/// How a credential is to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long it is kept.
    pub lifetime: Lifetime,
    /// What must be stored under its key for it to be stored.
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
    let mut lines = AttributeLines::new(bytes);
    let numbers = numbers(&mut lines)?;
    let seconds = |key| number(&numbers, key).map(Duration::from_secs);
    let lifetime = Lifetime {
        timeout: seconds("timeout").ok_or(Error::Missing { key: "timeout" })?,
        max_age: seconds("max_age").ok_or(Error::Missing { key: "max_age" })?,
    };
    let same = number(&numbers, "nonce").zip(number(&numbers, "code"));
    let condition = match (number(&numbers, "free"), same) {
        (Some(_), _) => Condition::Free,
        (None, Some((nonce, code))) => Condition::Same { nonce, code },
        (None, None) => Condition::None,
    };
    let position = match number(&numbers, "behind") {
        Some(_) => Position::Behind,
        None => Position::Newest,
    };
    let query = entry(lines.rest())?;
    let credential = Credential::complete(query).ok_or(Error::Missing { key: "password" })?;
    let terms = Terms {
        lifetime,
        condition,
        position,
    };
    Ok((credential, terms))
}

/// What follows [`Word::Redate`]: the new end, 0 for none, and the credential as it was.
pub fn push_redate(kept: &Credential, end: Option<Expiry>, out: &mut Buffer) -> Result<(), Error> {
    push_number("end", end.map_or(0, Expiry::unix), out);
    out.push(b"\n");
    write::entry(kept, out)
}

/// Reads what [`push_redate`] wrote.
pub fn read_redate(bytes: &[u8]) -> Result<(Credential, Option<Expiry>), Error> {
    let mut lines = AttributeLines::new(bytes);
    let numbers = numbers(&mut lines)?;
    let end = number(&numbers, "end").ok_or(Error::Missing { key: "end" })?;
    let query = entry(lines.rest())?;
    let kept = Credential::complete(query).ok_or(Error::Missing { key: "password" })?;
    Ok((kept, Expiry::from_unix(end)))
}

/// What follows the answer to [`Word::List`], entry by entry.
pub fn push_listed(listed: &Listed, out: &mut Buffer) -> Result<(), Error> {
    let Listed {
        key,
        expiry,
        scheme,
        is_renewable,
        forgotten,
        written: _,
    } = listed;
    let described = Query {
        expiry: *expiry,
        authtype: scheme.clone(),
        ..Query::of(key)
    };
    write::query(&described, out)?;
    push_number("renewable", u64::from(*is_renewable), out);
    // The password that tells it is not in the list. An older program does not know the line.
    if key.username.as_ref().is_some_and(Username::is_alone) {
        push_number("user_is_token", 1, out);
    }
    if let Some(forgotten) = forgotten {
        push_number("forgotten", *forgotten, out);
    }
    out.push(b"\n");
    Ok(())
}

/// Reads what [`push_listed`] wrote.
pub fn read_listed(mut bytes: &[u8]) -> Result<Vec<Listed>, Error> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let Query {
            authtype, expiry, ..
        } = read::entry(AttributeLines::new(bytes))?;
        let key = read::entry(AttributeLines::new(bytes))?.key();
        let mut key = key.ok_or(Error::Missing { key: "host" })?;
        let mut lines = AttributeLines::new(bytes);
        let numbers = numbers(&mut lines)?;
        bytes = lines.rest();
        let is_alone = number(&numbers, "user_is_token") == Some(1);
        key.username = key.username.map(|name| name.alone(is_alone));
        all.push(Listed {
            key,
            expiry,
            scheme: authtype,
            is_renewable: number(&numbers, "renewable") == Some(1),
            forgotten: number(&numbers, "forgotten"),
            written: None,
        });
    }
    Ok(all)
}

/// How the daemon is: what `cache status` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Its process.
    pub process: u64,
    /// How many credentials it keeps.
    pub entries: u64,
    /// How long it has run, in seconds.
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
    let numbers = numbers(&mut AttributeLines::new(bytes))?;
    let value = |key| number(&numbers, key).ok_or(Error::Missing { key });
    Ok(Status {
        process: value("process")?,
        entries: value("entries")?,
        age: value("age")?,
        mapped: value("mapped")?,
        locked: value("locked")?,
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
    let numbers = numbers(&mut AttributeLines::new(bytes))?;
    let count = number(&numbers, "count").and_then(|count| usize::try_from(count).ok());
    count.ok_or(Error::Missing { key: "count" })
}

fn push_number(key: &str, value: u64, out: &mut Buffer) {
    out.push(key.as_bytes());
    out.push(format!("={value}\n").as_bytes());
}

/// Every line of the paragraph whose value is a number.
fn numbers<'a>(lines: &mut AttributeLines<'a>) -> Result<Vec<(&'a [u8], u64)>, Error> {
    let mut all = Vec::new();
    for line in lines {
        let line = line?;
        let value = std::str::from_utf8(line.value).ok();
        let value = value.and_then(|value| value.parse().ok());
        all.extend(value.map(|value| (line.key, value)));
    }
    Ok(all)
}

fn number(numbers: &[(&[u8], u64)], key: &str) -> Option<u64> {
    numbers
        .iter()
        .find(|(name, _)| *name == key.as_bytes())
        .map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::key::Key;
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
            push_description(&asked, &mut out).unwrap();
            let read = read_description(out.as_slice()).unwrap();
            assert_eq!(
                (read.is_exact, read.username, read.host),
                (asked.is_exact, asked.username, asked.host)
            );
        }
        assert!(read_description(b"").is_err() && read_description(b"exact=1\n\n").is_err());
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
