//! The programs that are compared, and the options of the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scene;

/// How a program of ours was built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Build {
    Musl,
    Gnu,
    Dynamic,
}

impl Build {
    pub const ALL: [Self; 3] = [Self::Musl, Self::Gnu, Self::Dynamic];

    /// In `--program NAME=PATH` and in `tests/bench/limits`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Musl => "musl",
            Self::Gnu => "gnu",
            Self::Dynamic => "dynamic",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Musl => "static musl",
            Self::Gnu => "static gnu",
            Self::Dynamic => "dynamic gnu",
        }
    }
}

/// A copy of a program of ours.
pub struct Ours {
    pub build: Build,
    pub path: PathBuf,
}

impl Ours {
    pub fn label(&self) -> String {
        format!("git-credential-pat, {}", self.build.label())
    }
}

/// Only count; then compare with the limits, or write new ones.
#[derive(Clone, Copy)]
pub enum Guard {
    Compare,
    Update,
}

/// As `tests/bench/run` passes them.
#[derive(Default)]
pub struct Options {
    pub ours: Vec<Ours>,
    /// The folder of all scenes.
    pub folder: PathBuf,
    /// A static C program that does nothing, or prints a fixed answer to `get`.
    pub floor: Option<PathBuf>,
    pub libsecret: Option<PathBuf>,
    pub quick: bool,
    /// Write the page and the chart.
    pub write: bool,
    pub guard: Option<Guard>,
}

impl Options {
    /// `None` without options, as `cargo bench` and `cargo test --all-targets` call it. Panics at an unknown option: the
    /// script has checked them.
    pub fn read() -> Option<Self> {
        let mut options = Self::default();
        // Cargo adds `--bench` for a benchmark.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("a value");
            match &word[..] {
                "--program" => options.ours.push(program(&value())),
                "--folder" => options.folder = value().into(),
                "--floor" => options.floor = Some(value().into()),
                "--libsecret" => options.libsecret = Some(value().into()),
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--guard" => options.guard = Some(Guard::Compare),
                "--update" => options.guard = Some(Guard::Update),
                other => panic!("unknown option {other}: use tests/bench/run"),
            }
        }
        options.ours.sort_by_key(|ours| ours.build as u8);
        if !options.folder.is_dir() {
            return None;
        }
        for ours in &mut options.ours {
            ours.path = loaded_afresh(
                &ours.path,
                &options
                    .folder
                    .join(format!("program-{}", ours.build.name())),
            );
        }
        Some(options)
    }
}

/// Copies a program, and has the kernel forget its pages: the first start reads them from the disk, as after a reboot.
///
/// Linux 6.18 keeps a file in memory in pieces whose size depends on how the file was written. With larger pieces, the same
/// program has fewer page faults.
fn loaded_afresh(program: &Path, folder: &Path) -> PathBuf {
    fs::create_dir(folder).unwrap();
    let copy = folder.join("git-credential-pat");
    fs::copy(program, &copy).unwrap();
    let file = fs::File::open(&copy).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    copy
}

fn program(word: &str) -> Ours {
    let (name, path) = word.split_once('=').expect("NAME=PATH");
    let build = Build::ALL.into_iter().find(|build| build.name() == name);
    Ours {
        build: build.expect("musl, gnu or dynamic"),
        path: path.into(),
    }
}

/// git, and its helpers as programs of their own.
pub struct Git {
    pub program: PathBuf,
    pub cache: PathBuf,
    pub store: PathBuf,
}

impl Git {
    pub fn find() -> Self {
        let program = scene::find("git").expect("git is not installed");
        let folder = Command::new(&program).arg("--exec-path").output().unwrap();
        let folder = String::from_utf8(folder.stdout).unwrap();
        let folder = Path::new(folder.trim_end());
        Self {
            program,
            cache: folder.join("git-credential-cache"),
            store: folder.join("git-credential-store"),
        }
    }
}
