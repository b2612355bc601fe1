//! Second chances: what git hands back to us when our answer was refused within the same command.
//!
//! An answer that carries `continue=1` and `state[]` is not the last word: if the server refuses it, git (since 2.46, over
//! HTTP) asks again and returns the state (git-credential(1), `state[]`; `http.c`). The second answer must not carry
//! `continue`: git asks no third time in one command, and then gives up without telling anybody to erase. It carries the
//! state all the same, so that git's `erase` tells whom the command was for.

use subtle::ConstantTimeEq;

use crate::credential::Credential;
use crate::credential::code::code;

/// Every helper's state begins with its name; what does not is another's.
const PREFIX: &[u8] = b"git-credential-pat:1:";

/// Which secret was answered, so that exactly this one can be told from all others later. A code over the secret under
/// random bytes of this answer's own: it says nothing to who does not know the secret, and nothing after this command.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Round {
    nonce: [u8; 16],
    code: [u8; 16],
    /// Whether git asked for anybody. It asks again with the name that it was answered.
    is_for_anyone: bool,
    /// Whether git was not to ask again: that it has this state says nothing of a refusal.
    is_last: bool,
}

impl Round {
    /// The state of answering `credential`. `None` if the system gives no random bytes: then there is no second chance.
    pub(crate) fn of(credential: &Credential, is_for_anyone: bool) -> Option<Self> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).ok()?;
        let code = code(&nonce, credential)?;
        Some(Self {
            nonce,
            code,
            is_for_anyone,
            is_last: false,
        })
    }

    /// The state of answering `credential` after this one was refused.
    pub(crate) fn last_of(&self, credential: &Credential) -> Option<Self> {
        Some(Self {
            is_last: true,
            ..Self::of(credential, self.is_for_anyone)?
        })
    }

    /// The one of ours among several helpers' states.
    pub(crate) fn among(states: &[Vec<u8>]) -> Option<Self> {
        states.iter().find_map(|state| Self::parse(state))
    }

    /// Reads one value of `state[]`; `None` if it is none of ours.
    pub(crate) fn parse(state: &[u8]) -> Option<Self> {
        let rest = state.strip_prefix(PREFIX)?;
        let (letter, digits) = rest.split_first()?;
        let is_for_anyone = match letter.to_ascii_lowercase() {
            b'a' => true,
            b'u' => false,
            _ => return None,
        };
        let (nonce, code) = digits.split_at_checked(32)?;
        Some(Self {
            nonce: unhex(nonce)?,
            code: unhex(code)?,
            is_for_anyone,
            is_last: letter.is_ascii_uppercase(),
        })
    }

    /// As [`Round::parse`] reads it.
    pub(crate) fn to_state(&self) -> Vec<u8> {
        let letter = match (self.is_for_anyone, self.is_last) {
            (true, false) => 'a',
            (false, false) => 'u',
            (true, true) => 'A',
            (false, true) => 'U',
        };
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        [
            PREFIX,
            format!("{letter}{}{}", hex(&self.nonce), hex(&self.code)).as_bytes(),
        ]
        .concat()
    }

    /// Whether `credential` has the secret that was answered.
    pub(crate) fn is_about(&self, credential: &Credential) -> bool {
        code(&self.nonce, credential).is_some_and(|code| code.ct_eq(&self.code).into())
    }

    /// Whether git asked for anybody at first.
    pub(crate) fn is_for_anyone(&self) -> bool {
        self.is_for_anyone
    }

    /// Whether git was not to ask again.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }
}

fn unhex(digits: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
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
        let round = Round::of(&credential("alice", "made-up"), true).unwrap();
        let state = round.to_state();
        assert!(!state.windows(7).any(|window| window == b"made-up"));
        let back = Round::parse(&state).unwrap();
        assert!(back == round && back.is_for_anyone());
        assert!(back.is_about(&credential("alice", "made-up")));
        assert!(
            back.is_about(&credential("bob", "made-up")),
            "the secret counts"
        );
        assert!(!back.is_about(&credential("alice", "made-up2")));
        assert!(
            Round::of(&credential("alice", "made-up"), true).unwrap() != round,
            "a nonce of its own"
        );
        let last = round.last_of(&credential("bob", "other")).unwrap();
        let back = Round::parse(&last.to_state()).unwrap();
        assert!(back == last && back.is_last() && back.is_for_anyone() && !round.is_last());
        assert!(back.is_about(&credential("bob", "other")));
    }

    #[test]
    fn what_is_not_ours_is_no_round() {
        let good = Round::of(&credential("alice", "made-up"), false)
            .unwrap()
            .to_state();
        assert!(Round::parse(&good).is_some_and(|round| !round.is_for_anyone()));
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
            assert!(Round::parse(&state).is_none(), "{}", state.escape_ascii());
        }
    }
}
