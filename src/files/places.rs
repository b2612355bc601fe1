//! Where our files are, on this system and for this user.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};
use sha2::{Digest, Sha256};

use crate::platform::{FOLLOWS_XDG, FileFacts, host_name, session_folder};

/// The name of our folder in each of the user's folders.
const PROGRAM: &str = "git-credential-pat";

/// Neither `HOME` nor the user database names a home folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot find your home folder: set HOME to its whole path")]
pub struct NoHome;

/// The folders of this user. None of them need exist.
#[derive(Debug, Clone)]
pub struct Places {
    /// What the person decides: `config.toml`.
    pub config: PathBuf,
    /// The plaintext file, where it is asked for.
    pub data: PathBuf,
    /// What we remember: the journal.
    pub state: PathBuf,
}

impl Places {
    /// By the XDG base directory specification, or the system's own custom (the `directories` crate).
    pub fn find() -> Result<Self, NoHome> {
        refuse_relative_home(env::var_os("HOME").as_deref())?;
        let folders = ProjectDirs::from("", "", PROGRAM).ok_or(NoHome)?;
        let data = xdg("XDG_DATA_HOME").unwrap_or_else(|| folders.data_local_dir().to_path_buf());
        let state = xdg("XDG_STATE_HOME").or_else(|| folders.state_dir().map(Path::to_path_buf));
        Ok(Self {
            config: xdg("XDG_CONFIG_HOME").unwrap_or_else(|| folders.config_dir().to_path_buf()),
            state: state.unwrap_or_else(|| data.join("state")),
            data,
        })
    }

    /// The daemon's socket: in the runtime folder if that is ours alone, else beside the journal. There its name tells
    /// the host, since a home folder may be shared by several, and a socket is not.
    pub fn socket(&self) -> PathBuf {
        match runtime_folder() {
            Some(folder) => folder.join(PROGRAM).join("socket"),
            None => self
                .state
                .join("run")
                .join(format!("socket-{}", host_tag())),
        }
    }
}

/// The folders in which other programs keep their files: by the XDG base directory specification on every system, as
/// git and its companions find them.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// The person's home folder.
    pub home: PathBuf,
    /// `XDG_CONFIG_HOME`, or `~/.config`.
    pub config: PathBuf,
    /// `XDG_CACHE_HOME`, or `~/.cache`.
    pub cache: PathBuf,
    /// `XDG_CONFIG_HOME`, or the system's own: `%LOCALAPPDATA%`, `~/Library/Application Support` (adrg/xdg).
    pub local: PathBuf,
    /// `%AppData%` on Windows, unless `XDG_CONFIG_HOME` is set.
    pub roaming: Option<PathBuf>,
}

impl Foreign {
    /// By the environment.
    pub fn find() -> Result<Self, NoHome> {
        refuse_relative_home(env::var_os("HOME").as_deref())?;
        let base = BaseDirs::new().ok_or(NoHome)?;
        let home = base.home_dir().to_path_buf();
        let xdg = named_folder("XDG_CONFIG_HOME");
        let named = |name, default| named_folder(name).unwrap_or_else(|| home.join(default));
        Ok(Self {
            config: named("XDG_CONFIG_HOME", ".config"),
            cache: named("XDG_CACHE_HOME", ".cache"),
            roaming: match &xdg {
                None if !FOLLOWS_XDG => named_folder("AppData"),
                _ => None,
            },
            local: xdg.unwrap_or_else(|| base.config_local_dir().to_path_buf()),
            home,
        })
    }
}

/// Refuses a relative home: it depends on the working directory, which may be a hostile repository.
fn refuse_relative_home(home: Option<&OsStr>) -> Result<(), NoHome> {
    let is_relative = |home: &OsStr| !home.is_empty() && !Path::new(home).is_absolute();
    if home.is_some_and(is_relative) {
        return Err(NoHome);
    }
    Ok(())
}

/// A folder that an environment variable names; `None` if it is none, or depends on where one happens to be.
pub fn named_folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
}

/// Our folder in one that the XDG base directory specification names, as git looks for its own on every system; `None`: the variable
/// names none. On Linux the `directories` crate has read it.
fn xdg(variable: &str) -> Option<PathBuf> {
    if FOLLOWS_XDG {
        return None;
    }
    Some(named_folder(variable)?.join(PROGRAM))
}

/// `XDG_RUNTIME_DIR`, or the system's own folder of this kind, if it is what the specification promises: a folder of ours, closed to
/// others.
fn runtime_folder() -> Option<PathBuf> {
    let named = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let folder = named.or_else(session_folder)?;
    let found = FileFacts::of_path(&folder).ok()?;
    let is_ours = found.is_folder() && found.is_ours() && !found.is_open_to_others();
    (is_ours && folder.is_absolute()).then_some(folder)
}

/// Short, and the same for the same host.
#[cold]
fn host_tag() -> String {
    let digest = Sha256::digest(host_name().as_encoded_bytes());
    let mut short = [0; 8];
    short[2..].copy_from_slice(&digest[..6]);
    format!("{:012x}", u64::from_be_bytes(short))
}
