//! Bad requests and what becomes of them: answered, passed over or refused; nothing changed, nothing leaked.

use crate::attributes::lines;
use crate::process::{self, Output};
use crate::sandbox::Sandbox;

const SECRET: &str = "topsecret";
const ANSWER: &[u8] = b"username=victim\npassword=topsecret\n";
const QUESTION: &[u8] = b"protocol=https\nhost=victim.test\n\n";

/// What a request is to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The stored credential, and exit code 0.
    Answered,
    /// Nothing on stdout, and exit code 0.
    Nothing,
    /// Nothing on stdout, and another exit code than 0.
    Refused,
}
use Outcome::{Answered, Nothing, Refused};

/// A storage with one credential of `victim` in it.
struct Fixture {
    sandbox: Sandbox,
    storage: &'static str,
}

impl Fixture {
    fn new(storage: &'static str) -> Self {
        let fixture = Self {
            sandbox: Sandbox::new(),
            storage,
        };
        let stored = [("username", "victim"), ("password", SECRET)];
        fixture.store(&stored);
        fixture
    }

    fn store(&self, pairs: &[(&str, &str)]) {
        let mut all = vec![("protocol", "https"), ("host", "victim.test")];
        all.extend_from_slice(pairs);
        self.ask("store", &lines(&all)).succeeded();
    }

    fn ask(&self, operation: &str, request: &[u8]) -> Output {
        self.sandbox
            .ask(&format!("--storage {} {operation}", self.storage), request)
    }

    /// Whether the credential is there and is the only one.
    fn is_unchanged(&self) -> bool {
        let is_there = answers(&self.ask("get", QUESTION));
        // Answers are about one user, lists about all.
        let listed = self
            .sandbox
            .ask(&format!("--storage {} list --json", self.storage), b"");
        let listed = listed.succeeded().text();
        is_there && listed.matches("\"host\"").count() == 1
    }
}

/// A helper may end its answer with a blank line, so that git need not wait for its end.
fn answers(output: &Output) -> bool {
    let stdout = output
        .stdout
        .strip_suffix(b"\n\n")
        .map(|start| [start, b"\n"].concat());
    stdout.as_deref().unwrap_or(&output.stdout) == ANSWER
}

/// What is wrong with how a request went, if anything is.
fn judge(output: &Output, expected: Outcome) -> Option<String> {
    let is_right = match expected {
        Answered => output.status.success() && answers(output),
        Nothing => output.status.success() && output.stdout.is_empty(),
        Refused => {
            output
                .status
                .code()
                .is_some_and(|code| code != 0 && code != 101)
                && output.stdout.is_empty()
        }
    };
    let controls = |byte: &u8| (*byte < b' ' && *byte != b'\n') || *byte == 0x7F;
    let is_clean =
        !output.stderr.contains(SECRET) && !output.stderr.bytes().any(|byte| controls(&byte));
    let shown = || {
        let stdout = String::from_utf8_lossy(&output.stdout);
        format!(
            "{:?}, {}, stdout {stdout:?}, stderr {:?}",
            expected, output.status, output.stderr
        )
    };
    (!is_right || !is_clean).then(shown)
}

type Row = (&'static str, Vec<u8>, Outcome);

fn row(name: &'static str, request: impl Into<Vec<u8>>, outcome: Outcome) -> Row {
    (name, request.into(), outcome)
}

/// One row for each way to ask wrongly, or rightly.
#[expect(clippy::too_many_lines, reason = "a table")]
fn lookups() -> Vec<Row> {
    let host = |host: &str| format!("protocol=https\nhost={host}\n\n");
    let mut rows = vec![
        row("plain", QUESTION, Answered),
        row("empty", "", Refused),
        row("blank line", "\n", Refused),
        row("protocol only", "protocol=https\n\n", Refused),
        row("host only", "host=victim.test\n\n", Refused),
        row("empty host", "protocol=https\nhost=\n\n", Refused),
        row("empty protocol", "protocol=\nhost=victim.test\n\n", Refused),
        row("username only", "username=victim\n\n", Refused),
        row(
            "carriage return in a value",
            "protocol=https\nhost=evil.test\rhost=victim.test\n\n",
            Refused,
        ),
        row(
            "two carriage returns",
            "protocol=https\nhost=evil.test\r\r\n\n",
            Refused,
        ),
        row(
            "CRLF",
            "protocol=https\r\nhost=victim.test\r\n\r\n",
            Answered,
        ),
        row(
            "NUL",
            "protocol=https\nhost=victim.test\0.evil.test\n\n",
            Refused,
        ),
        row(
            "host twice",
            "protocol=https\nhost=evil.test\nhost=victim.test\n\n",
            Refused,
        ),
        row(
            "host twice, reversed",
            "protocol=https\nhost=victim.test\nhost=evil.test\n\n",
            Refused,
        ),
        row(
            "protocol twice",
            "protocol=https\nprotocol=http\nhost=victim.test\n\n",
            Refused,
        ),
        row(
            "username twice",
            "protocol=https\nhost=victim.test\nusername=a\nusername=victim\n\n",
            Refused,
        ),
        row(
            "path twice",
            "protocol=https\nhost=victim.test\npath=a\npath=b\n\n",
            Refused,
        ),
        row("url", "url=https://victim.test\n\n", Answered),
        row(
            "url that agrees",
            "url=https://victim.test\nprotocol=https\nhost=victim.test\n\n",
            Answered,
        ),
        row(
            "url that disagrees",
            "url=https://evil.test\nprotocol=https\nhost=victim.test\n\n",
            Refused,
        ),
        row("long host", host(&"a".repeat(65_530)), Refused),
        row("no equals sign", "protocol=https\nhost\n\n", Refused),
        row(
            "pasted secret",
            "protocol=https\nhost=victim.test\ntopsecret\n\n",
            Refused,
        ),
        row(
            "unknown empty key",
            "=x\nprotocol=https\nhost=victim.test\n\n",
            Answered,
        ),
        row(
            "unknown keys",
            "later=1\nprotocol=https\nhost=victim.test\nstate[]=x\n\n",
            Answered,
        ),
        row("upper case host", host("VICTIM.TEST"), Answered),
        row(
            "other protocol",
            "protocol=http\nhost=victim.test\n\n",
            Nothing,
        ),
        row(
            "empty username",
            "protocol=https\nhost=victim.test\nusername=\n\n",
            Nothing,
        ),
        row(
            "other username",
            "protocol=https\nhost=victim.test\nusername=other\n\n",
            Nothing,
        ),
        row(
            "a path not stored",
            "protocol=https\nhost=victim.test\npath=x\n\n",
            Nothing,
        ),
        row(
            "certificate without path",
            "protocol=cert\nhost=\n\n",
            Refused,
        ),
        row(
            "certificate",
            "protocol=cert\nhost=\npath=/home/u/c.pem\n\n",
            Nothing,
        ),
        row(
            "no final line end",
            "protocol=https\nhost=victim.test",
            Answered,
        ),
        row(
            "after the blank line",
            "protocol=https\nhost=victim.test\n\nhost=evil.test\n",
            Answered,
        ),
        row(
            "long foreign attribute",
            format!(
                "wwwauth[]={}\nprotocol=https\nhost=victim.test\n\n",
                "A".repeat(300_000)
            ),
            Answered,
        ),
        row("one endless line", vec![b'a'; 2 << 20], Refused),
        row("too many lines", "wwwauth[]=a\n".repeat(200_000), Refused),
    ];
    for other in [
        "victim.test:443",
        "victim.test:8443",
        "victim.test.evil.test",
        "evilvictim.test",
        "gist.victim.test",
    ] {
        rows.push(row("another host", host(other), Nothing));
    }
    // Whether such a thing is a host at all is a matter of taste; that it is not this one is none.
    for refused in [
        "good.test@victim.test",
        "victim.test/",
        "victim.test#",
        "victim.test?",
        "victim.test\\",
        "[victim.test]",
    ] {
        rows.push(row("no host", host(refused), Refused));
    }
    for border in [1024, 8192, 65_535, 65_536, 102_400] {
        let filler = "A".repeat(border - 11);
        let request =
            format!("protocol=https\nhost=evil.test\nwwwauth[]={filler}host=victim.test\n\n");
        rows.push(row("a long line is one line", request, Nothing));
    }
    rows
}

fn check_lookups(storage: &'static str) {
    let fixture = Fixture::new(storage);
    let mut wrong = Vec::new();
    for (name, request, expected) in lookups() {
        let output = fixture.ask("get", &request);
        if let Some(what) = judge(&output, expected) {
            let start = request[..request.len().min(90)].escape_ascii();
            wrong.push(format!("{name} ({start}): expected {what}"));
        }
    }
    assert!(wrong.is_empty(), "{storage}:\n{}", wrong.join("\n"));
    assert!(fixture.is_unchanged());
}

/// Changes that must not be made.
fn check_changes(storage: &'static str) {
    let rows = [
        ("erase", row("empty", "", Refused)),
        ("erase", row("blank line", "\n", Refused)),
        ("erase", row("protocol only", "protocol=https\n\n", Refused)),
        ("erase", row("host only", "host=victim.test\n\n", Refused)),
        (
            "erase",
            row(
                "another password",
                "protocol=https\nhost=victim.test\nusername=victim\npassword=stale\n\n",
                Nothing,
            ),
        ),
        (
            "erase",
            row(
                "another user",
                "protocol=https\nhost=victim.test\nusername=other\n\n",
                Nothing,
            ),
        ),
        (
            "erase",
            row(
                "another host",
                "protocol=https\nhost=evil.test\n\n",
                Nothing,
            ),
        ),
        ("store", row("empty", "", Refused)),
        (
            "store",
            row(
                "no username",
                "protocol=https\nhost=new.test\npassword=p\n\n",
                Nothing,
            ),
        ),
        (
            "store",
            row(
                "no password",
                "protocol=https\nhost=new.test\nusername=u\n\n",
                Nothing,
            ),
        ),
        (
            "store",
            row(
                "carriage return",
                "protocol=https\nhost=new.test\nusername=u\npassword=a\rb\n\n",
                Refused,
            ),
        ),
        (
            "store",
            row(
                "NUL",
                "protocol=https\nhost=new.test\nusername=x\0y\npassword=p\n\n",
                Refused,
            ),
        ),
        (
            "store",
            row(
                "ephemeral",
                "protocol=https\nhost=new.test\nusername=u\npassword=p\nephemeral=1\n\n",
                Nothing,
            ),
        ),
        (
            "store",
            row(
                "has ended",
                "protocol=https\nhost=new.test\nusername=u\npassword=p\npassword_expiry_utc=5\n\n",
                Nothing,
            ),
        ),
        ("frobnicate", row("unknown operation", QUESTION, Nothing)),
    ];
    let fixture = Fixture::new(storage);
    let mut wrong = Vec::new();
    for (operation, (name, request, expected)) in rows {
        let output = fixture.ask(operation, &request);
        if let Some(what) = judge(&output, expected) {
            wrong.push(format!("{operation}, {name}: expected {what}"));
        }
        if !fixture.is_unchanged() {
            wrong.push(format!("{operation}, {name}: changed what is stored"));
        }
    }
    assert!(wrong.is_empty(), "{storage}:\n{}", wrong.join("\n"));
}

/// A date that is none is left out, and the credential kept. Git itself would read `12abc` as 12.
fn check_expiries(storage: &'static str) {
    let fixture = Fixture::new(storage);
    for expiry in [
        "-1",
        "0",
        "",
        " 5",
        "12abc",
        "0x10",
        "1e3",
        "99999999999999999999",
        "+5",
    ] {
        let pairs = [
            ("protocol", "https"),
            ("host", "victim.test"),
            ("username", "victim"),
        ];
        let mut pairs = pairs.to_vec();
        pairs.extend([("password", SECRET), ("password_expiry_utc", expiry)]);
        let output = fixture.ask("store", &lines(&pairs)).succeeded();
        assert!(!output.stderr.contains(SECRET), "{output:?}");
        let found = fixture.ask("get", QUESTION);
        assert!(answers(&found), "{expiry:?}: {found:?}");
    }
}

#[test]
fn lookups_in_memory() {
    check_lookups("memory");
}

#[test]
fn lookups_in_a_file() {
    check_lookups("file");
}

#[test]
fn changes_in_memory() {
    check_changes("memory");
}

#[test]
fn changes_in_a_file() {
    check_changes("file");
}

#[test]
fn expiries_in_memory() {
    check_expiries("memory");
}

#[test]
fn expiries_in_a_file() {
    check_expiries("file");
}

#[test]
fn a_refused_change_leaves_the_file_as_it_is() {
    let fixture = Fixture::new("file");
    let before = fixture.sandbox.files("data");
    assert!(before.iter().any(|(_, bytes)| {
        bytes
            .windows(SECRET.len())
            .any(|part| part == SECRET.as_bytes())
    }));
    for request in [
        "",
        "\n",
        "protocol=https\n\n",
        "protocol=https\nhost=other.test\n\n",
    ] {
        fixture.ask("erase", request.as_bytes());
    }
    for (_, request, _) in lookups() {
        fixture.ask("get", &request);
    }
    // Nor does storing what is stored already write anything.
    fixture.store(&[("username", "victim"), ("password", SECRET)]);
    assert_eq!(fixture.sandbox.files("data"), before);
}

/// The judge itself: git's own helper says more than it should, and this is seen.
#[test]
fn git_store_is_caught_leaking() {
    let sandbox = Sandbox::new();
    let store = |operation: &str, request: &[u8]| {
        process::run(&mut sandbox.git(&["credential-store", operation]), request)
    };
    let mut stored = QUESTION[..QUESTION.len() - 1].to_vec();
    stored.extend_from_slice(ANSWER);
    store("store", &stored).succeeded();
    assert_eq!(judge(&store("get", QUESTION), Answered), None);
    let is_caught = |name| {
        let (_, request, expected) = lookups().into_iter().find(|row| row.0 == name).unwrap();
        judge(&store("get", &request), expected).is_some()
    };
    for name in ["empty", "host only", "NUL", "host twice", "pasted secret"] {
        assert!(is_caught(name), "{name}");
    }
    assert!(!is_caught("other protocol") && !is_caught("CRLF"));
}
