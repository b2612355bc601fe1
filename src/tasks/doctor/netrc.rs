//! A netrc that signs git in: libcurl looks there for the host, and git calls a helper only if the server answers 401. A 403 or 404
//! is final.

use std::io::ErrorKind;
use std::path::Path;

use super::finding::Finding;
use crate::credential::Credential;
use crate::credential::host::split_port;
use crate::credential::query::Query;
use crate::files;
use crate::files::external;
use crate::files::places::Foreign;
use crate::neighbour::netrc::first_entry;
use crate::platform::is_pipe;
use crate::secret::Secret;
use crate::terminal::escape::shell_word;

const TITLE: &str = "netrc";

/// Examines the entry for `url`, or for every host. `kept`: the credential that this helper would answer.
pub fn examine(url: Option<&Query>, kept: Option<&Credential>) -> Option<Finding> {
    // On Unix libcurl knows no other name.
    let file = Foreign::find().ok()?.home.join(".netrc");
    match external::read_as_its_reader(&file) {
        Ok(bytes) => of_bytes(&file, bytes?.as_slice(), url, kept),
        // git cannot sign in with an unreadable file or an empty device, such as /dev/null.
        Err(files::Error::System { cause, .. }) if cause.kind() != ErrorKind::FileTooLarge => None,
        Err(error) => {
            let says = if is_pipe(&file) {
                format!("{error}: git reads it before it asks a helper, and may wait")
            } else if file.is_file() {
                format!("{error}: git may sign in with it before it asks a helper")
            } else {
                return None;
            };
            let remedy = format!("ls -ld {}", shell_word(file.as_os_str().as_encoded_bytes()));
            Some(Finding::problem(TITLE, says, remedy))
        }
    }
}

fn of_bytes(
    file: &Path,
    bytes: &[u8],
    url: Option<&Query>,
    kept: Option<&Credential>,
) -> Option<Finding> {
    let host = url.and_then(|url| url.host.as_deref());
    let host = host.map(|host| split_port(host).0);
    let host = host.map(|host| {
        host.strip_prefix(b"[")
            .and_then(|rest| rest.strip_suffix(b"]"))
            .unwrap_or(host)
    });
    let user = url.and_then(|url| Some(url.username.as_ref()?.expose()));
    let found = first_entry(bytes, host, user)?;
    let entry = match &found.host {
        Some(host) => format!("machine {}", String::from_utf8_lossy(host)),
        None => "default".to_owned(),
    };
    let place = format!("{}, line {}", file.display(), found.line);
    let says = format!("git signs in with '{entry}' of a netrc ({place}) before it asks a helper");
    let remedy = format!("take the entry '{entry}' out of {place}");
    let secret = found
        .password
        .as_ref()
        .map(|password| Secret::new(password));
    let kept = kept.and_then(|kept| kept.password.as_ref());
    let is_of_user = user.is_none() || found.login.as_ref().map(|login| &login[..]) == user;
    Some(match (kept, url.and_then(Query::key)) {
        (Some(kept), _) if secret.as_ref() == Some(kept) => Finding::note(
            TITLE,
            format!("{says}; its password is the stored token"),
            remedy,
        ),
        (Some(_), _) if is_of_user => {
            let says = format!(
                "{says}, with another secret than the stored one: git uses the stored one only if the server answers 401"
            );
            Finding::problem(TITLE, says, remedy)
        }
        (Some(_), _) => Finding::note(TITLE, format!("{says}, as another user"), remedy),
        (None, Some(key)) => {
            let login = format!("git credential-pat login {}; then {remedy}", key.argument());
            Finding::note(TITLE, says, login)
        }
        (None, None) => Finding::note(TITLE, says, remedy),
    })
}
