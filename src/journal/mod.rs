//! What we know of a token and no storage keeps: who issued it, what it may do, who told its end, when its forge was asked
//! and with what outcome, when it was last spoken of, and marks of invalid tokens. No secret is in it.

mod about;
pub mod known;
mod learnt;
pub mod mark;
mod notified;
pub mod pending;
mod places;
pub mod snapshot;
mod text;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::about::{About, Owner, RotationRecord};
use self::known::{Known, is_within};
use self::mark::Mark;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::files;
use crate::files::owned::Folder;
use crate::protocol;
use crate::terminal::with_causes;
use crate::trace::{self, counted};

const NAME: &str = "journal";
/// The subject of these steps in the trace.
const JOURNAL: &str = "journal";
/// `get` may have to wait for another process's journal, but not for long.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long for a word without which a token may be lost later.
const LONG_PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait while other processes take the lock one after the other.
const CROWD: Duration = Duration::from_secs(3);
/// An entry without news for so long is dropped: longer than tokens live at most forges.
const KEPT: u64 = 400 * 86_400;
const MOST: usize = 2000;
/// So many lasting marks are kept, the newest ones.
const MOST_MARKED: usize = 500;

/// A file in the state folder.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
}

/// What may be spoken of.
#[derive(Debug, Clone, Copy)]
pub enum Topic<'a> {
    /// The expiry of this entry's secret, in the future.
    ExpiresSoon(&'a Credential),
    /// The expiry of this entry's secret, in the past. The warning before the expiry is another kind.
    Expired(&'a Credential),
    /// That the keychain could not be reached, and memory was used.
    Fallback,
}

/// Why the journal was not kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or file.
    #[error(transparent)]
    File(#[from] files::Error),
    /// It cannot be written down.
    #[error(transparent)]
    Line(#[from] protocol::Error),
    /// The system gave no random bytes.
    #[error("cannot make a key for the journal")]
    Random,
    /// Another process keeps it.
    #[error("the journal is in use")]
    Busy,
    /// Reported only by the rotation of tokens: everything else begins a damaged journal anew.
    #[error("the journal {} is damaged", .0.display())]
    Damaged(PathBuf),
}

/// One paragraph of knowledge, under what it is about.
#[derive(Default)]
struct Entry {
    /// `None`: not about a token.
    about: Option<About>,
    /// When it was last spoken of, in Unix seconds.
    said: Option<u64>,
    /// When a desktop notification was last shown, in Unix seconds.
    notified: Option<u64>,
    /// What is known against the token, and since when in Unix seconds.
    mark: Option<(Mark, u64)>,
    known: Known,
}

impl Entry {
    /// When anything of it was written.
    fn moment(&self) -> u64 {
        let marked = self.mark.map(|(_, at)| at);
        let Known {
            since,
            accepted,
            used,
            asked,
            ..
        } = self.known;
        let moments = [
            self.said,
            self.notified,
            since,
            accepted,
            used,
            asked,
            marked,
        ];
        moments.into_iter().max().flatten().unwrap_or(0)
    }

    /// Whether it has a mark that counts for as long as the entry is kept.
    fn has_lasting_mark(&self) -> bool {
        self.mark.is_some_and(|(mark, _)| mark != Mark::Displaced)
    }
}

/// All of it.
#[derive(Default)]
struct Contents {
    key: [u8; 32],
    entries: Vec<Entry>,
    rotations: Vec<RotationRecord>,
}

impl Journal {
    /// In `folder`, which need not exist.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
        }
    }

    /// Whether no message was about `topic` within `every` before `unix_now`. If so, notes that one is shown now.
    pub fn is_news(&self, topic: Topic<'_>, every: Duration, unix_now: u64) -> Result<bool, Error> {
        if every.is_zero() {
            return Ok(true);
        }
        let is_recent = |contents: &Contents| {
            let about = contents.about(topic);
            let entry = contents.entries.iter().find(|entry| entry.about == about);
            let said = entry.and_then(|entry| entry.said);
            let said = match topic {
                Topic::Expired(credential) => said.filter(|&said| credential.is_expired(said)),
                Topic::ExpiresSoon(_) | Topic::Fallback => said,
            };
            is_within(said, every, unix_now)
        };
        // Without the lock first: on most days this is all.
        if self.contents()?.is_some_and(|known| is_recent(&known)) {
            return Ok(false);
        }
        self.change(unix_now, |contents| {
            if is_recent(contents) {
                return false;
            }
            contents.entry(contents.about(topic)).said = Some(unix_now);
            true
        })
    }

    /// Returns the journal as it is now; `None` if there is none.
    fn contents(&self) -> Result<Option<Contents>, Error> {
        self.contents_by(Contents::read)
    }

    /// The same with this reader.
    fn contents_by(
        &self,
        read: fn(&Folder) -> Result<Option<Contents>, Error>,
    ) -> Result<Option<Contents>, Error> {
        let read = || match Folder::open(&self.folder)? {
            Some(folder) => read(&folder),
            None => Ok(None),
        };
        trace::timed(JOURNAL, read, |read| match read {
            Ok(None) => "there is none".to_owned(),
            Ok(Some(contents)) => format!(
                "read, {}",
                counted(contents.entries.len(), "entry", "entries")
            ),
            Err(error) => format!("cannot be read: {}", with_causes(error)),
        })
    }

    /// Under the lock; written if `change` says so, which is returned.
    fn change(
        &self,
        unix_now: u64,
        change: impl FnOnce(&mut Contents) -> bool,
    ) -> Result<bool, Error> {
        self.change_within(PATIENCE, unix_now, change)
    }

    /// The same, and waits `patience` for another process that keeps the journal.
    fn change_within(
        &self,
        patience: Duration,
        unix_now: u64,
        change: impl FnOnce(&mut Contents) -> bool,
    ) -> Result<bool, Error> {
        let written = || {
            let folder = Folder::make(&self.folder)?;
            let lock = folder
                .lock_in_turn("journal.lock", patience, CROWD)?
                .ok_or(Error::Busy)?;
            let mut contents = Contents::read(&folder)?.map_or_else(Contents::new, Ok)?;
            if !change(&mut contents) {
                return Ok(false);
            }
            contents.forget(unix_now);
            folder.replace(NAME, &[contents.write()?.as_slice()], &lock)?;
            Ok(true)
        };
        trace::timed(JOURNAL, written, |written| match written {
            Ok(true) => "written".to_owned(),
            Ok(false) => "needs no change".to_owned(),
            Err(error) => format!("cannot be written: {}", with_causes(error)),
        })
    }
}

impl Contents {
    fn new() -> Result<Self, Error> {
        let mut contents = Self::default();
        getrandom::fill(&mut contents.key).map_err(|_| Error::Random)?;
        Ok(contents)
    }

    /// The entry about this, now the last: what is oldest goes first when there is too much.
    fn entry(&mut self, about: Option<About>) -> &mut Entry {
        let known = self.entries.iter().position(|entry| entry.about == about);
        let mut entry = known.map_or_else(Entry::default, |at| self.entries.remove(at));
        entry.about = about;
        self.entries.push(entry);
        let last = self.entries.len() - 1;
        &mut self.entries[last]
    }

    /// Drops entries that are too old, or too many. Marks and other entries do not drive each other out.
    fn forget(&mut self, unix_now: u64) {
        let mut room = [MOST, MOST_MARKED];
        self.entries.reverse();
        self.entries.retain(|entry| {
            let room = &mut room[usize::from(entry.has_lasting_mark())];
            let stays = *room > 0 && unix_now.saturating_sub(entry.moment()) < KEPT;
            *room -= usize::from(stays);
            stays
        });
        self.entries.reverse();
    }

    fn about(&self, topic: Topic<'_>) -> Option<About> {
        match topic {
            Topic::Fallback => None,
            Topic::ExpiresSoon(credential) | Topic::Expired(credential) => {
                Some(self.about_secret(credential))
            }
        }
    }

    fn about_secret(&self, credential: &Credential) -> About {
        About::of(&self.key, credential)
    }

    fn owner(&self, key: &Key) -> Owner {
        Owner::of(&self.key, key)
    }

    /// A journal that cannot be read is begun anew: nothing in it is worth a failure.
    fn read(folder: &Folder) -> Result<Option<Self>, Error> {
        match folder.read(NAME) {
            Ok(bytes) => Ok(bytes.and_then(|bytes| Self::parse(bytes.as_slice()))),
            // Not one that we wrote: begun anew, like any that cannot be read.
            Err(files::Error::System { cause, .. })
                if cause.kind() == io::ErrorKind::FileTooLarge =>
            {
                Ok(None)
            }
            Err(cause) => Err(cause.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::known::LookupOutcome;
    use super::*;
    use crate::credential::expiry::{Expiry, ExpirySource};
    use crate::credential::query::Query;
    use crate::credential::token::TokenKind;
    use crate::forge;
    use crate::secret::Secret;

    pub(super) const DAY: Duration = Duration::from_secs(86_400);

    pub(super) fn token(username: &str, password: &str) -> Credential {
        let described = Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"example.test".to_vec()),
            username: Some(username.into()),
            password: Some(Secret::new(password.as_bytes())),
            ..Query::default()
        };
        Credential::complete(described).unwrap()
    }

    pub(super) fn journal() -> (tempfile::TempDir, Journal) {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::in_folder(&home.path().join("state"));
        (home, journal)
    }

    #[test]
    fn once_a_day_per_token() {
        let (_home, journal) = journal();
        let news = |credential, unix_now| {
            journal
                .is_news(Topic::ExpiresSoon(credential), DAY, unix_now)
                .unwrap()
        };
        let (alice, renewed, bob) = (
            token("alice", "one"),
            token("alice", "two"),
            token("bob", "one"),
        );
        assert!(news(&alice, 1_000_000));
        assert!(!news(&alice, 1_000_000 + 86_399));
        assert!(news(&renewed, 1_000_001), "another secret of the same user");
        assert!(news(&bob, 1_000_002), "the same secret of another user");
        assert!(news(&alice, 1_000_000 + 86_400));
        assert!(news(&alice, 500_000), "after the clock was set back");
        assert!(!news(&alice, 500_001));
    }

    #[test]
    fn an_end_that_has_come_is_told_once_after_the_warning_before_it() {
        let (_home, journal) = journal();
        let token = Credential {
            expiry: Expiry::from_unix(1_000_500),
            ..token("alice", "one")
        };
        let news = |topic, unix_now| journal.is_news(topic, DAY, unix_now).unwrap();
        assert!(news(Topic::ExpiresSoon(&token), 1_000_000));
        assert!(news(Topic::Expired(&token), 1_000_600));
        assert!(!news(Topic::Expired(&token), 1_000_601));
        assert!(!news(Topic::Expired(&token), 1_000_600 + 86_399));
        assert!(news(Topic::Expired(&token), 1_000_600 + 86_400));
    }

    #[test]
    fn fallback_is_a_topic_of_its_own() {
        let (_home, journal) = journal();
        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&token("alice", "one")), DAY, 1000)
                .unwrap()
        );
        assert!(journal.is_news(Topic::Fallback, DAY, 1000).unwrap());
        assert!(!journal.is_news(Topic::Fallback, DAY, 1001).unwrap());
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&token("alice", "one")), DAY, 1001)
                .unwrap()
        );
    }

    #[test]
    fn holds_no_secret_and_nothing_that_repeats_elsewhere() {
        let (_home, one) = journal();
        let (_other_home, two) = journal();
        let said = |journal: &Journal| {
            journal
                .is_news(
                    Topic::ExpiresSoon(&token("alice", "made-up-token")),
                    DAY,
                    1000,
                )
                .unwrap();
            std::fs::read_to_string(journal.folder.join(NAME)).unwrap()
        };
        let (one, two) = (said(&one), said(&two));
        assert!(!one.contains("made-up-token"));
        let fingerprint = |text: &str| {
            text.lines()
                .find(|line| line.starts_with("token="))
                .unwrap()
                .to_owned()
        };
        assert_ne!(fingerprint(&one), fingerprint(&two));
    }

    #[test]
    fn a_name_is_kept_as_a_fingerprint() {
        let (_home, journal) = journal();
        let path = journal.folder.join(NAME);
        let alice = token("ghp_made-up", "x-oauth-basic");
        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1000)
                .unwrap()
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("made-up"), "{text}");
        assert!(!text.contains("username="), "{text}");
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1001)
                .unwrap()
        );
        let bob = token("ghp_made-up2", "x-oauth-basic");
        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&bob), DAY, 1002)
                .unwrap()
        );
    }

    #[test]
    fn a_name_in_an_older_journal_is_gone_with_the_next_write() {
        let (_home, journal) = journal();
        let path = journal.folder.join(NAME);
        let alice = token("ghp_made-up", "x-oauth-basic");
        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1000)
                .unwrap()
        );
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, user) = text.split_once("user=").unwrap();
        let (_, after) = user.split_once('\n').unwrap();
        let older = format!("{before}username=ghp_made-up\n{after}");
        std::fs::write(&path, older).unwrap();
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1001)
                .unwrap()
        );
        assert!(journal.is_news(Topic::Fallback, DAY, 1002).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("made-up"), "{text}");
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1003)
                .unwrap()
        );
    }

    #[test]
    fn a_broken_journal_is_begun_anew() {
        let (_home, journal) = journal();
        assert!(journal.is_news(Topic::Fallback, DAY, 1000).unwrap());
        for broken in ["", "nonsense", "key=00\n\nsaid=1\n", "key=\n", "too long"] {
            std::fs::write(journal.folder.join(NAME), broken).unwrap();
            if broken == "too long" {
                let file = std::fs::File::options()
                    .write(true)
                    .open(journal.folder.join(NAME));
                file.unwrap().set_len(1024 * 1024 * 1024).unwrap();
            }
            assert!(
                journal.is_news(Topic::Fallback, DAY, 1000).unwrap(),
                "{broken}"
            );
            assert!(
                !journal.is_news(Topic::Fallback, DAY, 1000).unwrap(),
                "{broken}"
            );
        }
    }

    #[test]
    fn knowledge_is_kept_by_secret() {
        let (_home, journal) = journal();
        let (old, new) = (token("alice", "one"), token("alice", "two"));
        let learnt = Known {
            forge: Some(forge::ForgeKind::GitHub),
            token: Some(TokenKind::Classic),
            scopes: Some(vec!["repo".to_owned(), "read:org".to_owned()]),
            end: Expiry::from_unix(5000).map(|end| (end, ExpirySource::Forge)),
            is_endless: false,
            since: Some(900),
            accepted: Some(999),
            used: Some(999),
            asked: Some(1000),
            outcome: Some(LookupOutcome::Good),
        };
        assert_eq!(journal.known(&old).unwrap(), None);
        journal
            .learn(&old, 1000, |known| *known = learnt.clone())
            .unwrap();
        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&old), DAY, 1001)
                .unwrap()
        );
        assert_eq!(journal.known(&old).unwrap().as_ref(), Some(&learnt));
        assert_eq!(journal.known(&new).unwrap(), None);
        journal
            .learn(&new, 1002, |known| known.since = Some(1002))
            .unwrap();
        let knowledge = journal.snapshot().unwrap();
        let (latest, _) = knowledge.stored(&old.key, None).unwrap();
        assert_eq!(latest.since, Some(1002), "the later one");
        assert!(knowledge.knows_user_of(&old.key));
        let other = token("bob", "one");
        assert!(
            !knowledge.knows_user_of(&other.key) && knowledge.stored(&other.key, None).is_none()
        );
        assert_eq!(
            learnt.source_of(Expiry::from_unix(5000).unwrap()),
            ExpirySource::Forge
        );
        assert_eq!(
            learnt.source_of(Expiry::from_unix(5001).unwrap()),
            ExpirySource::Unknown
        );
        let path = journal.folder.join(NAME);
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        journal.learn(&old, 1003, |_| {}).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().modified().unwrap(),
            before
        );
    }

    #[test]
    fn one_claims_and_the_rest_wait_for_tomorrow() {
        let (_home, journal) = journal();
        let alice = token("alice", "one");
        assert!(journal.claim(&alice, DAY, 1000).unwrap());
        assert!(!journal.claim(&alice, DAY, 1001).unwrap());
        let known = journal.known(&alice).unwrap();
        let known = known.unwrap();
        assert!(known.was_asked(DAY, 1001));
        assert_eq!(known.outcome, Some(LookupOutcome::Pending));
        assert!(journal.claim(&alice, DAY, 1000 + 86_400).unwrap());
        assert!(journal.claim(&token("alice", "two"), DAY, 1001).unwrap());
    }

    #[test]
    fn reads_older_and_newer_journals() {
        let (_home, journal) = journal();
        let alice = token("alice", "one");
        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1000)
                .unwrap()
        );
        let path = journal.folder.join(NAME);
        let older = std::fs::read_to_string(&path).unwrap();
        assert!(older.ends_with("said=1000\n\n"), "{older}");
        let newer = format!(
            "{}forge=sourcehut\nkind=\nscopes=a b\nend=x y\nsince=-1\nasked=soon\noutcome=fine\nmood=good\n\n",
            older.trim_end_matches('\n').to_owned() + "\n"
        );
        std::fs::write(&path, newer).unwrap();
        assert_eq!(journal.known(&alice).unwrap(), Some(Known::default()));
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1001)
                .unwrap()
        );
    }

    #[test]
    fn every_time_needs_no_file() {
        let (_home, journal) = journal();
        assert!(
            journal
                .is_news(Topic::Fallback, Duration::ZERO, 1000)
                .unwrap()
        );
        assert!(!journal.folder.exists());
    }
}
