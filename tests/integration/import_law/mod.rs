//! Holds `src` against the law and its table, and shows that the law sees a planted breach.

mod law;
mod rooms;
mod source;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use self::law::{Tree, judge};
use self::rooms::Table;
use self::source::{code_of, mentions};

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_house_keeps_the_law() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = project.join("src");
    let mut tree = Tree::default();
    collect(&root, &root, &mut tree.0);
    assert!(tree.0.len() > 10, "{:?}", tree.0.keys());
    let (actual, breaches) = judge(&tree, &Table::of_this_crate());
    eprintln!("{}", actual.shown());
    if std::env::var_os("UPDATE_LAW").is_some() {
        let path = project.join("tests/integration/import_law/table.rs");
        fs::write(path, actual.in_rust()).unwrap();
    }
    let table = actual.in_rust();
    let breaches_shown = breaches.join("\n");
    assert!(
        breaches.is_empty(),
        "\n{table}\n{breaches_shown}\n\nThe true table stands above; UPDATE_LAW=1 writes it to table.rs.",
    );
}

/// The table of `house`.
const ROOMS: &[(&str, &[&str])] = &[
    ("daemon", &["time"]),
    ("forge", &[]),
    ("lib", &[]),
    ("main", &["cli"]),
    ("storage/memory", &["storage"]),
    ("tasks", &[]),
    ("tasks/doctor", &[]),
    ("cli", &["helper", "storage", "tasks/clean", "time"]),
    ("tasks/clean", &["helper"]),
    ("time", &[]),
    ("helper", &["storage", "storage/file"]),
    ("storage/file", &["private", "storage"]),
    ("private", &["secret"]),
    ("storage", &["credential"]),
    ("credential", &["secret"]),
    ("secret", &["platform"]),
    ("platform", &[]),
];

/// A small tree that keeps the law.
fn house() -> Tree {
    let files = [
        ("main.rs", "fn main() { git_credential_pat::cli::run() }"),
        ("lib.rs", "//! A map.\npub mod cli;\npub mod storage;"),
        (
            "cli/mod.rs",
            "pub mod list;\npub mod ui;\nuse crate::helper::Helper;\nuse crate::cli::list;\npub fn run() {}",
        ),
        (
            "cli/list.rs",
            "use super::ui;\nuse crate::storage::{self, Storage};\nfn f() { crate::time::now(); }",
        ),
        ("cli/clean.rs", "use crate::tasks::clean;"),
        ("cli/ui.rs", "fn say() { println!(\"x\"); }"),
        ("tasks/mod.rs", "pub mod clean;\npub mod doctor;"),
        ("tasks/clean.rs", "use crate::helper::Helper;"),
        ("tasks/doctor/mod.rs", "pub struct Doctor;"),
        (
            "helper/mod.rs",
            "use crate::storage::{Storage, file::File};\npub struct Helper;",
        ),
        ("daemon/mod.rs", "use crate::time::now;\nfn f() { now() }"),
        ("daemon/frame.rs", "use std::os::fd::AsFd;"),
        (
            "storage/mod.rs",
            "pub mod file;\npub mod memory;\nuse crate::credential::Credential;\npub trait Storage {}",
        ),
        (
            "storage/file.rs",
            "use super::Storage;\nuse crate::private;\n#[cfg(test)]\nmod tests { use crate::cli::ui; }",
        ),
        (
            "storage/memory.rs",
            "use crate::storage::Storage;\n// use crate::cli::ui;\nconst X: &str = \"crate::cli::ui\";",
        ),
        (
            "storage/keychain/linux.rs",
            "#[cfg(target_os = \"linux\")] fn f() { unsafe { g() } }",
        ),
        ("forge/github.rs", "pub struct GitHub;"),
        ("forge/gitlab.rs", "pub struct GitLab;"),
        (
            "credential/mod.rs",
            "pub mod key;\nuse self::key::Key;\npub struct Credential(Key);",
        ),
        (
            "credential/key.rs",
            "use crate::secret::Secret;\npub struct Key;",
        ),
        (
            "secret.rs",
            "use crate::platform::harden;\npub struct Secret;",
        ),
        ("private.rs", "use crate::secret::Secret;"),
        ("time.rs", "pub fn now() { std::time::SystemTime::now() }"),
        ("platform/mod.rs", "mod unix;\npub use unix::harden;"),
        (
            "platform/unix.rs",
            "use rustix::fs;\npub fn harden() { unsafe {} }",
        ),
    ];
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.0.insert(path.to_owned(), text.to_owned());
    }
    tree
}

fn table() -> Table {
    Table::new(ROOMS, &["daemon/frame.rs"])
}

fn breaches(tree: &Tree) -> Vec<String> {
    judge(tree, &table()).1
}

#[test]
fn a_lawful_house_has_no_breach() {
    assert_eq!(breaches(&house()), [""; 0]);
}

#[test]
fn the_printed_table_is_the_listed_one() {
    let (actual, _) = judge(&house(), &table());
    let mut expected = String::new();
    for (room, imports) in ROOMS {
        expected += format!("{room} → {}", imports.join(", ")).trim_end();
        expected.push('\n');
    }
    assert_eq!(actual.shown(), expected);
}

/// Adds `text` to `path` of the lawful house, and expects a breach of `rule` there.
#[track_caller]
fn is_caught(path: &str, text: &str, rule: &str) {
    let mut tree = house();
    let file = tree.0.entry(path.to_owned()).or_default();
    file.push('\n');
    file.push_str(text);
    let found = breaches(&tree);
    let is_found = |breach: &String| breach.contains(path) && breach.contains(rule);
    assert!(found.iter().any(is_found), "{path}: {text}: {found:#?}");
}

#[test]
fn unlisted_imports_are_caught_with_the_line_to_paste() {
    for text in [
        "use crate::helper::Helper;",
        "fn f() { crate::helper::read(); }",
        "use crate::{private, helper::Helper};",
        "use super::super::helper::Helper;",
        "fn f() { crate :: helper /* x */ :: f(); }",
    ] {
        is_caught("storage/file.rs", text, "import: storage/file → helper");
    }
    is_caught("secret.rs", "use crate as house;", "import: secret → lib");
    is_caught(
        "main.rs",
        "fn f() { git_credential_pat::time::now() }",
        "import: main → time",
    );
    is_caught(
        "tasks/doctor/mod.rs",
        "use crate::tasks::clean;",
        "not listed: (\"tasks/doctor\", &[\"tasks/clean\"]),",
    );
}

#[test]
fn a_module_reached_through_its_parent_is_caught() {
    is_caught(
        "storage/memory.rs",
        "use crate::storage;\nfn f() { storage::file::open() }",
        "import: storage/memory → storage/file",
    );
}

#[test]
fn listed_imports_that_are_not_used_are_caught() {
    let mut tree = house();
    tree.0.insert(
        "helper/mod.rs".to_owned(),
        "use crate::storage::Storage;".to_owned(),
    );
    let expected = "helper: unused: helper → storage/file is listed: (\"helper\", &[\"storage\"]),";
    assert_eq!(breaches(&tree), [expected]);
}

#[test]
fn rooms_that_are_not_listed_are_caught() {
    is_caught("attic.rs", "", "room: not listed: add (\"attic\", &[]),");
    is_caught(
        "tasks/setup/mod.rs",
        "",
        "room: not listed: add (\"tasks/setup\", &[]),",
    );
    is_caught(
        "tasks/rotate.rs",
        "",
        "room: not listed: add (\"tasks/rotate\", &[]),",
    );
}

#[test]
fn listed_rooms_without_files_are_caught() {
    let mut tree = house();
    tree.0.remove("tasks/doctor/mod.rs");
    let expected = "tasks/doctor: room: without files: remove its line";
    assert_eq!(breaches(&tree), [expected]);
}

#[test]
fn a_table_out_of_order_is_caught() {
    let mut table = table();
    table.order.reverse();
    let found = judge(&house(), &table).1;
    let expected = "cli: order: its line stands below time".to_owned();
    assert!(found.contains(&expected), "{found:#?}");
}

#[test]
fn cycles_of_files_are_caught() {
    is_caught("storage/mod.rs", "use file::File;", "cycle of files:");
    is_caught(
        "credential/key.rs",
        "use super::Credential;",
        "cycle of files:",
    );
}

#[test]
fn cycles_of_rooms_are_caught_even_if_they_are_listed() {
    let mut rooms = ROOMS.to_vec();
    rooms.push(("secret", &["platform", "private"]));
    let mut tree = house();
    tree.0.insert(
        "secret/code.rs".to_owned(),
        "use crate::private::Folder;".to_owned(),
    );
    let found = judge(&tree, &Table::new(&rooms, &["daemon/frame.rs"])).1;
    let expected = "private: cycle of rooms: private, secret".to_owned();
    assert!(found.contains(&expected), "{found:#?}");
}

#[test]
fn direct_use_of_the_system_is_caught() {
    for text in [
        "use std::os::unix::fs::MetadataExt;",
        "use rustix::fs;",
        "fn f() { libc::getpid(); }",
        "#[cfg(target_os = \"macos\")] fn f() {}",
        "fn f() { if cfg!(target_os = \"macos\") {} }",
        "#[cfg(unix)] fn f() {}",
        "fn f() { if cfg!(windows) {} }",
    ] {
        is_caught("private.rs", text, "system: used outside");
        is_caught("storage/keychain/mod.rs", text, "system: used outside");
    }
}

#[test]
fn a_listed_file_that_does_not_use_the_system_is_caught() {
    let mut tree = house();
    tree.0.insert("daemon/frame.rs".to_owned(), String::new());
    let expected = "daemon/frame.rs: system: no longer used: remove it from the list";
    assert_eq!(breaches(&tree), [expected]);
}

#[test]
fn names_that_fit_anything_are_caught() {
    is_caught("storage/utils.rs", "", "names:");
    is_caught("cli/common.rs", "", "names:");
    is_caught("credential/error.rs", "", "names:");
}

#[test]
fn siblings_are_caught() {
    is_caught("forge/gitlab.rs", "use super::github::GitHub;", "siblings:");
    is_caught("cli/check.rs", "use super::list::table;", "siblings:");
}

#[test]
fn reexports_are_caught() {
    is_caught("lib.rs", "pub use storage::Storage;", "re-exports:");
    is_caught(
        "storage/mod.rs",
        "pub(crate) use std::fmt::Debug;",
        "re-exports:",
    );
    is_caught("private.rs", "pub use std::fmt::Debug;", "re-exports:");
    is_caught("platform/mod.rs", "pub fn more() {}", "re-exports:");
}

#[test]
fn items_in_the_map_are_caught() {
    is_caught("lib.rs", "pub struct Everything;", "map:");
}

#[test]
fn unsafe_code_is_caught() {
    is_caught("secret.rs", "fn f() { unsafe { g() } }", "unsafe:");
    is_caught("daemon/mod.rs", "unsafe impl Send for Daemon {}", "unsafe:");
    is_caught(
        "storage/keychain/mod.rs",
        "unsafe impl Send for Keychain {}",
        "unsafe:",
    );
}

#[test]
fn disguises_are_caught() {
    is_caught("secret.rs", "extern crate self as other;", "disguises:");
    is_caught(
        "secret.rs",
        "#[path = \"cli/ui.rs\"]\nmod ui;",
        "disguises:",
    );
    is_caught("secret.rs", "include!(\"cli/ui.rs\");", "disguises:");
    is_caught(
        "secret.rs",
        "macro_rules! m { ($a:ident) => { crate::$a::f() } }",
        "disguises:",
    );
}

#[test]
fn printing_is_caught() {
    is_caught("cli/list.rs", "fn g() { println!(); }", "printing:");
    is_caught("helper/mod.rs", "fn g() { eprintln!(); }", "printing:");
    is_caught(
        "storage/file.rs",
        "fn g() { std::io::stderr().write_all(b\"x\"); }",
        "printing:",
    );
    is_caught(
        "storage/file.rs",
        "use std::io::{self, stdout};",
        "printing:",
    );
    is_caught("storage/file.rs", "use std::println as p;", "printing:");
    is_caught(
        "storage/file.rs",
        "fn g() { println /* x */ !(); }",
        "printing:",
    );
}

#[test]
fn changes_of_the_environment_are_caught() {
    for call in ["std::env::set_var", "env::remove_var"] {
        let code = format!("fn f() {{ unsafe {{ {call}(\"A\") }} }}");
        is_caught("platform/unix.rs", &code, "environment:");
    }
}

#[test]
fn clocks_are_caught() {
    is_caught(
        "private.rs",
        "fn f() { std::time::SystemTime::now(); }",
        "clocks:",
    );
    is_caught("helper/mod.rs", "fn f() { Instant::now(); }", "clocks:");
    is_caught(
        "helper/mod.rs",
        "use std::time::SystemTime as S;",
        "clocks:",
    );
    is_caught("storage/memory.rs", "use crate::time::now;", "clocks:");
    is_caught(
        "storage/memory.rs",
        "fn f() { crate::time::now(); }",
        "clocks:",
    );
}

#[test]
fn rust_is_read_without_comments_literals_and_tests() {
    let code = code_of(
        "use a::{self, b::{c as d, e}};\n/* use f; /* g */ */ // use h;\nlet x = r#\"use i; \"\"#; let y = '\"'; let z: &'a str = \"\\\"use j;\";\n#[cfg(test)]\nmod tests {\n use k;\n}\npub(crate) use l::m;\n",
    );
    let found: Vec<_> = mentions(&code)
        .into_iter()
        .map(|mention| (mention.line, mention.path.join("::"), mention.is_reexport))
        .collect();
    let expected = [
        (1, "a", false),
        (1, "a::b::c", false),
        (1, "a::b::e", false),
        (8, "l::m", true),
    ];
    let expected = expected.map(|(line, path, is_reexport)| (line, path.to_owned(), is_reexport));
    assert_eq!(found, expected);
}
