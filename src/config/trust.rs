//! Whether only this user and root can change the target of a path.
//!
//! | on the way | must hold |
//! |---|---|
//! | every folder, link and the file | belongs to this user or root |
//! | the file | is written by no other user |
//! | the folder of the file, or of a link | is written by no other user; by a group in a sticky folder, such as `/nix/store` |
//! | a folder above | is written by no other user, or is sticky, such as `/tmp`: there each user moves only files of their own |
//!
//! A group counts as other users, except this user's own primary group without other members, as `umask 002` expects.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::platform::{FileFacts, permissions};

/// The problem of a path that leads to another file than the opened one.
pub(super) const REPLACED: &str = "was replaced while it was read";

/// The limit of links on the way: more form a loop.
const LINKS: usize = 32;

/// The reason why a path is not trusted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {problem}", path.display())]
pub struct Doubt {
    /// The untrusted file, folder or link.
    pub path: PathBuf,
    pub problem: &'static str,
    /// Whether [`command_to_close`](crate::platform::permissions::command_to_close) fixes it.
    pub is_mode: bool,
}

/// The role of a file, folder or link on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A folder on the way.
    Above,
    /// The folder of the file, or of a link.
    Holder,
    /// The file itself.
    File,
}

/// Follows `path` and checks everything on the way to `opened`, the file that was opened by that path.
pub(super) fn check(path: &Path, opened: &FileFacts) -> io::Result<Option<Doubt>> {
    let mut parts: VecDeque<OsString> = VecDeque::new();
    let mut at = prepend(&mut parts, path, Path::new("/"));
    let mut folder = FileFacts::of_path(&at)?;
    let mut links = 0;
    let mut found_doubt = doubt_of(&at, &folder, Role::Above);
    while found_doubt.is_none() {
        let part = parts.pop_front().ok_or(io::ErrorKind::IsADirectory)?;
        let next = at.join(&part);
        let found = FileFacts::of_path(&next)?;
        if part == ".." || found.is_folder() {
            found_doubt = doubt_of(&next, &found, Role::Above);
            (at, folder) = (next, found);
            continue;
        }
        let is_link = found.is_link();
        let role = if is_link { Role::Above } else { Role::File };
        found_doubt =
            doubt_of(&at, &folder, Role::Holder).or_else(|| doubt_of(&next, &found, role));
        if is_link && found_doubt.is_none() {
            links += 1;
            if links > LINKS {
                return Err(io::Error::other("too many levels of symbolic links"));
            }
            at = prepend(&mut parts, &std::fs::read_link(&next)?, &at);
            folder = FileFacts::of_path(&at)?;
            continue;
        }
        let is_opened = found.identity() == opened.identity() && parts.is_empty();
        let replaced = || doubt(&next, REPLACED, false);
        return Ok(found_doubt.or_else(|| (!is_opened).then(replaced)));
    }
    Ok(found_doubt)
}

/// Puts the parts of `path` before the others. Returns the folder where they start.
fn prepend(parts: &mut VecDeque<OsString>, path: &Path, from: &Path) -> PathBuf {
    for part in path.components().rev() {
        if matches!(part, Component::Normal(_) | Component::ParentDir) {
            parts.push_front(part.as_os_str().to_owned());
        }
    }
    // The root: `/`, or that of a drive.
    let root = path.ancestors().last().filter(|_| path.is_absolute());
    root.unwrap_or(from).to_path_buf()
}

/// A doubt about `path`.
pub(super) fn doubt(path: &Path, problem: &'static str, is_mode: bool) -> Doubt {
    Doubt {
        path: path.to_path_buf(),
        problem,
        is_mode,
    }
}

fn doubt_of(path: &Path, found: &FileFacts, role: Role) -> Option<Doubt> {
    let is_roots_above = role == Role::Above && found.is_unmapped_roots();
    if !found.is_ours_or_roots() && !is_roots_above {
        return Some(doubt(path, "belongs to another user", false));
    }
    // The mode of a link means nothing.
    if found.is_link() {
        return None;
    }
    let is_sticky = found.is_sticky() && role != Role::File;
    if found.is_writable_by_all() && !(is_sticky && role == Role::Above) {
        return Some(doubt(path, "can be written by other users", true));
    }
    let is_open_to_group = found.is_writable_by_group() && !is_sticky;
    // With an access list these bits are its mask, and the list may name any user.
    if is_open_to_group && (!found.has_private_group() || permissions::has_access_list(path)) {
        return Some(doubt(path, "can be written by other users", true));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::platform::testing::{make_link, set_mode};

    struct World {
        home: tempfile::TempDir,
    }

    impl World {
        /// `a/b/config.toml`, closed to others.
        fn new() -> Self {
            let world = Self {
                home: tempfile::tempdir().unwrap(),
            };
            fs::create_dir_all(world.path("a/b")).unwrap();
            fs::write(world.path("a/b/config.toml"), "").unwrap();
            for name in ["", "a", "a/b"] {
                world.set(name, 0o755);
            }
            world.set("a/b/config.toml", 0o644);
            world
        }

        fn path(&self, name: &str) -> PathBuf {
            let home = self.home.path().canonicalize().unwrap();
            if name.is_empty() {
                home
            } else {
                home.join(name)
            }
        }

        fn set(&self, name: &str, mode: u32) {
            set_mode(self.path(name), mode);
        }

        #[track_caller]
        fn doubt(&self, name: &str) -> Option<PathBuf> {
            let opened = FileFacts::of(&fs::File::open(self.path(name)).unwrap()).unwrap();
            check(&self.path(name), &opened)
                .unwrap()
                .map(|doubt| doubt.path)
        }
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: wine has no folder to which others only add"
    )]
    fn every_folder_on_the_way_counts() {
        let world = World::new();
        let file = "a/b/config.toml";
        assert_eq!(world.doubt(file), None);
        for (name, mode, is_trusted) in [
            (file, 0o666, false),
            (file, 0o602, false),
            ("a/b", 0o777, false),
            ("a/b", 0o757, false),
            // In a sticky folder another user cannot replace the file, but can make a hard link.
            ("a/b", 0o1777, false),
            ("a/b", 0o1775, true),
            ("a", 0o777, false),
            ("a", 0o1777, true),
            ("a", 0o1775, true),
            ("a", 0o700, true),
        ] {
            let world = World::new();
            world.set(name, mode);
            let doubted = (!is_trusted).then(|| world.path(name));
            assert_eq!(world.doubt(file), doubted, "{name} {mode:o}");
        }
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_link_is_followed_through_trusted_folders_only() {
        let world = World::new();
        fs::create_dir_all(world.path("c/d")).unwrap();
        make_link("../../a", world.path("c/d/folder"));
        make_link("d/folder/b/config.toml", world.path("c/link"));
        make_link(world.path("c/link"), world.path("absolute"));
        for name in ["c/d", "c"] {
            world.set(name, 0o755);
        }
        assert_eq!(world.doubt("absolute"), None);
        for name in ["", "c", "c/d", "a/b"] {
            world.set(name, 0o777);
            assert!(world.doubt("absolute").is_some(), "{name}");
            world.set(name, 0o755);
        }
        assert_eq!(world.doubt("absolute"), None);
    }

    #[test]
    fn another_file_than_the_one_that_was_opened_is_doubted() {
        let world = World::new();
        let opened =
            FileFacts::of(&fs::File::open(world.path("a/b/config.toml")).unwrap()).unwrap();
        fs::write(world.path("other"), "").unwrap();
        fs::rename(world.path("other"), world.path("a/b/config.toml")).unwrap();
        let doubt = check(&world.path("a/b/config.toml"), &opened)
            .unwrap()
            .unwrap();
        assert!(doubt.problem.contains("replaced"), "{doubt}");
    }
}
