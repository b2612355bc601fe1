//! What a server calls itself: git tells `get` alone (`wwwauth[]`, git 2.41), and whom to ask about a token is found out in
//! `store`. A state carries it from the one to the other (git 2.46), even where `get` has no answer.

use super::forges;
use crate::forge::Kind;

/// Every helper's state begins with its name; `round` has another word after it.
const PREFIX: &[u8] = b"git-credential-pat:forge:";

/// The state that tells which forge `realms` name, if they name one.
pub(super) fn state(realms: &[Vec<u8>]) -> Option<Vec<u8>> {
    let kind = forges::named(realms)?;
    Some([PREFIX, kind.word().as_bytes()].concat())
}

/// The forge that one of several helpers' states tells.
pub(super) fn among(states: &[Vec<u8>]) -> Option<Kind> {
    states.iter().find_map(|state| {
        let word = str::from_utf8(state.strip_prefix(PREFIX)?).ok()?;
        Kind::from_word(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_handed_back_as_it_was() {
        let state = state(&[b"x".to_vec(), b"Forgejo".to_vec()]).unwrap();
        let states = [b"other:1".to_vec(), state];
        assert_eq!(among(&states), Some(Kind::Gitea));
    }

    #[test]
    fn what_names_no_forge_is_no_state() {
        assert_eq!(state(&[b"Gitea ".to_vec()]), None);
        for wrong in [
            &b"git-credential-pat:forge:"[..],
            b"git-credential-pat:forge:GitLab ",
            b"git-credential-pat:1:gitlab",
            b"other:forge:gitlab",
            b"git-credential-pat:forge:\xff",
        ] {
            assert_eq!(among(&[wrong.to_vec()]), None, "{}", wrong.escape_ascii());
        }
    }
}
