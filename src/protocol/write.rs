//! From a credential to attribute lines.

use super::Error;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::credential::{Authorization, Credential};
use crate::secret::{Buffer, Secret};

/// Which of a credential's attributes are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    /// Secrets and what belongs to them: what git is told. Protocol, host and path are never told: git would take them
    /// for the ones it asked about.
    Answer,
    /// The key too: an entry of ours.
    Entry,
}

/// What git hands back with what comes of an answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerState<'a> {
    /// Our own words.
    pub state: &'a [u8],
    /// Whether git shall not ask again if the answer is refused.
    pub is_last: bool,
}

/// Answers `get`. `with_authtype`: git said that it understands authtype and credential; without that they would leave it
/// with neither a credential nor a prompt. `state`: git said that it understands state.
pub fn answer(
    credential: &Credential,
    with_authtype: bool,
    state: Option<AnswerState<'_>>,
    out: &mut Buffer,
) -> Result<(), Error> {
    if with_authtype && credential.authorization.is_some() {
        out.push(b"capability[]=authtype\n");
    }
    if state.is_some() {
        out.push(b"capability[]=state\n");
    }
    attributes(credential, Parts::Answer, with_authtype, out)?;
    if let Some(AnswerState { state, is_last }) = state {
        text("state[]", Some(state), out)?;
        if !is_last {
            out.push(b"continue=1\n");
        }
    }
    Ok(())
}

/// States that git hands back with whatever comes of its question, answered or not: git said that it understands state.
pub fn notes(states: &[Vec<u8>], out: &mut Buffer) {
    if !states.is_empty() {
        out.push(b"capability[]=state\n");
    }
    for state in states {
        for part in [b"state[]=", &state[..], b"\n"] {
            out.push(part);
        }
    }
}

/// Writes an entry, without the blank line that may follow.
pub fn entry(credential: &Credential, out: &mut Buffer) -> Result<(), Error> {
    attributes(credential, Parts::Entry, true, out)
}

/// Writes a question or a rejection.
pub fn query(query: &Query, out: &mut Buffer) -> Result<(), Error> {
    let Query {
        protocol,
        host,
        path,
        username,
        password,
        authtype,
        credential,
        expiry,
        refresh_token,
        is_exact: _,
        is_pathless: _,
    } = query;
    text("protocol", protocol.as_deref(), out)?;
    text("host", host.as_deref(), out)?;
    text("path", path.as_deref(), out)?;
    text("username", username.as_ref().map(Username::expose), out)?;
    secret("password", password.as_ref(), out)?;
    text("authtype", authtype.as_deref(), out)?;
    secret("credential", credential.as_ref(), out)?;
    validity(*expiry, refresh_token.as_ref(), out)
}

/// Writes a keychain item's text: the password, then attribute lines, as git's own keychain helpers do.
pub fn body(credential: &Credential, out: &mut Buffer) -> Result<(), Error> {
    let Credential {
        key: _,
        password,
        authorization,
        expiry,
        refresh_token,
    } = credential;
    if let Some(password) = password {
        out.push(checked("password", password.expose())?);
    }
    out.push(b"\n");
    if let Some(Authorization { scheme, parameters }) = authorization {
        text("authtype", Some(scheme), out)?;
        secret("credential", Some(parameters), out)?;
    }
    validity(*expiry, refresh_token.as_ref(), out)?;
    // A lone password has no line end: programs that know nothing of the lines take the text as it is.
    let end = out.as_slice().len() - 1;
    out.truncate(end);
    Ok(())
}

fn attributes(
    credential: &Credential,
    parts: Parts,
    with_authtype: bool,
    out: &mut Buffer,
) -> Result<(), Error> {
    let Credential {
        key,
        password,
        authorization,
        expiry,
        refresh_token,
    } = credential;
    if parts == Parts::Entry {
        text("protocol", Some(&key.protocol), out)?;
        text("host", Some(&key.host), out)?;
        text("path", key.path.as_deref(), out)?;
    }
    text("username", key.username.as_ref().map(Username::expose), out)?;
    secret("password", password.as_ref(), out)?;
    if let Some(Authorization { scheme, parameters }) = authorization
        && with_authtype
    {
        text("authtype", Some(scheme), out)?;
        secret("credential", Some(parameters), out)?;
    }
    validity(*expiry, refresh_token.as_ref(), out)
}

/// Until when it serves, and what gets the next one.
fn validity(
    expiry: Option<Expiry>,
    refresh_token: Option<&Secret>,
    out: &mut Buffer,
) -> Result<(), Error> {
    let end = expiry.map(|expiry| expiry.to_string());
    text(
        "password_expiry_utc",
        end.as_deref().map(str::as_bytes),
        out,
    )?;
    secret("oauth_refresh_token", refresh_token, out)
}

fn secret(key: &'static str, value: Option<&Secret>, out: &mut Buffer) -> Result<(), Error> {
    text(key, value.map(Secret::expose), out)
}

fn text(key: &'static str, value: Option<&[u8]>, out: &mut Buffer) -> Result<(), Error> {
    if let Some(value) = value {
        let value = checked(key, value)?;
        out.reserve(key.len() + value.len() + 2);
        for part in [key.as_bytes(), b"=", value, b"\n"] {
            out.push(part);
        }
    }
    Ok(())
}

/// A line end in a value would begin another attribute; NUL and CR are read differently by different readers. What is
/// kept may be older than the rule, or put there by hand.
fn checked<'a>(key: &'static str, value: &'a [u8]) -> Result<&'a [u8], Error> {
    if value.iter().any(|byte| b"\n\r\0".contains(byte)) {
        Err(Error::Unwritable { key })
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credential::expiry::Expiry;
    use crate::credential::key::Key;
    use crate::protocol::read::{self, AttributeLines};

    fn bearer() -> Credential {
        Credential {
            key: Key {
                protocol: b"https".to_vec(),
                host: b"example.test".to_vec(),
                path: Some(b"a.git".to_vec()),
                username: Some(b"alice".to_vec().into()),
            },
            password: Some(Secret::new(b"one")),
            authorization: Some(Authorization {
                scheme: b"Bearer".to_vec(),
                parameters: Secret::new(b"two"),
            }),
            expiry: Expiry::from_unix(5),
            refresh_token: Some(Secret::new(b"three")),
        }
    }

    fn written(write: impl Fn(&mut Buffer) -> Result<(), Error>) -> String {
        let mut out = Buffer::with_capacity(8);
        write(&mut out).unwrap();
        String::from_utf8(out.as_slice().to_vec()).unwrap()
    }

    #[test]
    fn an_answer_never_names_protocol_host_or_path() {
        assert_eq!(
            written(|out| answer(&bearer(), true, None, out)),
            "capability[]=authtype\nusername=alice\npassword=one\nauthtype=Bearer\ncredential=two\n\
             password_expiry_utc=5\noauth_refresh_token=three\n"
        );
    }

    #[test]
    fn authtype_is_answered_only_where_it_is_understood() {
        assert_eq!(
            written(|out| answer(&bearer(), false, None, out)),
            "username=alice\npassword=one\npassword_expiry_utc=5\noauth_refresh_token=three\n"
        );
    }

    #[test]
    fn bodies_are_those_of_gits_helpers() {
        assert_eq!(
            written(|out| body(&bearer(), out)),
            "one\nauthtype=Bearer\ncredential=two\npassword_expiry_utc=5\noauth_refresh_token=three"
        );
        let plain = Credential {
            authorization: None,
            expiry: None,
            refresh_token: None,
            ..bearer()
        };
        assert_eq!(written(|out| body(&plain, out)), "one");
    }

    #[test]
    fn what_would_become_another_attribute_is_not_written() {
        for bad in [&b"a\nhost=evil.test"[..], b"a\rb", b"a\0b"] {
            let credential = Credential {
                password: Some(Secret::new(bad)),
                ..bearer()
            };
            let mut out = Buffer::with_capacity(8);
            assert!(matches!(
                answer(&credential, true, None, &mut out),
                Err(Error::Unwritable { key: "password" })
            ));
            assert!(entry(&credential, &mut out).is_err() && body(&credential, &mut out).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            host in "[a-z0-9.-]{1,20}(:[0-9]{1,5})?",
            path in proptest::option::of("[^\\pC]{0,20}"),
            username in proptest::collection::vec(any::<u8>(), 0..20),
            password in proptest::collection::vec(any::<u8>(), 0..80),
            expiry in proptest::option::of(1..2_000_000_000_u64),
        ) {
            let credential = Credential {
                key: Key {
                    protocol: b"https".to_vec(),
                    host: host.into_bytes(),
                    path: path.map(String::into_bytes),
                    username: Some(username.clone().into()),
                },
                password: Some(Secret::new(&password)),
                authorization: None,
                expiry: expiry.and_then(Expiry::from_unix),
                refresh_token: None,
            };
            let mut out = Buffer::with_capacity(8);
            let clean = !username.iter().chain(&password).any(|byte| b"\n\r\0".contains(byte));
            prop_assert_eq!(entry(&credential, &mut out).is_ok(), clean);
            if clean {
                let back = Credential::complete(read::entry(AttributeLines::new(out.as_slice())).unwrap()).unwrap();
                prop_assert!(back.is_same(&credential));
            }
        }
    }
}
