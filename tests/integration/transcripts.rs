//! Replays `tests/transcripts/*.txt`: each shows what one command line prints at terminals of 120, 80 and 60 columns with
//! colour, at 80 columns with `NO_COLOR=1`, and into a pipe. `tests/transcripts/README.md` tells how to add one.
//!
//! `UPDATE_TRANSCRIPTS=1 cargo test --locked --test integration -- transcripts` writes the outputs anew, and
//! `TRANSCRIPT=list` in the environment replays only the files whose names begin with `list`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use tempfile::NamedTempFile;

use crate::marks::{marked, unstyled};
use crate::scene::Scene;
use crate::script::Script;
use crate::tool;

/// The scene of a script as it is before the command line.
struct Stage<'a> {
    script: &'a Script,
    scene: Scene,
    /// The home of the scene. `None`: the scene has more than a home.
    packed: Option<NamedTempFile>,
    is_used: bool,
}

impl<'a> Stage<'a> {
    fn new(script: &'a Script) -> Self {
        let scene = script.scene();
        Self {
            packed: scene.pack(),
            script,
            scene,
            is_used: false,
        }
    }

    /// The scene without the changes of an earlier run.
    fn anew(&mut self) -> &Scene {
        if self.is_used {
            let packed = self.packed.as_ref();
            if !packed.is_some_and(|packed| self.scene.unpack(packed)) {
                *self = Self::new(self.script);
            }
        }
        self.is_used = true;
        &self.scene
    }
}

/// The whole transcript, as the program prints it now. No output depends on an earlier one.
fn replayed(script: &Script) -> String {
    let step = &script.steps[0];
    let mut text = format!("{}\n", script.text);
    let mut stage = Stage::new(script);
    let mut earlier: Vec<(&str, String)> = Vec::new();
    for (name, columns, no_color) in [
        ("120 columns", 120, false),
        ("80 columns", 80, false),
        ("60 columns", 60, false),
        ("80 columns, NO_COLOR=1", 80, true),
    ] {
        let (status, shown) = stage
            .anew()
            .terminal(&step.line, columns, no_color, &step.answers);
        let _ = write!(text, "\n== {name}, exit {status}\n");
        if let Some(same) = earlier_one(&earlier, &shown) {
            let _ = writeln!(text, "{same}");
        } else {
            push(&mut text, &shown);
        }
        earlier.push((name, shown));
    }
    let output = stage.anew().pipe(&step.line);
    let status = output.status.code().unwrap_or(-1);
    let _ = write!(text, "\n== pipe, exit {status}\n");
    for (name, shown) in [("stdout", output.text()), ("stderr", output.stderr)] {
        if shown.is_empty() {
            let _ = writeln!(text, "-- no {name}");
            continue;
        }
        if let Some(same) = earlier_one(&earlier, &shown) {
            let _ = writeln!(text, "-- {name}: {same}");
        } else {
            let _ = writeln!(text, "-- {name}:");
            push(&mut text, &shown);
        }
    }
    text
}

/// The earlier output that `shown` repeats.
fn earlier_one(earlier: &[(&str, String)], shown: &str) -> Option<String> {
    let equal = earlier.iter().find(|(_, before)| before == shown);
    if let Some((name, _)) = equal {
        return Some(format!("same as {name}"));
    }
    let (name, _) = earlier
        .iter()
        .find(|(_, before)| unstyled(before) == shown)?;
    Some(format!("same as {name}, without colour"))
}

/// Adds an output, which may lack its last line feed.
fn push(text: &mut String, shown: &str) {
    let shown = marked(shown);
    text.push_str(&shown);
    if !shown.ends_with('\n') {
        text.push_str("{no line feed}\n");
    }
}

/// What is wrong with the transcript at `path`.
fn fault(path: &Path) -> Option<String> {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let kept = fs::read_to_string(path).unwrap();
    let script = match Script::read(&kept) {
        Ok(script) => script,
        Err(why) => return Some(format!("{name}: {why}")),
    };
    if script.steps.len() > 1 {
        return Some(format!("{name}: more than one command line"));
    }
    if script.needs_newer_git() {
        tool::skip(&format!("the transcript {name}, which needs a newer git"));
        return None;
    }
    let text = replayed(&script);
    let outputs = &text[script.text.len()..];
    if outputs.contains("{token}") && !name.starts_with("token") {
        return Some(format!("{name}: a token is shown\n{outputs}"));
    }
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some_and(|value| value == "1") {
        fs::write(path, &text).unwrap();
        return None;
    }
    if text == kept {
        return None;
    }
    let mut differs = text.lines().zip(kept.lines());
    let at = differs.position(|(now, kept)| now != kept);
    let at = at.unwrap_or(text.lines().count().min(kept.lines().count()));
    let part = |text: &str| {
        text.lines()
            .skip(at)
            .take(12)
            .collect::<Vec<_>>()
            .join("\n")
    };
    Some(format!(
        "tests/transcripts/{name}.txt differs from line {}.\nThe file has:\n{}\nThe program prints:\n{}",
        at + 1,
        part(&kept),
        part(&text)
    ))
}

#[test]
fn each_shows_what_the_program_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.retain(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(&wanted)
    });
    paths.sort();
    assert!(!paths.is_empty(), "no transcript begins with {wanted:?}");
    let left = Mutex::new(paths);
    let faults = Mutex::new(Vec::new());
    let replay = || {
        loop {
            let Some(path) = left.lock().unwrap().pop() else {
                return;
            };
            if let Some(fault) = fault(&path) {
                faults.lock().unwrap().push(fault);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(replay);
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(
        faults.is_empty(),
        "{}\n\nIf that is meant, run 'UPDATE_TRANSCRIPTS=1 cargo test --locked --test integration -- transcripts' and review \
         the difference.",
        faults.join("\n\n")
    );
}
