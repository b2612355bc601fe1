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
    #[error("the host cannot be asked")]
    Address,
    /// No header can hold it.
    #[error("the token holds characters that cannot be sent")]
    Token,
    /// The system gives no thread, without which nobody looks up a name.
    #[error("the system lets this program do no more at once")]
    NoThread,
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

/// As [`call`], for one whose answer must not be missed: it may take `patience` in all, and what came of a body that breaks
/// off, or is too long, is an answer.
pub fn call_within(
    patience: Duration,
    call: &Call,
    token: Option<&Secret>,
    body: Option<&[u8]>,
    network: &Network,
) -> Result<Answer, Error> {
    https::call(call, token, body, network, patience, true)
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
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use rustls::CertificateError;
    use ureq::http::{HeaderValue, Request};
    use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
    use ureq::{Agent, Body, Proxy, SendBody};
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
        let mut request = Request::builder()
            .method(match call.method {
                Method::Get => "GET",
                Method::Post => "POST",
                Method::Delete => "DELETE",
            })
            .uri(&call.url)
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
        // ureq makes one for each name, and panics where it cannot.
        let thread = std::thread::Builder::new().spawn(|| ());
        let _ = thread.map_err(|_| Error::NoThread)?.join();
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
        let proxy = proxy
            .as_deref()
            .map(Proxy::new)
            .transpose()
            .map_err(|_| Error::Proxy)?;
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
            .build();
        Ok(config.into())
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
                Err(_) if may_cut && !kept.as_slice().is_empty() => break,
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
