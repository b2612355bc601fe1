//! A token's check at git's own endpoint, if its forge cannot be asked.
//!
//! | fetch with the token | fetch without | push with the token | outcome |
//! |---|---|---|---|
//! | git's answer | 401 | | good: the token opens what is closed |
//! | git's answer | git's answer | git's answer | good |
//! | git's answer | git's answer | 401 | rejected |
//! | 401 | | | rejected |
//! | anything else | | | limited or unclear |

use super::asking::Asked;
use super::{endpoint, reply};
use crate::credential::Credential;
use crate::forge::answer::Answer;
use crate::forge::{Found, Site, Verdict, lookup};

const FETCH: &str = "git-upload-pack";
const PUSH: &str = "git-receive-pack";

/// Asks the endpoint of the repository at `path`, at most three times.
pub(super) fn ask(site: &Site, credential: &Credential, path: &[u8]) -> Asked {
    verdict(site, credential, path).map_or_else(Asked::Failed, Asked::Told)
}

fn verdict(site: &Site, credential: &Credential, path: &[u8]) -> Result<Verdict, lookup::Error> {
    let fetch = endpoint::ask(site, credential, path, FETCH)?;
    if !reply::is_gits(&fetch, FETCH) {
        return Ok(refusal(&fetch));
    }
    let good = Verdict::Good(Found::default());
    if endpoint::ask_unsigned(site, path, FETCH)?.status == 401 {
        return Ok(good);
    }
    // A public repository may be fetched without a token; a push needs a good one.
    let push = endpoint::ask(site, credential, path, PUSH)?;
    Ok(if reply::is_gits(&push, PUSH) {
        good
    } else {
        refusal(&push)
    })
}

fn refusal(answer: &Answer) -> Verdict {
    let status = answer.status;
    match status {
        401 if is_of_git(answer) => Verdict::Rejected,
        429 | 503 => Verdict::Limited {
            status,
            wait: answer.wait(0),
        },
        _ => Verdict::Unclear { status },
    }
}

/// Whether a 401 is for git: it asks for a name and a password (RFC 7617), and is no page for a browser.
fn is_of_git(answer: &Answer) -> bool {
    let mut headers = answer.headers.iter();
    let asks = headers.any(|(name, value)| {
        let scheme = value.get(..5).unwrap_or_default();
        name == "www-authenticate" && scheme.eq_ignore_ascii_case(b"basic")
    });
    let kind = answer.header("content-type").unwrap_or_default();
    asks && !kind.to_ascii_lowercase().contains("html")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::recorded::answer;

    #[test]
    fn only_a_401_that_is_for_git_is_a_rejection() {
        let basic = ("www-authenticate", "Basic realm=\"Gitea\"");
        let plain = ("content-type", "text/plain; charset=utf-8");
        let page = ("content-type", "text/html");
        for (status, headers, is_rejection) in [
            (401, &[basic, plain][..], true),
            (401, &[basic], true),
            (401, &[basic, page], false),
            (401, &[plain], false),
            (401, &[("www-authenticate", "Negotiate")], false),
            (403, &[basic, plain], false),
            (407, &[basic, plain], false),
        ] {
            let said = refusal(&answer(status, headers, ""));
            assert_eq!(said.is_rejection(), is_rejection, "{status} {headers:?}");
        }
        let limited = refusal(&answer(429, &[("retry-after", "30")], ""));
        assert_eq!(
            limited,
            Verdict::Limited {
                status: 429,
                wait: Some(30)
            }
        );
    }
}
