//! Many insertions: several requests wait for their answers at once.

use std::collections::HashSet;
use std::time::Duration;

use super::client::{Cache, STORE_PATIENCE, is_stored, unavailable};
use super::connect;
use super::exchange::{receive, send};
use super::header::Word;
use super::transport::Stream;
use crate::credential::Credential;
use crate::platform::monotonic_now;
use crate::storage::{Error, Expected, Insertion, Position, Storage};

/// So many requests of one import wait for their answers at once.
const TOGETHER: usize = 32;

impl Cache {
    /// Sends some requests before it reads the answer of the first, so that the daemon works meanwhile. The daemon may take them
    /// in another order: they are for different hosts, and the order counts only for one host.
    pub(super) fn insert_together(
        &self,
        all: &[Insertion<'_>],
        stored: &mut dyn FnMut(usize, bool) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut rest = all;
        let mut index = 0;
        while !rest.is_empty() {
            let (part, others) = rest.split_at(first_of_each_host(rest));
            rest = others;
            let began = monotonic_now();
            let deadline = began + self.waited.remaining(STORE_PATIENCE);
            let mut sent = Vec::with_capacity(part.len());
            for (known, credential) in part {
                sent.push(self.send_insertion(credential, *known, deadline));
            }
            for (stream, (known, credential)) in sent.into_iter().zip(part) {
                let answer = stream.map_or(Ok(None), |stream| receive(stream, deadline));
                let is_stored = match answer {
                    Ok(Some((Some(Word::Done), answer))) => is_stored(&answer),
                    // As for a single one: the daemon is started, replaced, or asked again.
                    Ok(_) | Err(connect::Error::OtherVersion) => {
                        self.insert_behind(*known, credential)?
                    }
                    Err(error) => {
                        self.note_silence(&error, began);
                        return Err(unavailable(error));
                    }
                };
                stored(index, is_stored)?;
                index += 1;
            }
        }
        Ok(())
    }

    /// Sends a request to insert `credential` behind the others. `None` if that was not possible.
    fn send_insertion(
        &self,
        credential: &Credential,
        known: Option<&Credential>,
        deadline: Duration,
    ) -> Option<Stream> {
        let expected = Expected::Still(known);
        let request = self.compose_store(credential, Position::Behind, expected)?;
        let mut stream = self.socket.connect(deadline).ok()??;
        send(&mut stream, request.ok()?.as_slice(), deadline).ok()?;
        Some(stream)
    }
}

/// Returns how many of the first insertions are all for different hosts: at least one, at most [`TOGETHER`].
fn first_of_each_host(all: &[Insertion<'_>]) -> usize {
    let mut hosts = HashSet::new();
    let mut each = all
        .iter()
        .take(TOGETHER)
        .map(|(_, credential)| &credential.key);
    each.position(|key| !hosts.insert((&key.protocol, &key.host)))
        .unwrap_or(all.len().min(TOGETHER))
}
