//! A reply of git's endpoint: git's own, a page in its place, or a refusal in the server's words.

use crate::forge::answer::HttpAnswer;
use crate::secret::Secret;

/// Longer words are no sentence.
const LONGEST_WORDS: usize = 200;

/// Whether it is git's own (gitprotocol-http(5), Smart Server Response), for `service`.
pub(crate) fn is_gits(answer: &HttpAnswer, service: &str) -> bool {
    let kind = format!("application/x-{service}-advertisement");
    let body = answer.body.as_slice();
    // Its first line has its own length before it: `001e# service=git-upload-pack`.
    let is_announced = body
        .get(4..)
        .is_some_and(|rest| rest.starts_with(b"# service="));
    answer.status == 200 && media_type(answer).eq_ignore_ascii_case(&kind) && is_announced
}

/// Whether it is the file that a server without git's programs has (gitprotocol-http(5), Dumb Server Response): git fetches
/// from it and cannot push.
pub(crate) fn is_dumb(answer: &HttpAnswer) -> bool {
    let body = answer.body.as_slice();
    let line = body.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut parts = line.splitn(2, |&byte| byte == b'\t');
    let is_name =
        |name: &[u8]| matches!(name.len(), 40 | 64) && name.iter().all(u8::is_ascii_hexdigit);
    let (name, place) = (parts.next(), parts.next());
    answer.status == 200
        && media_type(answer).eq_ignore_ascii_case("text/plain")
        && name.is_some_and(is_name)
        && place.is_some_and(|place| place.starts_with(b"refs/"))
}

/// Words on a page, or in the address that leads to it, and what it then is. The first that fits.
const PAGES: [(&str, &str); 4] = [
    (
        "saml|single sign|/sso|sso.|adfs|oauth2/authorize",
        "a page of single sign-on",
    ),
    (
        "captive|hotspot|wi-fi|wifi",
        "a page of the network you are in",
    ),
    (
        "sign in|sign-in|signin|sign_in|log in|log-in|login|password",
        "a page to sign in",
    ),
    (
        "proxy|gateway|firewall|blocked|access denied|captcha|cloudflare|checking your browser",
        "a page of a proxy or a firewall",
    ),
];

/// Whether `text` contains one of `words`, which `|` separates.
fn has_one_of(text: &str, words: &str) -> bool {
    words.split('|').any(|word| text.contains(word))
}

/// The program that answers instead of git, if the reply cannot come from a git server.
pub(crate) fn page(answer: &HttpAnswer) -> Option<&'static str> {
    let is_html = is_html(answer);
    let location = answer.header("location").unwrap_or_default();
    let is_one = match answer.status {
        200..=299 => true,
        // git follows a way to the same file elsewhere, and stops at any other.
        300..=399 => {
            let path = location_path(answer);
            !location.is_empty() && !path.ends_with("/info/refs") && kind(location).is_some()
        }
        // A server that takes tokens says how.
        401 => is_html && answer.header("www-authenticate").is_none(),
        403 | 407 | 429 | 511 => is_html,
        _ => false,
    };
    if !is_one {
        return None;
    }
    let body = String::from_utf8_lossy(answer.body.as_slice());
    let shown = if is_html { &body[..] } else { "" };
    let other = if is_html {
        "a web page"
    } else if answer.status >= 300 {
        "another page"
    } else {
        "something that is not git"
    };
    Some(kind(location).or_else(|| kind(shown)).unwrap_or(other))
}

/// Whether Azure DevOps asks the user to sign in, which means that it rejects the token. It redirects to `/_signin`, or sends
/// that page with status 203. Another page may come from a proxy, and tells nothing about a token.
pub(crate) fn asks_to_sign_in(answer: &HttpAnswer) -> bool {
    match answer.status {
        203 if is_html(answer) => {
            let said = String::from_utf8_lossy(answer.body.as_slice()).to_ascii_lowercase();
            said.contains("_signin") || said.contains("azure devops") && said.contains("sign in")
        }
        300..=399 => location_path(answer).ends_with("/_signin"),
        _ => false,
    }
}

fn location_path(answer: &HttpAnswer) -> &str {
    let location = answer.header("location").unwrap_or_default();
    location.split(['?', '#']).next().unwrap_or_default()
}

fn kind(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let mut pages = PAGES.iter();
    let found = pages.find(|(words, _)| has_one_of(&text, words));
    found.map(|(_, kind)| *kind)
}

/// A refusal that the server explains.
pub(crate) struct Refusal {
    words: &'static str,
    pub(crate) says: &'static str,
    /// What to do; empty: look at the token's page.
    pub(crate) remedy: &'static str,
}

/// As forges word them in 403 (seen at GitHub, GitLab and Bitbucket).
const REFUSALS: [Refusal; 7] = [
    Refusal {
        words: "suspended|account is blocked|account has been blocked|user is blocked",
        says: "the account is suspended",
        remedy: "ask the forge's support, or use a token of another account",
    },
    Refusal {
        words: "rate limit|too many requests|abuse detection",
        says: "the server limits requests for now, which says nothing about the token",
        remedy: "try again in some minutes",
    },
    Refusal {
        words: "ip allow list|ip address|allowed ip",
        says: "the organization does not allow this computer's address (IP allow list)",
        remedy: "use a network that is on the list, or ask an owner of the organization",
    },
    Refusal {
        words: "archived|read-only|read only",
        says: "the repository is archived or read-only",
        remedy: "have an owner of the repository unarchive it",
    },
    Refusal {
        words: "forbids access via a personal access token (classic)",
        says: "the organization takes no classic tokens",
        remedy: "create a fine-grained token for the organization",
    },
    Refusal {
        words: "access restrictions",
        says: "the organization has not approved the application that issued the token",
        remedy: "ask an owner of the organization to approve it",
    },
    Refusal {
        words: "has been disabled|access blocked|dmca|unavailable for legal",
        says: "the forge has disabled the repository",
        remedy: "ask the forge's support",
    },
];

/// The problem in the server's own words.
pub(crate) fn refusal(answer: &HttpAnswer) -> Option<&'static Refusal> {
    if is_html(answer) {
        return None;
    }
    let is_limited = answer.header("retry-after").is_some()
        || answer.header("x-ratelimit-remaining") == Some("0");
    if is_limited {
        return REFUSALS.get(1);
    }
    let said = String::from_utf8_lossy(answer.body.as_slice()).to_ascii_lowercase();
    let mut all = REFUSALS.iter();
    all.find(|refusal| has_one_of(&said, refusal.words))
}

/// The first line that the server says in plain text, unless it repeats the token. Foreign text.
pub(crate) fn words(answer: &HttpAnswer, token: Option<&Secret>) -> Option<String> {
    if !media_type(answer).eq_ignore_ascii_case("text/plain") {
        return None;
    }
    let text = std::str::from_utf8(answer.body.as_slice()).ok()?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let is_repeated = token.is_some_and(|token| token.is_in(line.as_bytes()));
    (line.len() <= LONGEST_WORDS && !is_repeated).then(|| line.to_owned())
}

fn is_html(answer: &HttpAnswer) -> bool {
    let kind = media_type(answer).to_ascii_lowercase();
    kind == "text/html" || kind == "application/xhtml+xml"
}

/// Without its parameters.
fn media_type(answer: &HttpAnswer) -> &str {
    let kind = answer.header("content-type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::recorded::answer;

    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
    const TEXT: (&str, &str) = ("content-type", "text/plain");

    #[test]
    fn only_an_advertisement_is_gits() {
        let service = "git-upload-pack";
        let kind = (
            "content-type",
            "application/x-git-upload-pack-advertisement",
        );
        let line = "001e# service=git-upload-pack\n0000";
        for (given, is_one) in [
            (answer(200, &[kind], line), true),
            (answer(200, &[kind], "<html>"), false),
            (answer(200, &[kind], ""), false),
            (answer(200, &[HTML], line), false),
            (answer(200, &[TEXT], line), false),
            (answer(200, &[], line), false),
            (answer(201, &[kind], line), false),
        ] {
            assert_eq!(is_gits(&given, service), is_one, "{given:?}");
        }
        let name = "0123456789abcdef0123456789abcdef01234567";
        assert!(is_dumb(&answer(
            200,
            &[TEXT],
            &format!("{name}\trefs/heads/main\n")
        )));
        assert!(!is_dumb(&answer(200, &[TEXT], "not a ref")));
        assert!(!is_dumb(&answer(
            200,
            &[HTML],
            &format!("{name}\trefs/heads/main\n")
        )));
    }

    #[test]
    fn a_page_is_named_by_its_words() {
        let location = |place| ("location", place);
        let basic = ("www-authenticate", "Basic realm=\"x\"");
        for (given, expected) in [
            (
                answer(200, &[HTML], "<title>Sign in</title>"),
                Some("a page to sign in"),
            ),
            (
                answer(200, &[HTML], "<form>SAML"),
                Some("a page of single sign-on"),
            ),
            (
                answer(200, &[HTML], "Captive portal: log in"),
                Some("a page of the network you are in"),
            ),
            (
                answer(200, &[HTML], "Blocked by your firewall"),
                Some("a page of a proxy or a firewall"),
            ),
            (
                answer(200, &[HTML], "<h1>It works</h1>"),
                Some("a web page"),
            ),
            (
                answer(200, &[("content-type", "application/json")], "{}"),
                Some("something that is not git"),
            ),
            (
                answer(302, &[location("https://sso.corp.test/login")], ""),
                Some("a page of single sign-on"),
            ),
            (
                answer(302, &[location("/users/sign_in")], ""),
                Some("a page to sign in"),
            ),
            (
                answer(
                    301,
                    &[location("https://one.test/a.git/info/refs?service=x")],
                    "",
                ),
                None,
            ),
            (
                answer(
                    301,
                    &[location("https://one.test/login/a.git/info/refs")],
                    "",
                ),
                None,
            ),
            (answer(302, &[], ""), None),
            (answer(401, &[HTML], "<p>Log in"), Some("a page to sign in")),
            (answer(401, &[HTML, basic], "<p>Log in"), None),
            (answer(401, &[TEXT, basic], "no"), None),
            (
                answer(403, &[HTML], "Cloudflare"),
                Some("a page of a proxy or a firewall"),
            ),
            (answer(403, &[TEXT], "login"), None),
            (answer(404, &[HTML], "login"), None),
            (answer(500, &[HTML], "login"), None),
        ] {
            assert_eq!(page(&given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_refusal_is_known_by_the_forges_words() {
        for (said, expected) in [
            (
                "Your account is suspended. Please check your email.",
                Some("suspended"),
            ),
            (
                "ERROR: This repository was archived so it is read-only.",
                Some("archived"),
            ),
            (
                "the `acme' organization has an IP allow list enabled, and your IP address is not permitted",
                Some("IP allow list"),
            ),
            (
                "You have exceeded a secondary rate limit.",
                Some("limits requests"),
            ),
            ("Repository access blocked", Some("disabled")),
            ("Write access to repository not granted.", None),
            ("", None),
        ] {
            let found = refusal(&answer(403, &[TEXT], said)).map(|refusal| refusal.says);
            let is_it = match expected {
                Some(part) => found.is_some_and(|says| says.contains(part)),
                None => found.is_none(),
            };
            assert!(is_it, "{said}: {found:?}");
        }
        let limited = answer(403, &[TEXT, ("retry-after", "60")], "suspended");
        assert!(refusal(&limited).is_some_and(|refusal| refusal.says.contains("limits")));
        assert!(refusal(&answer(403, &[HTML], "suspended")).is_none());
    }

    #[test]
    fn a_server_that_repeats_the_token_is_not_quoted() {
        let token = Secret::new(b"ghp_madeup");
        let said = |kind, text: &str| words(&answer(403, &[kind], text), Some(&token));
        assert_eq!(said(TEXT, "\n No.\nMore").as_deref(), Some("No."));
        assert_eq!(said(TEXT, "bad token ghp_madeup"), None);
        assert_eq!(said(HTML, "No."), None);
        assert_eq!(said(TEXT, &"x".repeat(201)), None);
        assert_eq!(said(TEXT, ""), None);
    }

    #[test]
    fn a_page_to_sign_in_is_recognized_by_its_own_words() {
        let html = ("content-type", "text/html; charset=utf-8");
        let location = |place| ("location", place);
        for (given, is_one) in [
            (
                answer(302, &[location("https://one.test/_signin?realm=x")], ""),
                true,
            ),
            (
                answer(302, &[location("https://one.test/acme/r.git")], ""),
                false,
            ),
            (
                answer(
                    203,
                    &[html],
                    "<title>Azure DevOps Services | Sign In</title>",
                ),
                true,
            ),
            (answer(203, &[html], "<title>Welcome</title>"), false),
            (answer(203, &[html], "<title>Proxy: Sign In</title>"), false),
            (answer(200, &[html], "Sign In"), false),
            (answer(302, &[], ""), false),
        ] {
            assert_eq!(asks_to_sign_in(&given), is_one, "{given:?}");
        }
    }
}
