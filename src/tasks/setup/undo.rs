//! Takes back what `setup` wrote, and every other line that runs this helper.
//!
//! | the file | undo |
//! |---|---|
//! | is as `setup` left it | restores the state before, byte for byte |
//! | was changed since, or its record is lost | removes our lines by `git config`; a warning names the lines that stay |
//!
//! Only files of the current home, of the current repository or, with `--system`, of the system are changed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::change::{Change, Warning};
use super::draft::{Draft, read};
use super::failure::Error;
use super::others::still_asked;
use super::record::{Record, Records, digest};
use super::scope::Setup;
use crate::credential::url::without_secrets;
use crate::files;
use crate::files::owned::Folder;
use crate::files::places::Foreign;
use crate::git::Git;
use crate::git::context::may_overlap;
use crate::git::helper_line::is_ours;
use crate::git::setting::Setting;
use crate::terminal::escape::{safe, shell_word};

/// Every setting that `setup` writes, for `git config`.
const WRITTEN: &str = r"^credential\.(.*\.)?(helper|usehttppath)$";

#[derive(Default)]
pub struct Undone {
    pub files: Vec<ChangedFile>,
    pub warnings: Vec<Warning>,
}

/// A file from which something is taken.
pub struct ChangedFile {
    pub file: PathBuf,
    /// Whether it is restored as it was before `setup`.
    pub is_restored: bool,
    /// Further lines that git removes.
    pub removals: Vec<Change>,
}

/// Takes back what is chosen: with `only`, what was written for this key. In a dry run nothing is changed.
pub fn undo(setup: &Setup, only: Option<&OsStr>, is_dry: bool) -> Result<Undone, Error> {
    let mut undone = Undone::default();
    let records = Folder::open(&setup.records_folder());
    let records = records.and_then(|folder| folder.map(Records::lock).transpose());
    let mut records = records.unwrap_or_else(|error| {
        undone.warnings.push(without_records(&error));
        None
    });
    for file in setup.files()?.into_iter().filter(|file| file.exists()) {
        let known = records.as_ref().map(|records| records.of(&file));
        let known = known.unwrap_or_default();
        let mut plan = FilePlan::new(&file, only, read(&file)?, known.clone());
        if !plan.is_restored {
            plan.choose_lines(setup.git, &file)?;
        }
        if plan.is_change() && !is_of_here(setup, &file, !known.is_empty()) {
            undone.warnings.push(elsewhere(&file));
            continue;
        }
        if plan.is_change() && !is_dry {
            let mut draft = setup.draft(&file)?;
            plan = FilePlan::new(&file, only, draft.before.clone(), known);
            plan.carry_out(setup.git, &mut draft)?;
        }
        // After the change: a record that outlives its change is harmless.
        if let Some(records) = records.as_mut().filter(|_| !is_dry) {
            records.all.retain(|record| record.file != file);
            records.all.append(&mut plan.records);
            if let Err(error) = records.save() {
                undone.warnings.push(without_records(&error));
            }
        }
        undone.warnings.append(&mut plan.stays);
        if plan.is_change() {
            undone.files.push(ChangedFile {
                is_restored: plan.is_restored,
                removals: plan.removals,
                file,
            });
        }
    }
    if !is_dry {
        undone.warnings.extend(still_asked(setup.git, only));
    }
    Ok(undone)
}

fn without_records(error: &files::Error) -> Warning {
    Warning {
        says: format!("{error}: lines are removed one by one, and may leave an empty section"),
        hint: error.hint().map(str::to_owned),
    }
}

/// Whether a file belongs to this home or repository. In a copied home or repository a link may lead into the original: there
/// only a name counts through which `setup` has written.
fn is_of_here(setup: &Setup, file: &Path, is_recorded: bool) -> bool {
    if is_recorded || setup.scope == "--system" {
        return true;
    }
    let home = Foreign::find().ok().map(|places| places.home);
    let home = home.filter(|home| setup.scope == "--global" && file.starts_with(home));
    let root = home.as_deref().or(file.parent()).map(Path::canonicalize);
    match (root, file.canonicalize()) {
        (Some(Ok(root)), Ok(end)) => end.starts_with(root),
        _ => true,
    }
}

fn elsewhere(file: &Path) -> Warning {
    let end = file.canonicalize();
    let end = end.as_deref().unwrap_or(file);
    let says = format!(
        "{} leads to {}, which is of another home or repository: nothing is changed there",
        shown(file),
        shown(end)
    );
    Warning::new(
        says,
        format!("if it is yours, remove the line with: {}", edit(end)),
    )
}

/// What undo does to one file.
struct FilePlan<'a> {
    file: &'a Path,
    only: Option<&'a OsStr>,
    /// The file with whole runs of `setup` taken back; `None`: there is no file.
    content: Option<Vec<u8>>,
    is_restored: bool,
    /// The other records whose lines go.
    undone: Vec<Record>,
    /// The records that still hold afterwards.
    records: Vec<Record>,
    removals: Vec<Change>,
    stays: Vec<Warning>,
}

impl<'a> FilePlan<'a> {
    fn new(
        file: &'a Path,
        only: Option<&'a OsStr>,
        mut content: Option<Vec<u8>>,
        mut records: Vec<Record>,
    ) -> Self {
        let is_chosen = |record: &Record| only.is_none_or(|only| only == record.key);
        let found = digest(content.as_deref());
        while records
            .pop_if(|last| is_chosen(last) && last.undo(&mut content))
            .is_some()
        {}
        let is_restored = digest(content.as_deref()) != found;
        let (undone, records) = records.into_iter().partition(is_chosen);
        Self {
            file,
            only,
            content,
            is_restored,
            undone,
            records,
            removals: Vec::new(),
            stays: Vec::new(),
        }
    }

    fn is_change(&self) -> bool {
        self.is_restored || !self.removals.is_empty()
    }

    /// All in one move.
    fn carry_out(&mut self, git: &Git, draft: &mut Draft) -> Result<(), Error> {
        let Some(content) = &self.content else {
            return draft.remove();
        };
        draft.write(content)?;
        self.choose_lines(git, &draft.path())?;
        for removal in &self.removals {
            removal.make(git, &draft.path())?;
        }
        draft.put()
    }

    /// Chooses the lines that git removes from `source`, the file or its draft, and names those that may be ours and stay. git
    /// removes every line with the same key and value, so that a line of the user's that is like ours keeps both.
    fn choose_lines(&mut self, git: &Git, source: &Path) -> Result<(), Error> {
        let settings = git.settings_at(&["--file".as_ref(), source.as_os_str()], WRITTEN)?;
        let is_chosen = |key: &OsStr| self.only.is_none_or(|only| only == key);
        let is_ours = |line: &Setting| is_ours(&line.value) && is_chosen(&line.key);
        let has_added = |line: &Setting| {
            let mut undone = self.undone.iter();
            undone.any(|record| record.has_added(&line.key, &line.value))
        };
        // Beside a line of ours without a record, others may have none.
        let is_record_lost = settings
            .iter()
            .any(|line| is_ours(line) && !has_added(line));
        for (at, line) in settings.iter().enumerate() {
            let is_same = |other: &&Setting| other.key == line.key && other.value == line.value;
            if settings[..at].iter().any(|other| is_same(&other)) {
                continue;
            }
            let of_key = settings.iter().filter(|other| other.key == line.key);
            let of_key: Vec<&Setting> = of_key.collect();
            let is_alone = of_key.iter().copied().filter(is_same).count() == 1;
            let mut pairs = of_key.windows(2);
            let is_reset = line.value.is_empty()
                && pairs.any(|two| two[0].value.is_empty() && is_ours(two[1]));
            let is_path = line.key.as_encoded_bytes().ends_with(b".usehttppath")
                && line.value == "true"
                && self.only.is_none_or(|only| may_overlap(&line.key, only));
            let is_removed = match (is_ours(line), has_added(line)) {
                (true, _) => true,
                (false, true) => is_alone && (is_reset || !line.value.is_empty()),
                (false, false) if is_record_lost && (is_reset || is_path) => false,
                (false, false) => continue,
            };
            let removal = Change::removal(&line.key, &line.value);
            let has_secret = without_secrets(&line.key) != line.key;
            if is_removed && !has_secret {
                self.removals.push(removal);
            } else {
                let removal = Some(removal).filter(|_| is_alone && !has_secret);
                self.stays.push(stays(self.file, line, removal));
            }
        }
        Ok(())
    }
}

/// Without a command that means this line alone, the user edits the file. With a secret in the key there is none: a secret is no
/// argument.
fn stays(file: &Path, line: &Setting, removal: Option<Change>) -> Warning {
    let key = safe(without_secrets(&line.key).as_encoded_bytes());
    let (what, effect) = match line.value.to_str() {
        Some("") => (format!("an empty {key}"), "git asks no helper before it"),
        Some("true") => (key, "git tells its helpers the path there"),
        _ => (key, "git still asks this helper there"),
    };
    let says = format!("{what} stays in {}: {effect}", shown(file));
    let place = [OsStr::new("--file"), file.as_os_str()];
    let command = removal.map_or_else(|| edit(file), |removal| removal.command(&place));
    Warning::new(
        says,
        format!("if 'setup' wrote it, remove it with: {command}"),
    )
}

fn shown(file: &Path) -> String {
    safe(file.as_os_str().as_encoded_bytes())
}

fn edit(file: &Path) -> String {
    let file = shell_word(file.as_os_str().as_encoded_bytes());
    format!("git config --file {file} --edit")
}
