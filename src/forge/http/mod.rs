//! Calls over HTTPS: to one fixed URL, without redirects, within 3 s by default, and with at most 64 KiB in the answer.
//!
//! git's settings for the host apply ([`Network::as_git_has_it`]).

#[cfg(feature = "lookup")]
mod address;
#[cfg(feature = "lookup")]
mod https;
#[cfg(feature = "lookup")]
mod pem;
#[cfg(feature = "lookup")]
mod pin;
#[cfg(feature = "lookup")]
mod tls;
#[cfg(feature = "lookup")]
mod trust;

use std::time::Duration;

use super::answer::HttpAnswer;
use super::{Call, Method, Signature};
use crate::git::http_settings::Unmet;
use crate::git::network::Network;
use crate::secret::Secret;
use crate::terminal::escape::shell_word;
use crate::terminal::with_causes;
use crate::trace;

/// The limit of a call.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// The limit of an answer's body in bytes. The limit of its headers is half of that.
#[cfg(feature = "lookup")]
pub const LARGEST: usize = 64 * 1024;

/// The reason why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("its name cannot be resolved (DNS)")]
    Name,
    #[error("the connection is refused")]
    Refused,
    #[error("the network or the host is not reachable")]
    Network,
    #[error("the connection broke off")]
    Broken,
    #[error("the connection failed")]
    Other,
}

/// The reason why there is no answer. Never holds a part of the request or of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("cannot reach the forge: {0}")]
    Unreachable(Obstacle),
    #[error("the forge does not answer in time")]
    TooSlow,
    #[error("the forge's certificate {0}")]
    Certificate(&'static str),
    /// Any other failure of TLS.
    #[error("cannot agree with the forge on TLS")]
    Tls,
    #[error("the forge's answer is too large")]
    TooLarge,
    #[error("the forge's answer is not HTTP")]
    Garbled,
    #[error("cannot go through the proxy")]
    Proxy,
    /// `http.sslCAInfo` or `GIT_SSL_CAINFO` names no certificates.
    #[error("cannot read the certificates that git is to trust")]
    Authorities,
    #[error("the server's key is none of those in http.pinnedPubkey")]
    Pinned,
    /// This program does not support a setting of git.
    #[error("not asked: {0}")]
    Setting(Unmet),
    #[error("the host cannot be asked: its name or its port is none that a URL can have")]
    Address,
    #[error("the token holds characters that cannot be sent")]
    Token,
    /// The system gives no thread, and name resolution needs one.
    #[error("the system lets this program do no more at once")]
    NoThread,
    #[error("this program was built without look-ups")]
    #[cfg_attr(
        feature = "lookup",
        allow(dead_code, reason = "only without the feature")
    )]
    LeftOut,
}

/// Without a source: the message already contains it.
impl From<Unmet> for Error {
    fn from(setting: Unmet) -> Self {
        Self::Setting(setting)
    }
}

impl Error {
    /// Whether the cause is the host, so that a request about another token would fail too.
    pub fn is_of_host(self) -> bool {
        !matches!(self, Self::Token | Self::TooLarge | Self::Garbled)
    }

    /// Whether git may reach the server all the same: it has other libraries, and supports more settings.
    pub fn may_spare_git(self) -> bool {
        matches!(
            self,
            Self::Certificate(_)
                | Self::Tls
                | Self::Proxy
                | Self::Authorities
                | Self::Pinned
                | Self::Setting(_)
                | Self::LeftOut
        )
    }

    /// A command that shows the cause. `host`: the host that was called.
    pub fn hint(self, host: &str) -> String {
        let url = shell_word(format!("https://{host}/").as_bytes());
        self.setting_hint()
            .unwrap_or_else(|| format!("curl -v {url}"))
    }

    /// A command that shows the setting of git that is the cause, if one is.
    pub fn setting_hint(self) -> Option<String> {
        Some(match self {
            Self::Setting(setting) => setting.hint(),
            Self::Pinned => Unmet::Set("http.pinnedPubkey").hint(),
            Self::Authorities => Unmet::Set("http.sslCAInfo").hint(),
            _ => return None,
        })
    }
}

/// Returns git's proxy and TLS settings for `url`. Starts git only if the URL can be called: git cannot read settings for
/// another one.
pub fn network_for(url: &str) -> Result<Network, Error> {
    https::check(url)?;
    Ok(Network::as_git_has_it(url)?)
}

/// Makes `call`, signed by `token`. Returns an answer of any status. Follows no redirect.
pub fn call(
    call: &Call,
    token: Option<&Secret>,
    body: Option<&[u8]>,
    network: &Network,
) -> Result<HttpAnswer, Error> {
    traced(call, || {
        https::call(call, token, body, network, PATIENCE, false)
    })
}

/// As [`call`], for an answer that must not be lost: waits for `patience`, and returns a body that broke off or is too long.
pub fn call_within(
    patience: Duration,
    call: &Call,
    token: Option<&Secret>,
    body: Option<&[u8]>,
    network: &Network,
) -> Result<HttpAnswer, Error> {
    traced(call, || {
        https::call(call, token, body, network, patience, true)
    })
}

/// As [`call`], but reads only the first [`LARGEST`] bytes of the body.
pub fn peek(call: &Call, token: Option<&Secret>, network: &Network) -> Result<HttpAnswer, Error> {
    traced(call, || {
        https::call(call, token, None, network, PATIENCE, true)
    })
}

fn method_name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    }
}

/// Tells the trace the method, the URL without its query, and the status.
fn traced(
    call: &Call,
    make: impl FnOnce() -> Result<HttpAnswer, Error>,
) -> Result<HttpAnswer, Error> {
    trace::timed("http", make, |answer| {
        let url = call.url.split(['?', '#']).next().unwrap_or_default();
        let signed = match call.signature {
            Signature::None => "without a token",
            _ => "with the token",
        };
        let asked = format!("{} {url} {signed}", method_name(call.method));
        match answer {
            Ok(answer) => format!("{asked}: status {}", answer.status),
            Err(error) => format!("{asked}: {}", with_causes(error)),
        }
    })
}

/// Without the feature `lookup`, every call fails.
#[cfg(not(feature = "lookup"))]
#[allow(clippy::unnecessary_wraps, reason = "the face of the real calls")]
mod https {
    use super::{Call, Duration, Error, HttpAnswer, Network, Secret};

    pub(crate) fn check(_url: &str) -> Result<(), Error> {
        Ok(())
    }

    pub(crate) fn call(
        _call: &Call,
        _token: Option<&Secret>,
        _body: Option<&[u8]>,
        _network: &Network,
        _patience: Duration,
        _may_cut: bool,
    ) -> Result<HttpAnswer, Error> {
        Err(Error::LeftOut)
    }
}

#[cfg(test)]
#[cfg(feature = "lookup")]
mod tests {
    use super::https::outliving;
    use super::*;
    use crate::forge::{Method, Signature};

    /// No server listens at this port.
    const NO_SERVER: &str = "https://127.0.0.1:1";

    fn asked_through(proxy: &str) -> Result<HttpAnswer, Error> {
        let call = Call {
            method: Method::Get,
            url: format!("{NO_SERVER}/api"),
            signature: Signature::None,
            accept: "*/*",
        };
        let network = Network {
            proxy: Some(proxy.to_owned()),
            ..Network::default()
        };
        call_within(Duration::from_millis(300), &call, None, None, &network)
    }

    #[test]
    fn no_proxy_whatever_it_is_called_ends_more_than_the_call() {
        let huge = format!("http://{}", "a".repeat(100_000));
        let long_user = format!("socks5://{}:w@127.0.0.1:1", "u".repeat(300));
        for proxy in [
            "http://127.0.0.1:1",
            "127.0.0.1:1",
            "HTTP://127.0.0.1:1",
            "https://127.0.0.1:1",
            "socks://127.0.0.1:1",
            "socks4://127.0.0.1:1",
            "socks4a://127.0.0.1:1",
            "socks5://127.0.0.1:1",
            "socks5://u:w@127.0.0.1:1",
            "socks5h://127.0.0.1:1/",
            "SOCKS5H://127.0.0.1:1",
            "socks4://[::1]:1",
            "socks5h://localhost/tmp/socket",
            "socks5h:///tmp/socket",
            "socks6://127.0.0.1:1",
            "ftp://127.0.0.1:1",
            "file:///etc/passwd",
            "",
            "://",
            "http://",
            "http://:80",
            "http://u:w@",
            "http://127.0.0.1:99999",
            "socks5h://127.0.0.1:99999",
            "http://127.0.0.1:",
            "http://[::1",
            "http://[]:1",
            "http://a b:1",
            "http://u:%ff@127.0.0.1:1",
            "socks5://%ff@127.0.0.1:1",
            "socks5://@127.0.0.1:1",
            "m\u{fc}nchen.invalid:1",
            "\u{fffd}\u{fffd}",
            "\r\nX: y",
            "/",
            "*",
            "?",
            "#",
            "a/b",
            &huge,
            &long_user,
        ] {
            let answer = asked_through(proxy);
            let shown: String = proxy.chars().take(40).collect();
            let error = answer.expect_err(&shown);
            assert!(
                matches!(error, Error::Proxy | Error::TooSlow),
                "{shown}: {error}"
            );
        }
    }

    #[test]
    fn a_fault_of_a_library_is_no_answer() {
        assert_eq!(outliving(|| panic!("made up")).err(), Some(Error::Garbled));
    }
}
