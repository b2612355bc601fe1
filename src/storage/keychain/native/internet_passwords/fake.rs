//! A keychain for tests, with the rules of `SecItem.h` and of Apple's file keychain, and other programs that use it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::failure::{CANCELED, DUPLICATE, NO_INTERACTION, NOT_FOUND};
use super::raw::{OsStatus, RawResult, unsigned};

/// A query with "all matches" must not ask for secrets (`errSecParam`).
const PARAMETER: OsStatus = OsStatus(-50);

/// Attributes by the tags of a keychain dump.
pub(super) type Tags = BTreeMap<&'static str, String>;

/// The attributes that make an item unique; missing ones are stored as empty, a missing port as 0.
const INTERNET_KEY: [&str; 7] = ["acct", "sdmn", "srvr", "ptcl", "atyp", "port", "path"];
const GENERIC_KEY: [&str; 2] = ["acct", "svce"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FakeClass {
    Internet,
    Generic,
}

#[derive(Clone, Debug)]
pub(super) struct FakeItem {
    pub(super) class: FakeClass,
    pub(super) tags: Tags,
    pub(super) secret: Vec<u8>,
    /// The only program that reads the secret without a prompt.
    pub(super) creator: &'static str,
    pub(super) number: u64,
    pub(super) created: u64,
    pub(super) modified: u64,
}

/// What the user does at a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtPrompt {
    Allow,
    Deny,
}

#[derive(Default)]
pub(super) struct FakeItems {
    pub(super) items: Vec<FakeItem>,
    pub(super) is_locked: bool,
    /// The session can show a window, and its user does this. `None`: it cannot.
    pub(super) user: Option<AtPrompt>,
    pub(super) prompts: usize,
    pub(super) writes: usize,
    /// Every call fails with this status.
    pub(super) failure: Option<OsStatus>,
    /// Another process adds this item before the next add.
    pub(super) racing: Option<FakeItem>,
    clock: u64,
}

/// The keychains of a user. Clones are the same ones.
#[derive(Clone, Default)]
pub(super) struct FakeKeychain(Arc<Mutex<FakeItems>>);

/// A program that uses them.
pub(super) struct FakeProgram {
    keychain: FakeKeychain,
    name: &'static str,
    may_prompt: bool,
}

impl FakeKeychain {
    pub(super) fn state(&self) -> MutexGuard<'_, FakeItems> {
        self.0.lock().unwrap()
    }

    pub(super) fn program(&self, name: &'static str, may_prompt: bool) -> FakeProgram {
        FakeProgram {
            keychain: self.clone(),
            name,
            may_prompt,
        }
    }

    /// The secrets with their tags, sorted, as text.
    pub(super) fn shown(&self) -> Vec<String> {
        let mut shown = Vec::new();
        for item in &self.state().items {
            let tags = item.tags.iter();
            let tags = tags.filter(|(name, value)| **name != "labl" && !value.is_empty());
            let tags: Vec<_> = tags
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let secret = String::from_utf8_lossy(&item.secret);
            shown.push(format!("{} {secret:?}", tags.join(" ")));
        }
        shown.sort();
        shown
    }
}

impl FakeItems {
    pub(super) fn check(&self) -> RawResult<()> {
        self.failure.map_or(Ok(()), Err)
    }

    /// An attribute that is given must be equal, byte for byte; a port by its lower 16 bits.
    fn matches(item: &FakeItem, class: FakeClass, query: &Tags) -> bool {
        let port = |text: &str| unsigned(text.parse().unwrap());
        item.class == class
            && query.iter().all(|(name, value)| match *name {
                "port" => port(&item.tags["port"]) == port(value),
                name => item.tags.get(name) == Some(value),
            })
    }

    fn key(item: &FakeItem) -> Vec<String> {
        let names: &[&str] = match item.class {
            FakeClass::Internet => &INTERNET_KEY,
            FakeClass::Generic => &GENERIC_KEY,
        };
        let value = |name: &&str| match *name {
            "port" => unsigned(item.tags["port"].parse().unwrap()).to_string(),
            name => item.tags[name].clone(),
        };
        names.iter().map(value).collect()
    }

    fn find(&self, class: FakeClass, query: &Tags) -> RawResult<usize> {
        let mut items = self.items.iter();
        let found = items.position(|item| Self::matches(item, class, query));
        found.ok_or(NOT_FOUND)
    }

    fn insert(&mut self, mut item: FakeItem) -> RawResult<()> {
        if self
            .items
            .iter()
            .any(|kept| Self::key(kept) == Self::key(&item))
        {
            return Err(DUPLICATE);
        }
        self.clock += 1;
        item.number = self.clock;
        (item.created, item.modified) = (self.clock, self.clock);
        self.items.push(item);
        Ok(())
    }
}

impl FakeProgram {
    /// `SecItemCopyMatching` for the attributes, and the secret of one.
    pub(super) fn copy_matching(
        &self,
        class: FakeClass,
        query: &Tags,
        wants_all: bool,
        wants_secret: bool,
    ) -> RawResult<Vec<FakeItem>> {
        if wants_all && wants_secret {
            return Err(PARAMETER);
        }
        let state = self.keychain.state();
        state.check()?;
        let first = state.find(class, query)?;
        if wants_all {
            let items = state.items.iter();
            let found = items.filter(|item| FakeItems::matches(item, class, query));
            return Ok(found.cloned().collect());
        }
        let item = state.items[first].clone();
        drop(state);
        if wants_secret {
            self.ask_for(&item)?;
        }
        Ok(vec![item])
    }

    /// Reads the secret: prompts if the keychain is locked, or if another program created the item.
    pub(super) fn ask_for(&self, item: &FakeItem) -> RawResult<()> {
        let mut state = self.keychain.state();
        if !state.is_locked && item.creator == self.name {
            return Ok(());
        }
        let Some(user) = state.user.filter(|_| self.may_prompt) else {
            return Err(NO_INTERACTION);
        };
        state.prompts += 1;
        match user {
            AtPrompt::Allow => Ok(()),
            AtPrompt::Deny => Err(CANCELED),
        }
    }

    pub(super) fn numbered(&self, number: u64) -> RawResult<FakeItem> {
        let state = self.keychain.state();
        state.check()?;
        let mut items = state.items.iter();
        let found = items.find(|item| item.number == number);
        found.cloned().ok_or(NOT_FOUND)
    }

    pub(super) fn keychain(&self) -> &FakeKeychain {
        &self.keychain
    }

    /// `SecItemAdd`.
    pub(super) fn add(&self, class: FakeClass, tags: &Tags, secret: &[u8]) -> RawResult<()> {
        let mut state = self.keychain.state();
        state.check()?;
        if let Some(racing) = state.racing.take() {
            state.insert(racing)?;
        }
        if state.is_locked {
            return Err(NO_INTERACTION);
        }
        state.insert(item(class, tags, secret, self.name))?;
        state.writes += 1;
        Ok(())
    }

    /// `SecItemUpdate`: changes the first match.
    pub(super) fn update(&self, class: FakeClass, query: &Tags, secret: &[u8]) -> RawResult<()> {
        let mut state = self.keychain.state();
        state.check()?;
        let at = state.find(class, query)?;
        if state.is_locked {
            return Err(NO_INTERACTION);
        }
        state.clock += 1;
        let clock = state.clock;
        let item = &mut state.items[at];
        item.secret = secret.to_vec();
        item.modified = clock;
        state.writes += 1;
        Ok(())
    }

    /// `SecItemDelete` of one item.
    pub(super) fn delete(&self, item: &FakeItem) -> RawResult<()> {
        let mut state = self.keychain.state();
        state.check()?;
        let at = state
            .items
            .iter()
            .position(|kept| kept.number == item.number);
        state.items.remove(at.ok_or(NOT_FOUND)?);
        state.writes += 1;
        Ok(())
    }
}

/// An item as a program would add it. The system fills in what is missing.
pub(super) fn item(
    class: FakeClass,
    tags: &Tags,
    secret: &[u8],
    creator: &'static str,
) -> FakeItem {
    let mut all = Tags::new();
    let (names, title): (&[&'static str], _) = match class {
        FakeClass::Internet => (&INTERNET_KEY, "srvr"),
        FakeClass::Generic => (&GENERIC_KEY, "svce"),
    };
    for name in names {
        let missing = if *name == "port" { "0" } else { "" };
        all.insert(name, missing.to_owned());
    }
    all.extend(tags.clone());
    let title = all[title].clone();
    all.entry("labl").or_insert(title);
    FakeItem {
        class,
        tags: all,
        secret: secret.to_vec(),
        creator,
        number: 0,
        created: 0,
        modified: 0,
    }
}
