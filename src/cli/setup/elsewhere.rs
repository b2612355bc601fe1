//! Files of git's configuration that belong to another home or repository.

use std::env;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::streams::Streams;
use super::super::ui;
use super::traces_folder;
use crate::files::external::followed;
use crate::files::places::{Foreign, Places};
use crate::terminal::escape::{safe, shell_word};
use crate::traces;

/// Whether a file of `scope` is this home's, or this repository's: a copy may hold links that lead into the original. Then only
/// what the environment names counts, and what was noted from here.
pub(super) fn is_of_here(places: &Places, scope: &str, file: &Path) -> bool {
    let settled = traces::settled(file);
    let Ok(end) = followed(&settled).map(|end| traces::settled(&end)) else {
        return true;
    };
    let root = match scope {
        "--system" => return true,
        "--local" => settled.parent().map(Path::to_path_buf),
        _ if is_named(file) => return true,
        _ => {
            let home = Foreign::find().ok().map(|places| places.home);
            home.and_then(|home| home.canonicalize().ok())
        }
    };
    root.is_none_or(|root| end.starts_with(root))
        || traces::is_noted(&traces_folder(places, scope), &settled)
}

/// Whether the environment names a file of the person's settings, or its folder.
fn is_named(file: &Path) -> bool {
    let named = |name| env::var_os(name).filter(|path| !path.is_empty());
    named("GIT_CONFIG_GLOBAL").is_some()
        || named("XDG_CONFIG_HOME").is_some_and(|folder| file.starts_with(PathBuf::from(folder)))
}

/// Says that a file in which this helper stands is left.
pub(super) fn tell(file: &Path, streams: &mut Streams) {
    let end = file.canonicalize();
    let end = end.as_deref().unwrap_or(file).as_os_str().as_bytes();
    let what = format!(
        "{} leads to {}, which is not of this home or repository: it is left",
        safe(file.as_os_str().as_bytes()),
        safe(end)
    );
    let command = format!("git config --file {} --edit", shell_word(end));
    let hint = format!("if it is yours, take the line out with: {command}");
    ui::warn(streams, &what, Some(&hint));
}
