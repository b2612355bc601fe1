//! git's own endpoint of a repository, asked as git asks when it begins (gitprotocol-http(5), DISCOVERING REFERENCES).

use crate::credential::Credential;
use crate::credential::basic;
use crate::credential::percent;
use crate::credential::username::Username;
use crate::forge::answer::HttpAnswer;
use crate::forge::http;
use crate::forge::{Call, ForgeSite, Method, Signature};

/// Asks for `service` with the token of `credential`. A place without `.git` at its end may only lead there: then that is
/// asked, at the same host.
pub fn ask(
    site: &ForgeSite,
    credential: &Credential,
    path: &[u8],
    service: &str,
) -> Result<HttpAnswer, http::Error> {
    let answer = ask_once(site, credential, path, service)?;
    if (300..=399).contains(&answer.status) && !path.ends_with(b".git") {
        return ask_once(site, credential, &[path, b".git"].concat(), service);
    }
    Ok(answer)
}

fn ask_once(
    site: &ForgeSite,
    credential: &Credential,
    path: &[u8],
    service: &str,
) -> Result<HttpAnswer, http::Error> {
    let token = credential.token().ok_or(http::Error::Token)?;
    let name = credential.key.username.as_ref();
    let name = name.map(Username::expose).unwrap_or_default();
    let network = http::network_for(&address(site, path))?;
    let call = call(site, path, service, Signature::Basic);
    http::peek(&call, Some(&basic::encoded(name, token)), &network)
}

/// Asks as git does before it has a credential.
pub fn ask_unsigned(
    site: &ForgeSite,
    path: &[u8],
    service: &str,
) -> Result<HttpAnswer, http::Error> {
    let network = http::network_for(&address(site, path))?;
    http::peek(&call(site, path, service, Signature::None), None, &network)
}

fn call(site: &ForgeSite, path: &[u8], service: &str, signature: Signature) -> Call {
    Call {
        method: Method::Get,
        url: format!("{}/info/refs?service={service}", address(site, path)),
        signature,
        accept: "*/*",
    }
}

/// Visits the host without a credential. Any answer will do: it tells that the host can be reached.
pub fn visit(site: &ForgeSite) -> Result<HttpAnswer, http::Error> {
    let call = Call {
        method: Method::Get,
        url: site.url_at_host("/"),
        signature: Signature::None,
        accept: "*/*",
    };
    let network = http::network_for(&call.url)?;
    http::peek(&call, None, &network)
}

/// The URL of the repository at `path` (RFC 3986 §3.3).
pub fn address(site: &ForgeSite, path: &[u8]) -> String {
    let path = percent::encoded(path, b"-._~/");
    site.url_at_host(&format!("/{path}"))
}
