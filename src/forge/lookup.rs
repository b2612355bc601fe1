//! Calls over HTTPS: to one fixed address, with no redirect, in three seconds unless it is told otherwise, and never more than
//! 64 KiB back.
//!
//! git's own settings for the host hold here too ([`Network::as_git_has_it`]).

use std::time::Duration;

use super::{Answer, Call};
use crate::network::Network;
use crate::secret::Secret;

/// How long a call may take in all.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// The most that an answer's body may hold; its headers have half of that.
pub const LARGEST: usize = 64 * 1024;

/// Why there is no answer. Never holds a part of the request or of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such name, nobody there, or the line broke.
    #[error("cannot reach the forge")]
    Unreachable,
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
    /// The host cannot stand in a URL.
    #[error("the host cannot be asked: its name or its port is none that a URL can have")]
    Address,
    /// No header can hold it.
    #[error("the token holds characters that cannot be sent")]
    Token,
    /// Built without.
    #[error("this program was built without look-ups")]
    LeftOut,
}

impl Error {
    /// Whether the host is to blame, and asking it about another token would be of no use.
    pub fn is_of_host(self) -> bool {
        !matches!(self, Self::Token | Self::TooLarge | Self::Garbled)
    }
}

/// Carries out `call`, signed with `token` as it says, with `body` if it has one. An answer of any status is an answer,
/// redirects too: nothing is followed.
pub fn call(
    call: &Call,
    token: Option<&Secret>,
    body: Option<&[u8]>,
    network: &Network,
) -> Result<Answer, Error> {
    https::call(call, token, body, network, PATIENCE, false)
}

/// As [`call`], for one whose answer must not be missed: it may take `patience` in all.
pub fn call_within(
    patience: Duration,
    call: &Call,
    token: Option<&Secret>,
    body: Option<&[u8]>,
    network: &Network,
) -> Result<Answer, Error> {
    https::call(call, token, body, network, patience, false)
}

/// As [`call`], for an answer that may be long: what is more than [`LARGEST`] of its body stays unread.
pub fn peek(call: &Call, token: Option<&Secret>, network: &Network) -> Result<Answer, Error> {
    https::call(call, token, None, network, PATIENCE, true)
}

/// Carries out nothing: built without the feature `lookup`.
#[cfg(not(feature = "lookup"))]
mod https {
    use super::{Answer, Call, Duration, Error, Network, Secret};

    pub(super) fn call(
        _call: &Call,
        _token: Option<&Secret>,
        _body: Option<&[u8]>,
        _network: &Network,
        _patience: Duration,
        _may_cut: bool,
    ) -> Result<Answer, Error> {
        Err(Error::LeftOut)
    }
}

#[cfg(feature = "lookup")]
mod https {
    use std::fs::File;
    use std::io::{self, Read};
    use std::net::Ipv6Addr;
    use std::panic::{self, AssertUnwindSafe};
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use rustls::CertificateError;
    use ureq::config::IpFamily;
    use ureq::http::{HeaderValue, Request, Uri};
    use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
    use ureq::{Agent, Body, Proxy, ProxyProtocol, SendBody};
    use zeroize::Zeroizing;

    use super::{Error, LARGEST};
    use crate::forge::{Answer, Call, Method, Signature};
    use crate::network::Network;
    use crate::secret::{Buffer, Secret};

    /// More than all certificate authorities there are.
    const LARGEST_BUNDLE: u64 = 4 * 1024 * 1024;

    pub(super) fn call(
        call: &Call,
        token: Option<&Secret>,
        body: Option<&[u8]>,
        network: &Network,
        patience: Duration,
        may_cut: bool,
    ) -> Result<Answer, Error> {
        outliving(|| asked(call, token, body, network, patience, may_cut))
    }

    /// A fault of a library costs an answer, and not the token that somebody has just typed.
    pub(super) fn outliving(ask: impl FnOnce() -> Result<Answer, Error>) -> Result<Answer, Error> {
        panic::catch_unwind(AssertUnwindSafe(ask)).unwrap_or(Err(Error::Garbled))
    }

    fn asked(
        call: &Call,
        token: Option<&Secret>,
        body: Option<&[u8]>,
        network: &Network,
        patience: Duration,
        may_cut: bool,
    ) -> Result<Answer, Error> {
        let mut request = Request::builder()
            .method(match call.method {
                Method::Get => "GET",
                Method::Post => "POST",
                Method::Delete => "DELETE",
            })
            .uri(address(&call.url)?)
            .header("accept", call.accept);
        if let Some(token) = token {
            request = match call.signature {
                Signature::Bearer => request.header("authorization", header(b"Bearer ", token)?),
                Signature::PrivateToken => request.header("private-token", header(b"", token)?),
                Signature::Basic => request.header("authorization", header(b"Basic ", token)?),
                Signature::None => request,
            };
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let agent = agent(network, patience)?;
        let answer = match body {
            Some(mut body) => {
                let length = body.len();
                let body = SendBody::from_reader(&mut body);
                let request = request.header("content-length", length).body(body);
                agent.run(request.map_err(|_| Error::Address)?)
            }
            None => agent.run(request.body(()).map_err(|_| Error::Address)?),
        };
        let answer = answer.map_err(|error| match why(&error) {
            Error::Unreachable if network.proxy.is_some() => Error::Proxy,
            error => error,
        });
        read(answer?, may_cut)
    }

    /// A URL as the library reads it, which takes much for a host, and the usual port for one that is too large: nothing
    /// but the very host and port that stand there may be asked.
    pub(super) fn address(url: &str) -> Result<Uri, Error> {
        let rest = url.strip_prefix("https://").ok_or(Error::Address)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &rest[..end];
        let uri: Uri = url.parse().map_err(|_| Error::Address)?;
        let is_whole = uri
            .authority()
            .is_some_and(|read| read.as_str() == authority);
        let split = authority
            .rfind(':')
            .filter(|at| !authority[*at..].contains(']'));
        let (name, port) = split.map_or((authority, None), |at| {
            (&authority[..at], Some(&authority[at + 1..]))
        });
        let is_port = |port: &str| {
            let number = port.parse::<u16>().unwrap_or(0);
            number > 0 && number.to_string() == port
        };
        let bracketed = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_host = uri.host() == Some(name)
            && !name.is_empty()
            && bracketed.map_or_else(
                || name.bytes().all(is_name),
                |address| address.parse::<Ipv6Addr>().is_ok(),
            );
        if is_whole && is_host && port.is_none_or(is_port) {
            Ok(uri)
        } else {
            Err(Error::Address)
        }
    }

    /// The one copy of the token outside the arena that is ours; wiped when the request is dropped. What the HTTP and TLS
    /// libraries copy on is theirs.
    fn header(scheme: &[u8], token: &Secret) -> Result<HeaderValue, Error> {
        let token = token.expose();
        if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
            return Err(Error::Token);
        }
        let mut text = Zeroizing::new(Vec::with_capacity(scheme.len() + token.len()));
        text.extend_from_slice(scheme);
        text.extend_from_slice(token);
        let mut value =
            HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| Error::Token)?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn agent(network: &Network, patience: Duration) -> Result<Agent, Error> {
        let Network {
            proxy,
            authorities,
            verifies,
        } = network;
        let roots = match authorities {
            Some(path) => RootCerts::new_with_certs(&certificates(path)?),
            None => RootCerts::PlatformVerifier,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(roots)
            .disable_verification(!verifies)
            .build();
        let proxy = proxy.as_deref().map(proxy_at).transpose()?;
        // SOCKS4 knows no other addresses.
        let is_of_old = proxy
            .as_ref()
            .is_some_and(|proxy| proxy.protocol() == ProxyProtocol::Socks4);
        let family = if is_of_old {
            IpFamily::Ipv4Only
        } else {
            IpFamily::Any
        };
        let config = Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_response_header_size(LARGEST / 2)
            .timeout_global(Some(patience))
            .max_idle_connections(0)
            .user_agent(concat!("git-credential-pat/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .proxy(proxy)
            .ip_family(family)
            .build();
        Ok(config.into())
    }

    fn proxy_at(address: &str) -> Result<Proxy, Error> {
        let proxy = Proxy::new(address).map_err(|_| Error::Proxy)?;
        // A path is git's way to name a local socket (2.49), which is not to be mistaken for the host.
        let is_web = matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
        if is_web || matches!(proxy.uri().path(), "" | "/") {
            Ok(proxy)
        } else {
            Err(Error::Proxy)
        }
    }

    fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
        let mut text = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LARGEST_BUNDLE).read_to_end(&mut text))
            .map_err(|_| Error::Authorities)?;
        let found: Vec<_> = parse_pem(&text)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if found.is_empty() {
            Err(Error::Authorities)
        } else {
            Ok(found)
        }
    }

    fn read(answer: ureq::http::Response<Body>, may_cut: bool) -> Result<Answer, Error> {
        let (parts, body) = answer.into_parts();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        let mut kept = Buffer::with_capacity(4096);
        let mut reader = body.into_reader();
        loop {
            let room = LARGEST + 1 - kept.as_slice().len();
            match kept.read_from(&mut reader, room) {
                Ok(0) => break,
                Ok(_) if kept.as_slice().len() > LARGEST && may_cut => break,
                Ok(_) if kept.as_slice().len() > LARGEST => return Err(Error::TooLarge),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(why_io(&error)),
            }
        }
        Ok(Answer {
            status: parts.status.as_u16(),
            headers,
            body: kept,
        })
    }

    fn why(error: &ureq::Error) -> Error {
        match error {
            ureq::Error::Timeout(_) => Error::TooSlow,
            ureq::Error::Io(error) => why_io(error),
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Error::Unreachable,
            ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => Error::Proxy,
            ureq::Error::Rustls(error) => why_tls(error),
            ureq::Error::Tls(_) | ureq::Error::Pem(_) | ureq::Error::TlsRequired => Error::Tls,
            ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => Error::Address,
            ureq::Error::LargeResponseHeader(..) | ureq::Error::BodyExceedsLimit(_) => {
                Error::TooLarge
            }
            _ => Error::Garbled,
        }
    }

    fn why_io(error: &io::Error) -> Error {
        if let Some(inner) = error.get_ref() {
            if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                return why_tls(tls);
            }
            if let Some(inner) = inner.downcast_ref::<ureq::Error>() {
                return why(inner);
            }
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Error::TooSlow,
            _ => Error::Unreachable,
        }
    }

    fn why_tls(error: &rustls::Error) -> Error {
        let rustls::Error::InvalidCertificate(cause) = error else {
            return match error {
                // What the platform's verifier says when there is nothing at all to trust.
                rustls::Error::General(_) => {
                    Error::Certificate("cannot be checked: this system trusts no authority")
                }
                _ => Error::Tls,
            };
        };
        Error::Certificate(fault(cause))
    }

    /// What is wrong, for whoever has made it.
    #[allow(deprecated)]
    fn fault(cause: &CertificateError) -> &'static str {
        match cause {
            CertificateError::UnknownIssuer => {
                "is issued by nobody this system trusts: name its authority in http.sslCAInfo if it is your own"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "is for another name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "has expired, if this computer's clock is right"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "is not valid yet, if this computer's clock is right"
            }
            CertificateError::Revoked => "is revoked",
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "is not one for servers"
            }
            CertificateError::BadSignature => {
                "is signed with another key than the trusted authority of that name has"
            }
            CertificateError::UnsupportedSignatureAlgorithm
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                "is signed in a way that is not trusted, such as with SHA-1"
            }
            // The library that finds these is rustls's own, and names them by their words alone.
            CertificateError::Other(other) => match &other.0.to_string()[..] {
                "CaUsedAsEndEntity" => {
                    "is a certificate authority's own: have that sign another one for the server (CA:FALSE), and trust the authority"
                }
                "UnsupportedCertVersion" => "is of a version before X.509 v3",
                _ => "is not valid",
            },
            _ => "is not valid",
        }
    }
}

#[cfg(all(test, feature = "lookup"))]
mod tests {
    use proptest::prelude::*;

    use super::https::{address, outliving};
    use super::*;
    use crate::credential::key::Key;
    use crate::forge::{Method, Signature, Site};

    /// Nobody is at this port.
    const NOBODY: &str = "https://127.0.0.1:1";

    fn asked_through(proxy: &str) -> Result<Answer, Error> {
        let call = Call {
            method: Method::Get,
            url: format!("{NOBODY}/api"),
            signature: Signature::None,
            accept: "*/*",
        };
        let network = Network {
            proxy: Some(proxy.to_owned()),
            authorities: None,
            verifies: true,
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

    #[test]
    fn only_hosts_and_ports_that_there_are_can_be_asked() {
        for host in [
            "github.com",
            "one.test:1",
            "one.test:65535",
            "127.0.0.1:8443",
            "[::1]",
            "[::1]:8443",
            "a_b.test.",
        ] {
            assert!(address(&format!("https://{host}/x?y#z")).is_ok(), "{host}");
        }
        for host in [
            "github.com:99999",
            "github.com:65536",
            "github.com:0",
            "github.com:",
            "github.com:+443",
            "github.com:0443",
            "github.com:443:443",
            "alice@github.com",
            "m\u{fc}nchen.test",
            "[fe80::1%25lo]",
            "[::1]x",
            "a%2eb",
            "a\\b",
            "",
            ":443",
        ] {
            let asked = address(&format!("https://{host}/x")).err();
            assert_eq!(asked, Some(Error::Address), "{host}");
        }
        assert_eq!(address("http://one.test/").err(), Some(Error::Address));
    }

    proptest! {
        /// As somebody who calls reads it: its port, or HTTPS's own.
        #[test]
        fn the_very_host_and_port_are_called(
            host in r"[a-z0-9.\[:\]@%\-]{1,12}(:[0-9+]{0,6})?|\PC{1,12}"
        ) {
            let key = Key {
                protocol: b"https".to_vec(),
                host: host.clone().into_bytes(),
                path: None,
                username: None,
            };
            let Some(site) = Site::of(&key) else { return Ok(()) };
            if let Ok(uri) = address(&site.url("/api/v4/x?y=z")) {
                prop_assert_eq!(uri.path(), "/api/v4/x");
                let port = uri.port_u16().map_or(String::new(), |port| format!(":{port}"));
                prop_assert_eq!(format!("{}{port}", uri.host().unwrap()), host);
            }
        }
    }
}
