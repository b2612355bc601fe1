//! git-credential-cache: a daemon behind a socket (git: `builtin/credential-cache--daemon.c`). It does
//! not list its entries, so it is asked for keys that are known from elsewhere.

use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use super::{Error, Found, Neighbour, Place, Reading};
use crate::credential::query::Query;
use crate::daemon::exchange;
use crate::daemon::transport::{self, Stream};
use crate::files::owned::Folder;
use crate::platform::{monotonic_now, wait_readable};
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::write;
use crate::secret::{Buffer, Secret};

/// The daemon answers one client at a time, and waits for each without a limit.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer holds one credential.
const LARGEST: usize = 256 * 1024;

/// The socket and the queries.
#[derive(Debug)]
pub struct GitCache {
    pub(super) socket: PathBuf,
    /// The daemon is asked for each of them.
    pub(super) known: Vec<Query>,
}

impl GitCache {
    fn strange(&self, problem: &'static str) -> Error {
        Error::Daemon {
            path: self.socket.clone(),
            problem,
        }
    }

    /// The daemon's answer; `None` if there is none, or no daemon.
    fn get(&self, wanted: &Query, until: Duration) -> Result<Option<Found>, Error> {
        let Some(answer) = self.ask("get", wanted, until)? else {
            return Ok(None);
        };
        // Protocol and host are not in the answer.
        let key = Query {
            username: None,
            ..wanted.duplicate()
        };
        let mut lines = Buffer::with_capacity(answer.as_slice().len() + 256);
        write::query(&key, &mut lines).map_err(|_| self.strange("cannot ask for this"))?;
        lines.push(answer.as_slice());
        let said = read::entry(AttributeLines::new(lines.as_slice()))
            .map_err(|_| self.strange("its answer does not read"))?;
        let fits = wanted.username.is_none() || wanted.username == said.username;
        Ok(Found::new(said, Place::Daemon(self.socket.clone())).filter(|_| fits))
    }

    /// Sends one request on a new connection; `None` if no daemon runs.
    fn ask(&self, action: &str, about: &Query, until: Duration) -> Result<Option<Buffer>, Error> {
        let Some(mut stream) = self.connect()? else {
            return Ok(None);
        };
        let mut question = Buffer::with_capacity(512);
        question.push(format!("action={action}\ntimeout=900\n").as_bytes());
        write::query(about, &mut question).map_err(|_| self.strange("cannot ask for this"))?;
        // The daemon reads as far as an empty line (git: `credential_read`).
        question.push(b"\n");
        let silent = || self.strange("it does not answer");
        exchange::send(&mut stream, question.as_slice(), until).map_err(|_| silent())?;
        let mut answer = Buffer::with_capacity(1024);
        loop {
            if !wait_readable(&stream, until).unwrap_or(false) {
                return Err(silent());
            }
            let room = LARGEST + 1 - answer.as_slice().len();
            match answer.read_from(&mut stream as &mut dyn Read, room) {
                Ok(0) => return Ok(Some(answer)),
                Ok(_) if answer.as_slice().len() > LARGEST || monotonic_now() > until => {
                    return Err(self.strange("it does not stop answering"));
                }
                Ok(_) => {}
                Err(error) if exchange::is_temporary(error.kind()) => {}
                Err(_) => return Err(silent()),
            }
        }
    }

    /// Connects only in a private folder, and only to a daemon of the same user.
    fn connect(&self) -> Result<Option<Stream>, Error> {
        let folder = self.socket.parent().map(Folder::open).transpose();
        let folder = folder.map_err(|_| self.strange("its folder is not private"))?;
        if folder.flatten().is_none() {
            return Ok(None);
        }
        // Does not wait: git's daemon answers one client at a time.
        let connected = transport::connect(&self.socket, Duration::ZERO);
        let Some(stream) = connected.map_err(|cause| match cause.kind() {
            ErrorKind::TimedOut => self.strange("it is busy"),
            _ => self.strange("its socket cannot be used"),
        })?
        else {
            return Ok(None);
        };
        let is_us = transport::peer_is_us(&stream).unwrap_or(false);
        if !is_us {
            return Err(self.strange("it belongs to another user"));
        }
        Ok(Some(stream))
    }
}

impl Neighbour for GitCache {
    fn name(&self) -> &'static str {
        "git-cache"
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let until = monotonic_now().saturating_add(PATIENCE);
        for wanted in &self.known {
            match self.get(wanted, until) {
                Ok(found) => found.into_iter().for_each(|found| reading.add(found)),
                Err(error) => {
                    reading.troubles.push(error);
                    break;
                }
            }
        }
        reading
    }

    /// Compares the secret here, too: git before 2.41 erases each match, also one with another secret.
    fn remove(&self, found: &Found) -> Result<usize, Error> {
        let until = monotonic_now().saturating_add(PATIENCE);
        let wanted = Query::of(&found.credential.key);
        let is_there = || {
            let kept = self.get(&wanted, until)?;
            Ok::<_, Error>(kept.is_some_and(|kept| kept.is_same(found)))
        };
        if !is_there()? {
            return Ok(0);
        }
        let unwanted = Query {
            password: found.secret().map(Secret::duplicate),
            ..wanted.duplicate()
        };
        self.ask("erase", &unwanted, until)?;
        Ok(usize::from(!is_there()?))
    }
}
