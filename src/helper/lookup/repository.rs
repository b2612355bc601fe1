//! A token's check at git's own endpoint, if its forge cannot be asked.
//!
//! | fetch with the token | fetch without | push with the token | outcome |
//! |---|---|---|---|
//! | git's answer | 401, 403, 404, a redirect | | good: the token opens what is closed |
//! | git's answer | git's answer | git's answer | good |
//! | git's answer | git's answer | 401 | rejected |
//! | 401, or Azure DevOps asks to sign in | | | rejected |
//! | anything else | | | limited or unclear |

use super::request::{Asked, LOOK_UP};
use super::{endpoint, reply};
use crate::credential::Credential;
use crate::forge::answer::HttpAnswer;
use crate::forge::{ForgeKind, ForgeSite, TokenFacts, TokenVerdict, http};
use crate::protocol::read::realm;
use crate::storage::trace_words::named;
use crate::trace;

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

/// Asks the endpoint of the repository at `path`, at most three times. `kind`: the forge's, if it is known.
pub(crate) fn ask(
    site: &ForgeSite,
    credential: &Credential,
    path: &[u8],
    kind: Option<ForgeKind>,
) -> Asked {
    let ask = || verdict(site, credential, path, kind).map_or_else(Asked::Failed, Asked::Told);
    trace::timed(LOOK_UP, ask, |asked| {
        let name = named(&credential.key);
        format!("asked git's endpoint about {name}: {}", asked.words())
    })
}

fn verdict(
    site: &ForgeSite,
    credential: &Credential,
    path: &[u8],
    kind: Option<ForgeKind>,
) -> Result<TokenVerdict, http::Error> {
    let fetch = endpoint::ask(site, credential, path, FETCH)?;
    if !reply::is_gits(&fetch, FETCH) {
        return Ok(refusal(&fetch, kind));
    }
    let good = TokenVerdict::Good(TokenFacts::default());
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
        refusal(&push, kind)
    })
}

fn refusal(answer: &HttpAnswer, kind: Option<ForgeKind>) -> TokenVerdict {
    let status = answer.status;
    match status {
        401 if is_of_git(answer, kind.is_some()) => TokenVerdict::Rejected,
        _ if kind == Some(ForgeKind::Azure) && reply::asks_to_sign_in(answer) => {
            TokenVerdict::Rejected
        }
        429 | 503 => TokenVerdict::Limited {
            status,
            wait: answer.wait(0),
        },
        _ => TokenVerdict::Unclear { status },
    }
}

/// Whether a 401 is for git, and from the forge: it asks for a name and a password (RFC 7617).
///
/// A known forge is told from a proxy by its realm; Azure DevOps and Bitbucket add a page for browsers. An unknown forge may
/// have any realm: there a page is a proxy's.
fn is_of_git(answer: &HttpAnswer, is_known: bool) -> bool {
    let mut asks = false;
    let mut is_forges = false;
    for (name, value) in &answer.headers {
        if name == "www-authenticate" {
            for challenge in basic_challenges(value) {
                asks = true;
                is_forges |= realm(challenge).is_some_and(is_of_forge);
            }
        }
    }
    let kind = answer.header("content-type").unwrap_or_default();
    let is_page = kind.to_ascii_lowercase().contains("html");
    asks && (is_forges || !is_known && !is_page)
}

/// Every `Basic` challenge in a header, to the header's end: it may hold several (RFC 9110 §11.6.1).
fn basic_challenges(value: &[u8]) -> Vec<&[u8]> {
    const SCHEME: &[u8] = b"basic";
    let mut found = Vec::new();
    for at in 0..value.len() {
        let is_start = value[..at]
            .trim_ascii_end()
            .last()
            .is_none_or(|&byte| byte == b',');
        let scheme = value[at..].get(..SCHEME.len()).unwrap_or_default();
        if is_start && scheme.eq_ignore_ascii_case(SCHEME) {
            found.push(&value[at..]);
        }
    }
    found
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
    fn a_sign_in_page_of_azure_is_a_rejection() {
        let sign_in = [("location", "https://dev.azure.com/acme/_signin?realm=x")];
        let portal = [("location", "https://sso.corp.test/login")];
        assert!(refusal(&answer(302, &sign_in, ""), Some(ForgeKind::Azure)).is_rejection());
        assert!(!refusal(&answer(302, &sign_in, ""), Some(ForgeKind::GitHub)).is_rejection());
        assert!(!refusal(&answer(302, &portal, ""), Some(ForgeKind::Azure)).is_rejection());
    }

    #[test]
    fn only_a_401_that_is_for_git_is_a_rejection() {
        let basic = ("www-authenticate", "Basic realm=\"Gitea\"");
        let bearer = ("www-authenticate", "Bearer");
        let plain = ("content-type", "text/plain; charset=utf-8");
        let page = ("content-type", "text/html");
        let proxys = ("www-authenticate", "Basic realm=\"Corporate proxy\"");
        let both = (
            "www-authenticate",
            "Bearer realm=\"x\", Basic realm=\"Gitea\"",
        );
        for (status, headers, is_rejection) in [
            (401, &[both, plain][..], true),
            (401, &[both, page], true),
            (401, &[proxys, plain], false),
            (401, &[proxys], false),
            (401, &[("www-authenticate", "Basic"), plain], false),
            (401, &[basic, plain], true),
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
            let said = refusal(&answer(status, headers, ""), Some(ForgeKind::GitHub));
            assert_eq!(said.is_rejection(), is_rejection, "{status} {headers:?}");
        }
        // An unknown forge.
        for (headers, is_rejection) in [
            (&[proxys, plain][..], true),
            (&[proxys], true),
            (&[proxys, page], false),
            (&[basic, page], true),
            (&[plain], false),
        ] {
            let said = refusal(&answer(401, headers, ""), None);
            assert_eq!(said.is_rejection(), is_rejection, "{headers:?}");
        }
    }

    #[test]
    fn a_limit_is_no_rejection() {
        let limited = refusal(&answer(429, &[("retry-after", "30")], ""), None);
        assert_eq!(
            limited,
            TokenVerdict::Limited {
                status: 429,
                wait: Some(30)
            }
        );
    }
}
