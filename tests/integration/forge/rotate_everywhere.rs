//! `rotate` where a token is kept more than once: in several storages, or under several names.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::rotate::killed_at;
use super::work::Work;
use super::{Fate, Manner, Speaks, Token};
use crate::attributes::{Answer, lines};
use crate::process::{Output, run};

const FIRST: &str = "glpat-first.0123456789";

/// As [`Work::ask`], over these storages.
fn ask(work: &Work, storages: &str, words: &str, input: &[u8]) -> Output {
    let words = format!("--storage {storages} {words}");
    run(&mut work.trusting(work.sandbox.helper(&words)), input)
}

/// What `storage` alone keeps for `username`.
fn kept(work: &Work, storage: &str, username: &str) -> Option<String> {
    let host = work.forge.host();
    let question = lines(&[
        ("protocol", "https"),
        ("host", &host),
        ("username", username),
    ]);
    let answer = ask(work, storage, "get", &question).succeeded();
    Answer::read(&answer.stdout)
        .get("password")
        .map(str::to_owned)
}

fn with(storages: &str) -> Work {
    let work = Work::without_lookups(Speaks::GitLab);
    work.forge.issue(Token::new("first", FIRST));
    let input = work.credential("alice", FIRST);
    ask(&work, storages, "store", &input).succeeded();
    work
}

fn rotate(work: &Work, storages: &str) -> Output {
    ask(work, storages, &format!("rotate {}", work.forge.url()), b"")
}

/// The only token that the forge takes.
fn good(work: &Work) -> Option<String> {
    let tokens = work.forge.tokens().into_iter();
    let mut good = tokens.filter(|token| token.fate == Fate::Good);
    let found = good.next();
    assert!(good.next().is_none());
    found.map(|token| token.secret)
}

/// Whoever writes the file finds a thing in its way that is not the program's to remove: root, too.
struct Obstacle(PathBuf);

impl Obstacle {
    fn place(work: &Work) -> Self {
        let name = "data/git-credential-pat/.credentials.git-credential-pat-new";
        let path = work.sandbox.path(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn remove(self) {
        fs::remove_dir(self.0).unwrap();
    }
}

#[test]
fn every_storage_has_the_new_token() {
    for storages in ["file,memory", "memory,file"] {
        let work = with(storages);
        rotate(&work, storages).succeeded();
        let good = good(&work);
        assert_eq!(kept(&work, "file", "alice"), good);
        assert_eq!(kept(&work, "memory", "alice"), good);
        assert_eq!(work.pending(), 0);
    }
}

/// The first to be asked would go on answering with the dead token.
#[test]
fn one_storage_that_cannot_be_written_stops_it_before() {
    for storages in ["file,memory", "memory,file"] {
        let work = with(storages);
        let obstacle = Obstacle::place(&work);
        let output = rotate(&work, storages);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        for said in ["nothing has changed", "the file storage"] {
            assert!(output.stderr.contains(said), "{output:?}");
        }
        assert!(!output.stderr.contains("being replaced"), "{output:?}");
        assert_eq!((work.rotations(), work.pending()), (0, 0));
        assert_eq!(good(&work).as_deref(), Some(FIRST));
        obstacle.remove();
        rotate(&work, storages).succeeded();
        assert_eq!(kept(&work, "file", "alice"), good(&work));
    }
}

/// A rotation that only memory has taken: the file could be written a moment ago, and cannot be any more.
fn half_done(work: &Work, storages: &str) -> (Output, Obstacle) {
    work.forge.answer(Manner::Late(Duration::from_millis(700)));
    let done = thread::scope(|scope| {
        let rotation = scope.spawn(|| rotate(work, storages));
        work.forge.wait_until_asked(2);
        let obstacle = Obstacle::place(work);
        (rotation.join().unwrap(), obstacle)
    });
    work.forge.answer(Manner::Honest);
    done
}

#[test]
fn a_storage_that_fails_after_all_is_named() {
    // The one that is asked first has the dead token, or the new one.
    for storages in ["file,memory", "memory,file"] {
        let work = with(storages);
        let (output, obstacle) = half_done(&work, storages);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        for said in [
            "cannot store in the file storage",
            "the file storage still has the old token",
            "when it can be written, 'git credential-pat rotate https://alice@",
            "only memory has the new token",
        ] {
            assert!(output.stderr.contains(said), "{said}: {output:?}");
        }
        assert!(!output.stderr.contains(FIRST), "{output:?}");
        let good = good(&work);
        assert_eq!(kept(&work, "memory", "alice"), good);
        assert_eq!(kept(&work, "file", "alice").as_deref(), Some(FIRST));
        // The rotation stays pending until the new token is kept for good: the next run does not use the dead token.
        let next = rotate(&work, storages);
        assert_eq!(next.status.code(), Some(1), "{next:?}");
        assert_eq!((work.rotations(), work.pending()), (1, 1), "never repeated");
        obstacle.remove();
        let last = rotate(&work, storages).succeeded();
        let said = "an earlier rotation was cut off: it is finished now";
        assert!(last.text().contains(said), "{last:?}");
        assert_eq!(kept(&work, "file", "alice"), good);
        assert_eq!(kept(&work, "memory", "alice"), good);
        assert_eq!((work.rotations(), work.pending()), (1, 0), "never repeated");
    }
}

/// The new token is kept: a forge that stumbles once does not make it lost.
#[test]
fn a_successor_that_the_forge_cannot_tell_of_is_not_lost() {
    for storages in ["file,memory", "memory,file"] {
        let work = with(storages);
        half_done(&work, storages).1.remove();
        let good = good(&work);
        work.forge
            .change("first+", |token| token.fate = Fate::OtherKind);
        let next = rotate(&work, storages);
        assert_eq!(next.status.code(), Some(1), "{next:?}");
        for said in [
            "the forge cannot tell now",
            "later, run 'git credential-pat rotate",
        ] {
            assert!(next.stderr.contains(said), "{said}: {next:?}");
        }
        assert!(!next.stderr.contains("lost"), "{next:?}");
        work.forge.change("first+", |token| token.fate = Fate::Good);
        rotate(&work, storages).succeeded();
        assert_eq!(kept(&work, "file", "alice"), good);
        assert_eq!((work.rotations(), work.pending()), (1, 0), "never repeated");
    }
}

/// Without the journal's record the order of the two tokens is unknown.
#[test]
fn without_its_record_an_invalid_token_needs_a_new_one() {
    let storages = "file,memory";
    let work = with(storages);
    half_done(&work, storages).1.remove();
    assert_eq!(work.pending(), 1);
    work.forget_rotations();
    let next = rotate(&work, storages);
    assert_eq!(next.status.code(), Some(1), "{next:?}");
    for said in [
        "the stored token is invalid: it was not rotated",
        "create a new one with 'git credential-pat login https://alice@",
    ] {
        assert!(next.stderr.contains(said), "{said}: {next:?}");
    }
    assert_eq!(work.rotations(), 1, "never repeated");
    assert_eq!(kept(&work, "memory", "alice"), good(&work));
}

/// Killed between the storages: what one of them has goes to the others with the next run.
#[test]
fn what_was_cut_off_between_two_storages_is_finished() {
    for storages in ["memory,file", "file,memory"] {
        let mut finished = 0;
        for number in 1.. {
            let work = with(storages);
            let words = format!("--storage {storages} rotate {}", work.forge.url());
            let program = work.trusting(work.sandbox.helper(&words));
            let output = killed_at(&work, &program, "sendto", number);
            if output.status.code().is_some() {
                assert!(output.status.success(), "{output:?}");
                break;
            }
            if work.rotations() == 0 {
                continue;
            }
            let (of_file, of_memory) =
                (kept(&work, "file", "alice"), kept(&work, "memory", "alice"));
            if of_file == of_memory {
                continue;
            }
            let next = rotate(&work, storages).succeeded();
            assert!(next.text().contains("an earlier rotation"), "{next:?}");
            assert_eq!(work.rotations(), 1, "never repeated");
            finished += 1;
            assert_eq!(kept(&work, "memory", "alice"), good(&work));
            assert_eq!(kept(&work, "file", "alice"), good(&work));
        }
        assert!(finished > 0, "{storages}");
    }
}

/// The same between two entries of one file: no other token of the host is taken for the new one.
#[test]
fn what_was_cut_off_between_two_names_is_finished() {
    let mut finished = 0;
    for number in 1.. {
        let work = with("file");
        for (user, secret) in [("bob", FIRST), ("carol", "glpat-carol")] {
            ask(&work, "file", "store", &work.credential(user, secret)).succeeded();
        }
        work.forge.issue(Token::new("carol", "glpat-carol"));
        let alices = format!("https://alice@{}", work.forge.host());
        let program = work.trusting(
            work.sandbox
                .helper(&format!("--storage file rotate {alices}")),
        );
        let output = killed_at(&work, &program, "renameat", number);
        if output.status.code().is_some() {
            break;
        }
        let new = kept(&work, "file", "alice");
        if new.as_deref() == Some(FIRST) || new == kept(&work, "file", "bob") {
            continue;
        }
        let bobs = format!("rotate https://bob@{}", work.forge.host());
        ask(&work, "file", &bobs, b"").succeeded();
        assert_eq!(work.rotations(), 1, "never repeated");
        finished += 1;
        assert_eq!(kept(&work, "file", "bob"), new);
    }
    assert!(finished > 0);
}

/// The token is lost only if no storage at all takes it.
#[test]
fn rather_another_storage_than_none() {
    let work = with("file");
    work.forge.answer(Manner::Late(Duration::from_millis(700)));
    let output = thread::scope(|scope| {
        let rotation = scope.spawn(|| rotate(&work, "file,memory"));
        work.forge.wait_until_asked(2);
        let obstacle = Obstacle::place(&work);
        let output = rotation.join().unwrap();
        obstacle.remove();
        output
    });
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        output.stderr.contains("only memory has the new token"),
        "{output:?}"
    );
    assert_eq!(kept(&work, "memory", "alice"), good(&work));
    assert_eq!(work.pending(), 1);
    rotate(&work, "file,memory").succeeded();
    assert_eq!(kept(&work, "file", "alice"), good(&work));
    assert_eq!((work.rotations(), work.pending()), (1, 0));
}

#[test]
fn a_locked_keyring_is_named_before() {
    let mut work = Work::without_lookups(Speaks::GitLab);
    work.sandbox.start_keyring();
    work.forge.issue(Token::new("first", FIRST));
    let storages = "file,keychain";
    let input = work.credential("alice", FIRST);
    ask(&work, storages, "store", &input).succeeded();
    work.sandbox.lock_keyring();
    let output = rotate(&work, storages);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for said in [
        "cannot reach the keychain storage",
        "a storage could not be asked, and may still have the old token",
        "when it can be reached, 'git credential-pat rotate https://alice@",
    ] {
        assert!(output.stderr.contains(said), "{said}: {output:?}");
    }
    assert_eq!(kept(&work, "file", "alice"), good(&work));
}

#[test]
fn a_keyring_has_the_new_token() {
    let mut work = Work::without_lookups(Speaks::GitLab);
    work.sandbox.start_keyring();
    work.forge.issue(Token::new("first", FIRST));
    let storages = "file,keychain";
    let input = work.credential("alice", FIRST);
    ask(&work, storages, "store", &input).succeeded();
    rotate(&work, storages).succeeded();
    assert_eq!(kept(&work, "file", "alice"), good(&work));
    assert_eq!(kept(&work, "keychain", "alice"), good(&work));
}

/// The forge knows the token and not the names it is kept under: to use it twice revokes its family.
#[test]
fn one_token_under_two_names_is_rotated_once() {
    let work = with("file");
    let input = work.credential("bob", FIRST);
    ask(&work, "file", "store", &input).succeeded();
    work.forge.issue(Token::new("other", "glpat-other"));
    let input = work.credential("carol", "glpat-other");
    ask(&work, "file", "store", &input).succeeded();
    work.forge
        .change("other", |token| token.fate = Fate::OtherKind);
    work.forge.answer(Manner::Late(Duration::from_millis(300)));
    let host = work.forge.host();
    let outputs: Vec<Output> = thread::scope(|scope| {
        let both = ["alice", "bob"].map(|user| format!("rotate https://{user}@{host}"));
        let both = both.map(|words| scope.spawn(|| ask(&work, "file", &{ words }, b"")));
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = outputs.iter().partition(|one| one.status.success());
    assert_eq!((won.len(), lost.len()), (1, 1), "{outputs:?}");
    let said = "another process has replaced this token";
    assert!(lost[0].stderr.contains(said), "{outputs:?}");
    let said = "it is also in the old one's place in ";
    assert!(won[0].text().contains(said), "{outputs:?}");
    assert_eq!(work.rotations(), 1);
    let good = good(&work);
    assert!(good.is_some(), "the family lives");
    assert_eq!(kept(&work, "file", "alice"), good);
    assert_eq!(kept(&work, "file", "bob"), good);
    let other = kept(&work, "file", "carol");
    assert_eq!(other.as_deref(), Some("glpat-other"), "another token stays");
    assert_eq!(work.pending(), 0);
    assert!(!work.guard().exists());
}
