//! Starts the background look-up: a process of this program that `store` does not wait for.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

use crate::config::Flags;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::platform::{FOLDS_NAMES, start_own};
use crate::protocol::write;
use crate::secret::Buffer;

/// The internal command of the look-up.
pub const COMMAND: &str = "look-up-one";
/// A pipe holds this much without a reader (pipe(7)), so that writing never waits. A longer key is not looked up.
const LONGEST: usize = 4096;

/// Variables that the look-up gets: places of files, the message bus, the user's and the system's git configuration, the proxy
/// and the certificates. All other variables of the caller may hold secrets, and the look-up does not need them.
const KEPT: [&str; 16] = [
    "HOME",
    "PATH",
    "LD_LIBRARY_PATH",
    "DBUS_SESSION_BUS_ADDRESS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "CURL_CA_BUNDLE",
    "GIT_CREDENTIAL_PAT_TRACE",
];
/// And those whose names begin so. `GIT_CONFIG_PARAMETERS` and `GIT_CONFIG_COUNT` are not among them: they may hold an
/// `http.extraHeader` with a token, and look-ups ignore what an outer git hands on.
const KEPT_PREFIXES: [&str; 5] = ["XDG_", "SSL_CERT_", "GIT_SSL_", "GIT_HTTP_", "GIT_PROXY_"];

/// On Windows, a name has no case (`CreateProcessW`, remarks): `Path` is PATH.
fn is_kept(name: &OsStr) -> bool {
    if FOLDS_NAMES {
        let name = name.to_ascii_uppercase();
        return is_listed(&name) || is_listed(&name.to_ascii_lowercase());
    }
    is_listed(name)
}

fn is_listed(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    KEPT.iter().any(|kept| name == kept.as_bytes())
        || KEPT_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// Starts the look-up for the token of `key`. It gets only the key, and fetches the secret itself.
pub fn start(flags: &Flags, key: &Key) -> io::Result<()> {
    let mut text = Buffer::with_capacity(LONGEST);
    let written = write::query(&Query::of(key), &mut text);
    if written.is_err() || text.as_slice().len() > LONGEST {
        return Ok(());
    }
    let (input, mut told) = io::pipe()?;
    told.write_all(text.as_slice())?;
    drop(told);
    let kept: Vec<(OsString, OsString)> =
        env::vars_os().filter(|(name, _)| is_kept(name)).collect();
    let mut arguments: Vec<OsString> = flags.arguments();
    arguments.push(COMMAND.into());
    start_own(input, &arguments, kept)
}
