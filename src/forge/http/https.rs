//! Makes one call with the HTTP library.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use bytes::Bytes;
use ureq::config::IpFamily;
use ureq::http::request::Builder;
use ureq::http::{HeaderValue, Request};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, SocksConnector, TcpConnector,
};
use ureq::{Agent, Body, Proxy, ProxyProtocol, SendBody};
use zeroize::Zeroizing;

use super::address::address;
use super::tls::Tls;
use super::trust::{to_forge, to_proxy, why_tls};
use super::{Error, LARGEST, Obstacle, method_name};
use crate::forge::answer::HttpAnswer;
use crate::forge::{Call, Signature};
use crate::git::network::Network;
use crate::secret::{Buffer, Secret};

/// Fails if no call can be made to `url`.
pub(crate) fn check(url: &str) -> Result<(), Error> {
    address(url).map(|_| ())
}

pub(crate) fn call(
    call: &Call,
    token: Option<&Secret>,
    body: Option<&[u8]>,
    network: &Network,
    patience: Duration,
    may_cut: bool,
) -> Result<HttpAnswer, Error> {
    outliving(|| {
        let request = signed(call, token)?;
        let agent = agent(network, patience)?;
        // ureq starts a thread for each name, and panics if it cannot.
        let thread = std::thread::Builder::new().spawn(|| ());
        let _ = thread.map_err(|_| Error::NoThread)?.join();
        let answer = match body {
            Some(mut body) => {
                let request = request
                    .header("content-type", "application/json")
                    .header("content-length", body.len())
                    .body(SendBody::from_reader(&mut body));
                agent.run(request.map_err(|_| Error::Address)?)
            }
            None => agent.run(request.body(()).map_err(|_| Error::Address)?),
        };
        let answer = answer.map_err(|error| match why(&error) {
            Error::Unreachable(_) if network.proxy.is_some() => Error::Proxy,
            error => error,
        });
        read(answer?, may_cut)
    })
}

/// Turns a panic of a library into an error: the caller may hold a token that the user has just typed.
pub(crate) fn outliving(
    ask: impl FnOnce() -> Result<HttpAnswer, Error>,
) -> Result<HttpAnswer, Error> {
    panic::catch_unwind(AssertUnwindSafe(ask)).unwrap_or(Err(Error::Garbled))
}

fn signed(call: &Call, token: Option<&Secret>) -> Result<Builder, Error> {
    let request = Request::builder()
        .method(method_name(call.method))
        .uri(address(&call.url)?)
        .header("accept", call.accept);
    let Some(token) = token else {
        return Ok(request);
    };
    Ok(match call.signature {
        Signature::Bearer => request.header("authorization", header(b"Bearer ", token)?),
        Signature::PrivateToken => request.header("private-token", header(b"", token)?),
        Signature::Basic => request.header("authorization", header(b"Basic ", token)?),
        Signature::None => request,
    })
}

/// Makes our only copy of the token outside locked memory; it is wiped with the request. The HTTP and TLS libraries make
/// further copies.
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
    let proxy = network.proxy.as_deref().map(proxy_at).transpose()?;
    let protocol = proxy.as_ref().map(Proxy::protocol);
    let is_encrypted = protocol == Some(ProxyProtocol::Https);
    // SOCKS4 has only IPv4 addresses.
    let family = match protocol {
        Some(ProxyProtocol::Socks4) => IpFamily::Ipv4Only,
        _ => IpFamily::Any,
    };
    let config = Agent::config_builder()
        .https_only(true)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_response_header_size(LARGEST / 2)
        .timeout_global(Some(patience))
        .max_idle_connections(0)
        .user_agent(concat!("git-credential-pat/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .ip_family(family)
        .build();
    let tls = Tls {
        to_forge: to_forge(network)?,
        to_proxy: is_encrypted.then(|| to_proxy(network)).transpose()?,
    };
    let connector =
        ().chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(tls);
    Ok(Agent::with_parts(
        config,
        connector,
        DefaultResolver::default(),
    ))
}

fn proxy_at(address: &str) -> Result<Proxy, Error> {
    let proxy = Proxy::new(address).map_err(|_| Error::Proxy)?;
    // With a path, git 2.49 uses a local socket: never call the host in its place.
    let is_web = matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    if is_web || matches!(proxy.uri().path(), "" | "/") {
        Ok(proxy)
    } else {
        Err(Error::Proxy)
    }
}

fn read(answer: ureq::http::Response<Body>, may_cut: bool) -> Result<HttpAnswer, Error> {
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
    Ok(HttpAnswer {
        status: parts.status.as_u16(),
        headers,
        body: kept,
    })
}

fn why(error: &ureq::Error) -> Error {
    match error {
        ureq::Error::Timeout(_) => Error::TooSlow,
        ureq::Error::Io(error) => why_io(error),
        ureq::Error::HostNotFound => Error::Unreachable(Obstacle::Name),
        ureq::Error::ConnectionFailed => Error::Unreachable(Obstacle::Other),
        ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => Error::Proxy,
        ureq::Error::TlsRequired => Error::Tls,
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => Error::Address,
        ureq::Error::LargeResponseHeader(..) | ureq::Error::BodyExceedsLimit(_) => Error::TooLarge,
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
        io::ErrorKind::ConnectionRefused => Error::Unreachable(Obstacle::Refused),
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown => Error::Unreachable(Obstacle::Network),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Error::Unreachable(Obstacle::Broken),
        // The standard library has no kind for this error.
        _ if error.to_string().contains("lookup address") => Error::Unreachable(Obstacle::Name),
        _ => Error::Unreachable(Obstacle::Other),
    }
}
