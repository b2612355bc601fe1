//! `credential.useHttpPath`, by which git sends the path that an `[[account]]` needs (gitcredentials(7)).

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};

use super::change::{Change, Warning};
use super::failure::Error;
use super::install::install;
use super::others::EVERYWHERE;
use super::record::Records;
use super::scope::Setup;
use crate::config::account::Account;
use crate::credential::query::Query;
use crate::files;
use crate::files::owned::Folder;
use crate::git::chain::{HelperChain, helper_lines};
use crate::git::helper_line::is_ours;
use crate::git::{self, Git, key_of};
use crate::terminal::escape::safe;

const NAME: &str = "useHttpPath";
const VALUE: &str = "true";

/// Returns the changes by which git sends the path of each rule; with `only`, of the rules at its host.
pub fn path_changes(
    setup: &Setup,
    accounts: &[Account],
    only: Option<&Query>,
) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    if accounts.iter().all(|account| account.key.path.is_none()) {
        return Ok(changes);
    }
    let present = present(setup)?;
    for account in accounts {
        let is_meant = only.is_none_or(|only| only.host.as_ref() == Some(&account.key.host));
        if !is_meant {
            continue;
        }
        for context in contexts(account) {
            if !present.contains(&found_key(&context)) {
                changes.push(Change::addition(&key_of(&context, NAME), VALUE));
            }
        }
    }
    Ok(changes)
}

/// The URLs whose setting a rule needs. A rule without a path needs none.
fn contexts(account: &Account) -> Vec<Vec<u8>> {
    match account.key.path {
        Some(_) => account.urls(),
        None => Vec::new(),
    }
}

/// Returns the key of each setting of this scope that is on, as git prints it.
fn present(setup: &Setup) -> Result<HashSet<OsString>, Error> {
    let settings = setup
        .git
        .settings_at(&[setup.scope.as_ref()], r"^credential\..*\.usehttppath$")?;
    let mut present = HashSet::new();
    for setting in settings {
        if setting.value == VALUE {
            present.insert(setting.key);
        }
    }
    Ok(present)
}

/// git prints the last part of a key in lower case.
fn found_key(context: &[u8]) -> OsString {
    key_of(context, &NAME.to_ascii_lowercase())
}

/// Returns the changes that take back the settings of the `removed` rules that no rule of `others` needs. A setting that `setup`
/// did not write stays, with a warning.
pub fn path_removals(
    setup: &Setup,
    removed: &[Account],
    others: &[Account],
) -> Result<(Vec<Change>, Vec<Warning>), Error> {
    let (mut changes, mut warnings) = (Vec::new(), Vec::new());
    let needed: HashSet<Vec<u8>> = others.iter().flat_map(contexts).collect();
    let mut unneeded: Vec<Vec<u8>> = removed.iter().flat_map(contexts).collect();
    unneeded.retain(|context| !needed.contains(context));
    unneeded.dedup();
    if unneeded.is_empty() {
        return Ok((changes, warnings));
    }
    let Some(file) = setup.git.config_file(setup.scope)? else {
        return Ok((changes, warnings));
    };
    // Without records, each setting counts as the user's.
    let records = Folder::open(&setup.records_folder());
    let records = records.and_then(|folder| folder.map(Records::lock).transpose());
    let records = records.ok().flatten();
    let records = records.map_or_else(Vec::new, |records| records.of(&setup.named(file)));
    let present = present(setup)?;
    for context in unneeded {
        if !present.contains(&found_key(&context)) {
            continue;
        }
        let key = key_of(&context, NAME);
        let removal = Change::removal(&key, VALUE);
        if records
            .iter()
            .any(|record| record.has_added(&key, VALUE.as_ref()))
        {
            changes.push(removal);
            continue;
        }
        let shown = safe(key.as_encoded_bytes());
        let says = format!("{shown} stays: 'setup' has not written it");
        let command = removal.command(&[setup.scope.as_ref()]);
        warnings.push(Warning::new(says, format!("remove it with: {command}")));
    }
    Ok((changes, warnings))
}

/// Carries out `removals`. If they are the inverse of the last change in this file, restores the file byte for byte. Returns the
/// reason if the change could not be recorded.
pub fn remove_paths(
    setup: &Setup,
    key: &OsStr,
    removals: &[Change],
) -> Result<Option<files::Error>, Error> {
    let file = setup.git.config_file(setup.scope)?;
    let file = setup.named(file.ok_or(Error::NoRepository)?);
    let records = Folder::make(&setup.records_folder()).and_then(Records::lock);
    if let Ok(mut records) = records
        && let Some(at) = records.all.iter().rposition(|record| record.file == file)
        && records.all[at].is_inverse(removals)
    {
        let mut draft = setup.draft(&file)?;
        let mut content = draft.before.clone();
        if records.all[at].undo(&mut content) {
            match content {
                None => draft.remove()?,
                Some(content) => {
                    draft.write(&content)?;
                    draft.put()?;
                }
            }
            records.all.remove(at);
            return Ok(records.save().err());
        }
    }
    install(setup, key, removals)
}

/// The key of the line by which git calls this helper for `url`; `None`: git does not call it.
pub fn calling_key(git: &Git, url: &Query) -> Result<Option<OsString>, git::failure::Error> {
    let chain = HelperChain::of(&helper_lines(git)?, Some(url));
    let ours = chain.helpers.into_iter().find(|line| is_ours(&line.value));
    Ok(ours.map(|line| match &line.scope[..] {
        "global" => line.key,
        // `setup --undo` in the user's configuration knows no other key of it.
        _ => EVERYWHERE.into(),
    }))
}
