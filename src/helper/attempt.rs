//! `state[]`: what git hands back to us within one command, and the second chance that comes of it.
//!
//! An answer with `continue=1` and `state[]` is not final. If the server rejects it, git (since 2.46, over HTTP) asks again and
//! returns the state (git-credential(1), `state[]`; `http.c`). The second answer must not carry `continue`: git does not ask a
//! third time in one command, and would end without calling `erase`. The second answer still carries the state, so that
//! git's `erase` tells for which user the command was.
//!
//! | state | meaning |
//! |---|---|
//! | `git-credential-pat:1:` + letter + nonce + code | the secret that was answered; `a`: for any user, `u`: for one; upper case: the last answer |
//! | `git-credential-pat:forge:` + name | the forge that the server's `wwwauth[]` names, which git tells `get` alone (git 2.41) |

use subtle::ConstantTimeEq;

use super::issuer::by_realms;
use crate::credential::Credential;
use crate::credential::code::{code, hex, unhex};
use crate::credential::query::Query;
use crate::credential::word::from_word;
use crate::forge::ForgeKind;

/// Every helper's state begins with its name.
const ANSWER: &[u8] = b"git-credential-pat:1:";
const FORGE: &[u8] = b"git-credential-pat:forge:";

/// The secret that was answered: a code over it under a nonce of this answer's own. It tells nothing without the secret, and
/// nothing after this command.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    nonce: [u8; 16],
    code: [u8; 16],
    is_for_any_user: bool,
    is_last: bool,
}

impl Attempt {
    /// The state of the first answer in a command, to the query `wanted`. `None` if the system gives no random bytes: then there
    /// is no second chance.
    pub(crate) fn first(credential: &Credential, wanted: &Query) -> Option<Self> {
        Some(Self {
            is_for_any_user: wanted.username.is_none(),
            ..Self::of(credential)?
        })
    }

    /// The state of the answer after this one was rejected.
    pub(crate) fn second(&self, credential: &Credential) -> Option<Self> {
        Some(Self {
            is_for_any_user: self.is_for_any_user,
            is_last: true,
            ..Self::of(credential)?
        })
    }

    fn of(credential: &Credential) -> Option<Self> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).ok()?;
        Some(Self {
            nonce,
            code: code(&nonce, credential)?,
            is_for_any_user: false,
            is_last: false,
        })
    }

    /// Finds our state among those of all helpers.
    pub(crate) fn among(states: &[Vec<u8>]) -> Option<Self> {
        states.iter().find_map(|state| Self::parse(state))
    }

    fn parse(state: &[u8]) -> Option<Self> {
        let rest = state.strip_prefix(ANSWER)?;
        let (letter, digits) = rest.split_first()?;
        let is_for_any_user = match letter.to_ascii_lowercase() {
            b'a' => true,
            b'u' => false,
            _ => return None,
        };
        let (nonce, code) = digits.split_at_checked(32)?;
        Some(Self {
            nonce: unhex(nonce)?,
            code: unhex(code)?,
            is_for_any_user,
            is_last: letter.is_ascii_uppercase(),
        })
    }

    /// The value of `state[]`.
    pub(crate) fn to_state(&self) -> Vec<u8> {
        let mut letter = if self.is_for_any_user { b'a' } else { b'u' };
        if self.is_last {
            letter.make_ascii_uppercase();
        }
        let (nonce, code) = (hex(&self.nonce), hex(&self.code));
        [ANSWER, &[letter], nonce.as_bytes(), code.as_bytes()].concat()
    }

    /// Whether `credential` has the secret that was answered.
    pub(crate) fn is_about(&self, credential: &Credential) -> bool {
        code(&self.nonce, credential).is_some_and(|code| code.ct_eq(&self.code).into())
    }

    /// Whether git asked for any user at first. It asks again with the name that it was answered.
    pub(crate) fn is_for_any_user(&self) -> bool {
        self.is_for_any_user
    }

    /// Whether git was not to ask again: such a state is not the sign of a rejection.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }
}

/// The state that tells `store` which forge the server names.
pub(crate) fn forge_state(realms: &[Vec<u8>]) -> Option<Vec<u8>> {
    let kind = by_realms(realms)?;
    Some([FORGE, kind.word().as_bytes()].concat())
}

/// The forge that one of the states tells.
pub(crate) fn forge(states: &[Vec<u8>]) -> Option<ForgeKind> {
    let mut told = states.iter().filter_map(|state| state.strip_prefix(FORGE));
    told.find_map(|word| from_word(str::from_utf8(word).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::key::Key;
    use crate::secret::Secret;

    fn credential(username: &str, password: &str) -> Credential {
        Credential {
            key: Key {
                protocol: b"https".to_vec(),
                host: b"example.test".to_vec(),
                path: None,
                username: Some(username.into()),
            },
            password: Some(Secret::new(password.as_bytes())),
            authorization: None,
            expiry: None,
            refresh_token: None,
        }
    }

    #[test]
    fn names_one_secret_and_shows_nothing() {
        let any_user = Query::default();
        let attempt = Attempt::first(&credential("alice", "made-up"), &any_user).unwrap();
        let state = attempt.to_state();
        assert!(!state.windows(7).any(|window| window == b"made-up"));
        let back = Attempt::parse(&state).unwrap();
        assert!(back == attempt && back.is_for_any_user());
        assert!(back.is_about(&credential("alice", "made-up")));
        assert!(
            back.is_about(&credential("bob", "made-up")),
            "the secret counts"
        );
        assert!(!back.is_about(&credential("alice", "made-up2")));
        assert!(
            Attempt::first(&credential("alice", "made-up"), &any_user).unwrap() != attempt,
            "a nonce of its own"
        );
        let last = attempt.second(&credential("bob", "other")).unwrap();
        let back = Attempt::parse(&last.to_state()).unwrap();
        assert!(back == last && back.is_last() && back.is_for_any_user() && !attempt.is_last());
        assert!(back.is_about(&credential("bob", "other")));
    }

    #[test]
    fn what_is_not_ours_is_no_state() {
        let alice = credential("alice", "made-up");
        let good = Attempt::first(&alice, &Query::of(&alice.key)).unwrap();
        let good = good.to_state();
        assert!(Attempt::parse(&good).is_some_and(|attempt| !attempt.is_for_any_user()));
        let mut wrong: Vec<Vec<u8>> = (0..good.len())
            .map(|length| good[..length].to_vec())
            .collect();
        wrong.push([&good[..], b"0"].concat());
        wrong.push(b"other:1:a00".to_vec());
        wrong.push(
            good.iter()
                .map(|byte| if *byte == b'u' { b'x' } else { *byte })
                .collect(),
        );
        for state in wrong {
            assert!(Attempt::parse(&state).is_none(), "{}", state.escape_ascii());
        }
    }

    #[test]
    fn a_forge_is_handed_back_as_it_was_named() {
        let realms = [b"x".to_vec(), b"Forgejo".to_vec()];
        let mut states = vec![b"other:1".to_vec()];
        states.extend(forge_state(&realms));
        assert_eq!(forge(&states), Some(ForgeKind::Gitea));
        assert!(forge_state(&[]).is_none());
        for wrong in [
            &b"git-credential-pat:forge:"[..],
            b"git-credential-pat:forge:GitLab ",
            b"git-credential-pat:1:gitlab",
            b"other:forge:gitlab",
            b"git-credential-pat:forge:\xff",
        ] {
            assert_eq!(forge(&[wrong.to_vec()]), None, "{}", wrong.escape_ascii());
        }
    }
}
