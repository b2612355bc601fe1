//! Credentials in a plaintext file, for users who ask for it by name.
//!
//! Entries are attribute lines with a blank line after each, the newest entry last. Text that is no entry is ignored, and kept
//! byte for byte.

mod paragraphs;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use self::paragraphs::{
    TextChange, first_entry, matching, named_by_each, newest, paragraphs, parse, under_key,
};
use super::{Cause, Error, Expected, Insertion, Listed, Position, Storage, StorageKind};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::files;
use crate::files::owned::{self, Folder};
use crate::protocol;
use crate::secret::Buffer;

const BANNER: &[u8] = b"# Credentials kept by git-credential-pat, IN PLAINTEXT: keep this file out of backups and repositories.\n\n";

/// In bytes: how much longer a new secret may be than the old one.
const ROOM: usize = 8 * 1024;

#[derive(Debug, Clone)]
pub struct PlaintextFile {
    folder: PathBuf,
    name: OsString,
    is_default: bool,
}

impl PlaintextFile {
    /// The default file, in our data folder, which other users cannot read.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            name: "credentials".into(),
            is_default: true,
        }
    }

    /// The file that the user names. `None` if the path has no valid file name.
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

    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Counts the paragraphs that are neither entries nor comments.
    pub fn count_unreadable(&self) -> Result<usize, Error> {
        let contents = self.contents("read")?;
        let bytes = contents.as_ref().map_or(&b""[..], Buffer::as_slice);
        let mut count = 0;
        for range in paragraphs(bytes) {
            let paragraph = &bytes[range];
            let mut lines = paragraph.split(|&byte| byte == b'\n');
            let is_comment = lines.all(|line| line.is_empty() || line[0] == b'#');
            if !is_comment && parse(paragraph).is_none() {
                count += 1;
            }
        }
        Ok(count)
    }

    fn open(&self) -> Result<Option<Folder>, files::Error> {
        if self.is_default {
            Folder::open(&self.folder)
        } else {
            Folder::open_readable(&self.folder)
        }
    }

    /// Makes the default folder. One that the user names must exist.
    fn folder_to_write(&self) -> Result<Option<Folder>, files::Error> {
        if self.is_default {
            return Folder::make(&self.folder).map(Some);
        }
        let folder = self.open()?;
        let missing = || files::Error::missing(&self.folder);
        folder.map(Some).ok_or_else(missing)
    }

    fn contents(&self, operation: &'static str) -> Result<Option<Buffer>, Error> {
        let read = || match self.open()? {
            Some(folder) => folder.read(&self.name),
            None => Ok(None),
        };
        read().map_err(|cause| failed(operation, cause))
    }

    /// Under the lock, passes the file's bytes to `change`, and writes the change that it returns, if any. Without a folder
    /// there is no file, and nothing happens.
    fn rewrite<T: Default>(
        &self,
        folder: Result<Option<Folder>, files::Error>,
        operation: &'static str,
        patience: Patience,
        change: impl FnOnce(&[u8]) -> Result<(Option<TextChange>, T), protocol::Error>,
    ) -> Result<T, Error> {
        let run = || -> Result<T, Cause> {
            let Some(folder) = folder? else {
                return Ok(T::default());
            };
            let lock = match patience {
                Patience::Queue => folder.lock(&self.name)?,
                Patience::Moment => folder.lock_soon(&self.name)?,
            };
            let old = folder.read(&self.name)?;
            let old = old.as_ref().map_or(&b""[..], Buffer::as_slice);
            let (change, result) = change(old)?;
            if let Some(change) = change {
                let pieces = change.pieces(old);
                folder.replace_with_room(change.room, &self.name, &pieces, &lock)?;
            }
            Ok(result)
        };
        run().map_err(|cause| failed(operation, cause))
    }
}

/// How long to wait while other processes hold the lock.
#[derive(Clone, Copy)]
enum Patience {
    /// As long as the queue moves: a credential that is not stored is lost.
    Queue,
    /// Shortly: a credential that is not erased will be rejected again, and git waits.
    Moment,
}

impl Storage for PlaintextFile {
    fn kind(&self) -> StorageKind {
        StorageKind::File
    }

    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        let look = || {
            let folder = self.open()?;
            let file = folder.map(|folder| folder.open_file(&self.name));
            match file.transpose()?.flatten() {
                Some(mut file) => newest(file.length(), wanted, |range| file.read(range)),
                None => Ok(None),
            }
        };
        look().map_err(|cause| failed("look", cause))
    }

    fn put(
        &self,
        credential: &Credential,
        position: Position,
        expected: Expected<'_>,
    ) -> Result<bool, Error> {
        self.rewrite(self.folder_to_write(), "store", Patience::Queue, |old| {
            let (replaced, known) = under_key(old, &credential.key);
            if known.as_ref() == Some(credential) {
                return Ok((None, true));
            }
            if !expected.is_met(known.as_ref()) {
                return Ok((None, false));
            }
            let at = match (position, replaced.last()) {
                (Position::Newest, _) => old.len(),
                (Position::Behind, Some(replaced)) => replaced.end,
                (Position::Behind, None) => first_entry(old),
            };
            let banner = if old.is_empty() { BANNER } else { b"" };
            let change = TextChange::with_entry(replaced, at, banner, credential)?;
            Ok((Some(change), true))
        })
    }

    /// Writes the file once: all are inserted, or none.
    fn insert_all_behind(
        &self,
        all: &[Insertion<'_>],
        stored: &mut dyn FnMut(usize, bool) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if all.is_empty() {
            return Ok(());
        }
        let are_stored = self.rewrite(self.folder_to_write(), "store", Patience::Queue, |old| {
            TextChange::with_insertions(old, BANNER, all)
        })?;
        for (index, is_stored) in are_stored.into_iter().enumerate() {
            stored(index, is_stored)?;
        }
        Ok(())
    }

    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        self.rewrite(self.open(), "store", Patience::Queue, |old| {
            let (replaced, known) = under_key(old, &kept.key);
            let Some(mut found) = known.filter(|found| found.has_same_secrets(kept)) else {
                return Ok((None, false));
            };
            if found.expiry == end {
                return Ok((None, true));
            }
            found.expiry = end;
            let at = replaced.last().map_or(old.len(), |replaced| replaced.end);
            let change = TextChange::with_entry(replaced, at, b"", &found)?;
            Ok((Some(change), true))
        })
    }

    fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
        self.rewrite(self.open(), "store", Patience::Queue, |old| {
            let (_, known) = under_key(old, &kept.key);
            if !known.is_some_and(|known| known.has_same_secrets(kept)) {
                return Ok((None, false));
            }
            let change = TextChange {
                room: ROOM,
                ..TextChange::default()
            };
            Ok((Some(change), true))
        })
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        self.rewrite(self.open(), "erase", Patience::Moment, |old| {
            let named = matching(old, unwanted).filter(|(_, entry)| entry.is_named_by(unwanted));
            let removed: Vec<_> = named.map(|(range, _)| range).collect();
            let count = removed.len();
            let change = TextChange {
                removed,
                ..TextChange::default()
            };
            Ok(((count > 0).then_some(change), count))
        })
    }

    /// Writes the file once.
    fn erase_each(&self, unwanted: &[&Credential]) -> Result<Vec<usize>, Error> {
        let counts = self.rewrite(self.open(), "erase", Patience::Moment, |old| {
            let (removed, counts) = named_by_each(old, unwanted);
            let change = TextChange {
                removed,
                ..TextChange::default()
            };
            Ok(((!change.removed.is_empty()).then_some(change), counts))
        });
        counts.map(|mut counts| {
            counts.resize(unwanted.len(), 0);
            counts
        })
    }

    fn list(&self) -> Result<Vec<Listed>, Error> {
        let all = self.all()?;
        Ok(all.into_iter().map(|(listed, _)| listed).collect())
    }

    /// Reads the file once: it may hold very many entries.
    fn all(&self) -> Result<Vec<(Listed, Credential)>, Error> {
        let contents = self.contents("list")?;
        let bytes = contents.as_ref().map_or(&b""[..], Buffer::as_slice);
        let entries = paragraphs(bytes).filter_map(|range| parse(&bytes[range]));
        Ok(entries
            .map(|credential| (Listed::of(&credential), credential))
            .collect())
    }

    fn check(&self) -> Result<(), Error> {
        if !self.is_default && !self.folder.exists() {
            return Err(failed("store", files::Error::missing(&self.folder)));
        }
        self.contents("read").map(drop)
    }
}

fn failed(operation: &'static str, cause: impl Into<Cause>) -> Error {
    Error::Failed {
        operation,
        kind: StorageKind::File,
        cause: cause.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::collection::{hash_map, vec};
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::platform::FileFacts;
    use crate::platform::permissions::{Lost, command_to_close};
    use crate::platform::testing::{make_link, mode, set_mode};
    use crate::secret::Secret;
    use crate::terminal::escape::shell_word;

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
        assert_eq!((mode(&file.folder), mode(file.path())), (0o700, 0o600));
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.starts_with("# Credentials kept by git-credential-pat, IN PLAINTEXT"));
        assert_eq!(file.count_unreadable().unwrap(), 0);
    }

    #[test]
    fn each_secret_is_erased_under_its_own_key_and_the_rest_stays() {
        let (_home, file) = storage();
        let kept = credential("one.test", "alice", "a");
        let all = [
            credential("one.test", "bob", "b"),
            credential("one.test", "alice", "other"),
            credential("two.test", "bob", "b"),
        ];
        let unwanted: Vec<&Credential> = all.iter().collect();
        assert_eq!(
            file.erase_each(&unwanted).unwrap(),
            [0, 0, 0],
            "without a file"
        );
        for stored in [&all[0], &kept, &all[2]] {
            file.store(stored).unwrap();
        }
        let counts = file.erase_each(&unwanted).unwrap();
        assert_eq!(counts, [1, 0, 1], "another secret stays");
        let left = file.all().unwrap();
        assert!(left.len() == 1 && left[0].1 == kept);
    }

    #[test]
    fn an_identical_store_writes_nothing() {
        let (_home, file) = storage();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        let state = || {
            let identity = FileFacts::of_path(&file.path()).unwrap().identity();
            let written = std::fs::metadata(file.path()).unwrap().modified();
            (identity, written.unwrap())
        };
        let before = state();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        assert_eq!(state(), before);
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
    fn looser_files_are_refused_with_a_remedy() {
        let (_home, file) = storage();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        set_mode(file.path(), 0o644);
        let error = file.get(&described("one.test", "alice")).unwrap_err();
        let [before, after] = command_to_close(Lost::File);
        let path = file.path();
        let word = shell_word(path.as_os_str().as_encoded_bytes());
        assert_eq!(
            error.hint().unwrap(),
            format!("close it with '{before}{word}{after}'")
        );
        set_mode(file.path(), 0o600);
        set_mode(&file.folder, 0o755);
        assert!(
            file.store(&credential("one.test", "alice", "b"))
                .unwrap_err()
                .hint()
                .unwrap()
                .contains(command_to_close(Lost::Folder)[0])
        );
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_link_is_refused() {
        let (home, file) = storage();
        file.store(&credential("one.test", "alice", "a")).unwrap();
        let elsewhere = home.path().join("elsewhere");
        std::fs::rename(file.path(), &elsewhere).unwrap();
        make_link(&elsewhere, file.path());
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
        assert_eq!(kept(), new);
        assert!(file.replace(Some(&new), &old).unwrap() && kept() == old);
        file.erase(&described("one.test", "alice")).unwrap();
        assert!(file.replace(Some(&new), &old).unwrap() && kept() == old);
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
        set_mode(&leftover, 0o600);
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
            assert!(found.as_ref() == Some(kept));
        }
    }

    /// Text of a file: entries of two users at three hosts, one of them twice, and paragraphs that are no entry.
    fn texts() -> impl Strategy<Value = Vec<usize>> {
        vec(0..9_usize, 0..6)
    }

    fn text_of(kinds: &[usize], has_end: bool) -> Vec<u8> {
        let mut text = Vec::new();
        for kind in kinds {
            let (host, user, secret) = (kind % 3, kind / 3 % 2, kind % 2);
            let paragraph = match kind {
                6 => "# a comment\n\n".to_owned(),
                7 => "not an entry\r\n\r\n".to_owned(),
                8 => "\n".to_owned(),
                _ => format!(
                    "protocol=https\nhost={host}.test\nusername=user-{user}\npassword=made-up-{secret}\n\n"
                ),
            };
            text.extend_from_slice(paragraph.as_bytes());
        }
        if !has_end {
            text.extend_from_slice(b"no end");
        }
        text
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn all_at_once_are_inserted_as_one_after_the_other(
            kinds in texts(),
            has_end in any::<bool>(),
            offered in hash_map((0..4_usize, 0..3_usize), (0..3_usize, option::of(0..2_usize)), 0..6),
        ) {
            let secret = |number: usize| format!("made-up-{number}");
            let made = |host: usize, user: usize, number: usize| {
                credential(&format!("{host}.test"), &format!("user-{user}"), &secret(number))
            };
            let mut pairs = Vec::new();
            for ((host, user), (new, known)) in offered {
                pairs.push((made(host, user, new), known.map(|known| made(host, user, known))));
            }
            let insertions: Vec<_> = pairs
                .iter()
                .map(|(credential, known)| (known.as_ref(), credential))
                .collect();
            let [mut one, mut all] = [storage(), storage()];
            for (_, file) in [&mut one, &mut all] {
                Folder::make(&file.folder).unwrap();
                let mut opened = std::fs::File::create(file.path()).unwrap();
                set_mode(file.path(), 0o600);
                opened.write_all(&text_of(&kinds, has_end)).unwrap();
            }
            let mut expected = Vec::new();
            for insertion in &insertions {
                expected.push(one.1.insert_behind(insertion.0, insertion.1).unwrap());
            }
            let mut stored = Vec::new();
            all.1.insert_all_behind(&insertions, &mut |index, is_stored| {
                assert_eq!(index, stored.len());
                stored.push(is_stored);
                Ok(())
            }).unwrap();
            prop_assert_eq!(stored, expected);
            // Where the first entry has several paragraphs, new ones may lie on the other side of a comment.
            let entries = |file: &PlaintextFile| -> Vec<Credential> {
                let text = std::fs::read(file.path()).unwrap();
                let entries = paragraphs::paragraphs(&text).map(|range| paragraphs::parse(&text[range]));
                entries.flatten().collect()
            };
            prop_assert_eq!(entries(&all.1), entries(&one.1));
        }
    }
}
