//! Credentials in a plaintext file, for those who ask for it by name.
//!
//! Entries are attribute lines with a blank line after each; the one stored last stands last. What does not read as an
//! entry is passed over, and kept byte for byte when the file is written anew.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{Error, Listed, Position, Storage, StorageKind, is_still};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::files::owned::{self, Folder};
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::write;
use crate::secret::Buffer;

const BANNER: &[u8] = b"# Credentials kept by git-credential-pat, IN PLAINTEXT: keep this file out of backups and repositories.\n\n";

/// What a new secret may take more than the old one.
const ROOM: usize = 8 * 1024;

/// A file of credentials, and beside it its lock.
#[derive(Debug, Clone)]
pub struct PlaintextFile {
    folder: PathBuf,
    name: OsString,
    is_default: bool,
}

impl PlaintextFile {
    /// In our own data folder, which nobody else can look into.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            name: "credentials".into(),
            is_default: true,
        }
    }

    /// Where a person wants it. `None` if the path ends in no name that can be a file's.
    pub fn at(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_owned();
        if owned::is_reserved(&name) {
            return None;
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        Some(Self {
            folder: folder.unwrap_or(Path::new(".")).to_path_buf(),
            name,
            is_default: false,
        })
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// How many paragraphs of the file are neither entries nor comments.
    pub fn count_unreadable(&self) -> Result<usize, Error> {
        let contents = self.contents("read")?;
        let bytes = contents.as_ref().map_or(&b""[..], Buffer::as_slice);
        let is_comment = |paragraph: &[u8]| {
            paragraph
                .split(|&byte| byte == b'\n')
                .all(|line| line.is_empty() || line[0] == b'#')
        };
        let unreadable = |range: &Range<usize>| {
            !is_comment(&bytes[range.clone()]) && parse(&bytes[range.clone()]).is_none()
        };
        Ok(paragraphs(bytes).filter(unreadable).count())
    }

    fn open(&self) -> Result<Option<Folder>, owned::Error> {
        if self.is_default {
            Folder::open(&self.folder)
        } else {
            Folder::open_readable(&self.folder)
        }
    }

    fn contents(&self, operation: &'static str) -> Result<Option<Buffer>, Error> {
        let read = || {
            self.open()?
                .map_or(Ok(None), |folder| folder.read(&self.name))
        };
        read().map_err(|cause| failed(operation, cause))
    }

    /// Under the lock: hands the file's bytes to `change` and writes what that returns, if it returns something.
    fn rewrite<T>(
        &self,
        folder: &Folder,
        operation: &'static str,
        patience: Patience,
        change: impl FnOnce(&[u8]) -> Result<(Option<New>, T), crate::protocol::Error>,
    ) -> Result<T, Error> {
        let lock = match patience {
            Patience::Queue => folder.lock(&self.name),
            Patience::Moment => folder.lock_soon(&self.name),
        };
        let lock = lock.map_err(|cause| failed(operation, cause))?;
        let old = folder
            .read(&self.name)
            .map_err(|cause| failed(operation, cause))?;
        let old = old.as_ref().map_or(&b""[..], Buffer::as_slice);
        let (new, result) = change(old).map_err(|cause| failed(operation, cause))?;
        if let Some(new) = new {
            let pieces = new.pieces(old);
            folder
                .replace_with_room(new.room, &self.name, &pieces, &lock)
                .map_err(|cause| failed(operation, cause))?;
        }
        Ok(result)
    }

    /// In the place of the entry with the identical key, if that is as expected.
    fn put(
        &self,
        credential: &Credential,
        position: Position,
        is_expected: impl FnOnce(Option<&Credential>) -> bool,
    ) -> Result<bool, Error> {
        let folder = if self.is_default {
            Folder::make(&self.folder).map(Some)
        } else {
            self.open()
        };
        let folder = folder
            .map_err(|cause| failed("store", cause))?
            .ok_or_else(|| failed("store", owned::Error::missing(&self.folder)))?;
        self.rewrite(&folder, "store", Patience::Queue, |old| {
            let same_key = Query::exact(&credential.key);
            let (replaced, known): (Vec<_>, Vec<_>) = entries_that_fit(old, &same_key).unzip();
            if known.last().is_some_and(|known| known.is_same(credential)) {
                return Ok((None, true));
            }
            if !is_expected(known.last()) {
                return Ok((None, false));
            }
            let at = match (position, replaced.last()) {
                (Position::Newest, _) => old.len(),
                (Position::Behind, Some(replaced)) => replaced.end,
                (Position::Behind, None) => first_entry(old),
            };
            let banner = if old.is_empty() { BANNER } else { b"" };
            Ok((
                Some(New::with_entry(replaced, at, banner, credential)?),
                true,
            ))
        })
    }
}

/// How long others may keep the file.
#[derive(Clone, Copy)]
enum Patience {
    /// As long as each of them gets on: what is not stored is lost.
    Queue,
    /// Not long: what is not erased will be refused again, and git waits.
    Moment,
}

/// The new contents of a file: the old ones without some paragraphs, and with an entry at one place.
#[derive(Default)]
struct New {
    /// In order.
    removed: Vec<Range<usize>>,
    /// The entry, and its place in the old file, behind all that is removed.
    added: Option<(usize, Buffer)>,
    /// Bytes that must fit on the disk besides.
    room: usize,
}

impl New {
    fn with_entry(
        removed: Vec<Range<usize>>,
        at: usize,
        banner: &[u8],
        credential: &Credential,
    ) -> Result<Self, crate::protocol::Error> {
        let mut text = Buffer::with_capacity(512);
        text.push(banner);
        write::entry(credential, &mut text)?;
        text.push(b"\n");
        Ok(Self {
            removed,
            added: Some((at, text)),
            room: 0,
        })
    }

    fn pieces<'a>(&'a self, old: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::with_capacity(self.removed.len() + 4);
        let mut start = 0;
        for range in &self.removed {
            pieces.push(&old[start..range.start]);
            start = range.end;
        }
        if let Some((at, text)) = &self.added {
            let before = &old[start..*at];
            pieces.push(before);
            pieces.push(match before {
                b"" => b"",
                kept if kept.ends_with(b"\n\n") || kept.ends_with(b"\n\r\n") => b"",
                kept if kept.ends_with(b"\n") => b"\n",
                _ => b"\n\n",
            });
            pieces.push(text.as_slice());
            start = *at;
        }
        pieces.push(&old[start..]);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

impl Storage for PlaintextFile {
    fn kind(&self) -> StorageKind {
        StorageKind::File
    }

    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        let contents = self.contents("look")?;
        let bytes = contents.as_ref().map_or(&b""[..], Buffer::as_slice);
        Ok(entries_that_fit(bytes, wanted)
            .map(|(_, credential)| credential)
            .last())
    }

    fn store(&self, credential: &Credential) -> Result<(), Error> {
        self.put(credential, Position::Newest, |_| true).map(drop)
    }

    fn replace(&self, known: Option<&Credential>, credential: &Credential) -> Result<bool, Error> {
        self.put(credential, Position::Newest, |kept| is_still(kept, known))
    }

    fn insert_behind(
        &self,
        known: Option<&Credential>,
        credential: &Credential,
    ) -> Result<bool, Error> {
        self.put(credential, Position::Behind, |kept| is_still(kept, known))
    }

    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        let Some(folder) = self.open().map_err(|cause| failed("store", cause))? else {
            return Ok(false);
        };
        self.rewrite(&folder, "store", Patience::Queue, |old| {
            let same_key = Query::exact(&kept.key);
            let (replaced, mut known): (Vec<_>, Vec<_>) = entries_that_fit(old, &same_key).unzip();
            let Some(mut found) = known.pop().filter(|found| found.has_same_secrets(kept)) else {
                return Ok((None, false));
            };
            if found.expiry == end {
                return Ok((None, true));
            }
            found.expiry = end;
            let at = replaced.last().map_or(old.len(), |replaced| replaced.end);
            Ok((Some(New::with_entry(replaced, at, b"", &found)?), true))
        })
    }

    fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
        let Some(folder) = self.open().map_err(|cause| failed("store", cause))? else {
            return Ok(false);
        };
        self.rewrite(&folder, "store", Patience::Queue, |old| {
            let same_key = Query::exact(&kept.key);
            let known = entries_that_fit(old, &same_key).last();
            let is_there = known.is_some_and(|(_, known)| known.has_same_secrets(kept));
            let new = New {
                room: ROOM,
                ..New::default()
            };
            Ok((is_there.then_some(new), is_there))
        })
    }

    fn touch(&self, key: &Key) -> Result<(), Error> {
        let Some(folder) = self.open().map_err(|cause| failed("store", cause))? else {
            return Ok(());
        };
        self.rewrite(&folder, "store", Patience::Queue, |old| {
            let same_key = Query::exact(key);
            let (replaced, mut known): (Vec<_>, Vec<_>) = entries_that_fit(old, &same_key).unzip();
            let Some(found) = known.pop() else {
                return Ok((None, ()));
            };
            Ok((Some(New::with_entry(replaced, old.len(), b"", &found)?), ()))
        })
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        let Some(folder) = self.open().map_err(|cause| failed("erase", cause))? else {
            return Ok(0);
        };
        self.rewrite(&folder, "erase", Patience::Moment, |old| {
            let named = entries_that_fit(old, unwanted)
                .filter(|(_, credential)| credential.is_named_by(unwanted));
            let removed: Vec<_> = named.map(|(range, _)| range).collect();
            let count = removed.len();
            let new = (count > 0).then_some(New {
                removed,
                ..New::default()
            });
            Ok((new, count))
        })
    }

    fn list(&self) -> Result<Vec<Listed>, Error> {
        let contents = self.contents("list")?;
        let bytes = contents.as_ref().map_or(&b""[..], Buffer::as_slice);
        Ok(paragraphs(bytes)
            .filter_map(|range| parse(&bytes[range]))
            .map(|credential| Listed::of(&credential))
            .collect())
    }

    /// In one reading: a file may hold very many.
    fn all(&self) -> Result<Vec<(Listed, Credential)>, Error> {
        let contents = self.contents("list")?;
        let bytes = contents.as_ref().map_or(&b""[..], Buffer::as_slice);
        Ok(paragraphs(bytes)
            .filter_map(|range| parse(&bytes[range]))
            .map(|credential| (Listed::of(&credential), credential))
            .collect())
    }

    fn check(&self) -> Result<(), Error> {
        if !self.is_default && !self.folder.exists() {
            return Err(failed("store", owned::Error::missing(&self.folder)));
        }
        self.contents("read").map(drop)
    }
}

/// The stretches of `bytes` that end with a blank line, or at the end.
fn paragraphs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut end = start;
        while end < bytes.len() {
            let length = bytes[end..]
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(bytes.len() - end, |at| at + 1);
            let is_blank = matches!(&bytes[end..end + length], b"\n" | b"\r\n");
            end += length;
            if is_blank {
                break;
            }
        }
        let paragraph = start..end;
        start = end;
        (!paragraph.is_empty()).then_some(paragraph)
    })
}

/// Where the first entry begins.
fn first_entry(bytes: &[u8]) -> usize {
    paragraphs(bytes)
        .find(|range| parse(&bytes[range.clone()]).is_some())
        .map_or(bytes.len(), |range| range.start)
}

fn parse(paragraph: &[u8]) -> Option<Credential> {
    read::entry(AttributeLines::new(paragraph))
        .ok()
        .and_then(Credential::complete)
}

/// The host is compared first, without taking the entry apart: a file may hold very many.
fn entries_that_fit<'a>(
    bytes: &'a [u8],
    wanted: &'a Query,
) -> impl Iterator<Item = (Range<usize>, Credential)> + 'a {
    let host = wanted.host.as_deref();
    let has_host = move |paragraph: &[u8]| {
        let line = AttributeLines::new(paragraph)
            .find_map(|line| line.ok().filter(|line| line.key == b"host"));
        line.is_some_and(|line| host.is_some_and(|host| line.value.eq_ignore_ascii_case(host)))
    };
    paragraphs(bytes)
        .filter(move |range| has_host(&bytes[range.clone()]))
        .filter_map(move |range| {
            let credential = parse(&bytes[range.clone()])?;
            wanted
                .matches(&credential.key)
                .then_some((range, credential))
        })
}

fn failed(operation: &'static str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Failed {
        operation,
        kind: StorageKind::File,
        cause: Box::new(cause),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;
    use crate::secret::Secret;

    fn described(host: &str, username: &str) -> Query {
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(host.as_bytes().to_vec()),
            username: Some(username.into()),
            ..Query::default()
        }
    }

    fn credential(host: &str, username: &str, password: &str) -> Credential {
        let password = Some(Secret::new(password.as_bytes()));
        Credential::complete(Query {
            password,
            ..described(host, username)
        })
        .unwrap()
    }

    fn storage() -> (tempfile::TempDir, PlaintextFile) {
        let home = tempfile::tempdir().unwrap();
        let file = PlaintextFile::in_folder(&home.path().join("data"));
        (home, file)
    }

    #[test]
    fn is_made_private_and_named_plaintext() {
        let (_home, file) = storage();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.folder), mode(&file.path())), (0o700, 0o600));
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.starts_with("# Credentials kept by git-credential-pat, IN PLAINTEXT"));
        assert_eq!(file.count_unreadable().unwrap(), 0);
    }

    #[test]
    fn an_identical_store_writes_nothing() {
        let (_home, file) = storage();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        std::fs::set_permissions(&file.folder, PermissionsExt::from_mode(0o700)).unwrap();
        let before = std::fs::metadata(file.path()).unwrap();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        let after = std::fs::metadata(file.path()).unwrap();
        assert_eq!(
            (before.ino(), before.mtime_nsec()),
            (after.ino(), after.mtime_nsec())
        );
    }

    #[test]
    fn what_is_not_an_entry_stays_byte_for_byte() {
        let (_home, file) = storage();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        let strange = b"https://victim:topsecret@victim.test\r\n\nprotocol=https\nhost=x\0y\n\nhost=a\nhost=b\r\n\r\nprotocol=https\nhost=two.test\nusername=bob\npassword=no end";
        let mut bytes = std::fs::read(file.path()).unwrap();
        bytes.extend_from_slice(strange);
        std::fs::write(file.path(), &bytes).unwrap();
        assert_eq!(file.count_unreadable().unwrap(), 3);
        assert_eq!(
            file.get(&described("two.test", "bob"))
                .unwrap()
                .unwrap()
                .password
                .unwrap()
                .expose(),
            b"no end"
        );
        file.store(&credential("one.test", "alice", "b")).unwrap();
        let after = std::fs::read(file.path()).unwrap();
        assert!(after.windows(strange.len()).any(|window| window == strange));
        assert_eq!(
            file.get(&described("one.test", "alice"))
                .unwrap()
                .unwrap()
                .password
                .unwrap()
                .expose(),
            b"b"
        );
        assert_eq!(file.list().unwrap().len(), 2);
    }

    #[test]
    fn looser_files_and_links_are_refused_with_a_remedy() {
        let (home, file) = storage();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o644)).unwrap();
        let error = file.get(&described("one.test", "alice")).unwrap_err();
        assert_eq!(
            error.hint().unwrap(),
            format!("close it with 'chmod 600 {}'", file.path().display())
        );
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::set_permissions(&file.folder, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(
            file.store(&credential("one.test", "alice", "b"))
                .unwrap_err()
                .hint()
                .unwrap()
                .contains("chmod 700")
        );
        std::fs::set_permissions(&file.folder, PermissionsExt::from_mode(0o700)).unwrap();
        let elsewhere = home.path().join("elsewhere");
        std::fs::rename(file.path(), &elsewhere).unwrap();
        symlink(&elsewhere, file.path()).unwrap();
        assert!(file.get(&described("one.test", "alice")).is_err());
        assert!(file.erase(&described("one.test", "alice")).is_err());
    }

    #[test]
    fn erase_takes_every_entry_that_fits_and_only_the_named_secret() {
        let (_home, file) = storage();
        for (name, password) in [("alice", "a"), ("bob", "b")] {
            file.store(&credential("one.test", name, password)).unwrap();
        }
        let stale = Query {
            password: Some(Secret::new(b"old")),
            ..described("one.test", "alice")
        };
        assert_eq!(file.erase(&stale).unwrap(), 0);
        assert_eq!(file.erase(&Query::default()).unwrap(), 0);
        assert_eq!(
            file.erase(&Query {
                username: None,
                ..described("one.test", "")
            })
            .unwrap(),
            2
        );
        assert!(file.list().unwrap().is_empty());
    }

    #[test]
    fn what_somebody_stored_meanwhile_stays() {
        let (_home, file) = storage();
        let [old, new] = ["old", "new"].map(|secret| credential("one.test", "alice", secret));
        let kept = || file.get(&described("one.test", "alice")).unwrap().unwrap();
        file.store(&new).unwrap();
        for seen in [None, Some(&old)] {
            assert!(!file.replace(seen, &old).unwrap());
        }
        assert!(kept().is_same(&new));
        assert!(file.replace(Some(&new), &old).unwrap() && kept().is_same(&old));
        file.erase(&described("one.test", "alice")).unwrap();
        assert!(file.replace(Some(&new), &old).unwrap() && kept().is_same(&old));
    }

    #[test]
    fn an_entry_that_is_inserted_behind_answers_last() {
        let (_home, file) = storage();
        let new = credential("one.test", "alice", "a");
        assert!(file.insert_behind(None, &new).unwrap());
        let text = std::fs::read(file.path()).unwrap();
        std::fs::write(file.path(), [&text[..], b"not an entry"].concat()).unwrap();
        for user in ["bob", "carol"] {
            let new = credential("one.test", user, "b");
            assert!(file.insert_behind(None, &new).unwrap());
        }
        let order = || {
            let listed = file.list().unwrap().into_iter();
            listed
                .map(|listed| listed.key.username.unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(order(), ["carol".into(), "bob".into(), "alice".into()]);
        let newer = credential("one.test", "bob", "c");
        assert!(!file.insert_behind(None, &newer).unwrap());
        let known = credential("one.test", "bob", "b");
        assert!(file.insert_behind(Some(&known), &newer).unwrap());
        assert_eq!(order(), ["carol".into(), "bob".into(), "alice".into()]);
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.starts_with("# Credentials kept by"), "{text}");
        assert!(text.ends_with("\n\nnot an entry"), "{text}");
        assert_eq!(file.count_unreadable().unwrap(), 1);
    }

    #[test]
    fn only_the_same_secret_is_redated() {
        let (_home, file) = storage();
        let (old, new) = (
            credential("one.test", "alice", "old"),
            credential("one.test", "alice", "new"),
        );
        assert!(!file.set_expiry(&new, Expiry::from_unix(5)).unwrap() && !file.folder.exists());
        file.store(&new).unwrap();
        assert!(!file.set_expiry(&old, Expiry::from_unix(5)).unwrap());
        assert!(file.set_expiry(&new, Expiry::from_unix(5)).unwrap());
        let found = file.get(&described("one.test", "alice")).unwrap().unwrap();
        assert_eq!(
            (found.expiry, found.password.unwrap().expose()),
            (Expiry::from_unix(5), &b"new"[..])
        );
        assert_eq!(file.list().unwrap().len(), 1);
    }

    #[test]
    fn absent_is_empty() {
        let (_home, file) = storage();
        assert!(file.get(&described("one.test", "alice")).unwrap().is_none());
        assert_eq!(file.erase(&described("one.test", "alice")).unwrap(), 0);
        assert!(file.list().unwrap().is_empty() && file.check().is_ok());
        assert!(!file.folder.exists());
    }

    #[test]
    fn a_leftover_is_taken_away() {
        let (_home, file) = storage();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        let leftover = file.folder.join(".credentials.git-credential-pat-new");
        std::fs::write(&leftover, b"password=half").unwrap();
        std::fs::set_permissions(&leftover, PermissionsExt::from_mode(0o600)).unwrap();
        file.store(&credential("one.test", "alice", "b")).unwrap();
        assert!(!leftover.exists());
    }

    #[test]
    fn all_of_it_in_one_reading_is_what_single_questions_tell() {
        let home = tempfile::tempdir().unwrap();
        let file = PlaintextFile::in_folder(&home.path().join("own"));
        for (host, username) in [("one.test", "a"), ("one.test", "b"), ("two.test", "a")] {
            file.store(&credential(host, username, "made-up")).unwrap();
        }
        let listed = file.list().unwrap();
        let all = file.all().unwrap();
        assert_eq!(all.len(), 3);
        for (listed, (same, kept)) in listed.iter().zip(&all) {
            assert_eq!(listed, same);
            let found = file.get(&Query::exact(&listed.key)).unwrap();
            assert!(found.unwrap().is_same(kept));
        }
    }
}
