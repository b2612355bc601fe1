//! A netrc that signs git in by itself: git has libcurl look there for the host, and asks a helper only if the server answers
//! 401 to that. A 403 or 404 is the last word.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::finding::Finding;
use crate::credential::Credential;
use crate::credential::host::split_port;
use crate::credential::query::Query;
use crate::files::external;
use crate::files::places::Foreign;
use crate::neighbour::netrc::{First, first};
use crate::terminal::escape::shell_word;

const TITLE: &str = "netrc";

/// What libcurl finds there for `url`, or for every host. `kept`: what git would get of us.
pub fn examine(url: Option<&Query>, kept: Option<&Credential>) -> Option<Finding> {
    // libcurl knows no other name on a system like ours.
    let file = Foreign::find().ok()?.home.join(".netrc");
    match external::read_as_its_reader(&file) {
        Ok(bytes) => of_bytes(&file, bytes?.as_slice(), url, kept),
        // What cannot be read does not sign git in, nor does what ends at once, such as /dev/null.
        Err(external::Error::System { .. }) => None,
        Err(error) => {
            let kind = fs::metadata(&file).ok()?.file_type();
            let says = if kind.is_fifo() {
                format!("{error}: git reads it before it asks a helper, and may wait")
            } else if kind.is_file() {
                format!("{error}: git may sign in with it before it asks a helper")
            } else {
                return None;
            };
            let remedy = format!("ls -ld {}", shell_word(file.as_os_str().as_bytes()));
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
    let found = first(bytes, host, user)?;
    let entry = match &found.host {
        Some(host) => format!("machine {}", String::from_utf8_lossy(host)),
        None => "default".to_owned(),
    };
    let place = format!("{}, line {}", file.display(), found.line);
    let says = format!("git signs in with '{entry}' of a netrc ({place}) before it asks a helper");
    let remedy = format!("take the entry '{entry}' out of {place}");
    let secret = kept.and_then(|kept| kept.password.as_ref());
    Some(match secret {
        Some(secret) if found.password.is_same(secret) => {
            let says = format!("{says}; the token in it is the one that is kept");
            Finding::note(TITLE, says, remedy)
        }
        Some(_) if !is_of_another(&found, user) => {
            let says = format!(
                "{says}, with another secret than the one that is kept: that one counts only where the server answers 401"
            );
            Finding::problem(TITLE, says, remedy)
        }
        Some(_) => {
            let says = format!(
                "{says}, under the name in the URL, if its libcurl is not newer than 7.88: it is another user's"
            );
            Finding::note(TITLE, says, remedy)
        }
        // Whether that token would be taken over for what git asks, `import` alone would know: its port and protocol are not told.
        None => match url.and_then(Query::key) {
            Some(key) => {
                let login = format!("git credential-pat login {}; then {remedy}", key.argument());
                Finding::note(TITLE, says, login)
            }
            None => Finding::note(TITLE, says, remedy),
        },
    })
}

/// An older libcurl sends its password under the name in the URL; a newer one passes over it.
fn is_of_another(found: &First, user: Option<&[u8]>) -> bool {
    matches!((&found.login, user), (Some(login), Some(user)) if login[..] != *user)
}
