//! How to reach a host as git does: its proxy, and the certificates it trusts. Asked for by commands that people run and by
//! the detached look-up, never by git's operations.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::git::Git;

/// How to get there: what git would do.
#[derive(Clone, PartialEq, Eq)]
pub struct Network {
    /// The proxy, if one is to be used.
    pub proxy: Option<String>,
    /// Certificates to trust instead of the system's.
    pub authorities: Option<PathBuf>,
    /// A folder of more certificates to trust.
    pub folder: Option<PathBuf>,
    /// `http.sslVerify`.
    pub verifies: bool,
}

/// The proxy's address may hold a password.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("proxy", &self.proxy.as_ref().map(|_| "[REDACTED]"))
            .field("authorities", &self.authorities)
            .field("folder", &self.folder)
            .field("verifies", &self.verifies)
            .finish()
    }
}

impl Network {
    /// As the environment has it: `https_proxy`, `all_proxy`, `no_proxy`, `GIT_SSL_CAINFO`, `GIT_SSL_CAPATH`. The system's certificates, or
    /// those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    pub fn of_environment(host: &str) -> Self {
        Self::from_settings(host, &[], |name| env::var_os(name))
    }

    /// The same under git's `http.proxy`, `http.sslCAInfo`, `http.sslCAPath`, `http.sslVerify` and `http.<url>.*`. Starts git, if there is one.
    /// Only the person's and the system's settings count: no repository's.
    pub fn as_git_has_it(host: &str) -> Self {
        let settings = Git::find().and_then(|git| git.http_settings(&format!("https://{host}/")));
        Self::from_settings(host, &settings.unwrap_or_default(), |name| {
            env::var_os(name)
        })
    }

    fn from_settings(
        host: &str,
        settings: &[(String, Option<String>)],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let set = |name: &str| {
            let mut all = settings.iter().rev();
            all.find(|(key, _)| key == name).map(|(_, value)| value)
        };
        // What is no text is no proxy's address, and must not count as none: there may be no other way out.
        let first = |names: &[&str]| {
            let found = names.iter().find_map(|name| variable(name));
            found.map(|value| value.to_string_lossy().into_owned())
        };
        // As git has it: an empty one means none, whatever comes after it says.
        let proxy = match set("http.proxy").and_then(Option::as_deref) {
            Some(proxy) => Some(proxy.to_owned()),
            None => first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
        };
        let proxy = proxy.filter(|proxy| !proxy.is_empty());
        let exempt = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        let home = || variable("HOME").map(PathBuf::from);
        let path = |name: &str, setting: &str| {
            let named = variable(name).filter(|path| !path.is_empty());
            named.map(PathBuf::from).or_else(|| {
                let path = set(setting)?.as_deref().filter(|path| !path.is_empty())?;
                match path.strip_prefix("~/") {
                    Some(rest) => home().map(|home| home.join(rest)),
                    None => Some(PathBuf::from(path)),
                }
            })
        };
        let verifies = set("http.sslverify").is_none_or(|value| {
            let word = value.as_deref().unwrap_or("true").to_ascii_lowercase();
            !matches!(&word[..], "false" | "no" | "off" | "0" | "")
        });
        Self {
            proxy: proxy
                .filter(|_| !is_exempt(host, &exempt))
                .map(|proxy| as_curl_reads_it(&proxy)),
            authorities: path("GIT_SSL_CAINFO", "http.sslcainfo"),
            folder: path("GIT_SSL_CAPATH", "http.sslcapath"),
            verifies,
        }
    }
}

/// A proxy's address with all that git and curl take for granted: HTTP, port 1080 (443 for HTTPS), and that `socks` is SOCKS4.
fn as_curl_reads_it(proxy: &str) -> String {
    let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
    let scheme = if scheme == "socks" { "socks4" } else { scheme };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let port = if has_port || host.is_empty() || scheme == "https" {
        ""
    } else {
        ":1080"
    };
    format!("{scheme}://{authority}{port}{path}")
}

/// `no_proxy` as curl reads it: names with all that is below them, separated by commas or blanks; `*` is everything.
fn is_exempt(host: &str, list: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    list.split([',', ' '])
        .map(|entry| entry.trim().trim_start_matches('.'))
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let is_below = || {
                let above = name.len().checked_sub(entry.len() + 1);
                above.is_some_and(|at| {
                    name.as_bytes()[at] == b'.' && name[at + 1..].eq_ignore_ascii_case(entry)
                })
            };
            entry == "*" || name.eq_ignore_ascii_case(entry) || is_below()
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn network(settings: &[(&str, Option<&str>)], variables: &[(&str, &str)]) -> Network {
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
            .collect();
        Network::from_settings("git.corp.test:8443", &settings, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn gits_settings_come_before_the_environment() {
        let environment = [("HTTPS_PROXY", "http://env:1"), ("HOME", "/home/u")];
        let proxy = |settings: &[(&str, Option<&str>)]| network(settings, &environment).proxy;
        assert_eq!(proxy(&[]).as_deref(), Some("http://env:1"));
        assert_eq!(
            proxy(&[("http.proxy", Some("p:2"))]).as_deref(),
            Some("http://p:2")
        );
        assert_eq!(proxy(&[("http.proxy", Some(""))]), None);
        let authorities = network(&[("http.sslcainfo", Some("~/ca.pem"))], &environment);
        assert_eq!(
            authorities.authorities,
            Some(PathBuf::from("/home/u/ca.pem"))
        );
        let variable = network(
            &[("http.sslcainfo", Some("/a"))],
            &[("GIT_SSL_CAINFO", "/b")],
        );
        assert_eq!(variable.authorities, Some(PathBuf::from("/b")));
        let folder = network(&[("http.sslcapath", Some("~/certs"))], &environment);
        assert_eq!(folder.folder, Some(PathBuf::from("/home/u/certs")));
    }

    #[test]
    fn an_odd_variable_is_no_way_around_the_proxy() {
        let proxy = |variables: &[(&str, &[u8])]| {
            let network = Network::from_settings("one.test", &[], |name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from_vec(value.to_vec()))
            });
            network.proxy
        };
        let all: (&str, &[u8]) = ("all_proxy", b"p:2");
        assert_eq!(proxy(&[("https_proxy", b""), all]), None);
        let garbage = proxy(&[("https_proxy", b"\xff:1"), all]);
        assert_eq!(garbage.as_deref(), Some("http://\u{fffd}:1"));
    }

    #[test]
    fn what_a_proxys_address_leaves_out_is_what_curl_assumes() {
        for (written, meant) in [
            ("p", "http://p:1080"),
            ("http://u:w@p", "http://u:w@p:1080"),
            ("http://u:w@p:80/", "http://u:w@p:80/"),
            ("[::1]", "http://[::1]:1080"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            ("https://p", "https://p"),
            ("socks://p/", "socks4://p:1080/"),
            ("socks5h://p:9", "socks5h://p:9"),
            ("", "http://"),
        ] {
            assert_eq!(as_curl_reads_it(written), meant, "{written}");
        }
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let network = network(&[("http.proxy", Some("http://u:made-up@p:2"))], &[]);
        let shown = format!("{network:?}");
        assert!(shown.contains("proxy: Some") && !shown.contains("made-up"));
    }

    #[test]
    fn certificates_are_verified_unless_git_is_told_otherwise() {
        let verifies = |value| network(&[("http.sslverify", value)], &[]).verifies;
        assert!(network(&[], &[]).verifies && verifies(None) && verifies(Some("true")));
        assert!(!verifies(Some("false")) && !verifies(Some("0")));
    }

    #[test]
    fn exemptions_are_names_and_what_is_below() {
        for (list, expected) in [
            ("corp.test", true),
            (".corp.test", true),
            ("git.corp.test", true),
            ("a,CORP.test", true),
            ("*", true),
            ("orp.test", false),
            ("x.git.corp.test", false),
            ("", false),
        ] {
            assert_eq!(is_exempt("git.corp.test:8443", list), expected, "{list}");
        }
        assert!(is_exempt("[::1]:8443", "::1"));
        let exempt = network(
            &[("http.proxy", Some("p:2"))],
            &[("no_proxy", "git.corp.test")],
        );
        assert_eq!(exempt.proxy, None);
    }
}
