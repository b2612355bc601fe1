//! The keychain of macOS: internet passwords, as git-credential-osxkeychain keeps them (git/git:contrib/credential/osxkeychain).
//!
//! An attribute that a query leaves out matches anything, and an update changes the first match. So a search lists the
//! attributes of all candidates, this code compares them exactly, and each later call names one item by its reference.
//!
//! The items lie in the file keychain: the other one needs an entitlement that a program without a bundle cannot have.

mod body;
pub(super) mod failure;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod fake_programs;
mod fields;
mod raw;
#[cfg(target_os = "macos")]
mod system;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use self::failure::{CANCELED, DENIED, DUPLICATE, NOT_FOUND, error, occupied, unsupported};
use self::fields::ItemKind;
use self::raw::{OsStatus, PasswordFields, PasswordItem, PasswordItems, RawResult};
use crate::storage::keychain::deadline::Prompts;
use crate::storage::keychain::items::{Item, ItemAttributes, ItemResult, ItemStore};

/// `patience`: how long a prompt may wait for the user; zero: the system shows none. `prompts` measures the time of prompts.
#[cfg(target_os = "macos")]
#[allow(
    clippy::unnecessary_wraps,
    reason = "another system's store may fail to open"
)]
pub(crate) fn open(patience: Duration, prompts: &Arc<Prompts>) -> ItemResult<Box<dyn ItemStore>> {
    let raw = Box::new(system::SystemKeychain::new(!patience.is_zero()));
    let store = InternetPasswords::over(raw, patience, prompts);
    Ok(Box::new(store))
}

/// The keychain needs no service.
#[cfg(target_os = "macos")]
pub(crate) fn is_running(_patience: Duration) -> bool {
    true
}

struct InternetPasswords {
    raw: Box<dyn PasswordItems>,
    may_prompt: bool,
    prompts: Arc<Prompts>,
    /// Every item that a search has found. [`Item::id`] is the index.
    found: RefCell<Vec<FoundPassword>>,
    /// The user denied access at a prompt: ask no more in this run.
    is_canceled: Cell<bool>,
}

struct FoundPassword {
    item: PasswordItem,
    kind: ItemKind,
    attributes: ItemAttributes,
}

impl InternetPasswords {
    fn over(raw: Box<dyn PasswordItems>, patience: Duration, prompts: &Arc<Prompts>) -> Self {
        Self {
            raw,
            may_prompt: !patience.is_zero(),
            prompts: Arc::clone(prompts),
            found: RefCell::default(),
            is_canceled: Cell::new(false),
        }
    }

    fn search_one(&self, wanted: &ItemAttributes, is_locked: bool) -> ItemResult<Vec<Item>> {
        let Some(kind) = ItemKind::of(wanted) else {
            return Ok(Vec::new());
        };
        let mut items = Vec::new();
        let mut found = self.found.borrow_mut();
        for item in self.list(kind, wanted)? {
            let Some(attributes) = kind.attributes(&item, wanted) else {
                continue;
            };
            let mut pairs = wanted.iter();
            if !pairs.all(|(name, value)| attributes.get(name) == Some(value)) {
                continue;
            }
            items.push(Item {
                id: found.len().to_string(),
                is_locked: Cell::new(is_locked),
                number: Cell::new(0),
            });
            found.push(FoundPassword {
                item,
                kind,
                attributes,
            });
        }
        Ok(items)
    }

    fn list(&self, kind: ItemKind, wanted: &ItemAttributes) -> ItemResult<Vec<PasswordItem>> {
        match self.raw.list(kind.query(wanted)) {
            Err(NOT_FOUND) => Ok(Vec::new()),
            listed => listed.map_err(|status| error(status, None)),
        }
    }

    /// Runs `work` on the item behind `handle`.
    fn with<T>(
        &self,
        handle: &Item,
        work: impl FnOnce(&FoundPassword) -> ItemResult<T>,
    ) -> ItemResult<T> {
        let found = self.found.borrow();
        let at: Option<usize> = handle.id.parse().ok();
        let found = at.and_then(|at| found.get(at));
        work(found.ok_or(keyring::Error::NoEntry)?)
    }

    /// Makes a call that may show a prompt, about the item with these `fields`.
    fn ask<T>(
        &self,
        fields: &PasswordFields,
        call: impl FnOnce() -> RawResult<T>,
    ) -> ItemResult<RawResult<T>> {
        if self.is_canceled.get() {
            return Err(error(CANCELED, Some(fields)));
        }
        let answer = if self.may_prompt {
            // The system does not tell whether it shows a prompt. A user has answered if the call succeeds or is denied.
            let is_answer =
                |answer: &RawResult<T>| matches!(answer, Ok(_) | Err(CANCELED | DENIED));
            self.prompts.during(call, is_answer)
        } else {
            call()
        };
        let is_canceled = matches!(answer, Err(CANCELED));
        self.is_canceled.set(is_canceled);
        Ok(answer)
    }

    /// As [`InternetPasswords::ask`], for a call whose failures have no special meaning.
    fn call<T>(
        &self,
        fields: &PasswordFields,
        call: impl FnOnce() -> RawResult<T>,
    ) -> ItemResult<T> {
        let answer = self.ask(fields, call)?;
        answer.map_err(|status| error(status, Some(fields)))
    }

    /// Updates the one item with the key `fields`: another process has just added it.
    fn update_existing(
        &self,
        attributes: &ItemAttributes,
        fields: &PasswordFields,
        secret: &[u8],
    ) -> ItemResult<()> {
        let Some(kind) = ItemKind::of(attributes) else {
            return Err(unsupported());
        };
        let listed = self.list(kind, attributes)?;
        // It may be gone again.
        let item = listed.iter().find(|item| item.fields == *fields);
        let item = item.ok_or(keyring::Error::NoEntry)?;
        if fields::is_dockers(item) {
            return Err(occupied(fields));
        }
        self.call(fields, || self.raw.update(item, secret))
    }

    fn values<T>(
        &self,
        items: &[&Item],
        value: impl Fn(&FoundPassword) -> T,
    ) -> Vec<ItemResult<T>> {
        let read = |item: &&Item| self.with(item, |found| Ok(value(found)));
        items.iter().map(read).collect()
    }
}

impl ItemStore for InternetPasswords {
    fn search(&self, wanted: &[ItemAttributes]) -> ItemResult<Vec<Vec<Item>>> {
        // After a failure, `check` reports it.
        let is_locked = self.raw.is_unlocked() == Ok(false);
        let search = |wanted| self.search_one(wanted, is_locked);
        wanted.iter().map(search).collect()
    }

    fn attributes(&self, items: &[&Item]) -> Vec<ItemResult<ItemAttributes>> {
        self.values(items, |found| found.attributes.clone())
    }

    fn labels(&self, items: &[&Item]) -> Vec<ItemResult<String>> {
        self.values(items, |found| found.item.label.clone())
    }

    fn modified(&self, items: &[&Item]) -> Vec<ItemResult<u64>> {
        self.values(items, |found| found.item.modified)
    }

    fn created(&self, items: &[&Item]) -> Vec<ItemResult<u64>> {
        self.values(items, |found| found.item.created)
    }

    fn secrets(&self, items: &[&Item]) -> Vec<ItemResult<Zeroizing<Vec<u8>>>> {
        let read = |item: &&Item| {
            self.with(item, |found| {
                let fields = &found.item.fields;
                let secret = self.call(fields, || self.raw.secret(&found.item))?;
                if found.kind == ItemKind::GoKeyring {
                    // An item that does not read is skipped.
                    return body::decoded(secret).ok_or(keyring::Error::NoEntry);
                }
                Ok(secret)
            })
        };
        items.iter().map(read).collect()
    }

    fn is_sound(&self, secret: &[u8]) -> bool {
        body::is_sound(secret)
    }

    fn set_secret(&self, item: &Item, secret: &[u8]) -> ItemResult<()> {
        self.with(item, |found| {
            let fields = &found.item.fields;
            self.call(fields, || self.raw.update(&found.item, secret))
        })
    }

    /// Updates an item that has the same key: the key of an item is unique in a keychain.
    fn create(&self, label: &str, attributes: ItemAttributes, secret: &[u8]) -> ItemResult<()> {
        let fields = fields::fields(&attributes).ok_or_else(unsupported)?;
        match self.ask(&fields, || self.raw.add(&fields, label, secret))? {
            Err(DUPLICATE) => self.update_existing(&attributes, &fields, secret),
            added => added.map_err(|status: OsStatus| error(status, Some(&fields))),
        }
    }

    fn delete(&self, item: &Item) -> ItemResult<()> {
        self.with(item, |found| {
            let fields = &found.item.fields;
            self.call(fields, || self.raw.delete(&found.item))
        })
    }

    fn check(&self, must_be_open: bool) -> ItemResult<()> {
        let is_unlocked = self.raw.is_unlocked();
        let is_unlocked = is_unlocked.map_err(|status| error(status, None))?;
        if must_be_open && !is_unlocked {
            return Err(error(failure::NO_INTERACTION, None));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::fake::{AtPrompt, FakeClass, FakeKeychain, Tags, item};
    use super::fake_programs::{Osxkeychain, add_docker_item, add_gcm_item, add_gh_item};
    use super::*;
    use crate::credential::expiry::Expiry;
    use crate::credential::query::Query;
    use crate::credential::{Authorization, Credential};
    use crate::secret::Secret;
    use crate::storage::keychain::Keychain;
    use crate::storage::{Error, Lack, Storage};

    const PAT: &str = "git-credential-pat";

    fn store(keychain: &FakeKeychain, patience: Duration) -> InternetPasswords {
        let raw = Box::new(keychain.program(PAT, !patience.is_zero()));
        InternetPasswords::over(raw, patience, &Arc::default())
    }

    /// Our storage over the fake, in a new process.
    fn ours(keychain: &FakeKeychain) -> Keychain {
        let patience = Duration::from_secs(60);
        let ours = Keychain::open(patience);
        for (slot, patience) in [
            (&ours.access.may_prompt, patience),
            (&ours.access.never_prompts, Duration::ZERO),
        ] {
            *slot.lock().unwrap() = Some(Box::new(store(keychain, patience)));
        }
        ours
    }

    /// As [`ours`], where git may not prompt.
    fn quiet(keychain: &FakeKeychain) -> Keychain {
        let quiet = Keychain::open(Duration::ZERO);
        let store = store(keychain, Duration::ZERO);
        *quiet.access.never_prompts.lock().unwrap() = Some(Box::new(store));
        quiet
    }

    fn wanted(host: &str, user: Option<&str>) -> Query {
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(host.as_bytes().to_vec()),
            username: user.map(Into::into),
            ..Query::default()
        }
    }

    fn credential(host: &str, user: &str, password: &str) -> Credential {
        let password = Some(Secret::new(password.as_bytes()));
        Credential::complete(Query {
            password,
            ..wanted(host, Some(user))
        })
        .unwrap()
    }

    fn rejected(host: &str, user: Option<&str>, password: &str) -> Query {
        Query {
            password: Some(Secret::new(password.as_bytes())),
            ..wanted(host, user)
        }
    }

    fn password(ours: &Keychain, wanted: &Query) -> Option<String> {
        let found = ours.get(wanted).unwrap()?;
        let password = found.password.unwrap();
        Some(String::from_utf8(password.expose().to_vec()).unwrap())
    }

    fn lack(result: Result<impl Sized, Error>) -> Option<Lack> {
        let error = result.err().unwrap();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        error.lack()
    }

    #[test]
    fn the_fake_has_the_traps_of_the_system() {
        let keychain = FakeKeychain::default();
        let program = keychain.program(PAT, false);
        let all = Tags::new();
        assert_eq!(
            program
                .copy_matching(FakeClass::Internet, &all, true, true)
                .unwrap_err(),
            OsStatus(-50)
        );
        let git = Osxkeychain(&keychain);
        git.store("one.test:8443", None, "alice", "tok-port")
            .unwrap();
        git.store("one.test", None, "alice", "tok-one").unwrap();
        git.store("one.test", None, "alice", "tok-two").unwrap();
        assert_eq!(
            keychain.shown(),
            [
                "acct=alice atyp=dflt port=0 ptcl=htps srvr=one.test \"tok-one\"",
                "acct=alice atyp=dflt port=8443 ptcl=htps srvr=one.test \"tok-two\"",
            ],
            "git's helper updates the first match"
        );
    }

    #[test]
    fn an_item_has_every_attribute_of_gits_helper() {
        let keychain = FakeKeychain::default();
        ours(&keychain)
            .store(&credential("one.test", "alice", "tok-one"))
            .unwrap();
        let item = keychain.state().items[0].clone();
        assert_eq!(item.class, FakeClass::Internet);
        let expected = [
            ("srvr", "one.test"),
            ("port", "0"),
            ("path", ""),
            ("acct", "alice"),
            ("ptcl", "htps"),
            ("atyp", "dflt"),
            ("sdmn", ""),
            ("labl", "Git: https://one.test/"),
        ];
        assert_eq!(
            item.tags,
            Tags::from(expected.map(|(name, value)| (name, value.to_owned())))
        );
        assert_eq!(item.secret, b"tok-one");
    }

    #[test]
    fn gits_helper_and_this_storage_read_and_erase_each_others_items() {
        for host in ["one.test", "one.test:8443", "one.test:40000", "One.Test"] {
            let keychain = FakeKeychain::default();
            let git = Osxkeychain(&keychain);
            keychain.state().user = Some(AtPrompt::Allow);
            git.store(
                host,
                None,
                "alice",
                "tok-one\npassword_expiry_utc=2000000000",
            )
            .unwrap();
            let ours = ours(&keychain);
            let key = host.to_ascii_lowercase();
            let found = ours.get(&wanted(&key, None)).unwrap().unwrap();
            assert_eq!(found.expiry, Expiry::from_unix(2_000_000_000), "{host}");
            assert_eq!(
                ours.erase(&rejected(&key, Some("alice"), "other")).unwrap(),
                0
            );
            assert_eq!(
                ours.erase(&rejected(&key, Some("alice"), "tok-one"))
                    .unwrap(),
                1
            );
            assert_eq!(keychain.shown(), [""; 0], "{host}");
            let mut new = credential(&key, "bob", "tok-two");
            new.expiry = Expiry::from_unix(2_000_000_001);
            ours.store(&new).unwrap();
            assert_eq!(
                git.get(&key, None, None).unwrap().unwrap(),
                (
                    "bob".to_owned(),
                    "tok-two\npassword_expiry_utc=2000000001".to_owned()
                )
            );
            git.erase(&key, Some("bob"), Some("tok-two")).unwrap();
            assert_eq!(keychain.shown(), [""; 0], "{host}");
        }
    }

    #[test]
    fn an_update_keeps_the_item_of_gits_helper_and_its_expiry() {
        let keychain = FakeKeychain::default();
        keychain.state().user = Some(AtPrompt::Allow);
        let body = "tok-one\npassword_expiry_utc=2000000000\noauth_refresh_token=r";
        Osxkeychain(&keychain)
            .store("one.test", None, "alice", body)
            .unwrap();
        let before = keychain.state().items[0].tags.clone();
        let ours = ours(&keychain);
        let mut kept = ours.get(&wanted("one.test", None)).unwrap().unwrap();
        kept.password = Some(Secret::new(b"tok-two"));
        ours.store(&kept).unwrap();
        let items = keychain.state().items.clone();
        assert_eq!(items.len(), 1);
        assert_eq!(
            (&items[0].tags, items[0].creator),
            (&before, "git-credential-osxkeychain")
        );
        assert_eq!(
            String::from_utf8_lossy(&items[0].secret),
            body.replace("one", "two")
        );
        let end = Expiry::from_unix(2_100_000_000);
        assert!(ours.set_expiry(&kept, end).unwrap());
        let body = body
            .replace("one", "two")
            .replace("2000000000", "2100000000");
        assert_eq!(
            String::from_utf8_lossy(&keychain.state().items[0].secret),
            body
        );
    }

    #[test]
    fn a_port_and_a_path_are_compared_exactly() {
        let keychain = FakeKeychain::default();
        keychain.state().user = Some(AtPrompt::Allow);
        let git = Osxkeychain(&keychain);
        git.store("one.test:8443", None, "alice", "tok-port")
            .unwrap();
        git.store("one.test", Some("a.git"), "alice", "tok-path")
            .unwrap();
        let ours = ours(&keychain);
        assert_eq!(password(&ours, &wanted("one.test:1", None)), None);
        let pathless = Query {
            is_pathless: true,
            ..wanted("one.test", None)
        };
        assert_eq!(password(&ours, &pathless), None);
        // git's own helper would overwrite the first item of the server.
        ours.store(&credential("one.test", "alice", "tok-new"))
            .unwrap();
        assert_eq!(
            keychain.shown(),
            [
                "acct=alice atyp=dflt path=a.git port=0 ptcl=htps srvr=one.test \"tok-path\"",
                "acct=alice atyp=dflt port=0 ptcl=htps srvr=one.test \"tok-new\"",
                "acct=alice atyp=dflt port=8443 ptcl=htps srvr=one.test \"tok-port\"",
            ]
        );
        assert_eq!(
            ours.erase(&rejected("one.test", Some("alice"), "tok-new"))
                .unwrap(),
            1
        );
        assert_eq!(keychain.shown().len(), 2);
        assert_eq!(
            password(&ours, &wanted("one.test:8443", None)).unwrap(),
            "tok-port"
        );
    }

    #[test]
    fn a_port_over_32767_is_found_in_every_form() {
        for port in ["40000", "-25536", "4294941760"] {
            let keychain = FakeKeychain::default();
            let tags = [
                ("srvr", "one.test"),
                ("port", port),
                ("acct", "a"),
                ("ptcl", "htps"),
                ("atyp", "dflt"),
            ];
            let tags = Tags::from(tags.map(|(name, value)| (name, value.to_owned())));
            keychain
                .program(PAT, false)
                .add(FakeClass::Internet, &tags, b"tok-one")
                .unwrap();
            let ours = quiet(&keychain);
            assert_eq!(
                password(&ours, &wanted("one.test:40000", None)).unwrap(),
                "tok-one",
                "{port}"
            );
            ours.store(&credential("one.test:40000", "a", "tok-two"))
                .unwrap();
            assert_eq!(keychain.state().items.len(), 1, "{port}");
        }
        let keychain = FakeKeychain::default();
        quiet(&keychain)
            .store(&credential("one.test:40000", "a", "tok"))
            .unwrap();
        assert_eq!(
            keychain.state().items[0].tags["port"],
            "-25536",
            "as git's helper passes it"
        );
    }

    #[test]
    fn an_item_that_another_process_adds_meanwhile_is_updated_once() {
        let keychain = FakeKeychain::default();
        let tags = [
            ("srvr", "one.test"),
            ("acct", "alice"),
            ("ptcl", "htps"),
            ("atyp", "dflt"),
        ];
        let tags = Tags::from(tags.map(|(name, value)| (name, value.to_owned())));
        Osxkeychain(&keychain)
            .store("one.test:8443", None, "alice", "tok-port")
            .unwrap();
        keychain.state().racing = Some(item(FakeClass::Internet, &tags, b"tok-other", PAT));
        quiet(&keychain)
            .store(&credential("one.test", "alice", "tok-one"))
            .unwrap();
        assert_eq!(
            keychain.shown(),
            [
                "acct=alice atyp=dflt port=0 ptcl=htps srvr=one.test \"tok-one\"",
                "acct=alice atyp=dflt port=8443 ptcl=htps srvr=one.test \"tok-port\"",
            ]
        );
    }

    #[test]
    fn a_store_of_the_same_credential_writes_nothing() {
        let keychain = FakeKeychain::default();
        let ours = quiet(&keychain);
        ours.store(&credential("one.test", "alice", "tok-one"))
            .unwrap();
        let writes = keychain.state().writes;
        ours.store(&credential("one.test", "alice", "tok-one"))
            .unwrap();
        assert_eq!(keychain.state().writes, writes);
    }

    #[test]
    fn items_of_docker_and_of_web_forms_are_never_touched() {
        let keychain = FakeKeychain::default();
        keychain.state().user = Some(AtPrompt::Allow);
        add_docker_item(&keychain, "one.test", "alice", "tok-docker");
        let form = [
            ("srvr", "one.test"),
            ("acct", "bob"),
            ("ptcl", "htps"),
            ("atyp", "form"),
        ];
        let form = Tags::from(form.map(|(name, value)| (name, value.to_owned())));
        keychain
            .program("Safari", false)
            .add(FakeClass::Internet, &form, b"tok-form")
            .unwrap();
        let before = keychain.shown();
        let ours = ours(&keychain);
        assert_eq!(password(&ours, &wanted("one.test", None)), None);
        assert_eq!(ours.erase(&wanted("one.test", None)).unwrap(), 0);
        assert_eq!(ours.list().unwrap(), []);
        let stored = ours.store(&credential("one.test", "alice", "tok-one"));
        assert_eq!(lack(stored), Some(Lack::Use), "docker has the same key");
        assert_eq!((keychain.shown(), keychain.state().prompts), (before, 0));
    }

    #[test]
    fn an_item_with_a_foreign_line_is_unreadable() {
        for body in [
            "tok\nhost=evil.test",
            "tok\r\nquit=1",
            "tok\0",
            "tok\n\nquit=1",
        ] {
            let keychain = FakeKeychain::default();
            keychain.state().user = Some(AtPrompt::Allow);
            Osxkeychain(&keychain)
                .store("one.test", None, "alice", body)
                .unwrap();
            let ours = ours(&keychain);
            assert_eq!(password(&ours, &wanted("one.test", None)), None, "{body:?}");
            assert_eq!(ours.list().unwrap().len(), 1, "its name is known");
            ours.store(&credential("one.test", "alice", "tok-new"))
                .unwrap();
            assert_eq!(
                password(&ours, &wanted("one.test", None)).unwrap(),
                "tok-new"
            );
        }
    }

    #[test]
    fn locked_is_not_absent_and_never_leads_to_an_erase() {
        let keychain = FakeKeychain::default();
        quiet(&keychain)
            .store(&credential("one.test", "alice", "tok-one"))
            .unwrap();
        keychain.state().is_locked = true;
        let before = keychain.shown();
        let quiet = quiet(&keychain);
        let error = quiet.get(&wanted("one.test", None)).unwrap_err();
        assert!(error.hint().unwrap().contains("security unlock-keychain"));
        assert!(matches!(error, Error::Unavailable { .. }));
        assert_eq!(error.lack(), Some(Lack::Locked));
        let rejected = rejected("one.test", Some("alice"), "tok-one");
        assert_eq!(lack(quiet.erase(&rejected)), Some(Lack::Locked));
        assert_eq!(
            lack(quiet.store(&credential("one.test", "alice", "tok-two"))),
            Some(Lack::Locked)
        );
        assert_eq!(lack(quiet.check()), Some(Lack::Locked));
        assert_eq!(
            quiet
                .peek(&credential("one.test", "alice", "x").key)
                .unwrap(),
            None
        );
        assert_eq!(quiet.list().unwrap().len(), 1);
        assert_eq!((keychain.shown(), keychain.state().prompts), (before, 0));
    }

    #[test]
    fn without_patience_no_prompt_opens() {
        let keychain = FakeKeychain::default();
        keychain.state().user = Some(AtPrompt::Allow);
        Osxkeychain(&keychain)
            .store("one.test", None, "alice", "tok-one")
            .unwrap();
        assert_eq!(
            lack(quiet(&keychain).get(&wanted("one.test", None))),
            Some(Lack::Locked)
        );
        assert_eq!(keychain.state().prompts, 0);
        assert_eq!(
            password(&ours(&keychain), &wanted("one.test", None)).unwrap(),
            "tok-one"
        );
        assert_eq!(keychain.state().prompts, 1);
    }

    #[test]
    fn after_a_denial_there_is_no_other_prompt_in_this_run() {
        let keychain = FakeKeychain::default();
        keychain.state().user = Some(AtPrompt::Deny);
        for user in ["alice", "bob", "carol"] {
            Osxkeychain(&keychain)
                .store("one.test", None, user, "tok-one")
                .unwrap();
        }
        let ours = ours(&keychain);
        for _ in 0..2 {
            assert!(ours.get(&wanted("one.test", None)).is_err());
        }
        assert!(ours.all().is_ok_and(|all| all.is_empty()));
        assert_eq!(keychain.state().prompts, 1);
        assert_eq!(keychain.shown().len(), 3);
    }

    #[test]
    fn a_keychain_that_fails_is_unavailable_and_loses_nothing() {
        for status in [
            -25294, -25295, -25307, -25291, 100_001, 100_013, -25293, -128,
        ] {
            let keychain = FakeKeychain::default();
            quiet(&keychain)
                .store(&credential("one.test", "alice", "tok-one"))
                .unwrap();
            keychain.state().failure = Some(OsStatus(status));
            let quiet = quiet(&keychain);
            let rejected = rejected("one.test", None, "tok-one");
            for lack in [
                lack(quiet.get(&wanted("one.test", None))),
                lack(quiet.erase(&rejected)),
                lack(quiet.store(&credential("one.test", "alice", "tok-two"))),
                lack(quiet.check()),
            ] {
                assert!(
                    matches!(lack, Some(Lack::Use | Lack::Locked)),
                    "{status}: {lack:?}"
                );
            }
            keychain.state().failure = None;
            assert_eq!(
                password(&quiet, &wanted("one.test", None)).unwrap(),
                "tok-one"
            );
        }
    }

    #[test]
    fn an_authorization_is_not_seen_by_gits_helper() {
        let keychain = FakeKeychain::default();
        let ours = quiet(&keychain);
        let bearer = Credential {
            password: None,
            authorization: Some(Authorization {
                scheme: b"Bearer".to_vec(),
                parameters: Secret::new(b"tok-bearer"),
            }),
            ..credential("one.test:8443", "alice", "")
        };
        ours.store(&bearer).unwrap();
        let item = keychain.state().items[0].clone();
        assert_eq!(item.class, FakeClass::Generic);
        assert_eq!(
            item.tags["svce"],
            "git-credential-pat:https://one.test:8443"
        );
        let git = Osxkeychain(&keychain);
        assert_eq!(git.get("one.test:8443", None, None).unwrap(), None);
        let found = ours
            .get(&wanted("one.test:8443", Some("alice")))
            .unwrap()
            .unwrap();
        assert_eq!(found, bearer);
        assert_eq!(ours.list().unwrap().len(), 1);
        assert_eq!(ours.erase(&bearer.as_rejected()).unwrap(), 1);
        assert_eq!(keychain.shown(), [""; 0]);
    }

    #[test]
    fn an_address_of_ipv6_keeps_its_port() {
        let keychain = FakeKeychain::default();
        let ours = quiet(&keychain);
        for host in ["[::1]", "[::1]:8443"] {
            ours.store(&credential(host, "alice", host)).unwrap();
            assert_eq!(password(&ours, &wanted(host, None)).unwrap(), host);
        }
        let git = Osxkeychain(&keychain);
        assert_eq!(git.get("[::1]:8443", None, None).unwrap(), None);
        git.store("[::2]", None, "alice", "tok-any-address")
            .unwrap();
        assert_eq!(
            ours.list().unwrap().len(),
            2,
            "the server '[' is every address"
        );
    }

    #[test]
    fn a_protocol_that_the_keychain_does_not_know_is_told() {
        let keychain = FakeKeychain::default();
        let ours = quiet(&keychain);
        let mut credential = credential("one.test", "alice", "tok-one");
        credential.key.protocol = b"cert".to_vec();
        assert_eq!(lack(ours.store(&credential)), Some(Lack::Use));
        assert_eq!(keychain.shown(), [""; 0]);
    }

    #[test]
    fn an_empty_user_and_an_empty_password_are_values() {
        let keychain = FakeKeychain::default();
        let ours = quiet(&keychain);
        ours.store(&credential("one.test", "", "tok-one")).unwrap();
        ours.store(&credential("one.test", "", "")).unwrap();
        assert_eq!(keychain.shown().len(), 1);
        for user in [None, Some("")] {
            let found = ours.get(&wanted("one.test", user)).unwrap().unwrap();
            assert_eq!(found.key.username, Some("".into()), "{user:?}");
            assert!(found.password.unwrap().expose().is_empty());
        }
        let git = Osxkeychain(&keychain);
        keychain.state().user = Some(AtPrompt::Allow);
        let answer = git.get("one.test", None, None).unwrap().unwrap();
        assert_eq!(answer, (String::new(), String::new()));
        assert_eq!(ours.erase(&rejected("one.test", None, "")).unwrap(), 1);
    }

    #[test]
    fn protocol_host_user_and_path_must_match() {
        let keychain = FakeKeychain::default();
        let ours = quiet(&keychain);
        let mut kept = credential("one.test", "alice", "tok-one");
        kept.key.path = Some(b"one.git".to_vec());
        ours.store(&kept).unwrap();
        let with_path = |path: &str| Query {
            path: Some(path.as_bytes().to_vec()),
            ..wanted("one.test", None)
        };
        let over_http = Query {
            protocol: Some(b"http".to_vec()),
            ..wanted("one.test", None)
        };
        for (query, is_found) in [
            (wanted("one.test", None), true),
            (wanted("one.test", Some("alice")), true),
            (with_path("one.git"), true),
            (over_http, false),
            (wanted("two.test", None), false),
            (wanted("one.test:8443", None), false),
            (wanted("one.test", Some("bob")), false),
            (with_path("two.git"), false),
        ] {
            assert_eq!(ours.get(&query).unwrap().is_some(), is_found, "{query:?}");
        }
    }

    #[test]
    fn several_users_are_kept_listed_and_removed_one_by_one() {
        let keychain = FakeKeychain::default();
        let ours = quiet(&keychain);
        for (user, secret) in [("bob", "tok-b"), ("alice", "tok-a")] {
            ours.store(&credential("one.test", user, secret)).unwrap();
        }
        ours.store(&credential("two.test", "carol", "tok-c"))
            .unwrap();
        assert_eq!(password(&ours, &wanted("one.test", None)).unwrap(), "tok-a");
        assert_eq!(
            password(&ours, &wanted("one.test", Some("bob"))).unwrap(),
            "tok-b"
        );
        let users: Vec<_> = ours
            .list()
            .unwrap()
            .into_iter()
            .map(|one| one.key.username)
            .collect();
        let expected = ["bob", "alice", "carol"].map(|user| Some(user.into()));
        assert_eq!(users, expected, "the oldest first");
        assert_eq!(ours.all().unwrap().len(), 3);
        assert_eq!(
            ours.erase(&rejected("one.test", Some("bob"), "stale"))
                .unwrap(),
            0
        );
        assert_eq!(ours.erase(&wanted("one.test", None)).unwrap(), 2);
        assert_eq!(password(&ours, &wanted("two.test", None)).unwrap(), "tok-c");
    }

    #[test]
    fn a_lost_swap_stores_nothing() {
        let keychain = FakeKeychain::default();
        let ours = quiet(&keychain);
        let newer = credential("one.test", "alice", "tok-newer");
        ours.store(&newer).unwrap();
        let (older, mine) = (
            credential("one.test", "alice", "tok-older"),
            credential("one.test", "alice", "tok-mine"),
        );
        assert!(!ours.replace(Some(&older), &mine).unwrap());
        assert_eq!(
            password(&ours, &wanted("one.test", None)).unwrap(),
            "tok-newer"
        );
        assert!(ours.replace(Some(&newer), &mine).unwrap());
        assert_eq!(
            password(&ours, &wanted("one.test", None)).unwrap(),
            "tok-mine"
        );
    }

    #[test]
    fn items_of_gh_are_read_and_removed() {
        let keychain = FakeKeychain::default();
        keychain.state().user = Some(AtPrompt::Allow);
        add_gh_item(&keychain, "gh:one.test", "alice", "tok-one");
        add_gh_item(&keychain, "gh:one.test", "", "tok-one");
        add_gh_item(&keychain, "gh:two.test", "alice", "tok-two");
        let ours = ours(&keychain);
        let service = vec![("service", "gh:one.test".to_owned())];
        let found = ours.external(service.clone()).unwrap();
        let mut users: Vec<_> = found
            .iter()
            .map(|item| &item.attributes["username"][..])
            .collect();
        users.sort_unstable();
        assert_eq!(users, ["", "alice"]);
        for item in &found {
            assert_eq!(item.secret, Secret::new(b"tok-one"));
            let other = ours.remove_external(&item.attributes, &Secret::new(b"other"));
            assert_eq!(other.unwrap(), 0);
            assert_eq!(
                ours.remove_external(&item.attributes, &item.secret)
                    .unwrap(),
                1
            );
        }
        assert_eq!(keychain.shown().len(), 1);
    }

    #[test]
    fn only_items_of_git_credential_manager_are_read_for_it() {
        let keychain = FakeKeychain::default();
        keychain.state().user = Some(AtPrompt::Allow);
        add_gcm_item(&keychain, "git:https://one.test", "alice", "tok-one");
        for service in [
            "cargo-registry:https://one.test/index",
            "gh:one.test",
            "https://one.test",
        ] {
            add_gcm_item(&keychain, service, "alice", "tok-other");
        }
        let ours = ours(&keychain);
        let schema = vec![(
            "xdg:schema",
            "com.microsoft.GitCredentialManager".to_owned(),
        )];
        let found = ours.external(schema).unwrap();
        let [one] = &found[..] else {
            panic!("{}", found.len());
        };
        assert_eq!(one.attributes["service"], "git:https://one.test");
        assert_eq!(one.attributes["account"], "alice");
        assert_eq!(keychain.state().prompts, 1, "no other secret was read");
        assert_eq!(
            ours.remove_external(&one.attributes, &one.secret).unwrap(),
            1
        );
        assert_eq!(keychain.shown().len(), 3);
    }

    #[test]
    fn no_call_names_the_other_keychain_or_runs_the_security_tool() {
        let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut looked = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                for name in [
                    "DataProtectionKeychain",
                    "kSecAttrAccessGroup",
                    "kSecAttrSynchronizable",
                    "/usr/bin/security",
                    "Command::new(\"security\")",
                ] {
                    assert!(!code.contains(name), "{}: {name}", path.display());
                }
                looked += 1;
            }
        }
        assert!(looked > 300, "{looked} files");
        assert!(!include_str!("system.rs").contains("Command"));
    }
}
