//! Which URLs a section of git's configuration is for (`urlmatch.c`; `credential.c` for the parts of URLs).
//!
//! | context | matches |
//! |---|---|
//! | `https://one.test` | every path and user there; `:443` and letter case do not matter |
//! | `https://alice@one.test/acme` | her, at `acme` and below it |
//! | `https://*.test` | one label in the place of each `*` |
//! | `one.test`, `one.test/acme`, `https://` | only in `credential.*`: the parts that are there, the path as a whole |

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::credential::query::Query;
use crate::credential::url;

/// Whether `SECTION.NAME`, or `SECTION.URL.NAME`, holds for `url`; `None`: for every URL.
pub(crate) fn holds_for(key: &OsStr, section: &str, name: &str, url: Option<&Query>) -> bool {
    let key = key.as_bytes().strip_prefix(section.as_bytes());
    let key = key.and_then(|rest| rest.strip_suffix(name.as_bytes()));
    let Some(context) = key.and_then(|rest| rest.strip_prefix(b".")?.strip_suffix(b".")) else {
        return key == Some(b".");
    };
    let Some(url) = url else {
        return false;
    };
    match url::parse(context) {
        Ok(context) => covers(&context, url),
        Err(_) if section == "credential" => partial(context).is_some_and(|part| has(url, &part)),
        Err(_) => false,
    }
}

/// A URL for which `credential.CONTEXT.*` holds.
pub(crate) fn example(context: &str) -> Option<Query> {
    let context = context.as_bytes();
    let part = url::parse(context).ok().or_else(|| partial(context))?;
    Some(Query {
        protocol: part.protocol.or_else(|| Some(b"https".to_vec())),
        host: part.host.or_else(|| Some(b"host.invalid".to_vec())),
        ..part
    })
}

/// The parts of a URL that `context` has, without a host or without a protocol.
fn partial(context: &[u8]) -> Option<Query> {
    let end = context.windows(3).position(|three| three == b"://");
    let (protocol, rest) = match end {
        Some(end) => (
            Some(context[..end].to_ascii_lowercase()),
            &context[end + 3..],
        ),
        None => (None, context),
    };
    let part = if rest.is_empty() {
        Query::default()
    } else {
        url::parse(&[b"https://", rest].concat()).ok()?
    };
    Some(Query { protocol, ..part })
}

/// Whether `url` has every part that `part` has.
fn has(url: &Query, part: &Query) -> bool {
    (part.protocol.is_none() || part.protocol == url.protocol)
        && (part.host.is_none() || part.host == url.host)
        && (part.path.is_none() || part.path == url.path)
        && (part.username.is_none() || part.username == url.username)
}

fn covers(context: &Query, url: &Query) -> bool {
    let covers_path = match (&context.path, &url.path) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(above), Some(path)) => path
            .strip_prefix(&above[..])
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/'),
    };
    context.protocol == url.protocol
        && is_host(context, url)
        && covers_path
        && (context.username.is_none() || context.username == url.username)
}

fn is_host(context: &Query, url: &Query) -> bool {
    let labels = |described: &Query| -> Vec<Vec<u8>> {
        let usual: &[u8] = match described.protocol.as_deref() {
            Some(b"https") => b":443",
            Some(b"http") => b":80",
            _ => b"",
        };
        let host = described.host.as_deref().unwrap_or_default();
        let host = host.strip_suffix(usual).unwrap_or(host);
        let parts = host.split(|byte| b".:".contains(byte));
        parts.map(<[u8]>::to_ascii_lowercase).collect()
    };
    let (pattern, labels) = (labels(context), labels(url));
    let mut pairs = pattern.iter().zip(&labels);
    pattern.len() == labels.len() && pairs.all(|(one, two)| one == b"*" || one == two)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_compared_as_git_does() {
        let url = url::parse(b"https://alice@one.test/acme/r.git").unwrap();
        for (context, holds) in [
            ("https://one.test", true),
            ("https://ONE.test/", true),
            ("https://one.test:443", true),
            ("https://one.test:8443", false),
            ("https://one.test/acme", true),
            ("https://one.test/acme/", true),
            ("https://one.test/ac", false),
            ("https://bob@one.test", false),
            ("https://alice@one.test", true),
            ("https://two.test", false),
            ("http://one.test", false),
            ("https://*.test", true),
            ("https://*.*/acme", true),
            ("https://*", false),
            ("https://*.one.test", false),
            ("one.test", true),
            ("two.test", false),
            ("one.test/acme/r.git", true),
            ("one.test/acme", false),
            ("*.test", false),
            ("https://", true),
            ("http://", false),
            ("alice@one.test", true),
            ("bob@one.test", false),
        ] {
            let key = format!("credential.{context}.helper");
            let held = holds_for(key.as_ref(), "credential", "helper", Some(&url));
            assert_eq!(held, holds, "{context}");
            assert!(!holds_for(key.as_ref(), "credential", "helper", None));
        }
        let held = |key: &str, section, name| holds_for(key.as_ref(), section, name, Some(&url));
        assert!(held("credential.helper", "credential", "helper"));
        assert!(!held("http.one.test.extraheader", "http", "extraheader"));
        assert!(held(
            "http.https://*.test.extraheader",
            "http",
            "extraheader"
        ));
    }

    #[test]
    fn an_example_is_a_url_that_the_context_is_for() {
        for context in [
            "https://one.test/acme",
            "one.test",
            "one.test/acme",
            "https://",
            "ftp://",
        ] {
            let key = format!("credential.{context}.helper");
            let example = example(context);
            assert!(
                holds_for(key.as_ref(), "credential", "helper", example.as_ref()),
                "{context}"
            );
        }
        assert_eq!(example("https://[").map(drop), None);
    }
}
