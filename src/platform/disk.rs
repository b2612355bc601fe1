//! A file's bytes, on the disk before anybody goes on.

use std::fs::File;
use std::io::{self, Write};

/// Writes `pieces`, and makes sure of `room` bytes more, which it takes away again. What fails is told with what was being
/// done.
pub fn write(
    mut file: File,
    pieces: &[&[u8]],
    room: usize,
) -> Result<(), (&'static str, io::Error)> {
    let mut length = 0;
    for piece in pieces {
        file.write_all(piece).map_err(|cause| ("write", cause))?;
        length += piece.len() as u64;
    }
    if room > 0 {
        // Nothing but zeros, and not a hole: those take no room.
        let more = file.write_all(&vec![0; room]);
        let more = more.and_then(|()| file.sync_all());
        more.and_then(|()| file.set_len(length))
            .map_err(|cause| ("write", cause))?;
    }
    file.sync_all().map_err(|cause| ("sync", cause))
}
