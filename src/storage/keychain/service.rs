//! The calls of the Secret Service that are needed here (freedesktop.org's Secret Service API), over D-Bus.
//!
//! The first message of a connection is a ping. gnome-keyring learns with the first one who asks, and may forget it again while
//! another client goes; who opens a session then without being known ends that service, and all keyrings are locked (seen with
//! 42.1, where clients come and go at once: after some thousand of them). So whoever opens one has asked before, as libsecret has.
#![cfg(all(unix, not(target_os = "macos")))]

use std::cell::OnceCell;
use std::collections::HashMap;
use std::time::Duration;

use dbus::arg::{AppendAll, Get, PropMap, ReadAll, RefArg, Variant};
use dbus::blocking::stdintf::org_freedesktop_dbus::{Peer, Properties};
use dbus::blocking::{Connection, Proxy};
use dbus::message::MatchRule;
use dbus::strings::Path;

use crate::platform::boot_time;

/// After this long one call counts as unanswered: what took longer waited for a person.
pub(super) const REPLY: Duration = Duration::from_secs(2);

const NAME: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";

/// No object: nothing was made, no prompt is needed.
const NONE: &str = "/";

/// What libsecret gives its passwords.
const CONTENT_TYPE: &str = "text/plain";

/// A session, what goes with the secret in it (nothing in a plain one), the secret, and its content type.
type Secret<Value, Text> = (Path<'static>, Vec<u8>, Value, Text);

#[derive(Debug)]
pub(super) enum Error {
    /// The bus's error, or the service's.
    Bus(dbus::Error),
    Locked,
    /// A person was asked and did not unlock, or may not be asked.
    Prompt,
    NoDefault,
    /// The environment names none that may be asked.
    NoBus,
}

impl From<dbus::Error> for Error {
    fn from(error: dbus::Error) -> Self {
        Self::Bus(error)
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
    session: OnceCell<Path<'static>>,
    patience: Duration,
}

impl Service {
    /// Connects to the session bus that the environment names. `patience`: how long a prompt may wait for a person; zero:
    /// none appears.
    pub(super) fn connect(patience: Duration) -> Result<Self> {
        let service = Self {
            connection: Connection::new_session()?,
            session: OnceCell::new(),
            patience,
        };
        match service.at(ROOT).ping() {
            // It answered.
            Err(error) if error.name().is_some_and(is_of_the_call) => Ok(service),
            answer => answer.map(|()| service).map_err(Error::Bus),
        }
    }

    pub(super) fn search(&self, attributes: &HashMap<&str, &str>) -> Result<Found> {
        let (unlocked, locked) = self.call(ROOT, SERVICE, "SearchItems", (attributes,))?;
        Ok(Found { unlocked, locked })
    }

    pub(super) fn default_collection(&self) -> Result<Path<'static>> {
        let (path,): (Path<'_>,) = self.call(ROOT, SERVICE, "ReadAlias", ("default",))?;
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
        self.property(item, ITEM, "Attributes")
    }

    pub(super) fn label(&self, item: &Path<'_>) -> Result<String> {
        self.property(item, ITEM, "Label")
    }

    /// Seconds since 1970.
    pub(super) fn created(&self, item: &Path<'_>) -> Result<u64> {
        self.property(item, ITEM, "Created")
    }

    /// Seconds since 1970.
    pub(super) fn modified(&self, item: &Path<'_>) -> Result<u64> {
        self.property(item, ITEM, "Modified")
    }

    pub(super) fn secret(&self, item: &Path<'_>) -> Result<Vec<u8>> {
        let session = self.session()?.clone();
        let (secret,): (Secret<Vec<u8>, String>,) =
            self.call(item, ITEM, "GetSecret", (session,))?;
        Ok(secret.2)
    }

    pub(super) fn set_secret(&self, item: &Path<'_>, secret: &[u8]) -> Result<()> {
        let secret = self.sealed(secret)?;
        self.call(item, ITEM, "SetSecret", (secret,))
    }

    pub(super) fn delete(&self, item: &Path<'_>) -> Result<()> {
        let (prompt,): (Path<'_>,) = self.call(item, ITEM, "Delete", ())?;
        self.prompt(&prompt)
    }

    /// A plain session; none is opened for what needs no secret.
    fn session(&self) -> Result<&Path<'static>> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        let nothing: Variant<Box<dyn RefArg>> = Variant(Box::new(String::new()));
        let (_, session): (Variant<Box<dyn RefArg>>, Path<'_>) =
            self.call(ROOT, SERVICE, "OpenSession", ("plain", nothing))?;
        Ok(self.session.get_or_init(|| session))
    }

    fn sealed<'a>(&self, secret: &'a [u8]) -> Result<Secret<&'a [u8], &'static str>> {
        let session = self.session()?.clone();
        Ok((session, Vec::new(), secret, CONTENT_TYPE))
    }

    fn at<'a>(&self, path: &'a str) -> Proxy<'a, &Connection> {
        self.connection.with_proxy(NAME, path, REPLY)
    }

    fn call<Answer: ReadAll, Arguments: AppendAll>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: Arguments,
    ) -> Result<Answer> {
        Ok(self.at(path).method_call(interface, method, arguments)?)
    }

    fn property<T: for<'b> Get<'b> + 'static>(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<T> {
        Ok(self.at(path).get(interface, name)?)
    }

    /// Shows a prompt, unless none is needed, and waits for the person's answer.
    fn prompt(&self, prompt: &Path<'_>) -> Result<()> {
        if &**prompt == NONE {
            return Ok(());
        }
        if self.patience.is_zero() {
            return Err(Error::Prompt);
        }
        let completed = MatchRule::new_signal(PROMPT, "Completed").with_path(prompt.clone());
        let rule = completed.clone().with_sender(NAME);
        self.connection.add_match_no_cb(&rule.match_str())?;
        let no_window = "";
        let () = self.call(prompt, PROMPT, "Prompt", (no_window,))?;
        let began = boot_time();
        loop {
            let waited = boot_time().saturating_sub(began);
            let left = self.patience.saturating_sub(waited);
            // Nothing is said to the prompt: it goes with this connection. gnome-keyring (42.1) ends itself where somebody has one
            // dismissed, and goes.
            if left.is_zero() {
                return Err(Error::Prompt);
            }
            let message = self.connection.channel().blocking_pop_message(left)?;
            if let Some(message) = message.filter(|message| completed.matches(message)) {
                return match message.get1::<bool>() {
                    Some(false) => Ok(()),
                    _ => Err(Error::Prompt),
                };
            }
        }
    }
}

/// Errors that come from whoever was called: there is somebody.
fn is_of_the_call(name: &str) -> bool {
    matches!(
        name,
        "org.freedesktop.DBus.Error.UnknownMethod"
            | "org.freedesktop.DBus.Error.UnknownObject"
            | "org.freedesktop.DBus.Error.UnknownInterface"
    )
}
