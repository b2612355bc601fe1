//! What we changed in other programs' files, so that it can be taken back byte for byte.
//!
//! A trace holds only the bytes that came and went, never the rest of the file: a git configuration may hold secrets.

mod step;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use self::step::{Step, Undone, steps, without};
use crate::private::{self, Folder};

const NAME: &str = "setup";
/// A configuration larger than this is not read.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Why a trace was not kept or followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Our own folder.
    #[error(transparent)]
    Folder(#[from] private::Error),
    /// The other program's file.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Folder(error) => error.hint(),
            Self::File { .. } => None,
        }
    }
}

/// A file as it was before it is changed.
#[derive(Debug)]
pub struct Before {
    path: PathBuf,
    /// `None`: it was not there.
    bytes: Option<Vec<u8>>,
}

/// Which changes are meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chosen<'a> {
    /// Those that were noted under this label; `None`: under any.
    pub label: Option<&'a [u8]>,
    /// Those of these files; `None`: of any.
    pub files: Option<&'a [PathBuf]>,
}

/// One change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace {
    path: PathBuf,
    step: Step,
}

impl Before {
    /// Looks at `path` now.
    pub fn look(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_path_buf(),
            bytes: read(path)?,
        })
    }
}

/// Notes in `folder`, under `label`, what has become of the files.
pub fn note(folder: &Path, label: &[u8], befores: Vec<Before>) -> Result<(), Error> {
    let mut traces = Vec::new();
    for Before { path, bytes } in befores {
        let after = read(&path)?;
        if after != bytes {
            let steps = steps(label, bytes.as_deref(), &after.unwrap_or_default());
            traces.extend(steps.into_iter().map(|step| Trace {
                path: path.clone(),
                step,
            }));
        }
    }
    if traces.is_empty() {
        return Ok(());
    }
    let folder = Folder::make(folder)?;
    let lock = folder.lock(NAME)?;
    let mut all = kept(&folder)?;
    all.extend(traces);
    Ok(folder.replace(NAME, &[written(&all).as_bytes()], &lock)?)
}

/// Takes back what is noted in `folder`, is chosen, and still stands there. Returns the files that were changed; what is
/// noted of others is forgotten too, for it no longer tells anything.
pub fn take_back(folder: &Path, chosen: Chosen<'_>) -> Result<Vec<PathBuf>, Error> {
    let Some(folder) = Folder::open(folder)? else {
        return Ok(Vec::new());
    };
    let lock = folder.lock(NAME)?;
    let mut all = kept(&folder)?;
    let mut done = Vec::new();
    for path in chosen.paths(&all) {
        let ours = |trace: &Trace| trace.path == path;
        let (of_file, others) = all.into_iter().partition(ours);
        let of_file: Vec<Trace> = of_file;
        all = others;
        let of_file: Vec<Step> = of_file.into_iter().map(|trace| trace.step).collect();
        let (is_changed, steps) = undo(&path, &of_file, chosen)?;
        all.extend(steps.into_iter().map(|step| Trace {
            path: path.clone(),
            step,
        }));
        // Before the next file is touched: a step that was taken out is never looked for again.
        folder.replace(NAME, &[written(&all).as_bytes()], &lock)?;
        if is_changed {
            done.push(path);
        }
    }
    Ok(done)
}

/// The files in which [`take_back`] would look for something.
pub fn noted(folder: &Path, chosen: Chosen<'_>) -> Result<Vec<PathBuf>, Error> {
    let folder = Folder::open(folder)?;
    let all = folder.map(|folder| kept(&folder)).transpose()?;
    Ok(chosen.paths(&all.unwrap_or_default()))
}

impl Chosen<'_> {
    fn has(self, step: &Step) -> bool {
        self.label.is_none_or(|label| step.label == label)
    }

    fn paths(self, all: &[Trace]) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for Trace { path, step } in all {
            let is_meant = self.files.is_none_or(|files| files.contains(path)) && self.has(step);
            if is_meant && !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        paths
    }
}

/// Returns whether the file was changed, and what stays noted of it.
fn undo(path: &Path, steps: &[Step], chosen: Chosen<'_>) -> Result<(bool, Vec<Step>), Error> {
    let failed = |action| {
        let path = path.to_path_buf();
        move |cause| Error::File {
            action,
            path,
            cause,
        }
    };
    if read(path)?.is_none() {
        return Ok((false, Vec::new()));
    }
    // Where a link leads, as git itself writes it, and under git's own lock (lockfile.h of git).
    let target = fs::canonicalize(path).map_err(failed("find"))?;
    let lock = Lock::take(&target).map_err(failed("lock"))?;
    let now = read(path)?;
    let Undone { bytes, kept } = without(now.clone(), steps, |step| chosen.has(step));
    if now == bytes {
        return Ok((false, kept));
    }
    match bytes {
        None => fs::remove_file(&target).map_err(failed("remove"))?,
        Some(bytes) => lock.replace(&target, &bytes).map_err(failed("write"))?,
    }
    Ok((true, kept))
}

/// `NAME.lock` beside a file, which git makes to change it, and the file's new bytes in one. Taken away when dropped.
struct Lock {
    path: PathBuf,
    file: fs::File,
    is_used: bool,
}

impl Lock {
    fn take(target: &Path) -> io::Result<Self> {
        let mut name = target.file_name().map(OsString::from).unwrap_or_default();
        name.push(".lock");
        let path = target.with_file_name(name);
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self {
            path,
            file,
            is_used: false,
        })
    }

    /// In one move, with the mode and owner that the file had.
    fn replace(mut self, target: &Path, bytes: &[u8]) -> io::Result<()> {
        let found = fs::metadata(target)?;
        self.file.write_all(bytes)?;
        // Only root gives files away; its own are its own already.
        let _ = fchown(&self.file, Some(found.uid()), Some(found.gid()));
        self.file.set_permissions(found.permissions())?;
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.is_used = true;
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // By now it may be another's.
        if !self.is_used {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What is in another program's file; `None`: there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let failed = |cause| Error::File {
        action: "read",
        path: path.to_path_buf(),
        cause,
    };
    match fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() <= LARGEST => {
            Ok(Some(fs::read(path).map_err(failed)?))
        }
        Ok(_) => Err(failed(io::Error::other("not a file, or far too large"))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(cause)),
    }
}

/// One line per trace, its parts in hexadecimal digits where they are foreign bytes.
fn written(traces: &[Trace]) -> String {
    let line = |Trace { path, step }: &Trace| {
        let Step {
            label,
            existed,
            at,
            removed,
            inserted,
            heading,
            digest,
        } = step;
        let path = path.as_os_str().as_bytes();
        let [label, path, removed, inserted] = [label, path, removed, inserted].map(hex);
        format!("{label} {path} {existed} {at} -{removed} +{inserted} {heading} {digest}\n")
    };
    traces.iter().map(line).collect()
}

/// What does not read is passed over: then `--undo` works by git's configuration alone.
fn kept(folder: &Folder) -> Result<Vec<Trace>, Error> {
    let bytes = folder.read(NAME)?;
    let text = bytes.as_ref().map_or(&b""[..], |bytes| bytes.as_slice());
    Ok(String::from_utf8_lossy(text)
        .lines()
        .filter_map(parse)
        .collect())
}

fn parse(line: &str) -> Option<Trace> {
    let mut parts = line.split(' ');
    let mut next = || parts.next();
    let label = unhex(next()?)?;
    let path = OsString::from_vec(unhex(next()?)?).into();
    let step = Step {
        label,
        existed: next()?.parse().ok()?,
        at: next()?.parse().ok()?,
        removed: unhex(next()?.strip_prefix('-')?)?,
        inserted: unhex(next()?.strip_prefix('+')?)?,
        heading: next()?.to_owned(),
        digest: next()?.to_owned(),
    };
    Some(Trace { path, step })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        home: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            Self {
                home: tempfile::tempdir().unwrap(),
            }
        }

        fn file(&self) -> PathBuf {
            self.home.path().join("config")
        }

        fn state(&self) -> PathBuf {
            self.home.path().join("state")
        }

        fn change(&self, to: &[u8]) {
            let before = Before::look(&self.file()).unwrap();
            fs::write(self.file(), to).unwrap();
            note(&self.state(), b"x", vec![before]).unwrap();
        }
    }

    #[test]
    fn changes_are_taken_back_byte_for_byte() {
        for (before, after) in [
            (&b"[a]\n\tb = c"[..], &b"[a]\n\tb = c\n[d]\n\te = f\n"[..]),
            (b"[a]\nx\n[b]\nx\n", b"[a]\nx\nx\n[b]\nx\n"),
            (b"aaaa", b"aa"),
            (b"", b"new"),
            (b"\xff\0\n", b"\xff\0\n\xfe"),
        ] {
            let world = World::new();
            fs::write(world.file(), before).unwrap();
            world.change(after);
            world.change(&[after, b"more"].concat());
            assert_eq!(
                take_back(&world.state(), Chosen::default()).unwrap(),
                [world.file()]
            );
            assert_eq!(fs::read(world.file()).unwrap(), before);
            assert!(
                take_back(&world.state(), Chosen::default())
                    .unwrap()
                    .is_empty()
            );
        }
    }

    #[test]
    fn a_file_that_was_not_there_goes() {
        let world = World::new();
        world.change(b"[a]\n");
        assert_eq!(
            take_back(&world.state(), Chosen::default()).unwrap(),
            [world.file()]
        );
        assert!(!world.file().exists());
    }

    #[test]
    fn what_somebody_else_changed_since_stays() {
        let world = World::new();
        fs::write(world.file(), "[a]\n").unwrap();
        world.change(b"[a]\n\tours = 1\n");
        fs::write(world.file(), "[a]\n\tours = 1\n[b]\n").unwrap();
        assert_eq!(
            take_back(&world.state(), Chosen::default()).unwrap(),
            [world.file()]
        );
        assert_eq!(fs::read(world.file()).unwrap(), b"[a]\n[b]\n");
        // What came in is there no more, or twice: nobody can tell.
        for then in ["[a]\n\tours = 2\n", "[a]\n\tours = 1\n\tours = 1\n"] {
            let world = World::new();
            fs::write(world.file(), "[a]\n").unwrap();
            world.change(b"[a]\n\tours = 1\n");
            fs::write(world.file(), then).unwrap();
            assert!(
                take_back(&world.state(), Chosen::default())
                    .unwrap()
                    .is_empty()
            );
            assert_eq!(fs::read(world.file()).unwrap(), then.as_bytes());
        }
    }

    #[test]
    fn only_what_changed_is_noted() {
        let world = World::new();
        fs::write(world.file(), "token = made-up-secret\n").unwrap();
        world.change(b"token = made-up-secret\nhelper = x\n");
        let noted = fs::read_to_string(world.state().join(NAME)).unwrap();
        let hex: String = b"made-up"
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(!noted.contains(&hex) && noted.contains("true"));
    }

    #[test]
    fn a_link_stays_one_and_a_mode_stays() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let world = World::new();
        let real = world.home.path().join("real");
        fs::write(&real, "before").unwrap();
        fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        symlink(&real, world.file()).unwrap();
        let before = Before::look(&world.file()).unwrap();
        fs::write(&real, "before+after").unwrap();
        note(&world.state(), b"x", vec![before]).unwrap();
        assert_eq!(
            take_back(&world.state(), Chosen::default()).unwrap(),
            [world.file()]
        );
        assert!(fs::symlink_metadata(world.file()).unwrap().is_symlink());
        assert_eq!(
            fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(fs::read(&real).unwrap(), b"before");
    }
}
