//! The law: which file may import, say and do what. See the import law in docs/architecture.md.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Mention, code_of, line_of, mentions, says, test_modules};

/// From the roof down. Every room has a floor; rooms on one floor do not see each other, but for the ground.
const FLOORS: &[&[&str]] = &[
    &["main", "lib"],
    &["cli"],
    &["helper"],
    &["config", "neighbour", "journal", "traces", "cache"],
    &["storage", "forge"],
    &["protocol"],
    &["credential"],
    &[
        "secret",
        "time",
        "git",
        "network",
        "private",
        "plain",
        "platform",
        "places",
        "helper_line",
        "foreign",
        "yaml",
    ],
];
const GROUND: usize = FLOORS.len() - 1;

/// A room with one of these names is a room for anything.
const FORBIDDEN_NAMES: &[&str] = &[
    "common", "utils", "util", "types", "error", "errors", "prelude", "misc", "helpers",
];

/// In these, each file does without its neighbours.
const ROOMS_OF_STRANGERS: &[&str] = &["storage", "forge", "neighbour", "cli"];

const PRINTING: &[&str] = &["print!", "println!", "eprint!", "eprintln!", "dbg!"];
/// Whoever has one of these can print.
const STREAMS: &[&str] = &["io::stdout", "io::stderr"];
const CLOCKS: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "UtcDateTime::now",
    "OffsetDateTime::now_utc",
];

/// These race with every thread that reads the environment (POSIX `setenv`).
const ENVIRONMENT: &[&str] = &["set_var", "remove_var"];

/// With one of these, a file would not be where its name says, or have another name.
const DISGUISES: &[&str] = &["extern crate", "#[path", "include!", "crate::$"];

/// The files of a crate by their path below `src`, such as `storage/mod.rs`.
#[derive(Debug, Clone, Default)]
pub struct Tree(pub BTreeMap<String, String>);

struct Parsed<'a> {
    path: &'a str,
    module: Vec<String>,
    code: String,
    mentions: Vec<Mention>,
}

/// Every breach of the law, one line each; none if there is none.
pub fn breaches(tree: &Tree) -> Vec<String> {
    let files = parse(tree);
    let modules: BTreeMap<&[String], &str> = files
        .iter()
        .map(|file| (&file.module[..], file.path))
        .collect();
    let mut found = Vec::new();
    let mut imports = BTreeMap::new();
    for file in &files {
        let targets = targets(file, &modules);
        check_names(file, &mut found);
        check_reexports(file, &mut found);
        check_words(file, &mut found);
        for (line, target) in &targets {
            check_import(file, *line, target, &mut found);
        }
        let targets: BTreeSet<&str> = targets.iter().map(|(_, target)| *target).collect();
        imports.insert(file.path, targets);
    }
    found.extend(cycles(&imports));
    found
}

fn parse(tree: &Tree) -> Vec<Parsed<'_>> {
    let mut only_tests = BTreeSet::new();
    for (path, text) in &tree.0 {
        for name in test_modules(text) {
            only_tests.insert(child_path(path, &name));
        }
    }
    let is_code = |path: &str| !only_tests.contains(&module_of(path));
    let files = tree.0.iter().filter(|(path, _)| is_code(path));
    files
        .map(|(path, text)| {
            let code = code_of(text);
            let mentions = mentions(&code);
            Parsed {
                path,
                module: module_of(path),
                code,
                mentions,
            }
        })
        .collect()
}

/// `storage/mod.rs` is `storage`, `storage/file.rs` is `storage::file`, `lib.rs` is the crate itself.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    if path == "lib" {
        return Vec::new();
    }
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').map(str::to_owned).collect()
}

fn child_path(parent: &str, name: &str) -> Vec<String> {
    let mut module = module_of(parent);
    module.push(name.to_owned());
    module
}

/// The files that `file` imports from, with the line where it does. `lib.rs` only maps: its `mod` lines are no imports.
fn targets<'a>(file: &Parsed<'_>, modules: &BTreeMap<&[String], &'a str>) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for mention in &file.mentions {
        let Some(path) = absolute(&mention.path, &file.module, modules) else {
            continue;
        };
        let defined_in = (0..=path.len()).rev().find_map(|length| {
            let module = modules.get(&path[..length])?;
            Some(*module)
        });
        if let Some(target) = defined_in.filter(|target| *target != file.path) {
            found.push((mention.line, target));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// From the crate's root. `None` for what belongs to other crates.
fn absolute(
    path: &[String],
    module: &[String],
    modules: &BTreeMap<&[String], &str>,
) -> Option<Vec<String>> {
    let first = path.first()?;
    let joined = |start: &[String], rest: &[String]| [start, rest].concat();
    match &first[..] {
        // The program knows its library by its name.
        "crate" | "git_credential_pat" => Some(path[1..].to_vec()),
        "self" => Some(joined(module, &path[1..])),
        "super" => {
            let supers = path.iter().take_while(|word| *word == "super").count();
            let start = &module[..module.len().saturating_sub(supers)];
            Some(joined(start, &path[supers..]))
        }
        _ => {
            let child = joined(module, path);
            let is_child = modules.contains_key(&child[..=module.len()]);
            is_child.then_some(child)
        }
    }
}

fn room(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.trim_end_matches(".rs")
}

fn floor(path: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room(path)))
}

fn check_import(file: &Parsed<'_>, line: usize, target: &str, found: &mut Vec<String>) {
    let (own, other) = (room(file.path), room(target));
    let place = format!("{}:{line}", file.path);
    if own == other {
        if ROOMS_OF_STRANGERS.contains(&own) && are_strangers(file.path, target) {
            found.push(format!(
                "{place}: siblings: {} and {target} do not import each other",
                file.path
            ));
        }
        return;
    }
    let (Some(above), Some(below)) = (floor(file.path), floor(target)) else {
        return;
    };
    let is_down = above < below || (above == GROUND && below == GROUND);
    if !is_down {
        found.push(format!(
            "{place}: floors: {own} does not stand above {other}"
        ));
    }
}

/// Two files or folders of one room, none of which is its `mod.rs`, or what commands share: `ui.rs`, `json.rs`, `progress.rs`,
/// `streams.rs`, `flags.rs`, `guide.rs`, `table.rs`, `usage.rs` and `whereabouts.rs`; or what forges share: `answer.rs`.
fn are_strangers(file: &str, target: &str) -> bool {
    let inner = |path: &str| {
        path.split('/')
            .nth(1)
            .map(|name| name.trim_end_matches(".rs").to_owned())
    };
    let (Some(one), Some(other)) = (inner(file), inner(target)) else {
        return false;
    };
    one != other
        && one != "mod"
        && other != "mod"
        && ![
            "ui",
            "json",
            "progress",
            "streams",
            "flags",
            "guide",
            "table",
            "usage",
            "whereabouts",
            "answer",
        ]
        .contains(&&other[..])
}

fn check_names(file: &Parsed<'_>, found: &mut Vec<String>) {
    for name in &file.module {
        if FORBIDDEN_NAMES.contains(&&name[..]) {
            found.push(format!("{}: names: a room for anything: {name}", file.path));
        }
    }
    if floor(file.path).is_none() {
        found.push(format!(
            "{}: floors: {} has no floor",
            file.path,
            room(file.path)
        ));
    }
}

fn check_reexports(file: &Parsed<'_>, found: &mut Vec<String>) {
    let reexport = file.mentions.iter().find(|mention| mention.is_reexport);
    let Some(reexport) = reexport else { return };
    let defines = [
        "struct", "enum", "trait", "fn", "const", "static", "type", "union", "impl",
    ];
    let place = format!("{}:{}", file.path, reexport.line);
    if file.path == "lib.rs" {
        found.push(format!("{place}: re-exports: lib.rs is a map only"));
    } else if !file.path.ends_with("/mod.rs") {
        found.push(format!("{place}: re-exports: only a mod.rs may"));
    } else if defines.iter().any(|word| says(&file.code, word)) {
        found.push(format!(
            "{place}: re-exports: a mod.rs defines or re-exports, never both"
        ));
    }
}

fn check_words(file: &Parsed<'_>, found: &mut Vec<String>) {
    let path = file.path;
    let mut forbid = |word: &str, is_allowed: bool, rule: &str| {
        if let Some(line) = line_of(&file.code, word).filter(|_| !is_allowed) {
            found.push(format!("{path}:{line}: {rule}: {word}"));
        }
    };
    let knows_system = path.starts_with("platform/")
        || path.starts_with("neighbour/")
        || (path.starts_with("storage/keychain/") && path != "storage/keychain/mod.rs");
    forbid("target_os", knows_system, "systems");
    forbid("target_family", knows_system, "systems");
    forbid("unsafe", knows_system, "unsafe");

    for word in DISGUISES {
        forbid(word, false, "disguises");
    }
    for word in ENVIRONMENT {
        forbid(word, false, "environment");
    }
    for word in PRINTING {
        forbid(word, path == "cli/ui.rs", "printing");
    }
    let has_streams =
        ["cli/ui.rs", "cli/streams.rs"].contains(&path) || path.starts_with("platform/");
    for word in STREAMS {
        forbid(word, has_streams, "printing");
    }
    forbid("platform::stdout", room(path) == "cli", "printing");
    let has_clock = room(path) == "cli"
        || path == "cache/daemon.rs"
        || path == "time.rs"
        || path.starts_with("platform/");
    for word in CLOCKS {
        forbid(word, has_clock, "clocks");
    }
    forbid("time::now", has_clock, "clocks");
    let imported = file.mentions.iter().any(|mention| {
        mention
            .path
            .ends_with(&["time".to_owned(), "now".to_owned()])
    });
    if imported && !has_clock {
        found.push(format!("{path}: clocks: crate::time::now"));
    }
    // By whatever name it is called afterwards.
    for Mention {
        line, path: said, ..
    } in &file.mentions
    {
        let ends_in = |words: &[&str]| {
            words.iter().any(|word| {
                let word = word.trim_end_matches('!').split("::");
                said.ends_with(&word.map(str::to_owned).collect::<Vec<_>>())
            })
        };
        if (ends_in(PRINTING) && path != "cli/ui.rs") || (ends_in(STREAMS) && !has_streams) {
            found.push(format!("{path}:{line}: printing: {}", said.join("::")));
        }
        if ends_in(&["SystemTime", "Instant"]) && !has_clock {
            found.push(format!("{path}:{line}: clocks: {}", said.join("::")));
        }
    }
    if path == "lib.rs"
        && ["fn", "struct", "enum", "trait", "impl"]
            .iter()
            .any(|word| says(&file.code, word))
    {
        found.push(format!("{path}: map: lib.rs holds no item"));
    }
}

/// Each circle of files once.
fn cycles(imports: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let reached = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> = imports.get(from).into_iter().flatten().copied().collect();
        while let Some(file) = next.pop() {
            if seen.insert(file) {
                next.extend(imports.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (*file, reached(file))).collect();
    let mut circles = BTreeSet::new();
    for (file, reached) in &reach {
        let circle: Vec<&str> = reached
            .iter()
            .copied()
            .filter(|other| reach.get(other).is_some_and(|back| back.contains(file)))
            .collect();
        if circle.contains(file) {
            circles.insert(circle);
        }
    }
    circles
        .into_iter()
        .map(|circle| format!("{}: cycle: {}", circle[0], circle.join(", ")))
        .collect()
}
