//! Writes attribute lines: answers to git, entries of the plaintext file, keychain items.

use super::Error;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::credential::{Authorization, Credential};
use crate::secret::{Buffer, Secret};

/// The `state[]` of an answer, which git returns with `store` and `erase`.
#[derive(Debug, Clone, Copy)]
pub struct AnswerState<'a> {
    pub state: &'a [u8],
    /// Whether this is the last answer of the command: git does not ask again after a rejection.
    pub is_last: bool,
}

/// Writes the answer to `get`. Never writes protocol, host and path: git would use them in place of its own.
///
/// `with_authtype`: git has that capability. Without it, git would get neither a credential nor a prompt. `state`: only if git
/// has that capability.
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
    secrets(credential, with_authtype, out)?;
    if let Some(AnswerState { state, is_last }) = state {
        text("state[]", Some(state), out)?;
        if !is_last {
            out.push(b"continue=1\n");
        }
    }
    Ok(())
}

/// Writes states that git returns in this command even without an answer. Only if git has that capability.
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

/// Writes an entry, without the blank line after it.
pub fn entry(credential: &Credential, out: &mut Buffer) -> Result<(), Error> {
    text("protocol", Some(&credential.key.protocol), out)?;
    text("host", Some(&credential.key.host), out)?;
    text("path", credential.key.path.as_deref(), out)?;
    secrets(credential, true, out)
}

/// Writes a query or a rejection.
pub fn query(query: &Query, out: &mut Buffer) -> Result<(), Error> {
    text("protocol", query.protocol.as_deref(), out)?;
    text("host", query.host.as_deref(), out)?;
    text("path", query.path.as_deref(), out)?;
    let username = query.username.as_ref();
    text("username", username.map(Username::expose), out)?;
    secret("password", query.password.as_ref(), out)?;
    text("authtype", query.authtype.as_deref(), out)?;
    secret("credential", query.credential.as_ref(), out)?;
    validity(query.expiry, query.refresh_token.as_ref(), out)
}

/// Writes the text of a keychain item, as git's own keychain helpers do: the password, then attribute lines.
pub fn body(credential: &Credential, out: &mut Buffer) -> Result<(), Error> {
    if let Some(password) = &credential.password {
        out.push(checked("password", password.expose())?);
    }
    out.push(b"\n");
    authorization(credential.authorization.as_ref(), out)?;
    validity(credential.expiry, credential.refresh_token.as_ref(), out)?;
    // A lone password has no line end: other programs read the whole text as the password.
    let end = out.as_slice().len() - 1;
    out.truncate(end);
    Ok(())
}

/// Writes the username, the secrets, and what belongs to them.
fn secrets(credential: &Credential, with_authtype: bool, out: &mut Buffer) -> Result<(), Error> {
    let username = credential.key.username.as_ref();
    text("username", username.map(Username::expose), out)?;
    secret("password", credential.password.as_ref(), out)?;
    let known = credential.authorization.as_ref();
    authorization(known.filter(|_| with_authtype), out)?;
    validity(credential.expiry, credential.refresh_token.as_ref(), out)
}

fn authorization(known: Option<&Authorization>, out: &mut Buffer) -> Result<(), Error> {
    text("authtype", known.map(|known| &known.scheme[..]), out)?;
    secret("credential", known.map(|known| &known.parameters), out)
}

/// Writes the expiry, and the token that gets a new one.
fn validity(
    expiry: Option<Expiry>,
    refresh_token: Option<&Secret>,
    out: &mut Buffer,
) -> Result<(), Error> {
    let expiry = expiry.map(|expiry| expiry.to_string().into_bytes());
    text("password_expiry_utc", expiry.as_deref(), out)?;
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

/// Fails if a line end in `value` would begin another attribute, or if readers disagree about it (NUL, CR). A stored value may
/// be older than this rule, or another program's.
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
                prop_assert_eq!(back, credential);
            }
        }
    }
}
