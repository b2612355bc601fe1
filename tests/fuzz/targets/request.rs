//! What is read from git, and what it opens: an answer implies that protocol, host (letters folded), and path and username
//! where they are given, are those of the entry, by a second and simpler reading of the same bytes.
#![no_main]

use std::time::Duration;

use git_credential_pat::credential::Credential;
use git_credential_pat::credential::query::Query;
use git_credential_pat::protocol::read;
use git_credential_pat::secret::{Buffer, Secret};
use git_credential_pat::storage::Storage;
use git_credential_pat::storage::memory::Memory;
use git_credential_pat::time::Now;
use libfuzzer_sys::fuzz_target;
use naive::Said;

const KEPT: [[Option<&str>; 5]; 9] = [
    [
        Some("https"),
        Some("victim.test"),
        None,
        Some("alice"),
        Some("one"),
    ],
    [
        Some("https"),
        Some("victim.test"),
        None,
        Some("bob"),
        Some("two"),
    ],
    [
        Some("https"),
        Some("victim.test:8443"),
        None,
        Some("alice"),
        Some("three"),
    ],
    [
        Some("https"),
        Some("victim.test"),
        Some("a.git"),
        Some("alice"),
        Some("four"),
    ],
    [
        Some("http"),
        Some("victim.test"),
        None,
        Some(""),
        Some("five"),
    ],
    [
        Some("cert"),
        Some(""),
        Some("/key.pem"),
        Some(""),
        Some("six"),
    ],
    [Some("https"), Some("[::1]"), None, Some("a=b"), Some("")],
    [
        Some("smtp"),
        Some("mail.test"),
        Some(""),
        Some("alice"),
        Some("one"),
    ],
    [
        Some("https"),
        Some("b\u{fc}cher.test"),
        Some("x y"),
        Some("\u{e9}"),
        Some("one"),
    ],
];
const NAMES: [&str; 5] = ["protocol", "host", "path", "username", "password"];

fn clock() -> Now {
    Now {
        monotonic: Duration::from_secs(1000),
        unix: 1_000_000,
        fraction: 0,
    }
}

fn kept() -> impl Iterator<Item = Said> {
    KEPT.iter().map(|values| {
        let parts = NAMES.into_iter().zip(values);
        parts
            .filter_map(|(name, value)| Some((name, value.as_ref()?.as_bytes().to_vec())))
            .collect()
    })
}

fn memory() -> Memory {
    let memory = Memory::new(clock);
    for said in kept() {
        let part = |name| said.get(name).cloned();
        let query = Query {
            protocol: part("protocol"),
            host: part("host"),
            path: part("path"),
            username: part("username").map(Into::into),
            password: part("password").map(|value| Secret::new(&value)),
            ..Query::default()
        };
        memory
            .store(&Credential::complete(query).expect("complete"))
            .expect("stored");
    }
    memory
}

/// A pipe that brings a little at a time.
struct Pieces<'a>(&'a [u8], usize);

impl std::io::Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

fn text(query: &Query) -> Vec<u8> {
    let mut out = Buffer::with_capacity(64);
    git_credential_pat::protocol::write::query(query, &mut out)
        .expect("what was read can be written");
    out.as_slice().to_vec()
}

fuzz_target!(|data: &[u8]| {
    let naive = naive::said(data, true);
    let whole = read::request(data);
    // However it comes, it is the same request.
    let piece = 1 + data.len() % 7;
    let in_pieces =
        read::receive(&mut Pieces(data, piece)).and_then(|bytes| read::request(bytes.as_slice()));
    assert_eq!(whole.is_ok(), in_pieces.is_ok());
    let Ok(request) = whole else {
        return;
    };
    let naive = naive.expect("taken, but by the naive reading it must be refused");
    assert_eq!(
        text(&request.query),
        text(&in_pieces.expect("as the whole").query)
    );
    let same =
        |name: &str, value: &Option<Vec<u8>>| assert_eq!(naive.get(name), value.as_ref(), "{name}");
    same("protocol", &request.query.protocol);
    same("host", &request.query.host);
    same("path", &request.query.path);
    let username = request.query.username.as_ref();
    same("username", &username.map(|name| name.expose().to_vec()));
    same("authtype", &request.query.authtype);

    let memory = memory();
    let fitting: Vec<Said> = kept().filter(|said| naive::matches(&naive, said)).collect();
    let found = memory.get(&request.query).expect("memory does not fail");
    let answered = found.map(|found| found.password.expect("whole").expose().to_vec());
    assert_eq!(
        answered.as_ref(),
        fitting.last().map(|said| &said["password"]),
        "not the one stored last of what fits"
    );

    let named = |said: &&Said| {
        naive
            .get("password")
            .is_none_or(|password| *password == said["password"])
            && !naive.contains_key("credential")
    };
    let erased = memory.erase(&request.query).expect("memory does not fail");
    assert_eq!(
        erased,
        fitting.iter().filter(named).count(),
        "not exactly what fits and has the secret"
    );
    assert_eq!(memory.len(), KEPT.len() - erased);
});
