//! Whether git verifies the server that gets the token: `http.sslVerify` and `GIT_SSL_NO_VERIFY`.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

use super::finding::Finding;
use super::removal::removal;
use crate::credential::query::Query;
use crate::credential::url::without_secrets;
use crate::git::Git;
use crate::git::context::most_specific;
use crate::git::setting::Setting;

const TITLE: &str = "certificates";
/// git ignores its value.
const VARIABLE: &str = "GIT_SSL_NO_VERIFY";
const CONSEQUENCE: &str =
    "git does not verify the server, so a machine in between can take the token";

/// The settings that keep git from verifying the server of `url`, or of any URL.
pub fn examine(git: Option<&Git>, url: Option<&Query>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if url.is_some_and(|url| url.protocol.as_deref() != Some(b"https")) {
        return findings;
    }
    if env::var_os(VARIABLE).is_some() {
        let says = format!("{VARIABLE} is set: {CONSEQUENCE}; this program verifies it");
        findings.push(Finding::problem(TITLE, says, format!("unset {VARIABLE}")));
    }
    let settings = git.map(|git| git.settings(r"^http\.(.*\.)?sslverify$"));
    let settings = settings.and_then(Result::ok).unwrap_or_default();
    let counting: Vec<&Setting> = match url {
        Some(url) => most_specific(&settings, url).into_iter().collect(),
        None => by_key(&settings).into_values().collect(),
    };
    let off = counting
        .into_iter()
        .filter(|setting| setting.is_on() == Some(false));
    findings.extend(off.map(turned_off));
    findings
}

/// The last value of each key.
fn by_key(settings: &[Setting]) -> BTreeMap<&OsString, &Setting> {
    let pairs = settings.iter().map(|setting| (&setting.key, setting));
    pairs.collect()
}

fn turned_off(setting: &Setting) -> Finding {
    let shown = without_secrets(&setting.key);
    let says = format!(
        "{} is off ({}, {}): {CONSEQUENCE}",
        shown.to_string_lossy(),
        setting.scope,
        setting.origin
    );
    let own = "where the certificate is your own, name its authority in http.sslCAInfo";
    Finding::problem(TITLE, says, format!("{}; {own}", removal(setting, "", "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_url_the_last_value_of_each_key_counts() {
        let one = "http.https://one.test.sslverify";
        let settings = [
            Setting::global("http.sslverify", "false"),
            Setting::global(one, "true"),
            Setting::global("http.sslverify", "1"),
            Setting::global(one, "false"),
        ];
        let last: Vec<_> = by_key(&settings)
            .into_values()
            .map(|setting| (setting.key.to_str().unwrap(), setting.is_on()))
            .collect();
        assert_eq!(last, [(one, Some(false)), ("http.sslverify", Some(true))]);
    }
}
