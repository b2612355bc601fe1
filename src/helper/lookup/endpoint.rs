//! git's own endpoint of a repository, asked as git asks when it begins (gitprotocol-http(5), DISCOVERING REFERENCES).

use crate::credential::Credential;
use crate::credential::basic;
use crate::credential::percent;
use crate::credential::username::Username;
use crate::forge::answer::HttpAnswer;
use crate::forge::http;
use crate::forge::{Call, ForgeSite, Method, Signature};
use crate::secret::Secret;

/// Asks for `service` with the token of `credential`. A place without `.git` at its end may only lead there: then that is
/// asked, at the same host.
pub fn ask(
    site: &ForgeSite,
    credential: &Credential,
    path: &[u8],
    service: &str,
) -> Result<HttpAnswer, http::Error> {
    let token = credential.token().ok_or(http::Error::Token)?;
    let name = credential.key.username.as_ref().map(Username::expose);
    let login = basic::encoded(name.unwrap_or_default(), token);
    let rest = format!("/info/refs?service={service}");
    let answer = peek(&address(site, path), &rest, Some(&login))?;
    if (300..=399).contains(&answer.status) && !path.ends_with(b".git") {
        let path = [path, b".git"].concat();
        return peek(&address(site, &path), &rest, Some(&login));
    }
    Ok(answer)
}

/// Asks as git does before it has a credential.
pub fn ask_unsigned(
    site: &ForgeSite,
    path: &[u8],
    service: &str,
) -> Result<HttpAnswer, http::Error> {
    let rest = format!("/info/refs?service={service}");
    peek(&address(site, path), &rest, None)
}

/// Visits the host without a credential. Any answer tells that the host can be reached.
pub fn visit(site: &ForgeSite) -> Result<HttpAnswer, http::Error> {
    peek(&site.url_at_host("/"), "", None)
}

/// Asks for `address` and `rest` after it. git's settings for `address` apply.
fn peek(address: &str, rest: &str, login: Option<&Secret>) -> Result<HttpAnswer, http::Error> {
    let call = Call {
        method: Method::Get,
        url: format!("{address}{rest}"),
        signature: login.map_or(Signature::None, |_| Signature::Basic),
        accept: "*/*",
    };
    http::peek(&call, login, &http::network_for(address)?)
}

/// The URL of the repository at `path` (RFC 3986 §3.3).
pub fn address(site: &ForgeSite, path: &[u8]) -> String {
    let path = percent::encoded(path, b"-._~/");
    site.url_at_host(&format!("/{path}"))
}
