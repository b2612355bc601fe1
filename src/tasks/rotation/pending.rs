//! The right to rotate, and the marks of rotations that have begun. Neither hangs on what may change while one is on its
//! way: the name that a token is kept under, or the journal with its key.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::failure;
use crate::files::owned::{Error, Folder};
use crate::platform::lock::Lock;
use crate::secret::Secret;

/// Of the lock; its file is this with `.lock`, and every mark begins with it.
const NAME: &str = "rotation";
const BEGUN: &str = "a rotation has begun";
const SALT: &str = "salt=";
const TOKEN: &str = "token=";
const SUCCESSOR: &str = "successor=";
const SINCE: &str = "since=";

/// How long a forge may still be at what nobody waits for any more, in seconds: longer than a server or a gateway before
/// it keeps a request.
const AT_IT: u64 = 600;
/// Longer than a token may live: nobody comes with that one any more.
const KEPT: u64 = 400 * 86_400;
/// Marks, and bytes in one: nobody has as many.
const MOST: usize = 1000;
const LARGEST: usize = 4096;

/// That a rotation has begun.
#[derive(Debug, Default)]
struct Mark {
    name: String,
    /// When, in Unix seconds.
    since: Option<u64>,
    salt: String,
    /// Codes of the two tokens under the salt: they say nothing to who does not have the token.
    token: Option<String>,
    successor: Option<String>,
}

impl Mark {
    fn read(name: String, text: &[u8]) -> Self {
        let lines = || text.split(|&byte| byte == b'\n');
        let told = |word: &str| {
            let mut values = lines().filter_map(|line| line.strip_prefix(word.as_bytes()));
            let value = values.next().and_then(|value| str::from_utf8(value).ok());
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let token = told(TOKEN);
        Self {
            name,
            since: told(SINCE).and_then(|since| since.parse().ok()),
            salt: told(SALT).unwrap_or_default(),
            // A token is not made of itself.
            successor: told(SUCCESSOR).filter(|successor| Some(successor) != token.as_ref()),
            token,
        }
    }

    fn write(&self) -> String {
        let Self {
            name: _,
            since,
            salt,
            token,
            successor,
        } = self;
        let mut text = format!("{BEGUN}\n");
        for (word, value) in [
            (SALT, Some(salt)),
            (TOKEN, token.as_ref()),
            (SUCCESSOR, successor.as_ref()),
            (SINCE, since.map(|since| since.to_string()).as_ref()),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "{word}{value}");
            }
        }
        text
    }

    fn is_about(&self, token: &Secret) -> bool {
        is_code(self.token.as_ref(), &self.salt, token)
    }

    fn has_made(&self, token: &Secret) -> bool {
        is_code(self.successor.as_ref(), &self.salt, token)
    }

    /// For how many seconds the forge may still be at it.
    fn is_open_for(&self, unix_now: u64) -> Option<u64> {
        let age = unix_now.saturating_sub(self.since?);
        AT_IT.checked_sub(age).filter(|&left| left > 0)
    }

    /// Nobody will ask for it: too old, or nobody knows for whom.
    fn is_of_no_use(&self, unix_now: u64) -> bool {
        let age = self.since.map_or(0, |since| unix_now.saturating_sub(since));
        age > KEPT || (self.token.is_none() && self.is_open_for(unix_now).is_none())
    }
}

/// One process of this user at a time has it, whichever token it is for.
pub(crate) struct Turn {
    folder: Folder,
    lock: Lock,
    marks: Vec<Mark>,
}

impl Turn {
    /// Waits a while for whoever else is rotating.
    pub(crate) fn take(state: &Path, unix_now: u64) -> Result<Self, failure::Error> {
        let folder = Folder::make(state)?;
        let path = state.join(format!("{NAME}.lock"));
        let is_other = fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file());
        let lock = folder.lock(NAME).map_err(|cause| match cause {
            Error::Busy { .. } => failure::Error::AtIt,
            cause if is_other => out_of_the_way(&path, cause).into(),
            cause => cause.into(),
        })?;
        let mut turn = Self {
            folder,
            lock,
            marks: Vec::new(),
        };
        turn.read_marks(unix_now)?;
        Ok(turn)
    }

    fn read_marks(&mut self, unix_now: u64) -> Result<(), Error> {
        for name in self.names()? {
            let path = self.folder.path().join(&name);
            let text = self.folder.read_at_most(LARGEST, &name);
            let Some(text) = text.map_err(|cause| out_of_the_way(&path, cause))? else {
                continue;
            };
            let mut mark = Mark::read(name, text.as_slice());
            // A time that cannot be read, or is to come, would hinder for ever or not at all: it counts from now.
            if mark.since.is_none_or(|since| since > unix_now) {
                mark.since = Some(unix_now);
                self.write(&mark)?;
            }
            if mark.is_of_no_use(unix_now) {
                let _ = fs::remove_file(path);
            } else {
                self.marks.push(mark);
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let path = self.folder.path();
        let failed = |cause| Error::System {
            action: "read",
            path: path.to_path_buf(),
            cause,
        };
        // One that is passed over would count for nothing.
        let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(failed)?.collect();
        let names = entries.map_err(failed)?.into_iter();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let is_mark = |name: &String| {
            let rest = name
                .strip_prefix(NAME)
                .and_then(|rest| rest.strip_prefix('-'));
            rest.is_some_and(|rest| !rest.contains('.'))
        };
        let names: Vec<_> = names.filter(is_mark).take(MOST + 1).collect();
        if names.len() > MOST {
            return Err(Error::NotPrivate {
                path: path.to_path_buf(),
                problem: "holds more marks of rotations than there can be",
                remedy: Some(format!(
                    "remove its files {NAME}-… while no rotation is going on"
                )),
            });
        }
        Ok(names)
    }

    /// Whether somebody has begun to replace `token`, and did not come to an end.
    pub(crate) fn has_begun(&self, token: &Secret) -> bool {
        self.marks.iter().any(|mark| mark.is_about(token))
    }

    /// For how many seconds the forge may still be at replacing `token`. A mark that names none may mean any.
    pub(crate) fn is_open_for(&self, token: &Secret, unix_now: u64) -> Option<u64> {
        let may_mean = |mark: &&Mark| mark.token.is_none() || mark.is_about(token);
        let marks = self.marks.iter().filter(may_mean);
        marks.filter_map(|mark| mark.is_open_for(unix_now)).max()
    }

    /// Whether a rotation that did not come to an end has made `new`.
    pub(crate) fn has_made(&self, new: &Secret) -> bool {
        self.marks.iter().any(|mark| mark.has_made(new))
    }

    /// Whether it has made `new` of `old`.
    pub(crate) fn has_made_of(&self, old: &Secret, new: &Secret) -> bool {
        let mut marks = self.marks.iter();
        marks.any(|mark| mark.is_about(old) && mark.has_made(new))
    }

    /// From here on whoever comes with `token` knows that the forge was asked.
    pub(crate) fn mark(&mut self, token: &Secret, unix_now: u64) -> Result<(), failure::Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| failure::Error::Random)?;
        let salt = hex(&salt);
        let known = self.marks.iter().position(|mark| mark.is_about(token));
        let name = match known {
            Some(at) => self.marks.remove(at).name,
            None => self.free_name(),
        };
        let mark = Mark {
            name,
            since: Some(unix_now),
            token: code(&salt, token),
            salt,
            successor: None,
        };
        self.write(&mark)?;
        self.marks.push(mark);
        Ok(())
    }

    fn free_name(&self) -> String {
        let is_taken = |name: &String| fs::symlink_metadata(self.folder.path().join(name)).is_ok();
        let mut names = (1..=MOST).map(|number| format!("{NAME}-{number}"));
        let free = names.find(|name| !is_taken(name));
        free.unwrap_or_else(|| format!("{NAME}-{}", MOST + 1))
    }

    /// `old` became `new`: where one storage has it, anybody can do the rest. What was to become `old` becomes `new`, too.
    pub(crate) fn name_successor(&mut self, old: &Secret, new: &Secret) {
        for at in 0..self.marks.len() {
            let mark = &mut self.marks[at];
            if mark.is_about(old) || mark.has_made(old) {
                mark.successor = code(&mark.salt, new);
                // Without it the next to try is told that it is lost.
                let _ = self.write(&self.marks[at]);
            }
        }
    }

    /// Nothing is open any more.
    pub(crate) fn unmark(&mut self, token: &Secret) {
        let is_it = |mark: &mut Mark| mark.is_about(token);
        for mark in self.marks.extract_if(.., is_it) {
            // One that stays makes the next rotation look twice.
            let _ = fs::remove_file(self.folder.path().join(mark.name));
        }
    }

    fn write(&self, mark: &Mark) -> Result<(), Error> {
        let text = mark.write();
        self.folder
            .replace(&mark.name, &[text.as_bytes()], &self.lock)
    }
}

/// What lies where a mark or the lock should, and is none.
fn out_of_the_way(path: &Path, cause: Error) -> Error {
    let is_plain = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let problem = match cause {
        cause @ Error::NotPrivate {
            remedy: Some(_), ..
        } if is_plain => return cause,
        _ if is_plain => "is none that a rotation has left",
        _ => "is not a plain file",
    };
    Error::NotPrivate {
        path: path.to_path_buf(),
        problem,
        remedy: Some("move it away while no rotation is going on".to_owned()),
    }
}

fn is_code(known: Option<&String>, salt: &str, token: &Secret) -> bool {
    let code = code(salt, token);
    let both = known.zip(code.as_ref());
    both.is_some_and(|(known, code)| known.as_bytes().ct_eq(code.as_bytes()).into())
}

fn code(salt: &str, token: &Secret) -> Option<String> {
    // HMAC takes a key of any length (RFC 2104).
    let mut mac = Hmac::<Sha256>::new_from_slice(salt.as_bytes()).ok()?;
    mac.update(token.expose());
    Some(hex(&mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes())
    }

    fn state() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("own");
        (home, state)
    }

    #[test]
    fn a_mark_is_open_for_a_while() {
        let (_home, state) = state();
        let (old, new, other) = (secret("old"), secret("new"), secret("other"));
        let mut turn = Turn::take(&state, 10_000).unwrap();
        assert!(!turn.has_begun(&old));
        turn.mark(&old, 10_000).unwrap();
        drop(turn);
        for (unix_now, left) in [(10_000, Some(600)), (10_599, Some(1)), (10_600, None)] {
            let turn = Turn::take(&state, unix_now).unwrap();
            assert_eq!(turn.is_open_for(&old, unix_now), left, "{unix_now}");
            assert_eq!(turn.is_open_for(&other, unix_now), None, "{unix_now}");
            assert!(turn.has_begun(&old) && !turn.has_begun(&other));
        }
        let mut turn = Turn::take(&state, 10_001).unwrap();
        turn.name_successor(&old, &new);
        drop(turn);
        let mut turn = Turn::take(&state, 10_001).unwrap();
        assert!(turn.has_made(&new) && turn.has_made_of(&old, &new));
        assert!(!turn.has_made(&old) && !turn.has_made_of(&other, &new));
        let text = fs::read_to_string(state.join("rotation-1")).unwrap();
        assert!(!text.contains("old") && !text.contains("new"), "{text}");
        turn.unmark(&old);
        drop(turn);
        assert!(!Turn::take(&state, 10_001).unwrap().has_begun(&old));
    }

    /// A clock that was put back, or a mark that somebody has emptied: for ten minutes, and not for ever.
    #[test]
    fn a_time_that_is_none_counts_from_now() {
        for text in [
            String::new(),
            "a rotation has begun\nsince=12\r\n".to_owned(),
            format!("{BEGUN}\nsince=99999999999999999999\n"),
            format!("{BEGUN}\nsince=20000\n"),
        ] {
            let (_home, state) = state();
            let mut turn = Turn::take(&state, 10_000).unwrap();
            turn.mark(&secret("old"), 10_000).unwrap();
            drop(turn);
            fs::write(state.join("rotation-1"), &text).unwrap();
            for (unix_now, left) in [(10_100, Some(600)), (10_600, Some(100)), (10_701, None)] {
                let turn = Turn::take(&state, unix_now).unwrap();
                assert_eq!(turn.is_open_for(&secret("old"), unix_now), left, "{text}");
            }
            assert!(!state.join("rotation-1").exists(), "{text}");
        }
    }

    #[test]
    fn a_successor_of_a_successor_is_the_one_that_is_kept() {
        let (_home, state) = state();
        let [first, second, third] = ["first", "second", "third"].map(secret);
        let mut turn = Turn::take(&state, 10_000).unwrap();
        for (old, new) in [(&first, &second), (&second, &third)] {
            turn.mark(old, 10_000).unwrap();
            turn.name_successor(old, new);
        }
        turn.unmark(&second);
        drop(turn);
        let turn = Turn::take(&state, 10_000).unwrap();
        assert!(turn.has_made_of(&first, &third) && !turn.has_made(&second));
    }

    #[test]
    fn a_mark_that_names_its_own_token_as_successor_has_made_none() {
        let mark = Mark::read("x".into(), b"salt=s\ntoken=abc\nsuccessor=abc\nsince=1\n");
        assert!(mark.successor.is_none() && mark.token.is_some());
    }

    #[test]
    fn what_is_no_mark_is_named_with_a_remedy() {
        let remedy = |make: &dyn Fn(&Path)| {
            let (home, state) = state();
            drop(Turn::take(&state, 1).unwrap());
            make(&state);
            let refused = Turn::take(&state, 1).err().expect("it is refused");
            drop(home);
            let failure::Error::Private(error) = refused else {
                panic!("{refused:?}");
            };
            error.hint().expect("a remedy").to_owned()
        };
        let mark = "rotation-7";
        let makes: [&dyn Fn(&Path); 5] = [
            &|state| fs::create_dir(state.join(mark)).unwrap(),
            &|state| symlink("/etc/passwd", state.join(mark)).unwrap(),
            &|state| {
                let file = fs::File::create(state.join(mark)).unwrap();
                file.set_len(LARGEST as u64 + 1).unwrap();
                let closed = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                file.set_permissions(closed).unwrap();
            },
            &|state| {
                fs::remove_file(state.join("rotation.lock")).unwrap();
                fs::create_dir(state.join("rotation.lock")).unwrap();
            },
            &|state| {
                for number in 0..=MOST {
                    fs::create_dir(state.join(format!("rotation-{number}"))).unwrap();
                }
            },
        ];
        for make in makes {
            let remedy = remedy(make);
            assert!(remedy.contains("while no"), "{remedy}");
        }
    }
}
