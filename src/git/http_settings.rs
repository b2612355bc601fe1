//! git's settings for HTTP, and those that a look-up cannot comply with (`http_options` and `http_init` in git's `http.c`, 2.39
//! to 2.53).

use std::ffi::{OsStr, OsString};

use super::boolean;

/// Settings that decide which server git calls and trusts, by name in lower case, and the variable that overrides each.
///
/// The rest of `http.*` is about speed, cookies, headers, redirects and how git signs in: a look-up follows no redirect and
/// sends nothing but its token.
const KNOWN: [(&str, &str); 22] = [
    ("http.proxy", ""),
    ("http.proxyauthmethod", "GIT_HTTP_PROXY_AUTHMETHOD"),
    ("http.proxysslcert", "GIT_PROXY_SSL_CERT"),
    ("http.proxysslkey", "GIT_PROXY_SSL_KEY"),
    ("http.proxysslcainfo", "GIT_PROXY_SSL_CAINFO"),
    ("http.proxysslcertpasswordprotected", ""),
    ("http.curloptresolve", ""),
    ("http.sslbackend", ""),
    ("http.sslversion", "GIT_SSL_VERSION"),
    ("http.sslcipherlist", "GIT_SSL_CIPHER_LIST"),
    ("http.sslverify", ""),
    ("http.sslcainfo", "GIT_SSL_CAINFO"),
    ("http.sslcapath", "GIT_SSL_CAPATH"),
    ("http.pinnedpubkey", ""),
    ("http.sslcert", "GIT_SSL_CERT"),
    // Without a certificate git sends no key.
    ("http.sslkey", "GIT_SSL_KEY"),
    ("http.sslcerttype", "GIT_SSL_CERT_TYPE"),
    ("http.sslkeytype", "GIT_SSL_KEY_TYPE"),
    ("http.sslcertpasswordprotected", ""),
    // Only for FTP.
    ("http.ssltry", ""),
    // Only with http.sslBackend=schannel.
    ("http.schannelcheckrevoke", ""),
    ("http.schannelusesslcainfo", ""),
];

/// Parts of names that a later git may give to a setting of this kind.
const SUSPICIOUS: [&str; 11] = [
    "ssl", "tls", "cert", "cipher", "pinned", "pubkey", "verify", "schannel", "proxy", "resolve",
    "cainfo",
];

/// Whether the setting `http.NAME` or `http.URL.NAME` decides which server git calls or trusts.
pub(crate) fn decides(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    SUSPICIOUS.iter().any(|part| last.contains(part))
}

/// A setting of git's that a look-up cannot follow: so nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// Only git can.
    #[error("{0} is set, and only git itself can follow it")]
    Set(&'static str),
    /// It says nothing that git or this program understands.
    #[error("{0} has a value that this program does not understand")]
    Invalid(&'static str),
    /// A later git may have added it.
    #[error(
        "git's configuration has an http setting for TLS or proxies that this program does not know"
    )]
    Unknown,
    /// `http.https://host/path.*` or `http.https://user@host.*`: git takes another way for some of the host's repositories.
    #[error(
        "git's configuration has http settings for a path or a user of this host, and only git itself can follow them"
    )]
    Part,
    /// `[includeIf …]`.
    #[error(
        "git's configuration has other http settings in this folder than elsewhere, by a conditional include"
    )]
    Conditional,
    /// git stops, too.
    #[error("git's configuration cannot be read")]
    Unread,
}

impl Unmet {
    /// How to find the setting.
    pub fn hint(self) -> String {
        let name = match self {
            Self::Set(name) | Self::Invalid(name) => name,
            Self::Unknown | Self::Part => "http",
            Self::Conditional => "includeIf",
            Self::Unread => return "git config --list --show-origin".to_owned(),
        };
        if name.starts_with("GIT_") {
            return format!("unset {name}");
        }
        let lower = name.to_ascii_lowercase();
        if !lower.contains('.') {
            return format!(r"git config --show-origin --get-regexp '^{lower}\.'");
        }
        let section = lower.split('.').next().unwrap_or_default();
        let last = lower.rsplit('.').next().unwrap_or_default();
        format!("git config --show-origin --get-regexp '^{section}.*{last}'")
    }
}

/// The settings of git's configuration and the environment for one URL.
pub(crate) struct HttpSettings<'a> {
    /// By name in lower case; `None` for a name alone.
    pub(crate) configured: &'a [(String, Option<OsString>)],
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl HttpSettings<'_> {
    /// The last value of `name`, an environment variable before all else, and what it is called. `None`: not set.
    /// Fails for a name alone, with which git stops.
    pub(crate) fn value(&self, name: &'static str) -> Result<Option<HttpValue>, Unmet> {
        let lower = name.to_ascii_lowercase();
        let mut known = KNOWN.iter();
        let variable = known.find(|(setting, _)| *setting == lower);
        let variable = variable.map_or("", |(_, variable)| *variable);
        if let Some(text) = (self.variable)(variable).filter(|_| !variable.is_empty()) {
            let name = variable;
            return Ok(Some(HttpValue { name, text }));
        }
        match self.last(&lower) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(HttpValue {
                name,
                text: text.clone(),
            })),
            Some(None) => Err(Unmet::Invalid(name)),
        }
    }

    /// The last value of `name` in git's configuration; `Some(None)`: the name stands alone.
    fn last(&self, name: &str) -> Option<&Option<OsString>> {
        let mut all = self.configured.iter().rev();
        all.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A boolean as git reads it; one that git does not understand stops git.
    pub(crate) fn is_on(&self, name: &'static str) -> Result<Option<bool>, Unmet> {
        let Some(value) = self.last(&name.to_ascii_lowercase()) else {
            return Ok(None);
        };
        let word = value.as_deref().unwrap_or("true".as_ref());
        let is_on = boolean::parse(word.as_encoded_bytes()).ok_or(Unmet::Invalid(name))?;
        Ok(Some(is_on))
    }

    /// Fails if one is set that only git can comply with. `is_proxied`: whether a proxy is used.
    pub(crate) fn check(&self, is_proxied: bool) -> Result<(), Unmet> {
        let mut names = self.configured.iter().map(|(name, _)| &name[..]);
        let is_unknown = |name: &str| {
            name.starts_with("http.")
                && KNOWN.iter().all(|(known, _)| *known != name)
                && SUSPICIOUS.iter().any(|part| name.contains(part))
        };
        if names.any(is_unknown) {
            return Err(Unmet::Unknown);
        }
        // An empty value stops git as well, which finds no such library or certificate.
        self.bar(&["http.sslBackend", "http.sslCert"], |_| true)?;
        let is_set = |text: &OsStr| !text.is_empty();
        self.bar(&["http.sslCipherList", "http.curloptResolve"], is_set)?;
        // A look-up is for a host, and for no remote: which of them go there is not known. Of remotes only proxies are here.
        let mut names = self.configured.iter().map(|(name, _)| name);
        if names.any(|name| name.starts_with("remote.")) {
            return Err(Unmet::Set("remote.<name>.proxy"));
        }
        if !is_proxied {
            return Ok(());
        }
        self.bar(&["http.proxySSLCert", "http.proxySSLKey"], |_| true)?;
        let methods = ["digest", "negotiate", "ntlm"];
        let is_gits = |text: &OsStr| methods.iter().any(|method| text == *method);
        self.bar(&["http.proxyAuthMethod"], is_gits)
    }

    /// Fails if one of `names` has a value that `bars` a look-up.
    fn bar(&self, names: &[&'static str], bars: impl Fn(&OsStr) -> bool) -> Result<(), Unmet> {
        for name in names {
            if let Some(value) = self.value(name)?.filter(|value| bars(&value.text)) {
                return Err(Unmet::Set(value.name));
            }
        }
        Ok(())
    }

    /// Fails if git may not use HTTPS (git-config(1), `protocol.allow`; git(1), `GIT_ALLOW_PROTOCOL`).
    pub(crate) fn check_protocol(&self) -> Result<(), Unmet> {
        const LIST: &str = "GIT_ALLOW_PROTOCOL";
        if let Some(list) = (self.variable)(LIST) {
            let list = list.to_string_lossy();
            let is_listed = list.split(':').any(|protocol| protocol == "https");
            return is_listed.then_some(()).ok_or(Unmet::Set(LIST));
        }
        for name in ["protocol.https.allow", "protocol.allow"] {
            let Some(value) = self.value(name)? else {
                continue;
            };
            // `user` bars commands that git starts by itself, and a person has started this one.
            return match &value.text.to_string_lossy().to_ascii_lowercase()[..] {
                "always" | "user" => Ok(()),
                "never" => Err(Unmet::Set(name)),
                _ => Err(Unmet::Invalid(name)),
            };
        }
        Ok(())
    }

    /// Whether only TLS 1.3 is allowed. Versions before 1.2 are never used.
    pub(crate) fn is_tls13_only(&self) -> Result<bool, Unmet> {
        let Some(HttpValue { name, text }) = self.value("http.sslVersion")? else {
            return Ok(false);
        };
        match text.to_str() {
            // curl takes each as the oldest that is allowed.
            Some("" | "tlsv1" | "tlsv1.0" | "tlsv1.1" | "tlsv1.2") => Ok(false),
            Some("tlsv1.3") => Ok(true),
            _ => Err(Unmet::Invalid(name)),
        }
    }
}

/// The value of a setting.
pub(crate) struct HttpValue {
    /// The setting, or the variable that takes its place.
    pub(crate) name: &'static str,
    pub(crate) text: OsString,
}
