//! The daemon: one thread and many connections, each with its deadline. No client can make another one wait.

use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use super::condition::Condition;
use super::connect::Socket;
use super::connection::{Connection, Progress};
use super::header::{HEADER, Word, compose, compose_word};
use super::message::{self, Status};
use super::place::{Look, SocketPlace};
use super::transport::{self, Listener, Stream};
use crate::credential::Credential;
use crate::platform::{self, Signals, arena, monotonic_now};
use crate::protocol::Error;
use crate::secret::Buffer;
use crate::storage::Storage;
use crate::storage::memory::Memory;
use crate::time;

/// The daemon stays this long without entries: the successor of a rejected token then reaches it.
const LINGER: Duration = Duration::from_secs(30);
/// The shortest time between two searches for expired entries.
const SWEEP: Duration = Duration::from_secs(1);
/// The longest wait before a look at the clocks and the socket: timers stop while the machine is suspended.
const ROUND: Duration = Duration::from_secs(60);
/// So many clients are accepted before the others are looked at again.
const MOST_TOGETHER: usize = 64;

/// Runs until it has no entries or a client asks it to stop. Standard input already listens at `socket`. Call this before
/// anything is opened: it closes every other descriptor, since those are the caller's. With `is_kept`, the socket's file stays.
pub fn run(socket: &Path, is_kept: bool) -> io::Result<()> {
    platform::close_inherited();
    platform::harden();
    platform::leave_session();
    let listener = transport::listener_at_stdin(socket)?;
    let signals = Signals::new()?;
    let place = SocketPlace::of(&Socket::at(socket), is_kept)?;
    let daemon = Daemon::new(ROUND);
    platform::drop_program_pages();
    daemon.serve(listener, signals, place)
}

/// Turns a panic (the arena gets no pages for a large request) into the loss of one connection; the entries stay. An entry
/// is replaced only once the new one is complete, so a panic leaves no half change.
fn without_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).ok()
}

struct Daemon {
    memory: Memory,
    /// The time between two looks at the socket.
    round: Duration,
    started: Duration,
    connections: Vec<Connection>,
    most: usize,
    empty_since: Duration,
    swept: Duration,
    is_asked_to_leave: bool,
}

impl Daemon {
    fn new(round: Duration) -> Self {
        let most = transport::most_connections();
        let now = monotonic_now();
        Self {
            memory: Memory::new(time::now),
            round,
            started: now,
            connections: Vec::with_capacity(most),
            most,
            empty_since: now,
            swept: now,
            is_asked_to_leave: false,
        }
    }

    fn serve(
        mut self,
        mut listener: Listener,
        mut signals: Signals,
        mut place: SocketPlace,
    ) -> io::Result<()> {
        let mut no_accept_before = Duration::ZERO;
        let mut next_look = monotonic_now() + self.round;
        loop {
            let now = monotonic_now();
            let accepts = self.connections.len() < self.most && now >= no_accept_before;
            let wake = self.next_wake(now, no_accept_before).min(next_look);
            let (is_signalled, is_knocked) =
                self.wait(&listener, &signals, accepts, wake.saturating_sub(now))?;
            if is_signalled {
                signals.take()?;
                self.is_asked_to_leave = true;
            }
            if is_knocked && !self.accept(&listener) {
                // Out of descriptors: the waiting client stays in the queue, and we do not spin on it.
                no_accept_before = monotonic_now() + Duration::from_millis(100);
            }
            self.attend();
            let now = monotonic_now();
            // With each look, too: the wall clock may have been set.
            if now >= self.next_sweep().min(next_look) {
                self.memory.sweep();
                self.swept = now;
            }
            if now >= next_look {
                next_look = now + self.round;
                match place.look() {
                    Look::Ours => {}
                    Look::PutBack(new) => listener = new,
                    Look::Busy => next_look = now + SWEEP,
                    Look::Lost => return Ok(()),
                }
            }
            if !self.memory.is_empty() {
                self.empty_since = now;
            }
            let has_lingered = now >= self.empty_since + LINGER && self.connections.is_empty();
            if (self.is_asked_to_leave || has_lingered) && place.give_up(self.is_asked_to_leave) {
                return Ok(());
            }
            if has_lingered {
                // A client holds the lock, to start a daemon or to reach this one: wait for its connection.
                self.empty_since = now.saturating_sub(LINGER) + SWEEP;
            }
        }
    }

    fn next_sweep(&self) -> Duration {
        self.memory.due().max(self.swept + SWEEP)
    }

    fn next_wake(&self, now: Duration, accept_again: Duration) -> Duration {
        // If the daemon is full, the first of them makes room.
        let deadlines = self.connections.iter().map(Connection::deadline);
        let leaving = self.memory.is_empty().then_some(self.empty_since + LINGER);
        let accept_again = (accept_again > now).then_some(accept_again);
        let others = [Some(self.next_sweep()), leaving, accept_again];
        deadlines
            .chain(others.into_iter().flatten())
            .min()
            .unwrap_or(Duration::MAX)
    }

    /// Waits until something happens. Marks the connections that are ready; returns whether a signal came and whether
    /// a client wants to connect.
    fn wait(
        &mut self,
        listener: &Listener,
        signals: &Signals,
        accepts: bool,
        patience: Duration,
    ) -> io::Result<(bool, bool)> {
        let connections = self.connections.iter();
        let streams = connections.map(|open| (&open.stream, open.answer.is_some()));
        let patience = patience.min(self.round);
        let ready = transport::wait_any(signals, (listener, accepts), streams, patience)?;
        for (connection, is_ready) in self.connections.iter_mut().zip(&ready[2..]) {
            connection.is_ready = *is_ready;
        }
        Ok((ready[0], ready[1]))
    }

    /// Accepts the waiting clients, and answers each before the next one is accepted: most have sent their request. Returns
    /// false if no descriptor is left for the next one.
    fn accept(&mut self, listener: &Listener) -> bool {
        for _ in 0..MOST_TOGETHER {
            if self.connections.len() >= self.most || self.is_asked_to_leave {
                return true;
            }
            match transport::accept(listener) {
                Ok(Some(stream)) => self.greet(stream),
                Ok(None) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Serves a new client. Keeps the connection if something is left to do.
    fn greet(&mut self, stream: Stream) {
        let mut pending = self.pending();
        let connection = without_panic(|| {
            let mut connection = Connection::new(stream);
            let now = connection.heard;
            let stays = self.attend_to(&mut connection, now, &mut pending);
            stays.then_some(connection)
        });
        self.connections.extend(connection.flatten());
    }

    /// The bytes of all unfinished requests.
    fn pending(&self) -> usize {
        let requests = self.connections.iter().map(|open| &open.request);
        requests.map(|request| request.as_slice().len()).sum()
    }

    /// Serves every connection that is ready, and drops those that are done or too slow.
    fn attend(&mut self) {
        let now = monotonic_now();
        let mut pending = self.pending();
        let mut connections = std::mem::take(&mut self.connections);
        connections.retain_mut(|connection| {
            // A daemon that stops acknowledges nothing: a dropped client asks again, and reaches the next daemon. So does
            // a client that has not read its whole answer yet. Only a list is too long for one write.
            !self.is_asked_to_leave
                && without_panic(|| self.attend_to(connection, now, &mut pending)).unwrap_or(false)
        });
        self.connections = connections;
    }

    /// Returns false if nothing is left to do.
    fn attend_to(
        &mut self,
        connection: &mut Connection,
        now: Duration,
        pending: &mut usize,
    ) -> bool {
        if !connection.is_ready {
            return now < connection.deadline();
        }
        connection.is_ready = false;
        connection.heard = now;
        if connection.answer.is_none() {
            let before = connection.request.as_slice().len();
            let progress = connection.read(*pending);
            *pending += connection.request.as_slice().len() - before;
            match progress {
                Progress::Unfinished => return now < connection.deadline(),
                Progress::Gone => return false,
                Progress::Complete(word) => {
                    *pending = pending.saturating_sub(connection.request.as_slice().len());
                    let lines = connection
                        .request
                        .as_slice()
                        .get(HEADER..)
                        .unwrap_or_default();
                    connection.answer = self.answer(word, lines).ok();
                    connection.request.truncate(0);
                }
            }
        }
        connection.write() == Progress::Unfinished && now < connection.deadline()
    }

    fn answer(&mut self, word: Word, lines: &[u8]) -> Result<Buffer, Error> {
        let answer = match word {
            Word::Get => self.get(lines),
            Word::Store => self.store(lines),
            Word::Erase => self.erase(lines),
            Word::SetExpiry => self.set_expiry(lines),
            Word::List => self.list(lines),
            Word::Clear => message::compose_count(self.memory.clear()),
            Word::Status => self.status(),
            Word::Stop => {
                self.memory.clear();
                self.is_asked_to_leave = true;
                compose_word(Word::Done)
            }
            Word::Done | Word::Refused => compose_word(Word::Refused),
            Word::OtherVersion | Word::Busy => compose_word(word),
        };
        answer.or_else(|_| compose_word(Word::Refused))
    }

    fn get(&self, lines: &[u8]) -> Result<Buffer, Error> {
        let wanted = message::read_query(lines)?;
        let found = self.memory.get(&wanted).ok().flatten();
        compose(Word::Done, |out| {
            found.map_or(Ok(()), |credential| message::push_found(&credential, out))
        })
    }

    fn store(&mut self, lines: &[u8]) -> Result<Buffer, Error> {
        let (credential, terms) = message::read_store(lines)?;
        let is_met = |kept: Option<&Credential>| terms.condition.is_met(kept);
        let (lifetime, position) = (terms.lifetime, terms.position);
        let is_done = self
            .memory
            .replace_for(&credential, lifetime, position, is_met);
        match terms.condition {
            Condition::None => compose_word(Word::Done),
            _ => message::compose_count(usize::from(is_done)),
        }
    }

    fn set_expiry(&mut self, lines: &[u8]) -> Result<Buffer, Error> {
        let (kept, end) = message::read_expiry(lines)?;
        let is_done = self.memory.set_expiry(&kept, end).unwrap_or(false);
        message::compose_count(usize::from(is_done))
    }

    fn erase(&self, lines: &[u8]) -> Result<Buffer, Error> {
        let unwanted = message::read_query(lines)?;
        message::compose_count(self.memory.erase(&unwanted).unwrap_or(0))
    }

    fn list(&self, lines: &[u8]) -> Result<Buffer, Error> {
        if message::wants_secrets(lines) {
            return compose(Word::Done, |out| {
                self.memory
                    .each_with_secrets(|listed, kept| message::push_whole(listed, kept, out))
            });
        }
        let all = self.memory.list().unwrap_or_default();
        compose(Word::Done, |out| {
            all.iter()
                .try_for_each(|listed| message::push_listed(listed, out))
        })
    }

    fn status(&self) -> Result<Buffer, Error> {
        let arena::Usage { mapped, locked } = arena::usage();
        let status = Status {
            process: u64::from(std::process::id()),
            entries: self.memory.len() as u64,
            age: monotonic_now().saturating_sub(self.started).as_secs(),
            mapped: mapped as u64,
            locked: locked as u64,
        };
        compose(Word::Done, |out| {
            message::push_status(&status, out);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    // The name of a Windows pipe lasts as long as its daemon.
    #[cfg(unix)]
    mod vanishing_socket {
        use std::fs;
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        use std::path::PathBuf;
        use std::thread::{self, JoinHandle};

        use crate::credential::query::Query;
        use crate::daemon::exchange::exchange;
        use crate::daemon::server::*;
        use crate::files::owned::Folder;

        const OFTEN: Duration = Duration::from_millis(5);

        struct Running {
            _home: tempfile::TempDir,
            path: PathBuf,
            daemon: JoinHandle<io::Result<()>>,
        }

        fn listen_at(path: &Path) -> Listener {
            let folder = Folder::open(path.parent().unwrap()).unwrap().unwrap();
            let name = path.file_name().unwrap();
            transport::listen(folder.handle(), folder.path(), name).unwrap()
        }

        fn start() -> Running {
            let home = tempfile::tempdir().unwrap();
            fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
            let path = home.path().join("socket");
            let listener = listen_at(&path);
            let place = SocketPlace::of(&Socket::at(&path), false).unwrap();
            let daemon = thread::spawn(|| {
                let signals = Signals::new()?;
                Daemon::new(OFTEN).serve(listener, signals, place)
            });
            Running {
                _home: home,
                path,
                daemon,
            }
        }

        impl Running {
            fn ask(&self, request: &Buffer) -> (Word, Buffer) {
                let deadline = monotonic_now() + Duration::from_secs(30);
                let stream = Socket::at(&self.path).connect(deadline).unwrap().unwrap();
                let (word, answer) = exchange(stream, request, deadline).unwrap().unwrap();
                (word.unwrap(), answer)
            }

            fn count(&self) -> u64 {
                let (_, answer) = self.ask(&compose_word(Word::Status).unwrap());
                let status = message::read_status(&answer.as_slice()[HEADER..]);
                status.unwrap().entries
            }
        }

        fn stored() -> Buffer {
            let credential = Credential::complete(Query {
                protocol: Some(b"https".to_vec()),
                host: Some(b"one.test".to_vec()),
                username: Some("alice".into()),
                password: Some(crate::secret::Secret::new(b"tok-one")),
                ..Query::default()
            });
            let terms = message::Terms {
                lifetime: crate::storage::memory::Lifetime {
                    timeout: Duration::from_secs(60),
                    max_age: Duration::from_secs(60),
                },
                condition: Condition::None,
                position: crate::storage::Position::Newest,
            };
            compose(Word::Store, |out| {
                message::push_store(&credential.unwrap(), terms, out)
            })
            .unwrap()
        }

        #[test]
        fn a_socket_that_a_cleaner_removed_is_put_back_with_its_entries() {
            let running = start();
            running.ask(&stored());
            for _ in 0..2 {
                fs::remove_file(&running.path).unwrap();
                let limit = monotonic_now() + Duration::from_secs(30);
                while !running.path.exists() {
                    assert!(monotonic_now() < limit && !running.daemon.is_finished());
                    thread::sleep(OFTEN);
                }
                assert_eq!(running.count(), 1);
            }
            running.ask(&compose_word(Word::Stop).unwrap());
            running.daemon.join().unwrap().unwrap();
            assert!(!running.path.exists(), "it removes its new socket");
        }

        #[test]
        fn a_daemon_whose_place_another_one_took_ends_and_leaves_the_socket() {
            let running = start();
            running.ask(&stored());
            let other = listen_at(&running.path);
            let inode = fs::metadata(&running.path).unwrap().ino();
            running.daemon.join().unwrap().unwrap();
            assert_eq!(fs::metadata(&running.path).unwrap().ino(), inode);
            drop(other);
        }

        #[test]
        fn while_a_client_starts_a_daemon_or_a_lock_fails_no_socket_is_put_back() {
            let home = tempfile::tempdir().unwrap();
            fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
            let path = home.path().join("socket");
            let _listener = listen_at(&path);
            let mut place = SocketPlace::of(&Socket::at(&path), false).unwrap();
            assert!(matches!(place.look(), Look::Ours));
            fs::remove_file(&path).unwrap();
            let folder = Folder::open(home.path()).unwrap().unwrap();
            let none = Duration::ZERO;
            let lock = folder.lock_in_turn("socket.lock", none, none).unwrap();
            assert!(matches!(place.look(), Look::Busy) && !path.exists());
            drop(lock);
            assert!(matches!(place.look(), Look::PutBack(_)) && path.exists());
            fs::remove_file(&path).unwrap();
            fs::remove_file(home.path().join("socket.lock")).unwrap();
            fs::create_dir(home.path().join("socket.lock")).unwrap();
            assert!(matches!(place.look(), Look::Busy), "the lock fails");
            fs::remove_dir(home.path().join("socket.lock")).unwrap();
            assert!(matches!(place.look(), Look::PutBack(_)) && path.exists());
            drop(home);
            assert!(matches!(place.look(), Look::Lost), "the folder is gone");
        }
    }
}
