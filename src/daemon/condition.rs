//! Compare-and-swap by code: the daemon compares and writes in one step. The request names the expected secret by a code.

use crate::credential::Credential;
use crate::credential::code::code;

/// The entry that is expected under the key: see [`crate::storage::Storage::replace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Store in any case.
    None,
    /// No secret.
    Free,
    /// The secret with this code: the request has no room for two.
    Same {
        nonce: u64,
        /// The first bytes of the code.
        code: u64,
    },
}

impl Condition {
    /// Expects the secret of `known`, or no entry. `None`: the system gives no random bytes.
    pub fn still(known: Option<&Credential>) -> Option<Self> {
        let Some(known) = known.filter(|known| known.is_complete()) else {
            return Some(Self::Free);
        };
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).ok()?;
        Some(Self::Same {
            nonce: u64::from_le_bytes(nonce),
            code: short_code(nonce, known)?,
        })
    }

    /// Whether `kept` is the expected entry.
    pub fn is_met(self, kept: Option<&Credential>) -> bool {
        let kept = kept.filter(|kept| kept.is_complete());
        match (self, kept) {
            (Self::None, _) | (_, None) => true,
            (Self::Free, Some(_)) => false,
            (Self::Same { nonce, code }, Some(kept)) => {
                short_code(nonce.to_le_bytes(), kept) == Some(code)
            }
        }
    }
}

fn short_code(nonce: [u8; 8], credential: &Credential) -> Option<u64> {
    let code = code(&nonce, credential)?;
    Some(u64::from_le_bytes(code[..8].try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::query::Query;
    use crate::secret::Secret;

    fn credential(password: &str) -> Credential {
        let described = Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"example.test".to_vec()),
            username: Some(b"alice".to_vec().into()),
            password: Some(Secret::new(password.as_bytes())),
            ..Query::default()
        };
        Credential::complete(described).unwrap()
    }

    #[test]
    fn a_condition_is_about_one_secret() {
        let [old, new] = ["one", "another"].map(credential);
        let still = |known| Condition::still(known).unwrap();
        assert!(still(Some(&old)).is_met(Some(&old)) && still(Some(&old)).is_met(None));
        assert!(!still(Some(&old)).is_met(Some(&new)));
        assert!(still(None) == Condition::Free && !Condition::Free.is_met(Some(&old)));
        assert!(Condition::None.is_met(Some(&old)) && still(Some(&old)) != still(Some(&old)));
    }
}
