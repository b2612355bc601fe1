//! The daemon's socket file, and its removal without removing the socket of another daemon.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::connect::Socket;
use super::transport::{self, Listener};
use crate::files;
use crate::files::owned::Folder;

/// What [`SocketPlace::look`] finds.
pub(crate) enum Look {
    /// Our socket.
    Ours,
    /// Nothing: a cleaner has removed our socket, and the daemon listens at a new one.
    PutBack(Listener),
    /// Nothing. A client holds the lock and starts another daemon, or a call fails for now, such as for lack of descriptors.
    Busy,
    /// Another daemon's socket, or no folder. No client reaches this daemon any more.
    Lost,
}

/// Our socket in its folder, known by its inode: another daemon's in the same place is not ours to remove.
pub(crate) struct SocketPlace {
    folder: Folder,
    name: OsString,
    lock_name: OsString,
    identity: (u64, u64),
    /// A service manager made the socket, goes on listening, and starts the next daemon.
    is_kept: bool,
}

impl SocketPlace {
    /// Where the daemon's socket is now.
    pub(crate) fn of(socket: &Socket, is_kept: bool) -> io::Result<Self> {
        let (folder, name, lock_name) = socket.parts().map_err(io::Error::other)?;
        let folder = Folder::open(folder).map_err(io::Error::other)?;
        let folder = folder.ok_or(ErrorKind::NotFound)?;
        let identity = identity(&folder, name).ok_or(ErrorKind::NotFound)?;
        Ok(Self {
            folder,
            name: name.to_os_string(),
            lock_name,
            identity,
            is_kept,
        })
    }

    /// Looks whether the file is still our socket. If there is none, listens again, under the lock.
    pub(crate) fn look(&mut self) -> Look {
        match identity(&self.folder, &self.name) {
            Some(found) if found == self.identity => return Look::Ours,
            Some(_) => return Look::Lost,
            None => {}
        }
        let none = Duration::ZERO;
        let lock = match self.folder.lock_in_turn(&self.lock_name, none, none) {
            Ok(Some(lock)) => lock,
            Err(files::Error::System { cause, .. }) if is_gone(&cause) => return Look::Lost,
            Ok(None) | Err(_) => return Look::Busy,
        };
        if identity(&self.folder, &self.name).is_some() {
            return Look::Lost;
        }
        let (handle, path) = (self.folder.handle(), self.folder.path());
        let listener = transport::listen(handle, path, &self.name);
        let identity = identity(&self.folder, &self.name);
        drop(lock);
        match (listener, identity) {
            (Ok(listener), Some(identity)) => {
                self.identity = identity;
                // The new socket is ours alone.
                self.is_kept = false;
                Look::PutBack(listener)
            }
            (Err(cause), _) if is_gone(&cause) => Look::Lost,
            _ => Look::Busy,
        }
    }

    fn is_ours(&self) -> bool {
        identity(&self.folder, &self.name) == Some(self.identity)
    }

    /// Removes our socket, under the lock, if no service manager keeps it. Returns false if a client holds the lock. With
    /// `insists`, waits a while and returns true without the lock; the next daemon replaces the socket.
    pub(crate) fn give_up(&self, insists: bool) -> bool {
        if self.is_kept {
            return true;
        }
        let patience = if insists {
            Duration::from_secs(1)
        } else {
            Duration::ZERO
        };
        let lock = self
            .folder
            .lock_in_turn(&self.lock_name, patience, patience);
        match lock {
            Ok(None) => insists,
            Ok(Some(_lock)) if self.is_ours() => {
                transport::remove(self.folder.handle(), &self.name);
                true
            }
            _ => true,
        }
    }
}

/// Whether a call failed because the folder was removed.
fn is_gone(cause: &io::Error) -> bool {
    cause.kind() == ErrorKind::NotFound
}

fn identity(folder: &Folder, name: &OsStr) -> Option<(u64, u64)> {
    transport::identity(folder.handle(), name)
}
