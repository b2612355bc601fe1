//! What `get` knows and `store` wants to: which forge the server calls itself, which git tells `get` alone (`wwwauth[]`, git
//! 2.41), and when a command that found nothing here began. States carry it from the one to the other (git 2.46), even where
//! `get` has no answer.

use super::issuer;
use crate::forge::ForgeKind;
use crate::protocol::read::Request;

/// Every helper's state begins with its name; `round` has another word after it.
const FORGE: &[u8] = b"git-credential-pat:forge:";
const MISSED: &[u8] = b"git-credential-pat:missed:";

/// What is to be handed back with whatever comes of `request`. `missed`: when nothing was found, in milliseconds since 1970.
pub(crate) fn states(request: &Request, missed: Option<u64>) -> Vec<Vec<u8>> {
    let forge =
        issuer::by_realms(&request.realms).map(|kind| [FORGE, kind.word().as_bytes()].concat());
    let missed = missed.map(|missed| [MISSED, missed.to_string().as_bytes()].concat());
    forge.into_iter().chain(missed).collect()
}

/// The forge that one of several helpers' states tells.
pub(crate) fn forge(states: &[Vec<u8>]) -> Option<ForgeKind> {
    told(states, FORGE).and_then(ForgeKind::from_word)
}

/// When the command began, which then had its secret from somebody else.
pub(crate) fn missed(states: &[Vec<u8>]) -> Option<u64> {
    told(states, MISSED).and_then(|missed| missed.parse().ok())
}

fn told<'a>(states: &'a [Vec<u8>], prefix: &[u8]) -> Option<&'a str> {
    let mut told = states.iter().filter_map(|state| state.strip_prefix(prefix));
    told.find_map(|told| str::from_utf8(told).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_handed_back_as_it_was() {
        let request = Request {
            realms: vec![b"x".to_vec(), b"Forgejo".to_vec()],
            ..Request::default()
        };
        let mut states = states(&request, Some(1_795_232_379_001));
        states.insert(0, b"other:1".to_vec());
        assert_eq!(forge(&states), Some(ForgeKind::Gitea));
        assert_eq!(missed(&states), Some(1_795_232_379_001));
        assert!(super::states(&Request::default(), None).is_empty());
    }

    #[test]
    fn what_tells_nothing_is_no_clue() {
        for wrong in [
            &b"git-credential-pat:forge:"[..],
            b"git-credential-pat:forge:GitLab ",
            b"git-credential-pat:1:gitlab",
            b"other:forge:gitlab",
            b"git-credential-pat:forge:\xff",
            b"git-credential-pat:missed:-1",
            b"git-credential-pat:missed:1x",
        ] {
            let states = [wrong.to_vec()];
            let told = (forge(&states), missed(&states));
            assert_eq!(told, (None, None), "{}", wrong.escape_ascii());
        }
    }
}
