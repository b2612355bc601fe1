//! The files of `tests/corpus`, read as its README describes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const FIXTURE: &str = r"protocol=https\nhost=victim.test\nusername=victim\npassword=topsecret\n";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Answer,
    None,
    Refuse,
    Stored,
    Erased,
    Ignored,
}

#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub operation: String,
    pub class: Class,
    pub records: Vec<Vec<u8>>,
    /// Lines of the answer, without their ends.
    pub answer: Vec<Vec<u8>>,
    /// Questions afterwards, and the lines of their answers.
    pub then: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    pub places: Vec<String>,
    request: String,
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Every case that applies at `place`.
pub fn all_at(place: &str) -> Vec<Case> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cases: Vec<Case> = files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "case")
        })
        .map(|path| Case::read(&path))
        .filter(|case| case.places.iter().any(|known| known == place))
        .collect();
    cases.sort_by(|one, two| one.name.cmp(&two.name));
    assert!(cases.len() > 300, "the corpus is there");
    cases
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (header, request) = text.split_once("request:\n").unwrap();
        let mut case = Self {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            operation: String::new(),
            class: Class::None,
            records: Vec::new(),
            answer: Vec::new(),
            then: Vec::new(),
            places: Vec::new(),
            request: request.lines().collect(),
        };
        let mut keeps_nothing = false;
        for line in header.lines() {
            let (key, value) = line.split_once(':').unwrap();
            let value = value.strip_prefix(' ').unwrap_or(value);
            match key {
                "operation" => value.clone_into(&mut case.operation),
                "record" if value == "none" => keeps_nothing = true,
                "record" => case.records.push(bytes(value)),
                "stdout" => case.answer.push(bytes(value)),
                "then" => case.then.push((bytes(value), Vec::new())),
                "gives" => case.then.last_mut().unwrap().1.push(bytes(value)),
                "where" => case.places = value.split(' ').map(str::to_owned).collect(),
                "expect" => {
                    case.class = match value {
                        "answer" => Class::Answer,
                        "none" => Class::None,
                        "refuse" => Class::Refuse,
                        "stored" => Class::Stored,
                        "erased" => Class::Erased,
                        "ignored" => Class::Ignored,
                        other => panic!("{}: {other}", case.name),
                    }
                }
                _ => {}
            }
        }
        if case.records.is_empty() && !keeps_nothing {
            case.records.push(bytes(FIXTURE));
        }
        case
    }

    pub fn request(&self) -> Vec<u8> {
        bytes(&self.request)
    }
}

/// What `text` stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut all = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match first {
            b'\\' => rest = escape(tail, &mut all),
            b'{' => {
                let mut inner = Vec::new();
                rest = tail;
                while let [first, tail @ ..] = rest {
                    match first {
                        b'}' => break,
                        b'\\' => rest = escape(tail, &mut inner),
                        byte => {
                            inner.push(*byte);
                            rest = tail;
                        }
                    }
                }
                rest = &rest[1..];
                expand(&inner, &mut all);
            }
            byte => {
                all.push(*byte);
                rest = tail;
            }
        }
    }
    all
}

fn escape<'a>(text: &'a [u8], all: &mut Vec<u8>) -> &'a [u8] {
    let (byte, length) = match text[0] {
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'0' => (0, 1),
        b'x' => {
            let digits = std::str::from_utf8(&text[1..3]).unwrap();
            (u8::from_str_radix(digits, 16).unwrap(), 3)
        }
        byte => (byte, 1),
    };
    all.push(byte);
    &text[length..]
}

fn expand(inner: &[u8], all: &mut Vec<u8>) {
    if let Some(difference) = inner.strip_prefix(b"now") {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let difference = std::str::from_utf8(difference).unwrap();
        let moment = now
            .checked_add_signed(difference.parse().unwrap_or(0))
            .unwrap();
        all.extend_from_slice(moment.to_string().as_bytes());
    } else {
        let star = inner.iter().rposition(|&byte| byte == b'*').unwrap();
        let times = std::str::from_utf8(&inner[star + 1..])
            .unwrap()
            .parse()
            .unwrap();
        all.extend(inner[..star].repeat(times));
    }
}

#[test]
fn escapes() {
    assert_eq!(
        bytes(r"a\n\r\t\0\\\{\}\x1b{ab\n*2}*"),
        b"a\n\r\t\0\\{}\x1bab\nab\n*"
    );
}
