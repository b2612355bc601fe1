//! The daemon's memory, and commands with many entries.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cache::Scenes;
use crate::file::{entries, paragraph, url};
use crate::programs::{Git, Options, Ours};
use crate::report::{Report, Unit};
use crate::scene::{HOST, Scene};
use crate::series::Times;
use crate::table::{Table, or_dash, seconds};

/// Of a daemon, in KiB.
struct Memory {
    resident: u64,
    proportional: Option<u64>,
}

impl Memory {
    fn of(scene: &Scene) -> Option<Self> {
        let process = scene.daemon()?;
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Some(Self {
            resident: field("status", "VmRSS:")?,
            proportional: field("smaps_rollup", "Pss:"),
        })
    }

    #[allow(clippy::cast_precision_loss)]
    fn mebibytes(&self) -> f64 {
        self.proportional.unwrap_or(self.resident) as f64 / 1024.0
    }

    fn cells(memory: Option<&Self>) -> [String; 2] {
        [
            or_dash(memory.map(|memory| format!("{} KiB", crate::table::grouped(memory.resident)))),
            or_dash(memory.and_then(|memory| {
                Some(format!(
                    "{} KiB",
                    crate::table::grouped(memory.proportional?)
                ))
            })),
        ]
    }
}

pub fn daemon(options: &Options, git: &Git, report: &mut Report) {
    let scenes = Scenes::new(options, git, "fresh");
    let mut table = Table::new(&["daemon", "entries", "filled in", "VmRSS", "Pss"]);
    let mut row = |label: String, count: &str, time: Option<Duration>, memory: Option<&Memory>| {
        let [resident, proportional] = Memory::cells(memory);
        table.row([
            label,
            count.to_owned(),
            or_dash(time.map(seconds)),
            resident,
            proportional,
        ]);
    };
    row(
        "git-credential-cache".to_owned(),
        "1",
        None,
        Memory::of(&scenes.git).as_ref(),
    );
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for (ours, scene) in options.ours.iter().zip(&scenes.ours) {
        let memory = Memory::of(scene);
        row(ours.label(), "1", None, memory.as_ref());
        one.push((ours.build, memory));
    }
    for ours in &options.ours {
        let scene = Scene::new(&options.folder, &format!("full-{}", ours.build.name()));
        let time = import(ours, &scene, if options.quick { 10_000 } else { 100_000 });
        let memory = time.and_then(|_| Memory::of(&scene));
        let count = if options.quick { "10,000" } else { "100,000" };
        row(ours.label(), count, time, memory.as_ref());
        many.push((ours.build, memory, time));
    }
    report.section("Memory of the daemon", DAEMON, table);
    report.figure(
        "daemon: memory with 1 entry",
        Unit::Mebibytes,
        1.2,
        |build| {
            one.iter()
                .find(|(of, _)| *of == build)?
                .1
                .as_ref()
                .map(Memory::mebibytes)
        },
    );
    if options.quick {
        return;
    }
    let full = |build| many.iter().find(|(of, _, _)| *of == build);
    report.figure(
        "daemon: memory with 100,000 entries",
        Unit::Mebibytes,
        25.0,
        |build| full(build)?.1.as_ref().map(Memory::mebibytes),
    );
    report.figure("import of 100,000 entries", Unit::Seconds, 10.0, |build| {
        full(build)?.2.map(|time| time.as_secs_f64())
    });
}

/// Fills the daemon. `None` if the program does not import so many entries.
fn import(ours: &Ours, scene: &Scene, count: usize) -> Option<Duration> {
    let source = scene.write("source", &entries(count, url));
    let from = format!("git-store:{}", source.display());
    let spawn = scene.spawn(
        &ours.path,
        &["--storage", "memory", "import", &from, "--yes"],
        "nothing",
    );
    let start = Instant::now();
    let status = spawn.command(&[]).status().unwrap();
    let time = start.elapsed();
    let kept = kept(ours, scene);
    if !status.success() || kept != count {
        eprintln!("{}: imported {kept} of {count} entries", ours.label());
        return None;
    }
    Some(time)
}

/// The number of entries in the daemon, from "keeping 2 credentials".
fn kept(ours: &Ours, scene: &Scene) -> usize {
    let status = scene.spawn(&ours.path, &["cache", "status"], "nothing");
    let output = status.command(&[]).stdout(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let rest = text.split("keeping ").nth(1).unwrap_or_default();
    let digits = rest
        .chars()
        .take_while(|&letter| letter != ' ')
        .filter(char::is_ascii_digit);
    digits.collect::<String>().parse().unwrap_or(0)
}

pub fn commands(options: &Options, report: &mut Report) {
    const COUNT: usize = 10_000;
    let runs = if options.quick { 2 } else { 7 };
    let mut table = Table::new(&["command", "storage", "program", "median", "slowest"]);
    for (storage, list, clean) in [
        (
            "file",
            "file: list, 10,000 entries",
            "file: clean --dry-run, 10,000 entries",
        ),
        (
            "memory",
            "memory: list, 10,000 entries",
            "memory: clean --dry-run, 10,000 entries",
        ),
    ] {
        let mut medians = Vec::new();
        for ours in &options.ours {
            let scene = Scene::new(
                &options.folder,
                &format!("many-{storage}-{}", ours.build.name()),
            );
            if storage == "file" {
                scene.write(
                    "data/git-credential-pat/credentials",
                    &entries(COUNT, paragraph),
                );
            } else if import(ours, &scene, COUNT).is_none() {
                continue;
            }
            for words in [&["list"][..], &["clean", "--dry-run"]] {
                let times = command(&ours.path, &scene, storage, words, runs);
                table.row([
                    format!("`{}`", words.join(" ")),
                    storage.to_owned(),
                    ours.label(),
                    seconds(times.median()),
                    seconds(times.percentile(100)),
                ]);
                medians.push((ours.build, words[0], times.median().as_secs_f64()));
            }
        }
        for (name, command) in [(list, "list"), (clean, "clean")] {
            report.figure(name, Unit::Seconds, 0.5, |build| {
                let found = medians
                    .iter()
                    .find(|(of, word, _)| *of == build && *word == command);
                found.map(|(_, _, median)| *median)
            });
        }
    }
    report.section("`list` and `clean` with 10,000 entries", COMMANDS, table);
}

/// Runs one command of ours again and again. The entries must be there.
pub fn command(program: &Path, scene: &Scene, storage: &str, words: &[&str], runs: usize) -> Times {
    let listed = scene.spawn(program, &["--storage", storage, "list"], "nothing");
    let output = listed.command(&[]).stdout(Stdio::piped()).output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains(HOST),
        "{storage}: no entries"
    );
    let all = [&["--storage", storage], words].concat();
    let spawn = scene.spawn(program, &all, "nothing");
    Times::new((0..runs).map(|_| spawn.measure().time).collect())
}

const DAEMON: &str = "\
VmRSS counts all resident pages, Pss a share of those that several processes use. The budgets are for Pss.
`import` fills the daemon from a file of git-credential-store. git's daemon looks at each entry in turn, so filling it with
100,000 entries takes minutes. It is not filled here.";

const COMMANDS: &str = "\
These commands are for people. git never waits for them.";
