//! What comes over the daemon's socket: no frame is read as more than it is, and what is read is written back the same.
#![no_main]

use git_credential_pat::daemon::header::{HEADER, Header, VERSION, Word};
use git_credential_pat::daemon::message;
use git_credential_pat::protocol::LIMIT;
use git_credential_pat::secret::Buffer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((head, _)) = data.split_first_chunk::<HEADER>() {
        let announced = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        if let Some(Header { word, length }) = Header::parse(head, LIMIT) {
            assert!(
                head.starts_with(b"gcpt")
                    && head[6..8] == [0, 0]
                    && length == announced
                    && length <= LIMIT
            );
            // Of another version nothing is understood but "leave".
            assert!(head[4] == VERSION || word.is_none() || word == Some(Word::Stop));
        }
    }
    let body = data.get(HEADER..).unwrap_or(data);
    let mut out = Buffer::with_capacity(64);
    if let Ok((credential, terms)) = message::read_store(body) {
        assert!(credential.is_complete());
        message::push_store(&credential, terms, &mut out).expect("what was read can be written");
        let (back, kept) =
            message::read_store(out.as_slice()).expect("what was written can be read");
        assert!(back == credential && kept == terms);
    }
    out.truncate(0);
    if let Ok(query) = message::read_query(body) {
        assert!(
            query.protocol.is_some() && query.host.is_some(),
            "fits everything"
        );
        message::push_query(&query, &mut out).expect("what was read can be written");
        let back = message::read_query(out.as_slice()).expect("what was written can be read");
        assert!(back.key() == query.key() && back.is_exact == query.is_exact);
    }
    out.truncate(0);
    if let Ok(listed) = message::read_listed(body) {
        for one in &listed {
            message::push_listed(one, &mut out).expect("what was read can be written");
        }
        assert_eq!(
            message::read_listed(out.as_slice()).expect("what was written can be read"),
            listed
        );
    }
    out.truncate(0);
    if let Ok(status) = message::read_status(body) {
        message::push_status(&status, &mut out);
        assert_eq!(
            message::read_status(out.as_slice()).expect("what was written can be read"),
            status
        );
    }
    if let Ok(count) = message::read_count(body) {
        let frame = message::compose_count(count).expect("what was read can be written");
        let back = message::read_count(&frame.as_slice()[HEADER..]);
        assert_eq!(back.expect("what was written can be read"), count);
    }
});
