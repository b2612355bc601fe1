//! How to reach a host as git does: its proxy, its version of TLS, and the certificates it trusts. Used by commands that people
//! run and by the detached look-up, never by git's operations.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use super::context::{Context, context_of};
use super::failure::Error;
use super::http::NamedValues;
use super::http_settings::{HttpSettings, HttpValue, Unmet, decides};
use super::no_proxy::is_exempt;
use super::{Git, HANDED_ON};
use crate::credential::query::Query;
use crate::credential::url;

/// The way to a host, as git would go.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The proxy, if one is to be used. It may hold a password.
    pub proxy: Option<String>,
    /// Certificates to trust instead of the system's.
    pub authorities: Option<PathBuf>,
    /// A folder of more certificates to trust.
    pub folder: Option<PathBuf>,
    /// Certificates that an HTTPS proxy is trusted by, instead of the system's.
    pub proxy_authorities: Option<PathBuf>,
    /// `http.pinnedPubkey`: digests, or a file.
    pub pinned: Option<OsString>,
    /// Whether TLS 1.2 is too old.
    pub is_tls13_only: bool,
    /// The opposite of `http.sslVerify`.
    pub trusts_all: bool,
}

impl Network {
    /// As git reaches `url`, the one that is called: by `http.*`, `http.<url>.*`, and the variables that git and curl take in
    /// their place. Starts git, if there is one. Only the person's and the system's settings count, no repository's.
    ///
    /// Fails if a look-up cannot comply with a setting, or git cannot read its settings: then nothing may be sent.
    pub fn as_git_has_it(url: &str) -> Result<Self, Unmet> {
        let git = match Git::find() {
            Ok(git) => Some(git),
            Err(Error::Missing) => None,
            Err(_) => return Err(Unmet::Unread),
        };
        let read = |url: &str, is_handed_on| {
            let configured = git.as_ref().map(|git| git.http_settings(url, is_handed_on));
            let configured = configured.transpose().map_err(|_| Unmet::Unread)?;
            let settings = HttpSettings {
                configured: &configured.unwrap_or_default(),
                variable: &|name| env::var_os(name),
            };
            Self::by(host_of(url), &settings)
        };
        let network = read(url, false)?;
        if let Some(git) = &git {
            let all = git
                .own_settings(r"^(http|includeif)\.")
                .map_err(|_| Unmet::Unread)?;
            // A token may be for any part of the host.
            for part in parts(url, &all)? {
                if read(&part, false)? != network {
                    return Err(Unmet::Part);
                }
            }
            let mut names = all.iter().map(|(name, _)| name);
            if names.any(|name| name.starts_with("includeif.")) && is_changed_here(git, &all) {
                return Err(Unmet::Conditional);
            }
        }
        // If settings for one command (`git -c`) change anything, nothing is sent.
        let handed_on = HANDED_ON.iter().find(|name| env::var_os(name).is_some());
        match handed_on {
            Some(name) if read(url, true)? != network => Err(Unmet::Set(name)),
            _ => Ok(network),
        }
    }

    fn by(host: &str, settings: &HttpSettings<'_>) -> Result<Self, Unmet> {
        let proxy = proxy(host, settings)?;
        settings.check_protocol()?;
        settings.check(proxy.is_some())?;
        let is_encrypted = |proxy: &String| proxy.starts_with("https://");
        let proxy_authorities = settings.value("http.proxySSLCAInfo")?;
        let proxy_authorities =
            proxy_authorities.filter(|_| proxy.as_ref().is_some_and(is_encrypted));
        Ok(Self {
            proxy,
            // An empty name is no file: git stops there.
            authorities: path(settings, "http.sslCAInfo")?,
            // An empty one is none.
            folder: path(settings, "http.sslCAPath")?.filter(|path| !path.as_os_str().is_empty()),
            proxy_authorities: proxy_authorities.map(|value| value.text.into()),
            pinned: path(settings, "http.pinnedPubkey")?.map(PathBuf::into_os_string),
            is_tls13_only: settings.is_tls13_only()?,
            trusts_all: settings.is_on("http.sslVerify")? == Some(false),
        })
    }
}

/// The host in `https://HOST/…`, with its port.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The URLs at the host of `url` for whose path `settings` may have some of their own: `http.https://host/acme.proxy`.
/// Fails for a context with a user, who may be a token: every user of the system sees git's arguments.
///
/// A context that this program cannot read may be for any URL.
fn parts(url: &str, settings: &NamedValues) -> Result<Vec<String>, Unmet> {
    let host = format!("https://{}", host_of(url));
    let url = url::parse(host.as_bytes()).map_err(|_| Unmet::Part)?;
    let mut parts: Vec<String> = Vec::new();
    for (name, _) in settings.iter().filter(|(name, _)| decides(name)) {
        let Some(context) = context_of(name.as_ref()) else {
            continue;
        };
        let context = Context::parse(context).ok_or(Unmet::Part)?;
        if !context.is_for_part_of(&url) {
            continue;
        }
        let part = Query {
            host: url.host.clone(),
            ..context.parts
        };
        let part = part.key().filter(|part| part.username.is_none());
        let part = part.ok_or(Unmet::Part)?.encoded();
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    Ok(parts)
}

/// Whether a conditional include (git-config(1)) gives this folder other settings than `everywhere`.
fn is_changed_here(git: &Git, everywhere: &NamedValues) -> bool {
    let Ok(here) = git.http_settings_here() else {
        // git itself stops here.
        return true;
    };
    let deciding = |all: &NamedValues| -> Vec<_> {
        let deciding = all.iter().filter(|(name, _)| decides(name));
        deciding.cloned().collect()
    };
    deciding(&here) != deciding(everywhere)
}

/// The proxy for `host`. An empty one means none, and later settings do not count.
fn proxy(host: &str, settings: &HttpSettings<'_>) -> Result<Option<String>, Unmet> {
    // An address that is no text is not passed over: there may be no other way out.
    let first = |names: &[&str]| {
        let found = names.iter().find_map(|name| (settings.variable)(name));
        found.map(|value| value.to_string_lossy().into_owned())
    };
    let proxy = match settings.value("http.proxy")? {
        Some(proxy) => Some(proxy.text.to_string_lossy().into_owned()),
        None => first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
    };
    let exempt = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    Ok(proxy
        .filter(|proxy| !proxy.is_empty() && !is_exempt(host, &exempt))
        .map(|proxy| as_curl_reads_it(&proxy)))
}

/// A path as git expands it (git-config(1), Values): `~/` is the home folder. Another user's home and git's own folders are
/// not known here.
fn path(settings: &HttpSettings<'_>, setting: &'static str) -> Result<Option<PathBuf>, Unmet> {
    let Some(HttpValue { name, text }) = settings.value(setting)? else {
        return Ok(None);
    };
    // A variable is taken as it is.
    if name != setting {
        return Ok(Some(text.into()));
    }
    let words = text.to_string_lossy();
    if let Some(rest) = words.strip_prefix("~/") {
        let home = (settings.variable)("HOME").ok_or(Unmet::Invalid(name))?;
        return Ok(Some(PathBuf::from(home).join(rest)));
    }
    if words.starts_with(['~', '%', ':']) {
        return Err(Unmet::Invalid(name));
    }
    Ok(Some(text.into()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::os_string;

    fn read(
        settings: &[(&str, Option<&str>)],
        variables: &[(&str, &str)],
    ) -> Result<Network, Unmet> {
        let configured: Vec<_> = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(OsString::from)))
            .collect();
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let settings = HttpSettings {
            configured: &configured,
            variable: &variable,
        };
        Network::by("git.corp.test:8443", &settings)
    }

    fn network(settings: &[(&str, Option<&str>)], variables: &[(&str, &str)]) -> Network {
        read(settings, variables).unwrap()
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
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| os_string(value.to_vec()))
            };
            let settings = HttpSettings {
                configured: &[],
                variable: &variable,
            };
            Network::by("one.test", &settings).unwrap().proxy
        };
        let all: (&str, &[u8]) = ("all_proxy", b"p:2");
        assert_eq!(proxy(&[("https_proxy", b""), all]), None);
        let garbage = proxy(&[("https_proxy", b"\xff"), all]);
        assert_eq!(garbage.as_deref(), Some("http://\u{fffd}:1080"));
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
    fn certificates_are_verified_unless_git_is_told_otherwise() {
        let verifies = |value| !network(&[("http.sslverify", value)], &[]).trusts_all;
        assert!(!network(&[], &[]).trusts_all && verifies(None) && verifies(Some("true")));
        assert!(verifies(Some("1")) && !verifies(Some("0")) && !verifies(Some("")));
        assert!(!verifies(Some("false")));
        let garbled = read(&[("http.sslverify", Some("maybe"))], &[]);
        assert_eq!(garbled.map(drop), Err(Unmet::Invalid("http.sslVerify")));
    }

    #[test]
    fn nothing_is_sent_past_a_setting_that_only_git_can_comply_with() {
        let set = |name| Err(Unmet::Set(name));
        let invalid = |name| Err(Unmet::Invalid(name));
        for (name, value, expected) in [
            ("http.sslcipherlist", "NORMAL", set("http.sslCipherList")),
            ("http.sslbackend", "openssl", set("http.sslBackend")),
            ("http.sslbackend", "", set("http.sslBackend")),
            ("http.sslcert", "/c", set("http.sslCert")),
            (
                "http.curloptresolve",
                "one.test:443:127.0.0.1",
                set("http.curloptResolve"),
            ),
            ("http.sslversion", "sslv3", invalid("http.sslVersion")),
            ("http.sslversion", "tlsv1.4", invalid("http.sslVersion")),
            ("http.sslcainfo", "~root/ca.pem", invalid("http.sslCAInfo")),
            (
                "http.sslcapath",
                "%(prefix)/certs",
                invalid("http.sslCAPath"),
            ),
            (
                "http.pinnedpubkey",
                ":(optional)~/x",
                invalid("http.pinnedPubkey"),
            ),
            ("http.ssltotallynew", "x", Err(Unmet::Unknown)),
            (
                "remote.Origin.proxy",
                "http://p",
                set("remote.<name>.proxy"),
            ),
            ("GIT_SSL_CIPHER_LIST", "NORMAL", set("GIT_SSL_CIPHER_LIST")),
            ("GIT_SSL_VERSION", "tlsv9", invalid("GIT_SSL_VERSION")),
            ("GIT_SSL_CERT", "/c", set("GIT_SSL_CERT")),
        ] {
            let found = if name.starts_with("GIT_") {
                read(&[], &[(name, value)])
            } else {
                read(&[(name, Some(value))], &[])
            };
            assert_eq!(found.map(drop), expected, "{name}={value}");
        }
        // A name alone stops git.
        for name in [
            "http.proxy",
            "http.sslversion",
            "http.sslcainfo",
            "http.pinnedpubkey",
        ] {
            assert!(read(&[(name, None)], &[]).is_err(), "{name}");
        }
    }

    #[test]
    fn settings_that_bar_nothing_bar_no_look_up() {
        for (name, value) in [
            ("http.sslcipherlist", ""),
            ("http.sslversion", "tlsv1.2"),
            ("http.sslversion", ""),
            ("http.sslkey", "/k"),
            ("http.ssltry", "true"),
            ("http.schannelcheckrevoke", "false"),
            ("http.proxyauthmethod", "digest"),
            ("http.proxysslcert", "/c"),
            ("http.cookiefile", "/c"),
            ("http.extraheader", "X: y"),
            ("http.postbuffer", "1"),
        ] {
            assert!(read(&[(name, Some(value))], &[]).is_ok(), "{name}={value}");
        }
        let only = network(&[("http.sslversion", Some("tlsv1.3"))], &[]);
        assert!(only.is_tls13_only);
        let variable = [("GIT_SSL_VERSION", "")];
        assert!(!network(&[("http.sslversion", Some("tlsv1.3"))], &variable).is_tls13_only);
    }

    #[test]
    fn settings_for_a_proxy_hold_where_there_is_one() {
        let proxy = ("http.proxy", Some("https://p"));
        for (name, value) in [
            ("http.proxyauthmethod", "digest"),
            ("http.proxyauthmethod", "ntlm"),
            ("http.proxysslcert", "/c"),
            ("http.proxysslkey", "/k"),
        ] {
            assert!(read(&[proxy, (name, Some(value))], &[]).is_err(), "{name}");
        }
        let settings = [proxy, ("http.proxysslcainfo", Some("/ca"))];
        let found = network(&settings, &[]).proxy_authorities;
        assert_eq!(found, Some(PathBuf::from("/ca")));
        let other = [("GIT_PROXY_SSL_CAINFO", "/env")];
        let found = network(&settings, &other).proxy_authorities;
        assert_eq!(found, Some(PathBuf::from("/env")));
        let basic = network(&[proxy, ("http.proxyauthmethod", Some("basic"))], &[]);
        assert_eq!(basic.proxy.as_deref(), Some("https://p"));
    }

    #[test]
    fn an_exempt_host_has_no_proxy() {
        let proxy = |list| network(&[("http.proxy", Some("p:2"))], &[("no_proxy", list)]).proxy;
        assert_eq!(proxy("git.corp.test"), None);
        assert_eq!(proxy("other.test,*").as_deref(), Some("http://p:2"));
    }
}
