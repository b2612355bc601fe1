//! The folders and the environment of one candidate, and the daemons that run in them.
//!
//! Each scene has its own home, so that no program finds the daemon or the files of another one. `tests/bench/run` ends all
//! processes whose command line names the folder of the scenes, and removes that folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::spawn::Spawn;

/// The host that every query is about.
pub const HOST: &str = "bench.test";
pub const QUERY: &str = "protocol=https\nhost=bench.test\n";
/// What git 2.46 and later also send after the server's 401.
const CAPABILITIES: &str = "capability[]=authtype\ncapability[]=state\n";
const REALM: &str = "wwwauth[]=Basic realm=\"GitHub\"\n";
pub const TOKEN: &str = "made-up-token-of-a-usual-length-0123456789";

pub struct Scene {
    folder: PathBuf,
    environment: Vec<(String, PathBuf)>,
}

impl Scene {
    pub fn new(all: &Path, name: &str) -> Self {
        let folder = all.join(name);
        let mut private = fs::DirBuilder::new();
        private.mode(0o700).create(&folder).unwrap();
        let mut environment = vec![
            // A long one would cost page faults.
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".into()),
            ("LANG".to_owned(), "C.UTF-8".into()),
            ("GIT_CONFIG_NOSYSTEM".to_owned(), "1".into()),
            ("GIT_CONFIG_GLOBAL".to_owned(), folder.join("gitconfig")),
            ("GIT_TERMINAL_PROMPT".to_owned(), "0".into()),
        ];
        for (variable, place) in [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            private.create(folder.join(place)).unwrap();
            environment.push((variable.to_owned(), folder.join(place)));
        }
        let scene = Self {
            folder,
            environment,
        };
        scene.write("gitconfig", "");
        scene.write("nothing", "");
        scene.write("query", QUERY);
        scene.write("fetch", &format!("{CAPABILITIES}{QUERY}{REALM}"));
        scene.write(
            "stored",
            &format!("{QUERY}username=alice\npassword={TOKEN}\n"),
        );
        scene
    }

    /// A path in the scene.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn set(&mut self, variable: &str, value: impl Into<PathBuf>) {
        self.environment.push((variable.to_owned(), value.into()));
    }

    /// Writes a file that only the user can read, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::io::Write;
        let path = self.path(name);
        let mut folders = fs::DirBuilder::new();
        folders
            .mode(0o700)
            .recursive(true)
            .create(path.parent().unwrap())
            .unwrap();
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        path
    }

    /// A process in this scene. Its input is the file `input`.
    pub fn spawn(&self, program: &Path, words: &[impl AsRef<OsStr>], input: &str) -> Spawn {
        let mut all: Vec<OsString> = vec![program.into()];
        all.extend(words.iter().map(|word| word.as_ref().to_owned()));
        Spawn::new(&all, &self.environment, &self.path(input))
    }

    /// The daemon that runs in this scene: its command line names the folder.
    pub fn daemon(&self) -> Option<u32> {
        let mark = format!("{}/", self.folder.display());
        let is_daemon = |line: &[u8]| {
            let line = String::from_utf8_lossy(line);
            line.contains(&mark)
                && (line.contains("serve-memory") || line.contains("credential-cache--daemon"))
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .find(|process| {
                fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| is_daemon(&line))
            })
    }
}

/// The program on `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}
