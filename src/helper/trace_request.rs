//! A request in the words of the trace: no secret, and no username that may be a token.

use std::fmt::Write as _;

use super::attempt::Attempt;
use super::issuer::by_realms;
use crate::protocol::read::Request;
use crate::trace;

/// Tells the trace the request of `operation`.
pub(super) fn tell_request(operation: &'static str, request: &Request) {
    trace::tell(operation, || attributes(request));
    trace::tell(operation, || abilities(request));
}

/// The attributes of a request. Secrets are only `present`, and so is a username without a password beside it: only the
/// password tells whether the name is a token.
fn attributes(request: &Request) -> String {
    let query = &request.query;
    let text = |bytes: &Option<Vec<u8>>| {
        let bytes = bytes.as_deref()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    let present = |is_there: bool| is_there.then(|| "present".to_owned());
    let username = query.username.as_ref().map(|name| match &query.password {
        None => "present".to_owned(),
        Some(password) => name.clone().with_password(password).shown(),
    });
    let expiry = query.expiry.map(|expiry| expiry.unix().to_string());
    let mut words = vec!["request:".to_owned()];
    for (name, value) in [
        ("protocol", text(&query.protocol)),
        ("host", text(&query.host)),
        ("path", text(&query.path)),
        ("username", username),
        ("password", present(query.password.is_some())),
        ("authtype", present(query.authtype.is_some())),
        ("credential", present(query.credential.is_some())),
        ("password_expiry_utc", expiry),
        (
            "oauth_refresh_token",
            present(query.refresh_token.is_some()),
        ),
        ("ephemeral", present(request.is_ephemeral)),
    ] {
        if let Some(value) = value {
            words.push(format!("{name}={value}"));
        }
    }
    words.join(" ")
}

/// What git understands, what it hands back in `state[]`, and the forge that the server names.
fn abilities(request: &Request) -> String {
    let capabilities = match (request.understands.authtype, request.understands.state) {
        (true, true) => "authtype, state",
        (true, false) => "authtype",
        (false, true) => "state",
        (false, false) => "none",
    };
    let state = match Attempt::among(&request.state) {
        None if request.state.is_empty() => "none",
        None => "no answer of ours",
        Some(attempt) if attempt.is_last() => "our last answer in this command",
        Some(_) => "our first answer in this command",
    };
    let mut text = format!("capability[]: {capabilities}; state[]: {state}");
    if !request.realms.is_empty() {
        let forge = by_realms(&request.realms);
        let forge = forge.map_or_else(|| "no known forge".to_owned(), |forge| forge.to_string());
        let _ = write!(text, "; wwwauth[]: Basic, of {forge}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::read;

    fn shown(lines: &str) -> String {
        attributes(&read::request(lines.as_bytes()).unwrap())
    }

    #[test]
    fn a_request_is_told_without_its_secrets() {
        let request = "protocol=https\nhost=one.test\npath=a.git\nusername=alice\npassword=MARKER-1\n\
             oauth_refresh_token=MARKER-2\nauthtype=MARKER-3\ncredential=MARKER-4\nstate[]=MARKER-5\n\
             wwwauth[]=Basic realm=\"MARKER-6\"\nwwwauth[]=MARKER-7\ncapability[]=state\n\
             password_expiry_utc=2000000000\n";
        let request = read::request(request.as_bytes()).unwrap();
        assert_eq!(
            attributes(&request),
            "request: protocol=https host=one.test path=a.git username=alice password=present \
             authtype=present credential=present password_expiry_utc=2000000000 \
             oauth_refresh_token=present"
        );
        assert_eq!(
            abilities(&request),
            "capability[]: state; state[]: no answer of ours; wwwauth[]: Basic, of no known forge"
        );
    }

    #[test]
    fn a_username_that_may_be_a_token_is_hidden() {
        for (username, password, expected) in [
            ("ghp_MARKERmadeup0123456789", "x", "username=***"),
            ("MARKER", "x-oauth-basic", "username=***"),
            ("MARKER", "MARKER", "username=***"),
            ("alice", "x", "username=alice"),
        ] {
            let site = "protocol=https\nhost=one.test\n";
            let text = shown(&format!("{site}username={username}\npassword={password}\n"));
            assert!(text.contains(expected), "{text}");
            let text = shown(&format!("{site}username={username}\n"));
            assert!(text.contains("username=present"), "{text}");
        }
    }
}
