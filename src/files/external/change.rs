//! Taking something out of a file, and removing one: at the end of a link, and only what was looked at.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::file::{Located, at_end};
use super::lock::GitLock;
use crate::files::Error;
use crate::platform::{DeferredSignals, permissions};

/// In the name of a file that is about to be removed.
const ASIDE: &str = "git-credential-pat-";

/// Takes stretches out of a file, and leaves all the other bytes as they are: `choose` is given the bytes, under the
/// lock, and returns the stretches in order. The file keeps its owner, group and mode, or gets fewer permissions
/// ([`permissions::carry_over`]), and is the old or the new one even after a kill. Returns how many stretches went; none if
/// another program, which takes no lock, wrote the file meanwhile.
pub fn cut(path: &Path, choose: impl FnOnce(&[u8]) -> Vec<Range<usize>>) -> Result<usize, Error> {
    at_end(path, |end| cut_at(end, choose))
}

fn cut_at(end: &Path, choose: impl FnOnce(&[u8]) -> Vec<Range<usize>>) -> Result<usize, Error> {
    let Some((mut lock, mut new)) = GitLock::take(end, false)? else {
        return Ok(0);
    };
    let Some((bytes, old)) = lock.located.read()? else {
        return Ok(0);
    };
    let bytes = bytes.as_slice();
    let stretches = choose(bytes);
    if stretches.is_empty() {
        return Ok(0);
    }
    let written = (|| {
        let mut start = 0;
        for stretch in &stretches {
            new.write_all(&bytes[start..stretch.start])?;
            start = stretch.end;
        }
        new.write_all(&bytes[start..])?;
        permissions::carry_over(&old, &new)?;
        new.sync_all()
    })();
    written.map_err(|cause| lock.located.failed("write", cause))?;
    // Not every file system renames or replaces an open file.
    drop((old, new));
    let is_replaced = lock.take_the_place_of(bytes)?;
    Ok(if is_replaced { stretches.len() } else { 0 })
}

/// Replaces the file that holds `before` by one with `after`, which keeps owner, group and mode as in [`cut`]. `before` `None`:
/// creates the file, which only this user can use. Returns false if the file holds something else by now.
pub fn replace(path: &Path, before: Option<&[u8]>, after: &[u8]) -> Result<bool, Error> {
    at_end(path, |end| replace_at(end, before, after))
}

fn replace_at(end: &Path, before: Option<&[u8]>, after: &[u8]) -> Result<bool, Error> {
    let Some((mut lock, mut new)) = GitLock::take(end, false)? else {
        return Err(Error::missing(end.parent().unwrap_or(end)));
    };
    let old = lock.located.read()?;
    if old.as_ref().map(|(bytes, _)| bytes.as_slice()) != before {
        return Ok(false);
    }
    let written = (|| {
        new.write_all(after)?;
        if let Some((_, old)) = &old {
            permissions::carry_over(old, &new)?;
        }
        new.sync_all()
    })();
    written.map_err(|cause| lock.located.failed("write", cause))?;
    drop((old, new));
    match before {
        Some(before) => lock.take_the_place_of(before),
        None => lock.take_a_free_place(),
    }
}

/// Removes a file, if `is_meant` finds what it should in it. Returns whether it went.
///
/// No program locks these files, so another one may write a newer file at any time. The file is renamed first and compared
/// again under its new name, where no program writes. If it is not the one that is meant, it gets its name back, unless the
/// name is taken by then. A process that is killed between leaves a file with the same extension in the same folder: GCM
/// (which reads `*.credential`) and the next `clean` find it like any other.
pub fn remove(path: &Path, is_meant: impl Fn(&[u8]) -> bool) -> Result<bool, Error> {
    at_end(path, |end| remove_at(end, is_meant))
}

fn remove_at(end: &Path, is_meant: impl Fn(&[u8]) -> bool) -> Result<bool, Error> {
    let Some(file) = Located::find(end)? else {
        return Ok(false);
    };
    let Some((bytes, _)) = file.read()? else {
        return Ok(false);
    };
    if !is_meant(bytes.as_slice()) {
        return Ok(false);
    }
    let failed = |cause| file.failed("remove", cause);
    let aside = aside_of(&file.name).map_err(failed)?;
    let _deferred = DeferredSignals::begin();
    match file.folder.rename(&file.name, &aside) {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(cause) => return Err(failed(cause)),
    }
    // The file is closed: not every file system removes an open one.
    let seen = file
        .read_named(&aside)
        .map(|found| found.map(|(bytes, _)| bytes));
    if let Ok(Some(bytes)) = &seen
        && is_meant(bytes.as_slice())
    {
        file.folder.remove(&aside).map_err(failed)?;
        return Ok(true);
    }
    match file.folder.rename_to_free(&aside, &file.name) {
        Ok(()) => seen.map(|_| false),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(Error::Overtaken {
            aside: end.with_file_name(&aside),
            path: file.path,
        }),
        Err(cause) => Err(failed(cause)),
    }
}

/// A name in the same folder that no other program can guess, with the same extension.
fn aside_of(name: &OsStr) -> io::Result<OsString> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let mut aside = PathBuf::from(format!("{ASIDE}{:016x}", u64::from_ne_bytes(random)));
    if let Some(extension) = Path::new(name).extension() {
        aside.set_extension(extension);
    }
    Ok(aside.into_os_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::external::file::names;
    use crate::platform::testing::{make_link, mode, set_mode};

    #[test]
    fn only_the_stretches_go_and_the_mode_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"one\r\ntwo\0\nthree").unwrap();
        set_mode(&path, 0o640);
        let before = mode(&path);
        assert_eq!(cut(&path, |_| Vec::new()).unwrap(), 0);
        assert_eq!(cut(&path, |_| std::iter::once(0..5).collect()).unwrap(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), b"two\0\nthree");
        assert_eq!(mode(&path), before);
        assert_eq!(names(home.path(), 10).unwrap().len(), 1, "no lock is left");
    }

    #[test]
    fn a_lock_of_gits_is_respected() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"one\n").unwrap();
        let lock = home.path().join("file.lock");
        std::fs::write(&lock, b"").unwrap();
        let refused = cut(&path, |_| panic!("not under the lock"));
        assert!(matches!(refused, Err(Error::Locked { .. })));
        assert!(lock.exists() && std::fs::read(&path).unwrap() == b"one\n");
    }

    #[cfg(unix)]
    #[test]
    fn signals_wait_while_a_lock_is_held() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"one\n").unwrap();
        // A child waits as its parent does.
        let survives = |signal: &str| {
            let mut child = std::process::Command::new("/bin/sh");
            child.args(["-c", &format!("kill -{signal} $$; exit 7")]);
            child.status().unwrap().code() == Some(7)
        };
        cut(&path, |_| {
            for signal in ["INT", "TERM", "HUP"] {
                assert!(survives(signal), "{signal}");
            }
            Vec::new()
        })
        .unwrap();
        // The parent of the tests may ignore the other signals.
        assert!(!survives("TERM"));
    }

    #[test]
    fn a_file_goes_only_if_it_is_the_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"new").unwrap();
        assert!(!remove(&path, |bytes| bytes == b"old").unwrap());
        // Another program writes a newer one just when the old one was looked at.
        let replaced = remove(&path, |bytes| {
            if bytes == b"new" {
                std::fs::write(home.path().join("newer"), b"newer").unwrap();
                std::fs::rename(home.path().join("newer"), &path).unwrap();
            }
            bytes == b"new"
        });
        assert!(!replaced.unwrap());
        let rewritten = remove(&path, |bytes| {
            if bytes == b"newer" {
                std::fs::write(&path, b"newest").unwrap();
            }
            bytes == b"newer"
        });
        assert!(!rewritten.unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"newest");
        assert!(remove(&path, |bytes| bytes == b"newest").unwrap());
        assert!(!remove(&path, |_| true).unwrap());
        assert!(
            names(home.path(), 10).unwrap().is_empty(),
            "nothing is left"
        );
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_file_at_the_end_of_a_link_is_changed_and_the_link_stays() {
        let home = tempfile::tempdir().unwrap();
        let (file, link) = (home.path().join("file"), home.path().join("link"));
        std::fs::write(&file, b"one\ntwo\n").unwrap();
        make_link("file", &link);
        assert_eq!(cut(&link, |_| std::iter::once(0..4).collect()).unwrap(), 1);
        assert_eq!(std::fs::read(&file).unwrap(), b"two\n");
        assert!(link.is_symlink());
        assert!(remove(&link, |bytes| bytes == b"two\n").unwrap());
        assert!(link.is_symlink() && !file.exists());
    }

    #[test]
    #[cfg_attr(windows, ignore = "real Windows: wine replaces no open file")]
    fn what_another_program_writes_without_a_lock_is_not_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        for by_rename in [false, true] {
            std::fs::write(&path, b"old\nrest\n").unwrap();
            let count = cut(&path, |_| {
                if by_rename {
                    std::fs::write(home.path().join("new"), b"new\n").unwrap();
                    std::fs::rename(home.path().join("new"), &path).unwrap();
                } else {
                    std::fs::write(&path, b"new\n").unwrap();
                }
                std::iter::once(0..4).collect()
            });
            assert_eq!(count.unwrap(), 0);
            assert_eq!(std::fs::read(&path).unwrap(), b"new\n", "{by_rename}");
            assert_eq!(names(home.path(), 10).unwrap().len(), 1, "no lock is left");
        }
    }

    /// The second look finds another file than the first, and the name is taken before it is put back.
    #[test]
    fn a_file_that_was_overtaken_twice_is_kept_and_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("alice.credential");
        std::fs::write(&path, b"old").unwrap();
        let error = remove(&path, |bytes| {
            if bytes == b"old" {
                std::fs::write(&path, b"newer").unwrap();
            } else {
                std::fs::write(&path, b"newest").unwrap();
            }
            bytes == b"old"
        })
        .unwrap_err();
        let Error::Overtaken { aside, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(std::fs::read(&path).unwrap(), b"newest");
        assert_eq!(std::fs::read(aside).unwrap(), b"newer");
        assert_eq!(aside.extension(), path.extension(), "its program finds it");
        assert!(error.hint().is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_keeps_its_access_list() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"one\ntwo\n").unwrap();
        set_mode(&path, 0o600);
        // user::rw-, user:65534:r--, group::---, mask::r--, other::---
        let none = u32::MAX;
        let entries = [
            (1_u16, 6_u16, none),
            (2, 4, 65534),
            (4, 0, none),
            (16, 4, none),
            (32, 0, none),
        ];
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, bits, id) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(bits.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        let name = "system.posix_acl_access";
        let flags = rustix::fs::XattrFlags::empty();
        if rustix::fs::setxattr(&path, name, &list, flags).is_err() {
            // This file system has none.
            return;
        }
        assert_eq!(cut(&path, |_| std::iter::once(0..4).collect()).unwrap(), 1);
        let mut found = vec![0; 1024];
        let length = rustix::fs::getxattr(&path, name, &mut found[..]).unwrap();
        assert_eq!(found[..length], list);
    }
}
