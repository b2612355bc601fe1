//! A storage that tells the trace each question, its answer and how long it took.

use std::cell::Cell;

use super::trace_words::{answer_to, asked_for, contents, expiry_words, named};
use super::{Error, Expected, Insertion, Listed, Position, Storage, StorageKind};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::terminal::with_causes;
use crate::trace::{self, counted};

/// Only made while a trace is written.
#[derive(Debug)]
pub(crate) struct Traced(pub(crate) Box<dyn Storage>);

impl Traced {
    fn subject(&self) -> &'static str {
        match self.0.kind() {
            StorageKind::Memory => "memory",
            StorageKind::Keychain => "keychain",
            StorageKind::File => "file",
        }
    }

    fn timed<T>(
        &self,
        work: impl FnOnce() -> Result<T, Error>,
        text: impl FnOnce(&T) -> String,
    ) -> Result<T, Error> {
        let told = |answer: &Result<T, Error>| match answer {
            Ok(value) => text(value),
            Err(error @ Error::Unavailable { .. }) => {
                format!("unavailable: {}", with_causes(error))
            }
            Err(error) => format!("failed: {}", with_causes(error)),
        };
        trace::timed(self.subject(), work, told)
    }
}

impl Storage for Traced {
    fn kind(&self) -> StorageKind {
        self.0.kind()
    }

    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        self.timed(
            || self.0.get(wanted),
            |found| {
                let place = asked_for(wanted);
                match found {
                    None => format!("asked for {place}: no entry"),
                    Some(found) => format!("asked for {place}: {}", answer_to(wanted, found)),
                }
            },
        )
    }

    fn peek(&self, key: &Key) -> Result<Option<Credential>, Error> {
        let wanted = Query::exact(key);
        self.timed(
            || self.0.peek(key),
            |found| {
                let place = asked_for(&wanted);
                match found {
                    None => format!("asked for {place}, without a prompt: no entry"),
                    Some(found) => format!("asked for {place}: {}", answer_to(&wanted, found)),
                }
            },
        )
    }

    fn put(
        &self,
        credential: &Credential,
        position: Position,
        expected: Expected<'_>,
    ) -> Result<bool, Error> {
        self.timed(
            || self.0.put(credential, position, expected),
            |is_stored| {
                let name = named(&credential.key);
                if *is_stored {
                    format!("has stored {}", contents(credential))
                } else {
                    format!("did not store {name}: another process has changed the entry")
                }
            },
        )
    }

    fn insert_all_behind(
        &self,
        all: &[Insertion<'_>],
        stored: &mut dyn FnMut(usize, bool) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = Cell::new(0);
        let mut tell = |index: usize, is_stored: bool| {
            count.set(count.get() + usize::from(is_stored));
            stored(index, is_stored)
        };
        self.timed(
            || self.0.insert_all_behind(all, &mut tell),
            |()| {
                let entries = counted(count.get(), "entry", "entries");
                format!("has stored {entries} behind the others")
            },
        )
    }

    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        self.timed(
            || self.0.set_expiry(kept, end),
            |is_set| {
                let name = named(&kept.key);
                if *is_set {
                    format!("has set the expiry of {name}: {}", expiry_words(end))
                } else {
                    format!("has no entry with this secret of {name}, so no expiry was set")
                }
            },
        )
    }

    fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
        self.timed(
            || self.0.check_writable(kept),
            |has_it| {
                let name = named(&kept.key);
                if *has_it {
                    format!("can write {name}")
                } else {
                    format!("has no entry with this secret of {name}")
                }
            },
        )
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        self.timed(
            || self.0.erase(unwanted),
            |count| {
                let entries = counted(*count, "entry", "entries");
                let place = asked_for(unwanted);
                if unwanted.password.is_some() || unwanted.credential.is_some() {
                    format!("removed {entries} with this secret for {place}")
                } else {
                    format!("removed {entries} with any secret for {place}")
                }
            },
        )
    }

    fn erase_each(&self, unwanted: &[&Credential]) -> Result<Vec<usize>, Error> {
        self.timed(
            || self.0.erase_each(unwanted),
            |counts| {
                let entries = counted(counts.iter().sum(), "entry", "entries");
                let secrets = counted(unwanted.len(), "secret", "secrets");
                format!("removed {entries} with {secrets}")
            },
        )
    }

    fn list(&self) -> Result<Vec<Listed>, Error> {
        self.timed(
            || self.0.list(),
            |all| {
                format!(
                    "listed {} without secrets",
                    counted(all.len(), "entry", "entries")
                )
            },
        )
    }

    fn all(&self) -> Result<Vec<(Listed, Credential)>, Error> {
        self.timed(
            || self.0.all(),
            |all| format!("read {}", counted(all.len(), "entry", "entries")),
        )
    }

    fn check(&self) -> Result<(), Error> {
        self.timed(|| self.0.check(), |()| "can be used".to_owned())
    }
}
