//! The law: what a file may import, say and do. See docs/architecture.md.

use std::collections::{BTreeMap, BTreeSet};

use super::rooms::{Actual, Table, cycles, is_within};
use super::source::{Mention, code_of, line_of, mentions, says, test_modules};

/// These names fit anything, so such a room collects everything.
const FORBIDDEN_NAMES: &[&str] = &[
    "common", "utils", "util", "types", "error", "errors", "prelude", "misc", "helpers",
];

/// In these rooms, the files and folders do not import each other, except `mod.rs` and the shared files named here.
const SIBLINGS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "ui",
            "json",
            "messages",
            "progress",
            "streams",
            "failure",
            "guide",
            "page",
            "rule",
            "table",
            "tracing",
            "usage",
            "wrap",
            "exit_code",
        ],
    ),
    ("forge", &["answer"]),
    ("neighbour", &["registry", "configured", "yaml"]),
    ("tasks", &[]),
];

/// Rooms that may use the operating system directly. `table::SYSTEM_FILES` lists the other files that still do.
const SYSTEM_ROOMS: &[&str] = &[
    "main.rs",
    "platform",
    "daemon/transport",
    "storage/keychain",
    "desktop",
];
const SYSTEM: &[&str] = &[
    "std::os",
    "rustix",
    "libc",
    "windows_sys",
    "target_os",
    "target_family",
    "cfg(unix",
    "cfg(windows",
    "cfg!(unix",
    "cfg!(windows",
];
/// This file of a system room is the same on every system.
const KEYCHAIN_FACE: &str = "storage/keychain/mod.rs";

/// The only file that prints, and the places that may hold standard output or standard error.
const PRINTER: &str = "cli/ui.rs";
const STREAM_OWNERS: &[&str] = &[PRINTER, "cli/streams.rs", "platform"];
const PRINTING: &[&str] = &["print!", "println!", "eprint!", "eprintln!", "dbg!"];
const STREAMS: &[&str] = &["io::stdout", "io::stderr"];

/// The places that may read a clock; every other file gets the time as a parameter.
const CLOCK_OWNERS: &[&str] = &["cli", "daemon", "time", "platform"];
const CLOCKS: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "UtcDateTime::now",
    "OffsetDateTime::now_utc",
    "time::now",
];

/// These race with every thread that reads the environment (POSIX `setenv`).
const ENVIRONMENT: &[&str] = &["set_var", "remove_var"];

/// With one of these, a module's path or name would not be that of its file.
const DISGUISES: &[&str] = &["extern crate", "#[path", "include!", "crate::$"];

const ITEMS: &[&str] = &[
    "struct", "enum", "trait", "fn", "const", "static", "type", "union", "impl",
];

/// The files of a crate by their path below `src`, such as `storage/mod.rs`.
#[derive(Debug, Clone, Default)]
pub struct Tree(pub BTreeMap<String, String>);

struct Parsed<'a> {
    path: &'a str,
    module: Vec<String>,
    code: String,
    mentions: Vec<Mention>,
}

/// The imports between the rooms of a tree, and every breach of the law, one line each.
pub fn judge(tree: &Tree, table: &Table) -> (Actual, Vec<String>) {
    let files = parse(tree);
    let mut modules = BTreeMap::new();
    for file in &files {
        modules.insert(&file.module[..], file.path);
    }
    let mut actual = Actual::default();
    let mut found = Vec::new();
    let mut imports = BTreeMap::new();
    for file in &files {
        actual.add_file(table, file.path);
        let mut targets = BTreeSet::new();
        for (line, target) in imported_files(file, &modules) {
            actual.add_import(table, file.path, line, target);
            check_siblings(file.path, line, target, &mut found);
            targets.insert(target);
        }
        imports.insert(file.path, targets);
        if SYSTEM.iter().any(|word| says(&file.code, word)) && !may_use_system(file.path) {
            actual.system_files.insert(file.path.to_owned());
        }
        check_names(file, &mut found);
        check_reexports(file, &mut found);
        check_words(file, &mut found);
        check_paths(file, &mut found);
    }
    found.extend(actual.breaches(table));
    found.extend(cycles(&imports, "cycle of files"));
    (actual, found)
}

/// Reads all files except modules for tests only, with their children.
fn parse(tree: &Tree) -> Vec<Parsed<'_>> {
    let mut only_tests = BTreeSet::new();
    for (path, text) in &tree.0 {
        for name in test_modules(text) {
            only_tests.insert([module_of(path), vec![name]].concat());
        }
    }
    let mut files = Vec::new();
    for (path, text) in &tree.0 {
        let module = module_of(path);
        if only_tests.iter().any(|parent| module.starts_with(parent)) {
            continue;
        }
        let code = code_of(text);
        let mentions = mentions(&code);
        files.push(Parsed {
            path,
            module,
            code,
            mentions,
        });
    }
    files
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

/// Returns the files that `file` imports from, with the lines. `mod` lines are no imports.
fn imported_files<'a>(
    file: &Parsed<'_>,
    modules: &BTreeMap<&[String], &'a str>,
) -> BTreeSet<(usize, &'a str)> {
    let mut found = BTreeSet::new();
    for mention in &file.mentions {
        let Some(path) = absolute(&mention.path, &file.module, modules) else {
            continue;
        };
        let defined_in = (0..=path.len())
            .rev()
            .find_map(|length| modules.get(&path[..length]));
        found.extend(defined_in.map(|target| (mention.line, *target)));
        // `use crate::storage;` lets the code say `storage::file::File`.
        for (module, target) in modules {
            let Some((name, parents)) = module.split_last().filter(|(_, up)| *up == path) else {
                continue;
            };
            let said = parents.last().map(|parent| format!("{parent}::{name}"));
            let line = said.and_then(|said| line_of(&file.code, &said));
            found.extend(line.map(|line| (line, *target)));
        }
    }
    found.retain(|(_, target)| *target != file.path);
    found
}

/// Returns the path from the crate's root, or `None` for a path into another crate.
fn absolute(
    path: &[String],
    module: &[String],
    modules: &BTreeMap<&[String], &str>,
) -> Option<Vec<String>> {
    match &path.first()?[..] {
        // `main.rs` calls the library by its name.
        "crate" | "git_credential_pat" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => {
            let supers = path.iter().take_while(|word| *word == "super").count();
            let start = &module[..module.len().saturating_sub(supers)];
            Some([start, &path[supers..]].concat())
        }
        _ => {
            let child = [module, path].concat();
            let is_child = modules.contains_key(&child[..=module.len()]);
            is_child.then_some(child)
        }
    }
}

fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| is_within(path, place))
}

fn may_use_system(path: &str) -> bool {
    is_in(path, SYSTEM_ROOMS) && path != KEYCHAIN_FACE
}

fn check_siblings(path: &str, line: usize, target: &str, found: &mut Vec<String>) {
    for (room, shared) in SIBLINGS {
        let child = |path: &str| {
            let rest = path.strip_prefix(room)?.strip_prefix('/')?;
            let name = rest.split('/').next()?;
            Some(name.trim_end_matches(".rs").to_owned())
        };
        let (Some(one), Some(other)) = (child(path), child(target)) else {
            continue;
        };
        // The registry names every neighbour.
        let names_all = one == "mod" || one == "registry";
        let is_free = names_all || other == "mod" || shared.contains(&&other[..]);
        if one != other && !is_free {
            found.push(format!(
                "{path}:{line}: siblings: it may not import {target}"
            ));
        }
    }
}

fn check_names(file: &Parsed<'_>, found: &mut Vec<String>) {
    for name in &file.module {
        if FORBIDDEN_NAMES.contains(&&name[..]) {
            let path = file.path;
            found.push(format!("{path}: names: {name} fits anything"));
        }
    }
}

fn check_reexports(file: &Parsed<'_>, found: &mut Vec<String>) {
    let defines_items = ITEMS.iter().any(|word| says(&file.code, word));
    if file.path == "lib.rs" && defines_items {
        found.push("lib.rs: map: lib.rs holds no item".to_owned());
    }
    let reexport = file.mentions.iter().find(|mention| mention.is_reexport);
    let Some(reexport) = reexport else { return };
    let rule = match file.path {
        "lib.rs" => "lib.rs is a map only",
        path if !path.ends_with("/mod.rs") => "only a mod.rs may",
        _ if defines_items => "a mod.rs defines or re-exports, never both",
        _ => return,
    };
    found.push(format!(
        "{}:{}: re-exports: {rule}",
        file.path, reexport.line
    ));
}

fn check_words(file: &Parsed<'_>, found: &mut Vec<String>) {
    let path = file.path;
    let mut forbid = |words: &[&str], is_allowed: bool, rule: &str| {
        for word in words.iter().filter(|_| !is_allowed) {
            if let Some(line) = line_of(&file.code, word) {
                found.push(format!("{path}:{line}: {rule}: {word}"));
            }
        }
    };
    forbid(&["unsafe"], may_use_system(path), "unsafe");
    forbid(DISGUISES, false, "disguises");
    forbid(ENVIRONMENT, false, "environment");
    forbid(PRINTING, path == PRINTER, "printing");
    forbid(STREAMS, is_in(path, STREAM_OWNERS), "printing");
    forbid(&["platform::stdout"], is_in(path, &["cli"]), "printing");
    forbid(CLOCKS, is_in(path, CLOCK_OWNERS), "clocks");
}

/// An import may rename a macro, a stream or a clock; the path of the import tells.
fn check_paths(file: &Parsed<'_>, found: &mut Vec<String>) {
    let rules: [(&[&str], bool, &str); 4] = [
        (PRINTING, file.path == PRINTER, "printing"),
        (STREAMS, is_in(file.path, STREAM_OWNERS), "printing"),
        (CLOCKS, is_in(file.path, CLOCK_OWNERS), "clocks"),
        (
            &["SystemTime", "Instant"],
            is_in(file.path, CLOCK_OWNERS),
            "clocks",
        ),
    ];
    for mention in &file.mentions {
        let said = format!("::{}", mention.path.join("::"));
        for (words, is_allowed, rule) in &rules {
            let is_end = |word: &&str| said.ends_with(&format!("::{}", word.trim_end_matches('!')));
            if !is_allowed && words.iter().any(is_end) {
                let (path, line) = (file.path, mention.line);
                found.push(format!("{path}:{line}: {rule}: {}", &said[2..]));
            }
        }
    }
}
