//! The calls of the Secret Service that are needed here (freedesktop.org's Secret Service API), over D-Bus.
//!
//! The first message of a connection is a ping. gnome-keyring learns with the first one who asks, and may forget it again while
//! another client goes; who opens a session then without being known ends that service, and all keyrings are locked (seen with
//! 42.1, where clients come and go at once: after some thousand of them). So whoever opens one has asked before, as libsecret has.
#![cfg(all(unix, not(target_os = "macos")))]

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dbus::Message;
use dbus::arg::{AppendAll, Get, PropMap, ReadAll, RefArg, Variant};
use dbus::blocking::{BlockingSender, Connection};
use dbus::message::MatchRule;
use dbus::strings::{BusName, Path};

use super::bus;
use super::deadline::Prompts;
use crate::platform::boot_time;

/// After this long one call counts as unanswered.
const REPLY: Duration = Duration::from_secs(2);

const NAME: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";
const BUS: &str = "org.freedesktop.DBus";

/// No object: nothing was made, no prompt is needed.
const NONE: &str = "/";

/// What libsecret gives its passwords.
const CONTENT_TYPE: &str = "text/plain";

/// A session, what goes with the secret in it (nothing in a plain one), the secret, and its content type.
type Secret<Value, Text> = (Path<'static>, Vec<u8>, Value, Text);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// There is no bus, or no such service on it.
    Absent,
    /// The bus is another user's.
    ForeignBus,
    /// The bus closed the connection at once.
    ClosedBus,
    /// It does not answer, or has gone meanwhile.
    Mute,
    Locked,
    /// A person was asked and did not unlock, or may not be asked.
    Prompt,
    NoDefault,
    /// What was asked about is not there any more.
    NoObject,
    /// An answer that does not read.
    Odd,
    /// The name of the bus's error, or the service's. Their texts may repeat what was asked.
    Refused(String),
}

impl From<bus::Error> for Error {
    fn from(error: bus::Error) -> Self {
        match error {
            bus::Error::Absent => Self::Absent,
            bus::Error::Foreign => Self::ForeignBus,
            bus::Error::Closed => Self::ClosedBus,
            bus::Error::Library(error) => error.into(),
        }
    }
}

impl From<dbus::Error> for Error {
    fn from(error: dbus::Error) -> Self {
        match error.name().unwrap_or_default() {
            "org.freedesktop.Secret.Error.IsLocked" => Self::Locked,
            "org.freedesktop.DBus.Error.NoServer"
            | "org.freedesktop.DBus.Error.FileNotFound"
            | "org.freedesktop.DBus.Error.ServiceUnknown"
            | "org.freedesktop.DBus.Error.NameHasNoOwner"
            | "org.freedesktop.DBus.Error.Spawn.ServiceNotFound" => Self::Absent,
            "org.freedesktop.DBus.Error.NoReply"
            | "org.freedesktop.DBus.Error.Timeout"
            | "org.freedesktop.DBus.Error.TimedOut"
            | "org.freedesktop.DBus.Error.Disconnected" => Self::Mute,
            name => Self::Refused(name.to_owned()),
        }
    }
}

impl Error {
    /// Nobody knows whom or what was called, which means more where it is known what should be there.
    fn unknown_is(self, meaning: Self) -> Self {
        match self {
            Self::Refused(name)
                if matches!(
                    &name[..],
                    "org.freedesktop.Secret.Error.NoSuchObject"
                        | "org.freedesktop.DBus.Error.UnknownObject"
                        | "org.freedesktop.DBus.Error.UnknownInterface"
                        | "org.freedesktop.DBus.Error.UnknownMethod"
                ) =>
            {
                meaning
            }
            error => error,
        }
    }
}

type Result<T> = std::result::Result<T, Error>;

/// The items that fit.
pub(super) struct Found {
    pub(super) unlocked: Vec<Path<'static>>,
    pub(super) locked: Vec<Path<'static>>,
}

/// A connection to it. Every call is answered, or fails, within [`REPLY`] and the time that a prompt may wait.
pub(super) struct Service {
    connection: Connection,
    /// Who answered first: another one that takes its place knows neither our session nor, locked, the same items.
    owner: OnceCell<BusName<'static>>,
    session: OnceCell<Path<'static>>,
    patience: Duration,
    prompts: Arc<Prompts>,
}

impl Service {
    /// Connects to the session bus, if that is the user's own. `patience`: how long a prompt may wait for a person; zero:
    /// none appears. `prompts` learns of those that do.
    pub(super) fn connect(patience: Duration, prompts: Arc<Prompts>) -> Result<Self> {
        let service = Self {
            connection: Connection::from(bus::connect()?),
            owner: OnceCell::new(),
            session: OnceCell::new(),
            patience,
            prompts,
        };
        match service.call::<()>(ROOT, "org.freedesktop.DBus.Peer", "Ping", ()) {
            Err(error @ (Error::Absent | Error::Mute)) => Err(error),
            Err(Error::Refused(name)) if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => {
                Err(Error::Refused(name))
            }
            // A bus may let nobody ping, and a service not know it.
            _ => Ok(service),
        }
    }

    pub(super) fn search(&self, attributes: &HashMap<&str, &str>) -> Result<Found> {
        let found = self.call(ROOT, SERVICE, "SearchItems", (attributes,));
        // Somebody may have the name who does not know the service.
        let (unlocked, locked) = found.map_err(|error| error.unknown_is(Error::Absent))?;
        Ok(Found { unlocked, locked })
    }

    pub(super) fn default_collection(&self) -> Result<Path<'static>> {
        let found = self.call(ROOT, SERVICE, "ReadAlias", ("default",));
        let (path,): (Path<'_>,) = found.map_err(|error| error.unknown_is(Error::Absent))?;
        if &*path == NONE {
            return Err(Error::NoDefault);
        }
        Ok(path)
    }

    pub(super) fn is_locked(&self, collection: &Path<'_>) -> Result<bool> {
        self.property(collection, COLLECTION, "Locked")
    }

    /// Unlocks an item, or a collection.
    pub(super) fn unlock(&self, object: &Path<'_>) -> Result<()> {
        let (_, prompt): (Vec<Path<'_>>, Path<'_>) =
            self.call(ROOT, SERVICE, "Unlock", (vec![object.clone()],))?;
        self.prompt(&prompt)
    }

    /// Makes an item, even where there is one with these attributes.
    pub(super) fn create(
        &self,
        collection: &Path<'_>,
        label: &str,
        attributes: HashMap<String, String>,
        secret: &[u8],
    ) -> Result<()> {
        let mut properties = PropMap::new();
        let label: Box<dyn RefArg> = Box::new(label.to_owned());
        properties.insert(format!("{ITEM}.Label"), Variant(label));
        properties.insert(format!("{ITEM}.Attributes"), Variant(Box::new(attributes)));
        let arguments = (properties, self.sealed(secret)?, false);
        let (_, prompt): (Path<'_>, Path<'_>) =
            self.call(collection, COLLECTION, "CreateItem", arguments)?;
        self.prompt(&prompt)
    }

    pub(super) fn attributes(&self, item: &Path<'_>) -> Result<HashMap<String, String>> {
        of_item(self.property(item, ITEM, "Attributes"))
    }

    pub(super) fn label(&self, item: &Path<'_>) -> Result<String> {
        of_item(self.property(item, ITEM, "Label"))
    }

    /// Seconds since 1970.
    pub(super) fn created(&self, item: &Path<'_>) -> Result<u64> {
        of_item(self.property(item, ITEM, "Created"))
    }

    /// Seconds since 1970.
    pub(super) fn modified(&self, item: &Path<'_>) -> Result<u64> {
        of_item(self.property(item, ITEM, "Modified"))
    }

    pub(super) fn secret(&self, item: &Path<'_>) -> Result<Vec<u8>> {
        let session = self.session()?.clone();
        let (secret,): (Secret<Vec<u8>, String>,) =
            of_item(self.call(item, ITEM, "GetSecret", (session,)))?;
        Ok(secret.2)
    }

    pub(super) fn set_secret(&self, item: &Path<'_>, secret: &[u8]) -> Result<()> {
        let secret = self.sealed(secret)?;
        of_item(self.call(item, ITEM, "SetSecret", (secret,)))
    }

    pub(super) fn delete(&self, item: &Path<'_>) -> Result<()> {
        let (prompt,): (Path<'_>,) = of_item(self.call(item, ITEM, "Delete", ()))?;
        self.prompt(&prompt)
    }

    /// A plain session; none is opened for what needs no secret.
    fn session(&self) -> Result<&Path<'static>> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        let nothing: Variant<Box<dyn RefArg>> = Variant(Box::new(String::new()));
        let answer = self.ask(ROOT, SERVICE, "OpenSession", ("plain", nothing))?;
        // What comes before it means nothing in a plain one, and is of any type.
        let mut arguments = answer.iter_init();
        arguments.next();
        let session = arguments.get::<Path<'_>>().ok_or(Error::Odd)?.into_static();
        Ok(self.session.get_or_init(|| session))
    }

    fn sealed<'a>(&self, secret: &'a [u8]) -> Result<Secret<&'a [u8], &'static str>> {
        let session = self.session()?.clone();
        Ok((session, Vec::new(), secret, CONTENT_TYPE))
    }

    fn ask(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: impl AppendAll,
    ) -> Result<Message> {
        let owner = self.owner.get();
        let to = owner.map_or(NAME, |owner| owner);
        let message = Message::new_method_call(to, path, interface, method);
        let mut message = message.map_err(|_| Error::Odd)?;
        message.append_all(arguments);
        let answer = self.connection.send_with_reply_and_block(message, REPLY);
        let answer = answer.map_err(|error| match (error.into(), owner) {
            (Error::Absent, Some(_)) => Error::Mute,
            (error, _) => error,
        })?;
        if let Some(sender) = answer.sender() {
            self.owner.get_or_init(|| sender.into_static());
        }
        Ok(answer)
    }

    fn call<Answer: ReadAll>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: impl AppendAll,
    ) -> Result<Answer> {
        let answer = self.ask(path, interface, method, arguments)?;
        answer.read_all().map_err(|_| Error::Odd)
    }

    fn property<T: for<'b> Get<'b>>(&self, path: &str, interface: &str, name: &str) -> Result<T> {
        let properties = "org.freedesktop.DBus.Properties";
        let answer = self.ask(path, properties, "Get", (interface, name))?;
        let value: Option<Variant<T>> = answer.get1();
        Ok(value.ok_or(Error::Odd)?.0)
    }

    /// Shows a prompt, unless none is needed, and waits for the person's answer.
    fn prompt(&self, prompt: &Path<'_>) -> Result<()> {
        if &**prompt == NONE {
            return Ok(());
        }
        let owner = self.owner.get().filter(|_| !self.patience.is_zero());
        let owner = owner.ok_or(Error::Prompt)?;
        let completed = MatchRule::new_signal(PROMPT, "Completed")
            .with_path(prompt.clone())
            .with_strict_sender(owner.clone());
        let gone = MatchRule::new_signal(BUS, "NameOwnerChanged").with_strict_sender(BUS);
        let gone_rule = format!("{},arg0='{owner}'", gone.match_str());
        for rule in [completed.match_str(), gone_rule] {
            self.connection.add_match_no_cb(&rule)?;
        }
        let no_window = "";
        let () = self.call(prompt, PROMPT, "Prompt", (no_window,))?;
        let wait = || self.wait_for_person(&completed, &gone, owner);
        self.prompts
            .during(wait, |answer| *answer != Err(Error::Mute))
    }

    fn wait_for_person(
        &self,
        completed: &MatchRule<'_>,
        gone: &MatchRule<'_>,
        owner: &BusName<'_>,
    ) -> Result<()> {
        let began = boot_time();
        loop {
            let waited = boot_time().saturating_sub(began);
            let left = self.patience.saturating_sub(waited);
            // Nothing is said to the prompt: it goes with this connection. gnome-keyring (42.1) ends itself where somebody has one
            // dismissed, and goes.
            if left.is_zero() {
                return Err(Error::Prompt);
            }
            let message = self.connection.channel().blocking_pop_message(left);
            let Some(message) = message.map_err(|_| Error::Mute)? else {
                continue;
            };
            if completed.matches(&message) {
                return match message.get1::<bool>() {
                    Some(false) => Ok(()),
                    _ => Err(Error::Prompt),
                };
            }
            if gone.matches(&message) && message.get1::<&str>() == Some(&**owner) {
                return Err(Error::Mute);
            }
        }
    }
}

/// An item goes when somebody removes it; so does its path.
fn of_item<T>(answer: Result<T>) -> Result<T> {
    answer.map_err(|error| error.unknown_is(Error::NoObject))
}
