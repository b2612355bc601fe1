//! Calls over HTTPS: to one fixed address, with no redirect, in three seconds unless it is told otherwise, and never more than
//! 64 KiB back.
//!
//! git's own settings for the host hold here too ([`Network::as_git_has_it`]).

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

use super::Call;
use super::answer::HttpAnswer;
use crate::git::http_settings::Unmet;
use crate::git::network::Network;
use crate::secret::Secret;
use crate::terminal::escape::shell_word;

/// How long a call may take in all.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// The most that an answer's body may hold; its headers have half of that.
pub const LARGEST: usize = 64 * 1024;

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// DNS knows no such name, or does not answer.
    #[error("its name cannot be resolved (DNS)")]
    Name,
    /// Nothing listens at the port.
    #[error("the connection is refused")]
    Refused,
    /// No route.
    #[error("the network or the host is not reachable")]
    Network,
    /// Cut off.
    #[error("the connection broke off")]
    Broken,
    /// The system says no more.
    #[error("the connection failed")]
    Other,
}

/// Why there is no answer. Never holds a part of the request or of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection, or it broke.
    #[error("cannot reach the forge: {0}")]
    Unreachable(Obstacle),
    /// Not in time.
    #[error("the forge does not answer in time")]
    TooSlow,
    /// It is not who it should be.
    #[error("the forge's certificate {0}")]
    Certificate(&'static str),
    /// TLS failed in another way.
    #[error("cannot agree with the forge on TLS")]
    Tls,
    /// Larger than any answer is.
    #[error("the forge's answer is too large")]
    TooLarge,
    /// Not HTTP.
    #[error("the forge's answer is not HTTP")]
    Garbled,
    /// The proxy's address, or the proxy.
    #[error("cannot go through the proxy")]
    Proxy,
    /// `http.sslCAInfo` or `GIT_SSL_CAINFO` names no certificates.
    #[error("cannot read the certificates that git is to trust")]
    Authorities,
    /// `http.pinnedPubkey`.
    #[error("the server's key is none of those in http.pinnedPubkey")]
    Pinned,
    /// A setting of git's that a look-up cannot comply with.
    #[error("not asked: {0}")]
    Setting(Unmet),
    /// The host cannot stand in a URL.
    #[error("the host cannot be asked: its name or its port is none that a URL can have")]
    Address,
    /// No header can hold it.
    #[error("the token holds characters that cannot be sent")]
    Token,
    /// The system gives no thread, without which nobody looks up a name.
    #[error("the system lets this program do no more at once")]
    NoThread,
    #[error("this program was built without look-ups")]
    #[cfg_attr(
        feature = "lookup",
        allow(dead_code, reason = "only without the feature")
    )]
    LeftOut,
}

/// No source: the message has all of it already.
impl From<Unmet> for Error {
    fn from(setting: Unmet) -> Self {
        Self::Setting(setting)
    }
}

impl Error {
    /// Whether the host is to blame, and asking it about another token would be of no use.
    pub fn is_of_host(self) -> bool {
        !matches!(self, Self::Token | Self::TooLarge | Self::Garbled)
    }

    /// Whether git may reach the server all the same: it has other libraries, and settings that a look-up cannot comply with.
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

    /// The command that tells more about it, for the host that was called.
    pub fn hint(self, host: &str) -> String {
        let of_setting = self.setting_hint();
        let curl = || {
            format!(
                "curl -v {}",
                shell_word(format!("https://{host}/").as_bytes())
            )
        };
        of_setting.unwrap_or_else(curl)
    }

    /// How to find the setting of git's that is to blame, if one is.
    pub fn setting_hint(self) -> Option<String> {
        Some(match self {
            Self::Setting(setting) => setting.hint(),
            Self::Pinned => Unmet::Set("http.pinnedPubkey").hint(),
            Self::Authorities => Unmet::Set("http.sslCAInfo").hint(),
            _ => return None,
        })
    }
}

/// Returns how git reaches `url`. Starts git, but not for a URL whose host or port cannot be called: git cannot read settings
/// for such a URL.
pub fn network_for(url: &str) -> Result<Network, Error> {
    https::check(url)?;
    Ok(Network::as_git_has_it(url)?)
}

/// Carries out `call`, signed with `token` as it says, with `body` if it has one. An answer of any status is an answer,
/// redirects too: nothing is followed.
pub fn call(
    call: &Call,
    token: Option<&Secret>,
    body: Option<&[u8]>,
    network: &Network,
) -> Result<HttpAnswer, Error> {
    https::call(call, token, body, network, PATIENCE, false)
}

/// As [`call`], for one whose answer must not be missed: it may take `patience` in all, and what came of a body that breaks
/// off, or is too long, is an answer.
pub fn call_within(
    patience: Duration,
    call: &Call,
    token: Option<&Secret>,
    body: Option<&[u8]>,
    network: &Network,
) -> Result<HttpAnswer, Error> {
    https::call(call, token, body, network, patience, true)
}

/// As [`call`], for an answer that may be long: what is more than [`LARGEST`] of its body stays unread.
pub fn peek(call: &Call, token: Option<&Secret>, network: &Network) -> Result<HttpAnswer, Error> {
    https::call(call, token, None, network, PATIENCE, true)
}

/// Carries out nothing: built without the feature `lookup`.
#[cfg(not(feature = "lookup"))]
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

#[cfg(all(test, feature = "lookup"))]
mod tests {
    use super::https::outliving;
    use super::*;
    use crate::forge::{Method, Signature};

    /// Nobody is at this port.
    const NOBODY: &str = "https://127.0.0.1:1";

    fn asked_through(proxy: &str) -> Result<HttpAnswer, Error> {
        let call = Call {
            method: Method::Get,
            url: format!("{NOBODY}/api"),
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
