//! A token's check at git's own endpoint, if its forge cannot be asked.
//!
//! | fetch with the token | fetch without | push with the token | outcome |
//! |---|---|---|---|
//! | git's answer | 401, 403, 404, a redirect | | good: the token opens what is closed |
//! | git's answer | git's answer | git's answer | good |
//! | git's answer | git's answer | 401 | rejected |
//! | 401 | | | rejected |
//! | anything else | | | limited or unclear |

use super::asking::Asked;
use super::{endpoint, reply};
use crate::credential::Credential;
use crate::forge::answer::Answer;
use crate::forge::{Found, Site, Verdict, lookup};
use crate::protocol::read::realm;

const FETCH: &str = "git-upload-pack";
const PUSH: &str = "git-receive-pack";
/// Realms of git's endpoints at Bitbucket (Cloud, Data Center), GitLab, GitHub, Gitea and its relatives.
const FORGES: [&str; 7] = [
    "Bitbucket.org HTTP",
    "Atlassian Bitbucket",
    "GitLab",
    "GitHub",
    "Gitea",
    "Forgejo",
    "Gogs",
];

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
    let unsigned = endpoint::ask_unsigned(site, path, FETCH)?.status;
    // Forges hide a private repository by 404. A limit (429) hides a public one, too.
    if (300..=499).contains(&unsigned) && unsigned != 429 {
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

/// Whether a 401 is for git: it asks for a name and a password (RFC 7617), and is no page of a proxy.
///
/// Azure DevOps and Bitbucket add a page for browsers. Their realm tells it from a proxy's page.
fn is_of_git(answer: &Answer) -> bool {
    let mut asks = false;
    let mut is_forges = false;
    for (name, challenge) in &answer.headers {
        if name != "www-authenticate" {
            continue;
        }
        let scheme = challenge.get(..5).unwrap_or_default();
        asks |= scheme.eq_ignore_ascii_case(b"basic");
        is_forges |= realm(challenge).is_some_and(is_of_forge);
    }
    let kind = answer.header("content-type").unwrap_or_default();
    asks && (is_forges || !kind.to_ascii_lowercase().contains("html"))
}

/// Whether a forge calls itself so. The realm of Azure DevOps is the address of a server (`https://tfsprod….visualstudio.com/`).
fn is_of_forge(realm: &[u8]) -> bool {
    let realm = String::from_utf8_lossy(realm);
    let address = realm.strip_prefix("https://").unwrap_or_default();
    let server = address.split(['/', ':']).next().unwrap_or_default();
    FORGES.contains(&&realm[..])
        || server == "dev.azure.com"
        || server.ends_with(".visualstudio.com")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::recorded::answer;

    #[test]
    fn only_a_401_that_is_for_git_is_a_rejection() {
        let basic = ("www-authenticate", "Basic realm=\"Gitea\"");
        let bearer = ("www-authenticate", "Bearer");
        let plain = ("content-type", "text/plain; charset=utf-8");
        let page = ("content-type", "text/html");
        for (status, headers, is_rejection) in [
            (401, &[basic, plain][..], true),
            (401, &[basic], true),
            (401, &[basic, page], true),
            (
                401,
                &[
                    ("www-authenticate", "Basic realm=\"Bitbucket.org HTTP\""),
                    page,
                ],
                true,
            ),
            (
                401,
                &[
                    ("www-authenticate", "Basic realm=\"Atlassian Bitbucket\""),
                    page,
                ],
                true,
            ),
            (
                401,
                &[
                    bearer,
                    (
                        "www-authenticate",
                        "Basic realm=\"https://tfsprodweu1.visualstudio.com/\"",
                    ),
                    page,
                ],
                true,
            ),
            (
                401,
                &[
                    (
                        "www-authenticate",
                        "Basic realm=\"https://dev.azure.com/acme\"",
                    ),
                    page,
                ],
                true,
            ),
            (
                401,
                &[
                    ("www-authenticate", "Basic realm=\"Corporate proxy\""),
                    page,
                ],
                false,
            ),
            (
                401,
                &[
                    (
                        "www-authenticate",
                        "Basic realm=\"https://visualstudio.com.proxy.test/\"",
                    ),
                    page,
                ],
                false,
            ),
            (401, &[("www-authenticate", "Basic"), page], false),
            (401, &[bearer, page], false),
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
