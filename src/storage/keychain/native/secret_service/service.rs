//! A connection to the service: sessions, searches and prompts.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::time::Duration;

use dbus::Message;
use dbus::arg::{RefArg, Variant};
use dbus::strings::Path;

use super::calls::{REPLY, ServiceCalls};
use super::content_type::content_type;
use super::failure::{Error, Result};
use super::program::{self, Program};
use super::prompt;
use crate::platform::monotonic_now;
use crate::storage::keychain::deadline::Prompts;
use crate::storage::keychain::items::{Item, ItemAttributes};
use crate::trace;

const ROOT: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";
pub(super) const COLLECTION: &str = "org.freedesktop.Secret.Collection";

/// The property that tells whether the default collection is locked.
const DEFAULT_LOCKED: (&str, &str, &str) = (
    "/org/freedesktop/secrets/aliases/default",
    COLLECTION,
    "Locked",
);

/// No object: no item was created, or no prompt is needed.
const NONE: &str = "/";

/// How long the known state of the default collection counts: a password manager may lock itself at any time.
const FRESH: Duration = Duration::from_secs(1);

/// The session, its parameters (empty in a plain one), the secret, and its content type.
pub(super) type WireSecret<Value, Text> = (Path<'static>, Vec<u8>, Value, Text);

/// Unlocked and locked items.
pub(super) type SearchResult = (Vec<Path<'static>>, Vec<Path<'static>>);

/// The state of the default collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DefaultCollection {
    Open,
    Locked,
    /// There is none, or the service does not know the alias.
    Unknown,
}

impl DefaultCollection {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Locked => "locked",
            Self::Unknown => "unknown",
        }
    }
}

/// A connection to the service. Every call ends within [`REPLY`] and the time that a prompt may wait.
pub(super) struct Service {
    pub(super) calls: ServiceCalls,
    session: OnceCell<Path<'static>>,
    patience: Duration,
    prompts: Arc<Prompts>,
    /// The state of the default collection, and when it was read.
    default: Cell<(DefaultCollection, Duration)>,
    program: OnceCell<Program>,
    /// The user has declined a prompt: there is no other one.
    is_declined: Cell<bool>,
}

impl Service {
    /// Connects to the user's own session bus. `patience`: how long a prompt may wait for the user; zero: no prompt. `prompts`
    /// measures the time of prompts.
    pub(super) fn connect(patience: Duration, prompts: Arc<Prompts>) -> Result<Self> {
        let greeted = || prompts.note_bus();
        let (calls, is_locked) = ServiceCalls::connect(DEFAULT_LOCKED, greeted)?;
        let service = Self {
            calls,
            session: OnceCell::new(),
            patience,
            prompts,
            default: Cell::new((DefaultCollection::Unknown, Duration::ZERO)),
            program: OnceCell::new(),
            is_declined: Cell::new(false),
        };
        match service.note_default(is_locked) {
            Err(error @ (Error::Absent | Error::Mute)) => Err(error),
            Err(Error::Refused(name)) if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => {
                Err(Error::Refused(name))
            }
            // There may be no default, and a service may not know the alias.
            _ => Ok(service),
        }
    }

    fn look_at_default(&self) -> Result<DefaultCollection> {
        let (path, interface, name) = DEFAULT_LOCKED;
        self.note_default(self.calls.property(path, interface, name))
    }

    fn note_default(&self, is_locked: Result<bool>) -> Result<DefaultCollection> {
        let default = match is_locked {
            Ok(true) => DefaultCollection::Locked,
            Ok(false) => DefaultCollection::Open,
            Err(_) => DefaultCollection::Unknown,
        };
        trace::tell("keychain", || {
            format!("the default collection is {}", default.word())
        });
        self.default.set((default, monotonic_now()));
        is_locked.map(|_| default)
    }

    fn may_prompt(&self) -> bool {
        !self.patience.is_zero()
    }

    fn program(&self) -> Program {
        *self.program.get_or_init(|| program::of(&self.calls))
    }

    /// Finds the items of each search, unlocked and locked ones.
    pub(super) fn find(&self, wanted: &[ItemAttributes]) -> Result<Vec<SearchResult>> {
        let (default, seen) = self.default.get();
        let is_fresh = monotonic_now().saturating_sub(seen) < FRESH;
        let default = if is_fresh {
            default
        } else {
            self.look_at_default().unwrap_or(DefaultCollection::Unknown)
        };
        if default != DefaultCollection::Open && self.program() == Program::KeePassXc {
            self.open_some_database()?;
        }
        let is_locked = default == DefaultCollection::Locked;
        let found: Result<_> = if is_locked && self.program() == Program::Other {
            wanted
                .iter()
                .map(|wanted| self.search_locked(wanted))
                .collect()
        } else {
            let call = |wanted| self.calls.message(ROOT, SERVICE, "SearchItems", (wanted,));
            let answers = self.calls.ask_together(wanted.iter().map(call).collect());
            let answers = answers.into_iter();
            answers
                .map(|answer| answer?.read_all().map_err(|_| Error::Odd))
                .collect()
        };
        // Another program may own the name without implementing the service.
        found.map_err(|error| error.unknown_is(Error::Absent))
    }

    /// An unknown service may ask the user for the password before it answers, so it gets the time of a prompt.
    fn search_locked(&self, attributes: &ItemAttributes) -> Result<SearchResult> {
        let limit = self.patience.max(REPLY);
        let wait = || {
            self.calls
                .ask_within(limit, ROOT, SERVICE, "SearchItems", (attributes,))
        };
        let began = monotonic_now();
        let answer = if self.may_prompt() {
            self.prompts.during(wait, Result::is_ok)
        } else {
            wait()
        };
        let is_late = monotonic_now().saturating_sub(began) >= limit;
        match answer {
            Err(Error::Mute) if is_late => Err(Error::Locked),
            answer => answer?.read_all().map_err(|_| Error::Odd),
        }
    }

    /// Checks that one of `KeePassXC`'s databases is open. If not, prompts for the default one if prompts are allowed.
    fn open_some_database(&self) -> Result<()> {
        let all: Vec<Path<'static>> = self.calls.property(ROOT, SERVICE, "Collections")?;
        for collection in &all {
            if !self.is_locked(collection)? {
                return Ok(());
            }
        }
        let default = self.default_collection()?;
        self.unlock(&default)?;
        self.default.set((DefaultCollection::Open, monotonic_now()));
        Ok(())
    }

    pub(super) fn default_collection(&self) -> Result<Path<'static>> {
        let found = self.calls.call(ROOT, SERVICE, "ReadAlias", ("default",));
        let (path,): (Path<'_>,) = found.map_err(|error| error.unknown_is(Error::Absent))?;
        if &*path == NONE {
            return Err(Error::NoDefault);
        }
        Ok(path)
    }

    pub(super) fn is_locked(&self, collection: &str) -> Result<bool> {
        self.calls.property(collection, COLLECTION, "Locked")
    }

    /// Unlocks an item or a collection. Fails if that needs a prompt and none is allowed.
    pub(super) fn unlock(&self, object: &str) -> Result<()> {
        let objects = vec![Path::new(object).map_err(|_| Error::Odd)?];
        let (_, prompt): (Vec<Path<'_>>, Path<'static>) =
            self.calls.call(ROOT, SERVICE, "Unlock", (objects,))?;
        if &*prompt == NONE {
            return Ok(());
        }
        let answer = if self.may_prompt() || self.is_open_wallet(object) {
            self.run(&prompt)
        } else {
            Err(Error::Unconfirmed)
        };
        match answer {
            // KeePassXC asks for each item of an open database too.
            Err(Error::Unconfirmed | Error::Declined)
                if self.is_locked(&collection_of(object)) != Ok(false) =>
            {
                Err(Error::Locked)
            }
            answer => answer,
        }
    }

    /// Unlocks an item whose secret cannot be used yet.
    pub(super) fn unlock_item(&self, item: &Item) -> Result<()> {
        if item.is_locked.get() {
            self.unlock(&item.id)?;
            item.is_locked.set(false);
        }
        Ok(())
    }

    /// Whether `object` is in an open wallet of `KWallet`: then its prompt shows no dialog.
    pub(super) fn is_open_wallet(&self, object: &str) -> bool {
        let Program::KWallet(wallets) = self.program() else {
            return false;
        };
        let collection = collection_of(object);
        let name: Result<String> = self.calls.property(&collection, COLLECTION, "Label");
        let Ok(name) = name else {
            return false;
        };
        let is_open = self
            .calls
            .call(wallets, "org.kde.KWallet", "isOpen", (name,));
        is_open.is_ok_and(|(is_open,): (bool,)| is_open)
    }

    /// The plain session. Opens it on first use.
    pub(super) fn session(&self) -> Result<&Path<'static>> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        let answer = self.calls.ask(ROOT, SERVICE, "OpenSession", plain())?;
        self.opened(&answer)
    }

    /// Sends `calls` about items, and opens the session with them if a secret may be asked for next. Returns their answers.
    pub(super) fn ask_of_items(
        &self,
        mut calls: Vec<Result<Message>>,
        is_open: bool,
    ) -> Vec<Result<Message>> {
        let opens = is_open && self.session.get().is_none();
        if opens {
            calls.push(self.calls.message(ROOT, SERVICE, "OpenSession", plain()));
        }
        let mut answers = self.calls.ask_together(calls);
        if opens && let Some(Ok(answer)) = answers.pop() {
            // If it failed, the first secret opens it, and reports the failure.
            let _ = self.opened(&answer);
        }
        answers
    }

    fn opened(&self, answer: &Message) -> Result<&Path<'static>> {
        // The argument before the session has no meaning in a plain one, and may have any type.
        let mut arguments = answer.iter_init();
        arguments.next();
        let session = arguments.get::<Path<'_>>().ok_or(Error::Odd)?.into_static();
        Ok(self.session.get_or_init(|| session))
    }

    pub(super) fn sealed<'a>(
        &self,
        secret: &'a [u8],
    ) -> Result<WireSecret<&'a [u8], &'static str>> {
        let session = self.session()?.clone();
        Ok((session, Vec::new(), secret, content_type(secret)))
    }

    /// Runs a prompt, unless none is needed. Waits for the user if prompts are allowed, else as long as for a call.
    pub(super) fn run(&self, prompt: &Path<'static>) -> Result<()> {
        if &**prompt == NONE {
            return Ok(());
        }
        if self.is_declined.get() {
            return Err(Error::Declined);
        }
        let running = prompt::start(&self.calls, prompt)?;
        if !self.may_prompt() {
            return running.wait(REPLY)?.ok_or(Error::Unconfirmed);
        }
        let wait = || {
            self.prompts.during(
                || running.wait(self.patience),
                |answer| *answer != Err(Error::Mute),
            )
        };
        let answer = trace::timed("keychain", wait, |answer| match answer {
            Ok(Some(())) => "the service's prompt was confirmed".to_owned(),
            Ok(None) => "the service's prompt was not answered in time".to_owned(),
            Err(_) => "the service's prompt was declined or closed".to_owned(),
        });
        let answer = answer.and_then(|done| done.ok_or(Error::Declined));
        self.is_declined.set(answer == Err(Error::Declined));
        answer
    }
}

/// The arguments that open a plain session.
fn plain() -> (&'static str, Variant<Box<dyn RefArg>>) {
    ("plain", Variant(Box::new(String::new())))
}

/// The collection of an item, or the collection itself: `/org/freedesktop/secrets/collection/NAME/ITEM`.
fn collection_of(object: &str) -> String {
    let parts: Vec<&str> = object.splitn(7, '/').take(6).collect();
    parts.join("/")
}
