//! git-credential-cache: a daemon behind a socket (git: `builtin/credential-cache--daemon.c`). It does not tell what it
//! has, so it is asked for what is known from elsewhere.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::{Error, Found, Neighbour, Place, Reading};
use crate::credential::query::Query;
use crate::files::owned::Folder;
use crate::platform::{effective_uid, monotonic_now, peer_uid};
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::write;
use crate::secret::Buffer;

/// It answers one client at a time, and waits for each without an end.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer holds one credential.
const LARGEST: usize = 256 * 1024;

/// Its socket, and what to ask for.
#[derive(Debug)]
pub struct GitCache {
    socket: PathBuf,
    known: Vec<Query>,
}

impl GitCache {
    /// Behind `socket`. It has what fits one of `known`, or nothing that could be found.
    pub fn behind(socket: PathBuf, known: Vec<Query>) -> Self {
        Self { socket, known }
    }

    fn strange(&self, problem: &'static str) -> Error {
        Error::Daemon {
            path: self.socket.clone(),
            problem,
        }
    }

    /// What it has that fits; `None` if it has nothing, or is not there.
    fn get(&self, wanted: &Query, until: Duration) -> Result<Option<Found>, Error> {
        let Some(answer) = self.ask("get", wanted, until)? else {
            return Ok(None);
        };
        // Protocol and host are not in the answer: they are those of the question.
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

    /// One question, one connection; `None` if nobody is there.
    fn ask(&self, action: &str, about: &Query, until: Duration) -> Result<Option<Buffer>, Error> {
        let Some(mut stream) = self.connect()? else {
            return Ok(None);
        };
        let mut question = Buffer::with_capacity(512);
        question.push(format!("action={action}\ntimeout=900\n").as_bytes());
        write::query(about, &mut question).map_err(|_| self.strange("cannot ask for this"))?;
        let silent = |_| self.strange("it does not answer");
        let left = until
            .saturating_sub(monotonic_now())
            .max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).map_err(silent)?;
        stream.set_write_timeout(Some(left)).map_err(silent)?;
        stream.write_all(question.as_slice()).map_err(silent)?;
        stream.shutdown(std::net::Shutdown::Write).map_err(silent)?;
        let mut answer = Buffer::with_capacity(1024);
        loop {
            let room = LARGEST + 1 - answer.as_slice().len();
            match answer.read_from(&mut stream as &mut dyn Read, room) {
                Ok(0) => return Ok(Some(answer)),
                Ok(_) if answer.as_slice().len() > LARGEST || monotonic_now() > until => {
                    return Err(self.strange("it does not stop answering"));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(silent(error)),
            }
        }
    }

    /// Only in a folder that nobody else can look into, and only to a daemon of the same user.
    fn connect(&self) -> Result<Option<UnixStream>, Error> {
        let unusable = || self.strange("its socket cannot be used");
        let (Some(folder), Some(name)) = (self.socket.parent(), self.socket.file_name()) else {
            return Err(unusable());
        };
        let folder = match Folder::open(folder) {
            Ok(Some(folder)) => folder,
            Ok(None) => return Ok(None),
            Err(_) => return Err(self.strange("its folder is not private")),
        };
        let address = SocketAddrUnix::new(&self.socket).or_else(|_| {
            // Longer than a socket's address may be (unix(7)).
            let open = folder.descriptor().as_raw_fd().to_string();
            SocketAddrUnix::new(Path::new("/proc/self/fd").join(open).join(name))
        });
        let address = address.map_err(|_| unusable())?;
        // Without waiting: with its queue full it would be for ever.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|_| unusable())?;
        match connect(&socket, &address) {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
            Err(Errno::AGAIN) => return Err(self.strange("it is busy")),
            Err(_) => return Err(unusable()),
        }
        let stream = UnixStream::from(socket);
        let is_ours = peer_uid(&stream).is_ok_and(|peer| peer == effective_uid());
        if !is_ours || stream.set_nonblocking(false).is_err() {
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
                Ok(Some(found)) => {
                    let place = found.place.clone();
                    reading.take(Some(found), &place, None);
                }
                Ok(None) => {}
                Err(error) => {
                    reading.troubles.push(error);
                    break;
                }
            }
        }
        reading
    }

    /// Compared here as well: gits before 2.41 erase whatever fits, with another secret, too.
    fn remove(&self, found: &Found) -> Result<usize, Error> {
        let until = monotonic_now().saturating_add(PATIENCE);
        let mut wanted = Query::of(&found.credential.key);
        let is_there = |wanted: &Query| {
            let kept = self.get(wanted, until)?;
            Ok::<_, Error>(kept.is_some_and(|kept| kept.is_same(found)))
        };
        if !is_there(&wanted)? {
            return Ok(0);
        }
        let asked = wanted.duplicate();
        wanted.password = found.secret().map(crate::secret::Secret::duplicate);
        self.ask("erase", &wanted, until)?;
        Ok(usize::from(!is_there(&asked)?))
    }
}
