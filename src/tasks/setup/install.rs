//! Writes the lines by which git calls this helper.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;

use super::change::Change;
use super::failure::Error;
use super::others::EVERYWHERE;
use super::record::{Edit, Record, Records, digest};
use super::scope::Setup;
use crate::config::Flags;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::files::owned::Folder;
use crate::files::{self, system};
use crate::git::helper_line::{PROGRAM, is_ours, value_of};
use crate::git::key_of;
use crate::platform::stranger_above;
use crate::terminal::escape::{is_plain, safe};

/// The protocols for which git asks helpers: over HTTP and FTP, for certificates and proxies (`http.c`), and in git-send-email
/// and git-imap-send.
const PROTOCOLS: [&[u8]; 9] = [
    b"https", b"http", b"ftps", b"ftp", b"cert", b"smtp", b"smtps", b"imap", b"imaps",
];

/// Returns `credential.helper`, or `credential.URL.helper` with the parts of a URL that was checked.
pub fn key(url: Option<&Query>) -> Result<OsString, Error> {
    let Some(url) = url else {
        return Ok(EVERYWHERE.into());
    };
    let protocol = url.protocol.as_deref().unwrap_or_default();
    if !PROTOCOLS.contains(&protocol) {
        return Err(Error::Protocol);
    }
    if url.username.as_ref().is_some_and(Username::may_be_token) {
        return Err(Error::Token);
    }
    let context = url.key().ok_or(Error::Protocol)?.context();
    Ok(key_of(&context, "helper"))
}

/// Returns the value of `credential.helper`: the absolute path, which saves git a start of itself, and the flags. git passes the
/// value to a shell.
pub fn helper_value(flags: &Flags) -> Result<OsString, Error> {
    let mut words = vec![program()?.into_os_string()];
    words.extend(flags.arguments());
    let mut texts = Vec::new();
    for word in &words {
        let text = word.to_str().filter(|text| text.chars().all(is_plain));
        texts.push(text.ok_or(Error::Invisible)?);
    }
    Ok(value_of(&texts).into())
}

/// Returns a path to this program that an upgrade keeps: the one on PATH if it leads here, else where the program is.
pub(super) fn program() -> Result<PathBuf, Error> {
    let own = env::current_exe().map_err(|cause| system("find", PROGRAM.as_ref(), cause))?;
    let real = fs::canonicalize(&own).map_err(|cause| system("find", &own, cause))?;
    let path = env::var_os("PATH").unwrap_or_default();
    for folder in env::split_paths(&path) {
        let program = folder.join(format!("{PROGRAM}{}", env::consts::EXE_SUFFIX));
        if folder.is_absolute() && fs::canonicalize(&program).is_ok_and(|found| found == real) {
            return Ok(program);
        }
    }
    Ok(own)
}

/// Returns the changes by which `key` has this `value`, in the place of an older line of ours. Other helpers stay; with
/// `replaces`, an empty line has git forget those before ours (gitcredentials(7), `helper`).
pub fn helper_changes(
    setup: &Setup,
    key: &OsStr,
    value: OsString,
    replaces: bool,
) -> Result<Vec<Change>, Error> {
    let values = setup.values(key)?;
    let last_other = values.iter().rfind(|value| !is_ours(value));
    let must_reset = replaces && last_other.is_none_or(|value| !value.is_empty());
    // An empty value has git forget every line before it, ours too.
    let last_reset = values.iter().rposition(|value| value.is_empty());
    let in_effect = &values[last_reset.map_or(0, |at| at + 1)..];
    if in_effect.contains(&value) && !must_reset {
        return Ok(Vec::new());
    }
    let older = values.iter().filter(|value| is_ours(value));
    let mut changes: Vec<Change> = older.map(|older| Change::removal(key, older)).collect();
    if must_reset {
        changes.push(Change::addition(key, ""));
    }
    changes.push(Change::addition(key, value));
    Ok(changes)
}

/// Makes the changes in the one file that git writes for this scope. Returns the reason if they could not be recorded.
pub fn install(
    setup: &Setup,
    key: &OsStr,
    changes: &[Change],
) -> Result<Option<files::Error>, Error> {
    let file = setup.git.config_file(setup.scope)?;
    let file = setup.named(file.ok_or(Error::NoRepository)?);
    // Its user could not change a file that root makes there.
    let stranger = stranger_above(&file).filter(|_| setup.scope == "--global");
    if let Some(folder) = stranger {
        let folder = safe(folder.as_os_str().as_encoded_bytes());
        return Err(Error::OfAnother(folder));
    }
    // Undo takes the two locks in this order, too.
    let records = Folder::make(&setup.records_folder()).and_then(Records::lock);
    let mut draft = setup.draft(&file)?;
    let mut states = vec![draft.content()?];
    for change in changes {
        change.make(setup.git, &draft.path())?;
        states.push(draft.content()?);
    }
    let steps = states.windows(2);
    let edits = steps.map(|two| Edit::between(&two[0], &two[1])).collect();
    let record = Record {
        file: file.clone().into(),
        key: key.to_owned(),
        before: digest(draft.before.as_deref()),
        after: digest(states.last().map(|last| &last[..])),
        edits,
        changes: changes.to_vec(),
    };
    // Before the change: a record of a change that was not made is harmless.
    let recorded = records.and_then(|mut records| {
        records.all.push(record);
        records.save()
    });
    draft.put()?;
    Ok(recorded.err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;

    #[test]
    fn keys_are_made_of_checked_parts() {
        let of = |text: &str| key(Some(&url::parse(text.as_bytes()).unwrap()));
        assert_eq!(key(None).unwrap(), "credential.helper");
        assert_eq!(
            of("https://github.com").unwrap(),
            "credential.https://github.com.helper"
        );
        assert_eq!(
            of("https://A@GitHub.com:8443/x/").unwrap(),
            "credential.https://A@github.com:8443/x.helper"
        );
        assert_eq!(
            of("https://a%40b@one.test/x+y/%25").unwrap(),
            "credential.https://a%40b@one.test/x%2By/%25.helper"
        );
        assert!(of("ssh://github.com").is_err());
    }
}
