//! Calls to the keyring service over D-Bus.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::time::Duration;

use dbus::Message;
use dbus::arg::{AppendAll, Get, ReadAll, Variant};
use dbus::blocking::{BlockingSender, Connection};
use dbus::channel::Channel;
use dbus::strings::BusName;

use super::failure::{Error, Result};
use crate::desktop::bus;
use crate::platform::monotonic_now;

/// After this long one call counts as unanswered.
pub(super) const REPLY: Duration = Duration::from_secs(2);

/// The most calls that wait for an answer at once: a bus limits them.
pub(super) const AT_ONCE: usize = 64;

const NAME: &str = "org.freedesktop.secrets";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(super) const BUS: &str = "org.freedesktop.DBus";

/// A connection to the service.
pub(super) struct ServiceCalls {
    connection: Connection,
    /// The service that answered first. Its successor would not know our session, nor show the same items while locked.
    owner: OnceCell<BusName<'static>>,
}

impl ServiceCalls {
    /// `bus`: the user's own session bus.
    fn over(bus: Channel) -> Self {
        Self {
            connection: Connection::from(bus),
            owner: OnceCell::new(),
        }
    }

    /// Connects, and asks for a property at once. `greeted` runs as soon as the bus has accepted this process.
    pub(super) fn connect<T: for<'b> Get<'b>>(
        (path, interface, name): (&str, &str, &str),
        greeted: impl FnOnce(),
    ) -> Result<(Self, Result<T>)> {
        let (bus, number) = bus::connect_and_ask(|| {
            let question = Message::new_method_call(NAME, path, PROPERTIES, "Get");
            Some(question.ok()?.append2(interface, name))
        })?;
        greeted();
        let calls = Self::over(bus);
        let mut answers = [Err(Error::Mute)];
        calls.receive(HashMap::from([(number, 0)]), &mut answers);
        let [answer] = answers;
        Ok((calls, answer.and_then(|answer| value(&answer))))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The service's unique name on the bus, after its first answer.
    pub(super) fn owner(&self) -> Option<&BusName<'static>> {
        self.owner.get()
    }

    /// Calls the service and waits for its answer.
    pub(super) fn ask(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: impl AppendAll,
    ) -> Result<Message> {
        self.ask_within(REPLY, path, interface, method, arguments)
    }

    /// As [`ServiceCalls::ask`], with another limit.
    pub(super) fn ask_within(
        &self,
        limit: Duration,
        path: &str,
        interface: &str,
        method: &str,
        arguments: impl AppendAll,
    ) -> Result<Message> {
        let message = self.message(path, interface, method, arguments)?;
        let answer = self.connection.send_with_reply_and_block(message, limit);
        self.answer(answer)
    }

    /// A call that is not sent yet.
    pub(super) fn message(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: impl AppendAll,
    ) -> Result<Message> {
        let to = self.owner.get().map_or(NAME, |owner| owner);
        let message = Message::new_method_call(to, path, interface, method);
        let mut message = message.map_err(|_| Error::Odd)?;
        message.append_all(arguments);
        Ok(message)
    }

    /// The call for a property that is not sent yet; [`value`] reads its answer.
    pub(super) fn property_message(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<Message> {
        self.message(path, PROPERTIES, "Get", (interface, name))
    }

    /// Sends many calls before it waits for their answers, which come in the order of the calls. Each answer comes within
    /// [`REPLY`] after the one before it.
    pub(super) fn ask_together(&self, calls: Vec<Result<Message>>) -> Vec<Result<Message>> {
        let mut answers = Vec::with_capacity(calls.len());
        let mut calls = calls.into_iter().peekable();
        while calls.peek().is_some() {
            answers.extend(self.ask_some(calls.by_ref().take(AT_ONCE)));
        }
        answers
    }

    fn ask_some(&self, calls: impl Iterator<Item = Result<Message>>) -> Vec<Result<Message>> {
        let channel = self.connection.channel();
        let (mut answers, mut waiting) = (Vec::new(), HashMap::new());
        for (at, call) in calls.enumerate() {
            let sent = call.and_then(|call| channel.send(call).map_err(|()| Error::Mute));
            waiting.extend(sent.as_ref().ok().map(|number| (*number, at)));
            answers.push(Err(sent.err().unwrap_or(Error::Mute)));
        }
        self.receive(waiting, &mut answers);
        answers
    }

    /// Waits for the answers to the calls with these numbers, and puts each in its place.
    fn receive(&self, mut waiting: HashMap<u32, usize>, answers: &mut [Result<Message>]) {
        let mut last = monotonic_now();
        while !waiting.is_empty() {
            let left = REPLY.saturating_sub(monotonic_now().saturating_sub(last));
            let Ok(message) = self.connection.channel().blocking_pop_message(left) else {
                break;
            };
            let number = message.as_ref().and_then(Message::get_reply_serial);
            let place = number.and_then(|number| waiting.remove(&number));
            if let Some((mut answer, at)) = message.zip(place) {
                let answered = answer.as_result().map(drop);
                answers[at] = self.answer(answered.map(|()| answer));
                last = monotonic_now();
            } else if left.is_zero() {
                break;
            }
        }
    }

    fn answer(&self, answer: std::result::Result<Message, dbus::Error>) -> Result<Message> {
        let owner = self.owner.get();
        let answer = answer.map_err(|error| match (error.into(), owner) {
            (Error::Absent, Some(_)) => Error::Mute,
            (error, _) => error,
        })?;
        if let Some(sender) = answer.sender() {
            self.owner.get_or_init(|| sender.into_static());
        }
        Ok(answer)
    }

    pub(super) fn call<Answer: ReadAll>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: impl AppendAll,
    ) -> Result<Answer> {
        let answer = self.ask(path, interface, method, arguments)?;
        answer.read_all().map_err(|_| Error::Odd)
    }

    pub(super) fn property<T: for<'b> Get<'b>>(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<T> {
        value(&self.ask(path, PROPERTIES, "Get", (interface, name))?)
    }

    /// Whether the process of the service also owns `name` on the bus.
    ///
    /// Asks the bus for the service's owner if its first answer was an error.
    pub(super) fn is_also(&self, name: &str) -> bool {
        let Some(owner) = self.owner_of(name) else {
            return false;
        };
        match self.owner.get() {
            Some(service) => owner == **service,
            None => self.owner_of(NAME) == Some(owner),
        }
    }

    fn owner_of(&self, name: &str) -> Option<String> {
        let mut message = Message::new_method_call(BUS, "/", BUS, "GetNameOwner").ok()?;
        message.append_all((name,));
        let answer = self.connection.send_with_reply_and_block(message, REPLY);
        answer.ok()?.get1()
    }
}

/// Reads the answer about a property.
pub(super) fn value<T: for<'b> Get<'b>>(answer: &Message) -> Result<T> {
    let value: Option<Variant<T>> = answer.get1();
    Ok(value.ok_or(Error::Odd)?.0)
}
