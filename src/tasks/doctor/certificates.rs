//! Whether git checks who it hands the token to.

use std::env;

use super::finding::Finding;
use crate::credential::query::Query;
use crate::credential::url::{self, without_secrets};
use crate::git::{Git, Setting};
use crate::terminal::escape::shell_word;

const TITLE: &str = "certificates";
/// git looks whether it is set, and not what it is set to.
const VARIABLE: &str = "GIT_SSL_NO_VERIFY";
const CONSEQUENCE: &str =
    "whoever stands in between can take the token, for git does not check the server's certificate";

/// What keeps git from checking the certificate of `url`, or of any server.
pub fn examine(git: Option<&Git>, url: Option<&Query>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if url.is_some_and(|url| url.protocol.as_deref() != Some(b"https")) {
        return findings;
    }
    if env::var_os(VARIABLE).is_some() {
        let says = format!("{VARIABLE} is set: {CONSEQUENCE}; this program does");
        findings.push(Finding::problem(TITLE, says, format!("unset {VARIABLE}")));
    }
    let Some(git) = git else {
        return findings;
    };
    let settings = git.settings(r"^http\.(.*\.)?sslverify$");
    let settings = settings.unwrap_or_default();
    let is_off_for = |url: &str| matches!(git.is_on_for("http.sslVerify", url), Ok(Some(false)));
    if let Some(key) = url.and_then(Query::key) {
        let shown = String::from_utf8_lossy(&key.url()).into_owned();
        if is_off_for(&shown) {
            let covering = settings.iter();
            let covering = covering.filter(|setting| is_off(setting) && covers(setting, url));
            // The longest URL is the one that git takes; of equals the last.
            findings.push(off(
                covering.max_by_key(|setting| setting.key.len()),
                &shown,
            ));
        }
        return findings;
    }
    // Without a URL each is looked at by itself.
    let mut seen = Vec::new();
    for setting in settings.iter().rev() {
        if seen.contains(&&setting.key) {
            continue;
        }
        seen.push(&setting.key);
        let key = setting.key.to_string_lossy();
        let url = context_of(&key).unwrap_or("https://host.invalid");
        // Every user sees git's arguments.
        let has_secret = without_secrets(&setting.key) != setting.key;
        if (has_secret && is_off(setting)) || (!has_secret && is_off_for(url)) {
            findings.push(off(Some(setting), url));
        }
    }
    findings
}

/// That git checks no certificate for `url`, by `setting` if that is known.
fn off(setting: Option<&Setting>, url: &str) -> Finding {
    let Some(setting) = setting else {
        let says = format!("http.sslVerify is off for {url}: {CONSEQUENCE}");
        let remedy = "git config --show-origin --get-regexp '^http.*sslverify'";
        return Finding::problem(TITLE, says, remedy);
    };
    let says = format!(
        "{} is off ({}, {}): {CONSEQUENCE}",
        without_secrets(&setting.key).to_string_lossy(),
        setting.scope,
        setting.origin
    );
    Finding::problem(TITLE, says, remedy(setting))
}

/// The URL in `http.URL.sslverify`.
fn context_of(key: &str) -> Option<&str> {
    key.strip_prefix("http.")?.strip_suffix(".sslverify")
}

/// As git reads truth.
fn is_off(setting: &Setting) -> bool {
    let value = setting.value.to_string_lossy().to_ascii_lowercase();
    matches!(&value[..], "false" | "no" | "off" | "0")
}

/// `http.sslVerify`, or `http.URL.sslVerify` of this host, or of a pattern.
fn covers(setting: &Setting, asked: Option<&Query>) -> bool {
    let key = setting.key.to_string_lossy();
    let (Some(context), Some(asked)) = (context_of(&key), asked) else {
        return true;
    };
    context.contains('*')
        || url::parse(context.as_bytes())
            .is_ok_and(|context| context.protocol == asked.protocol && context.host == asked.host)
}

fn remedy(setting: &Setting) -> String {
    let shown = without_secrets(&setting.key);
    let key = shell_word(shown.as_encoded_bytes());
    let own = "where the certificate is your own, name its authority in http.sslCAInfo";
    match &setting.scope[..] {
        _ if shown != setting.key => format!("take {key} out of {}; {own}", setting.origin),
        "command" => format!(
            "take {key} out of the command line, GIT_CONFIG_COUNT or GIT_CONFIG_PARAMETERS; {own}"
        ),
        // It may stand in an included file.
        _ if setting.origin.starts_with('/') => format!(
            "git config --file {} --unset-all {key}; {own}",
            shell_word(setting.origin.as_bytes())
        ),
        scope => format!("git config --{scope} --unset-all {key}; {own}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str, value: &str) -> Setting {
        Setting {
            scope: "global".to_owned(),
            origin: "/home/octocat/.gitconfig".to_owned(),
            key: key.into(),
            value: value.into(),
        }
    }

    #[test]
    fn settings_are_for_their_hosts() {
        let asked = url::parse(b"https://one.test:8443/acme/r.git").unwrap();
        for (key, is_covering) in [
            ("http.sslverify", true),
            ("http.https://one.test:8443.sslverify", true),
            ("http.https://one.test:8443/acme.sslverify", true),
            ("http.https://*.test:8443.sslverify", true),
            ("http.https://one.test.sslverify", false),
            ("http.https://two.test:8443.sslverify", false),
        ] {
            assert_eq!(
                covers(&setting(key, "false"), Some(&asked)),
                is_covering,
                "{key}"
            );
        }
        for (value, off) in [("false", true), ("NO", true), ("true", false), ("", false)] {
            assert_eq!(is_off(&setting("http.sslverify", value)), off, "{value}");
        }
    }
}
