//! The corpus as messages to the memory daemon, and messages that are none.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use git_credential_pat::daemon::header::{HEADER, Header, VERSION, Word, compose};
use git_credential_pat::daemon::message;

use super::case::{Case, Class, all_at};
use crate::sandbox::Sandbox;

const LIMIT: usize = 1024 * 1024;
const FIXTURE: &[u8] = b"protocol=https\nhost=victim.test\nusername=victim\npassword=topsecret\n";
const QUESTION: &[u8] = b"exact=0\n\nprotocol=https\nhost=victim.test\n";

struct Daemon(Sandbox);

impl Daemon {
    fn new() -> Self {
        let daemon = Self(Sandbox::new());
        daemon.0.ask("--storage memory store", FIXTURE).succeeded();
        daemon
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.0.path("run/git-credential-pat/socket")).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
    }

    /// Sends, and reads to the end; `None` if the daemon hangs up without a word.
    fn send(&self, bytes: &[u8]) -> Option<(Word, Vec<u8>)> {
        let mut stream = self.connect();
        // The daemon need not read to the end.
        let _ = stream.write_all(bytes);
        answer(&mut stream)
    }

    fn ask(&self, word: Word, lines: &[u8]) -> Option<(Word, Vec<u8>)> {
        self.send(&frame(word, lines))
    }

    fn store(&self, record: &[u8]) -> Option<(Word, Vec<u8>)> {
        self.ask(
            Word::Store,
            &[b"timeout=600\nmax_age=600\n\n", record].concat(),
        )
    }

    /// What a `get` answers, without the key.
    fn get(&self, question: &[u8]) -> Vec<Vec<u8>> {
        let (word, lines) = self
            .ask(Word::Get, &[b"exact=0\n\n", question].concat())
            .unwrap();
        assert_eq!(word, Word::Done);
        said(&lines)
    }

    fn status(&self) -> (u64, u64) {
        let (_, lines) = self.ask(Word::Status, b"").unwrap();
        let status = message::read_status(&lines).unwrap();
        (status.process, status.entries)
    }

    fn peak_kibibytes(&self) -> u64 {
        let (process, _) = self.status();
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

fn frame(word: Word, lines: &[u8]) -> Vec<u8> {
    let composed = compose(word, |out| {
        out.push(lines);
        Ok(())
    });
    composed.unwrap().as_slice().to_vec()
}

/// The header alone, whatever it announces.
fn header(version: u8, code: u8, length: u32) -> Vec<u8> {
    let mut bytes = vec![b'g', b'c', b'p', b't', version, code, 0, 0];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes
}

fn answer(stream: &mut UnixStream) -> Option<(Word, Vec<u8>)> {
    let mut all = Vec::new();
    // A daemon that hangs up with bytes unread resets the connection.
    let _ = stream.read_to_end(&mut all);
    let start = all.get(..HEADER)?;
    let header = Header::parse(start.try_into().unwrap(), 1 << 20).unwrap();
    assert_eq!(
        all.len(),
        HEADER + header.length,
        "one whole answer and nothing more"
    );
    Some((header.word.unwrap(), all[HEADER..].to_vec()))
}

/// The lines of an entry but its key.
fn said(entry: &[u8]) -> Vec<Vec<u8>> {
    let lines = entry
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    let is_key = |line: &&[u8]| {
        [&b"protocol="[..], b"host=", b"path="]
            .iter()
            .any(|key| line.starts_with(key))
    };
    lines
        .filter(|line| !is_key(line))
        .map(<[u8]>::to_vec)
        .collect()
}

fn question(record: &[u8]) -> Vec<u8> {
    let keys: [&[u8]; 4] = [b"protocol=", b"host=", b"path=", b"username="];
    let lines = record.split_inclusive(|&byte| byte == b'\n');
    lines
        .filter(|line| keys.iter().any(|key| line.starts_with(key)))
        .collect::<Vec<_>>()
        .concat()
}

fn check(daemon: &Daemon, case: &Case) {
    let name = &case.name;
    daemon.ask(Word::Clear, b"").unwrap();
    for record in &case.records {
        assert_eq!(daemon.store(record).unwrap().0, Word::Done, "{name}");
    }
    let before: Vec<_> = case
        .records
        .iter()
        .map(|record| daemon.get(&question(record)))
        .collect();
    let (process, entries) = daemon.status();
    let (code, start): (_, &[u8]) = match case.operation.as_str() {
        "get" => (1, b"exact=0\n\n"),
        "erase" => (3, b"exact=0\n\n"),
        "store" => (2, b"timeout=600\nmax_age=600\n\n"),
        other => panic!("{name}: {other}"),
    };
    let mut lines = [start, &case.request()].concat();
    let mut message = header(VERSION, code, u32::try_from(lines.len()).unwrap());
    // The daemon takes a MiB at most; it need not be offered hundreds.
    lines.truncate(4 * LIMIT);
    message.extend_from_slice(&lines);
    // Another client has begun, and goes on afterwards.
    let other = frame(Word::Status, b"");
    let mut begun = daemon.connect();
    begun.write_all(&other[..5]).unwrap();

    let result = daemon.send(&message);

    begun.write_all(&other[5..]).unwrap();
    assert_eq!(
        answer(&mut begun).unwrap().0,
        Word::Done,
        "{name}: another client"
    );
    let done = |lines: &[Vec<u8>]| {
        result
            .as_ref()
            .is_some_and(|(word, answer)| *word == Word::Done && said(answer) == lines)
    };
    // Of a request that is too large nothing is read: the connection may just end.
    let is_refused = result
        .as_ref()
        .is_none_or(|(word, lines)| *word == Word::Refused && lines.is_empty());
    let is_right = match case.class {
        Class::Answer | Class::None if case.operation == "get" => done(&case.answer),
        Class::Refuse => is_refused,
        Class::Ignored => is_refused || done(&[]),
        _ => result.as_ref().is_some_and(|(word, _)| *word == Word::Done),
    };
    assert!(
        is_right,
        "{name}: {:?}",
        result.map(|(word, lines)| (word, lines.escape_ascii().to_string()))
    );
    if !matches!(case.class, Class::Stored | Class::Erased) {
        let after: Vec<_> = case
            .records
            .iter()
            .map(|record| daemon.get(&question(record)))
            .collect();
        assert_eq!(
            (after, daemon.status().1),
            (before, entries),
            "{name}: unchanged"
        );
    }
    for (asked, gives) in &case.then {
        assert_eq!(&daemon.get(asked), gives, "{name}: then");
    }
    assert_eq!(daemon.status().0, process, "{name}: the same daemon");
}

#[test]
fn requests_as_messages() {
    let daemon = Daemon::new();
    let cases = all_at("socket");
    for case in cases.iter().filter(|case| !case.name.starts_with("large-")) {
        check(&daemon, case);
    }
}

#[test]
fn large_requests_cost_the_daemon_little() {
    for case in all_at("socket")
        .iter()
        .filter(|case| case.name.starts_with("large-"))
    {
        let daemon = Daemon::new();
        let request = case.request();
        assert!(request.len() > LIMIT);
        let begun = Instant::now();
        check(&daemon, case);
        assert!(begun.elapsed() < Duration::from_secs(5), "{}", case.name);
        // Cut off where it is just let in, too.
        let fits = [b"exact=0\n\n", &request[..LIMIT - 9]].concat();
        let begun = Instant::now();
        assert!(daemon.ask(Word::Get, &fits).is_some(), "{}", case.name);
        assert!(begun.elapsed() < Duration::from_secs(1), "{}", case.name);
        let peak = daemon.peak_kibibytes();
        assert!(peak < 16 * 1024, "{}: {peak} KiB", case.name);
    }
}

/// The daemon answers as it should, to everybody, whatever came before.
fn assert_well(daemon: &Daemon, process: u64, after: &str) {
    let expected = [b"username=victim".to_vec(), b"password=topsecret".to_vec()];
    assert_eq!(daemon.get(&QUESTION[9..]), expected, "{after}");
    assert_eq!(daemon.status(), (process, 1), "{after}");
}

#[test]
fn frames_that_are_none() {
    let daemon = Daemon::new();
    let (process, _) = daemon.status();
    let get = frame(Word::Get, QUESTION);
    let with = |at: usize, byte: u8| {
        let mut bytes = get.clone();
        bytes[at] = byte;
        bytes
    };
    let refused = |what: &str, bytes: &[u8]| {
        let result = daemon.send(bytes);
        assert!(
            result
                .as_ref()
                .is_none_or(|(word, lines)| *word == Word::Refused && lines.is_empty()),
            "{what}: {result:?}"
        );
        assert_well(&daemon, process, what);
    };
    for code in [1, 2, 3] {
        refused("length 0", &header(VERSION, code, 0));
    }
    refused("length 2^32-1", &header(VERSION, 1, u32::MAX));
    refused(
        "length of 1 MiB and a byte",
        &header(VERSION, 1, u32::try_from(LIMIT + 1).unwrap()),
    );
    refused("length 2^31", &header(VERSION, 2, 1 << 31));
    for code in [0, 8, 127, 128, 129, 255] {
        refused("a word that is no question", &header(VERSION, code, 0));
    }
    refused("another magic", &with(0, b'x'));
    refused(
        "not even a header's beginning",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    refused("text without a header", QUESTION);
    for at in [6, 7] {
        refused("reserved bytes", &with(at, 1));
    }
    refused(
        "no numbers before the request",
        &frame(Word::Get, b"protocol=https\nhost=victim.test\n"),
    );
    refused("numbers alone", &frame(Word::Get, b"exact=0\n\n"));
    refused(
        "no lifetime",
        &frame(Word::Store, &[b"timeout=1\n\n", FIXTURE].concat()),
    );
    refused(
        "a lifetime that is no number",
        &frame(
            Word::Store,
            &[b"timeout=-1\nmax_age=x\n\n", FIXTURE].concat(),
        ),
    );
    for version in [0, VERSION + 1, 255] {
        let result = daemon.send(&with(4, version)).unwrap();
        assert_eq!(
            result,
            (Word::OtherVersion, Vec::new()),
            "version {version}"
        );
        assert_well(&daemon, process, "another version");
    }
}

#[test]
fn frames_that_come_in_pieces() {
    let daemon = Daemon::new();
    let (process, _) = daemon.status();
    let get = frame(Word::Get, QUESTION);
    for length in 0..get.len() {
        let mut stream = daemon.connect();
        stream.write_all(&get[..length]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(answer(&mut stream), None, "cut off after {length}");
    }
    assert_well(&daemon, process, "requests cut off");

    let mut stream = daemon.connect();
    for byte in &get {
        stream.write_all(&[*byte]).unwrap();
        // So that each is read by itself.
        assert_eq!(daemon.status().0, process);
    }
    assert_eq!(answer(&mut stream).unwrap().0, Word::Done, "byte by byte");

    let twice = [&get[..], &frame(Word::Clear, b"")].concat();
    let (word, lines) = daemon.send(&twice).unwrap();
    assert_eq!(
        (word, said(&lines).len()),
        (Word::Done, 2),
        "only the first request is answered"
    );
    assert_well(&daemon, process, "two requests at once");
}

#[test]
fn a_frame_that_never_ends_is_not_waited_for() {
    let daemon = Daemon::new();
    let (process, _) = daemon.status();
    let get = frame(Word::Get, QUESTION);
    let check = &|length: usize| {
        let mut stream = daemon.connect();
        stream.write_all(&get[..length]).unwrap();
        assert_well(&daemon, process, "while one is silent");
        let begun = Instant::now();
        assert_eq!(answer(&mut stream), None);
        assert!(begun.elapsed() < Duration::from_secs(6), "{length}");
    };
    thread::scope(|scope| {
        for length in [0, 1, HEADER, get.len() - 1] {
            scope.spawn(move || check(length));
        }
    });
    assert_well(&daemon, process, "after the silent ones");
}
