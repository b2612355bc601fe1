//! What we changed in other programs' files, so that it can be taken back byte for byte.
//!
//! A trace holds only the bytes that came and went, never the rest of the file: a git configuration may hold secrets.

pub mod draft;
mod step;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use self::draft::{Draft, Error, read};
use self::step::{Step, Undone, in_effect, without};
use crate::files::owned::{self, Folder};
use crate::files::places::Foreign;
use crate::platform::lock::Lock;

const NAME: &str = "setup";

/// Which changes are meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chosen<'a> {
    /// Those that were noted under this label; `None`: under any.
    pub label: Option<&'a [u8]>,
    /// Those of these files; `None`: of any.
    pub files: Option<&'a [PathBuf]>,
    /// Whether only those count that were noted from this very home. A copy of a home holds the notes of the other, whose
    /// files are not to be touched.
    pub is_of_home: bool,
}

/// One change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace {
    path: PathBuf,
    step: Step,
    /// The real path of the home that it was noted from; empty: an older version noted it.
    home: Vec<u8>,
}

impl Trace {
    fn is_of(&self, home: &[u8]) -> bool {
        if self.home.is_empty() {
            self.path.starts_with(OsStr::from_bytes(home))
        } else {
            self.home == home
        }
    }
}

/// The real path of this home.
fn home() -> Vec<u8> {
    let home = Foreign::find().ok().map(|places| places.home);
    let home = home.and_then(|home| fs::canonicalize(home).ok());
    home.unwrap_or_default().into_os_string().into_vec()
}

/// Whether a change of `path`, by this very name, was noted in `folder` from this home.
pub fn is_noted(folder: &Path, path: &Path) -> bool {
    let all = Folder::open(folder).ok().flatten();
    let all = all
        .and_then(|folder| kept(&folder).ok())
        .unwrap_or_default();
    let home = home();
    all.iter()
        .any(|trace| trace.path == path && trace.is_of(&home))
}

/// What has come of taking back.
#[derive(Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// Of which file.
    pub path: PathBuf,
    /// Whether something went.
    pub is_changed: bool,
    /// What is noted and may stand there still: nobody can tell by now who wrote it. It stays noted as long as it stands.
    pub left: Vec<Left>,
}

/// Lines that somebody has been at since.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    /// Under which they were noted.
    pub label: Vec<u8>,
    /// As they were written.
    pub lines: Vec<u8>,
}

/// Changes a file in one move: `edit` makes each of `edits` on the draft whose path it is given. What they do is noted in
/// `folder`, under `label`, before the file is touched. Returns what kept it from being noted.
pub fn change<T, E: From<Error>>(
    folder: &Path,
    label: &[u8],
    path: &Path,
    edits: &[T],
    edit: impl Fn(&T, &Path) -> Result<(), E>,
) -> Result<Option<owned::Error>, E> {
    let path = settled(path);
    // Before the other lock, as to take back does.
    let kept = Folder::make(folder).and_then(|folder| {
        let lock = folder.lock(NAME)?;
        Ok((folder, lock))
    });
    let mut draft = Draft::of(&path)?;
    for one in edits {
        edit(one, &draft.path())?;
        draft.step(label)?;
    }
    let noted = kept.and_then(|(folder, lock)| note(&folder, &lock, &path, &draft));
    draft.put()?;
    Ok(noted.err())
}

fn note(folder: &Folder, lock: &Lock, path: &Path, draft: &Draft) -> Result<(), owned::Error> {
    let (of_file, mut all) = parted(kept(folder)?, path);
    let known = in_effect(draft.before(), &of_file).unwrap_or(of_file.len());
    let steps = of_file[..known].iter().chain(draft.steps());
    all.extend(traces(path, steps.cloned()));
    folder.replace(NAME, &[written(&all).as_bytes()], lock)
}

/// Takes back what is noted in `folder`, is chosen, and still stands there. Returns the files of which something is to be
/// told; what is noted of others is forgotten too, for it no longer tells anything.
pub fn take_back(folder: &Path, chosen: Chosen<'_>) -> Result<Vec<TakenBack>, Error> {
    let Some(folder) = Folder::open(folder)? else {
        return Ok(Vec::new());
    };
    let lock = folder.lock(NAME)?;
    let mut all = kept(&folder)?;
    let mut done = Vec::new();
    for path in chosen.paths(&all) {
        let (of_file, others) = parted(all, &path);
        all = others;
        let Some((draft, undone)) = undo(&path, &of_file, chosen)? else {
            folder.replace(NAME, &[written(&all).as_bytes()], &lock)?;
            continue;
        };
        all.extend(traces(&path, undone.kept));
        // Before the next file is touched, and before a signal ends us: a step that was taken out is never looked for again.
        folder.replace(NAME, &[written(&all).as_bytes()], &lock)?;
        let is_changed = undone.bytes.as_deref() != draft.before();
        drop(draft);
        done.extend(told(path, is_changed, undone.left));
    }
    Ok(done)
}

/// What [`take_back`] would do, without doing it.
pub fn foreseen(folder: &Path, chosen: Chosen<'_>) -> Result<Vec<TakenBack>, Error> {
    let folder = Folder::open(folder)?;
    let all = folder.map(|folder| kept(&folder)).transpose()?;
    let all = all.unwrap_or_default();
    let mut done = Vec::new();
    for path in chosen.paths(&all) {
        let (of_file, _) = parted(all.clone(), &path);
        if let Some(now) = read(&path)? {
            let undone = without(now.clone(), &of_file, |step| chosen.has(step));
            done.extend(told(path, undone.bytes != Some(now), undone.left));
        }
    }
    Ok(done)
}

fn told(path: PathBuf, is_changed: bool, left: Vec<Step>) -> Option<TakenBack> {
    let left = left.into_iter().map(|step| Left {
        label: step.label,
        lines: step.inserted,
    });
    let left: Vec<Left> = left.collect();
    (is_changed || !left.is_empty()).then_some(TakenBack {
        path,
        is_changed,
        left,
    })
}

/// The traces of one file, and those of others.
fn parted(all: Vec<Trace>, path: &Path) -> (Vec<Step>, Vec<Trace>) {
    let ours = |trace: &Trace| trace.path == path;
    let (of_file, others): (Vec<Trace>, Vec<Trace>) = all.into_iter().partition(ours);
    (
        of_file.into_iter().map(|trace| trace.step).collect(),
        others,
    )
}

fn traces(path: &Path, steps: impl IntoIterator<Item = Step>) -> impl Iterator<Item = Trace> {
    let (path, home) = (path.to_path_buf(), home());
    steps.into_iter().map(move |step| Trace {
        path: path.clone(),
        step,
        home: home.clone(),
    })
}

/// One name for one file, from whatever folder it is looked at. The file itself may be a link, and that may lead elsewhere
/// tomorrow.
pub fn settled(path: &Path) -> PathBuf {
    let folder = path.parent().map(fs::canonicalize);
    match (folder, path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

impl Chosen<'_> {
    fn has(self, step: &Step) -> bool {
        self.label.is_none_or(|label| step.label == label)
    }

    fn paths(self, all: &[Trace]) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = Vec::new();
        let settled = self
            .files
            .map(|files| files.iter().map(|path| settled(path)));
        let files: Option<Vec<PathBuf>> = settled.map(Iterator::collect);
        let home = home();
        for trace in all {
            let Trace { path, step, .. } = trace;
            let is_there = |files: &Vec<PathBuf>| files.contains(path);
            let is_meant = files.as_ref().is_none_or(is_there)
                && self.has(step)
                && (!self.is_of_home || trace.is_of(&home));
            if is_meant && !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        paths
    }
}

/// `None`: the file has gone. With the draft goes the lock.
fn undo(path: &Path, steps: &[Step], chosen: Chosen<'_>) -> Result<Option<(Draft, Undone)>, Error> {
    if read(path)?.is_none() {
        return Ok(None);
    }
    let mut draft = Draft::of(path)?;
    let Some(now) = draft.before() else {
        return Ok(None);
    };
    let undone = without(now.to_vec(), steps, |step| chosen.has(step));
    match &undone.bytes {
        None => draft.remove()?,
        Some(bytes) => {
            draft.write(bytes)?;
            draft.put()?;
        }
    }
    Ok(Some((draft, undone)))
}

/// One line per trace, its parts in hexadecimal digits where they are foreign bytes.
fn written(traces: &[Trace]) -> String {
    let line = |Trace { path, step, home }: &Trace| {
        let Step {
            label,
            existed,
            at,
            removed,
            inserted,
            heading,
            before,
            digest,
        } = step;
        let path = path.as_os_str().as_bytes();
        let [label, path, removed, inserted, home] =
            [label, path, removed, inserted, home].map(hex);
        format!(
            "{label} {path} {existed} {at} -{removed} +{inserted} {heading} {before} {digest} {home}\n"
        )
    };
    traces.iter().map(line).collect()
}

/// What does not read is passed over: then `--undo` works by git's configuration alone.
fn kept(folder: &Folder) -> Result<Vec<Trace>, owned::Error> {
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
        before: next()?.to_owned(),
        digest: next()?.to_owned(),
    };
    let home = unhex(next().unwrap_or_default())?;
    Some(Trace { path, step, home })
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
            settled(&self.home.path().join("config"))
        }

        fn state(&self) -> PathBuf {
            self.home.path().join("state")
        }

        fn change(&self, to: &[u8]) {
            let write = |bytes: &&[u8], draft: &Path| {
                fs::write(draft, bytes).unwrap();
                Ok::<_, Error>(())
            };
            change(&self.state(), b"x", &self.file(), &[to], write).unwrap();
        }

        fn undo(&self) -> Vec<PathBuf> {
            let done = take_back(&self.state(), Chosen::default()).unwrap();
            let changed = done.into_iter().filter(|done| done.is_changed);
            changed.map(|done| done.path).collect()
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
            assert_eq!(world.undo(), [world.file()]);
            assert_eq!(fs::read(world.file()).unwrap(), before);
            assert!(world.undo().is_empty());
        }
    }

    #[test]
    fn a_file_that_was_not_there_goes() {
        let world = World::new();
        world.change(b"[a]\n");
        assert_eq!(world.undo(), [world.file()]);
        assert!(!world.file().exists());
    }

    #[test]
    fn what_somebody_else_changed_since_stays() {
        let world = World::new();
        fs::write(world.file(), "[a]\n").unwrap();
        world.change(b"[a]\n\tours = 1\n");
        fs::write(world.file(), "[a]\n\tours = 1\n[b]\n").unwrap();
        assert_eq!(world.undo(), [world.file()]);
        assert_eq!(fs::read(world.file()).unwrap(), b"[a]\n[b]\n");
        // What came in is there no more, or twice: nobody can tell.
        for then in ["[a]\n\tours = 2\n", "[a]\n\tours = 1\n\tours = 1\n"] {
            let world = World::new();
            fs::write(world.file(), "[a]\n").unwrap();
            world.change(b"[a]\n\tours = 1\n");
            fs::write(world.file(), then).unwrap();
            assert!(world.undo().is_empty());
            assert_eq!(fs::read(world.file()).unwrap(), then.as_bytes());
        }
    }

    /// As a process that is killed between the note and the change leaves it, or between the change and its note.
    #[test]
    fn what_was_noted_and_not_done_is_harmless() {
        let ours = b"[a]\n\thelper =\n\thelper = ours\n";
        for (before, is_twice) in [
            (&b"[a]"[..], false),
            (b"[a]", true),
            (b"[a]\n\thelper =\n\thelper = x\n", false),
            (b"[a]\n\thelper =\n\thelper = x\n", true),
        ] {
            let world = World::new();
            fs::write(world.file(), before).unwrap();
            world.change(ours);
            fs::write(world.file(), before).unwrap();
            if is_twice {
                world.change(ours);
            }
            let noted = fs::read_to_string(world.state().join(NAME)).unwrap();
            let once = noted.lines().count();
            let done = take_back(&world.state(), Chosen::default()).unwrap();
            assert!(done.iter().all(|done| done.left.is_empty()), "{done:?}");
            assert_eq!(fs::read(world.file()).unwrap(), before);
            // It was taken back, and its note was not.
            fs::write(world.state().join(NAME), noted).unwrap();
            assert!(
                take_back(&world.state(), Chosen::default())
                    .unwrap()
                    .is_empty()
            );
            assert_eq!(fs::read(world.file()).unwrap(), before);
            assert!(once <= 2, "{once}");
        }
    }

    #[test]
    fn a_change_that_fails_leaves_nothing() {
        let world = World::new();
        fs::write(world.file(), "one").unwrap();
        let refused = change(&world.state(), b"x", &world.file(), &[()], |(), draft| {
            fs::write(draft, "two").unwrap();
            Err(Error::Lock(crate::files::external::Error::Locked {
                path: draft.into(),
            }))
        });
        assert!(refused.is_err());
        assert_eq!(fs::read(world.file()).unwrap(), b"one");
        let names: Vec<_> = fs::read_dir(world.home.path()).unwrap().flatten().collect();
        assert_eq!(names.len(), 2, "{names:?}");
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
        world.change(b"before+after");
        assert_eq!(world.undo(), [world.file()]);
        assert!(fs::symlink_metadata(world.file()).unwrap().is_symlink());
        assert_eq!(
            fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(fs::read(&real).unwrap(), b"before");
    }
}
