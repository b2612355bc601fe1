//! The house keeps its import law; and the law is seen to be broken when it is.

mod law;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use self::law::{Tree, breaches};
use self::source::{code_of, mentions};

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_house_keeps_the_law() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut tree = Tree::default();
    collect(&root, &root, &mut tree.0);
    assert!(tree.0.len() > 10, "{:?}", tree.0.keys());
    let breaches = breaches(&tree);
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

/// A small house in which all is well.
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
        ("cli/ui.rs", "fn say() { println!(\"x\"); }"),
        (
            "helper/mod.rs",
            "use crate::storage::{Storage, file::File};\npub struct Helper;",
        ),
        ("config.rs", "use crate::storage::Kind;"),
        ("journal.rs", "use crate::credential::Credential;"),
        ("cache/daemon.rs", "use crate::time::now;\nfn f() { now() }"),
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
        ("storage/keychain/mod.rs", "pub struct Keychain;"),
        (
            "storage/keychain/linux.rs",
            "#[cfg(target_os = \"linux\")] fn f() { unsafe { g() } }",
        ),
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
        ("platform/unix.rs", "pub fn harden() { unsafe {} }"),
    ];
    Tree(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    )
}

#[test]
fn a_lawful_house_is_left_in_peace() {
    assert_eq!(breaches(&house()), [""; 0]);
}

/// `text` is added to `path` of the lawful house: a breach of `rule` is to be found there. An import from above may close
/// a circle, too.
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
fn imports_from_above_are_caught() {
    is_caught("storage/file.rs", "use crate::helper::Helper;", "floors:");
    is_caught(
        "storage/file.rs",
        "fn f() { crate::config::read(); }",
        "floors:",
    );
    is_caught(
        "storage/file.rs",
        "use crate::{private, journal::Journal};",
        "floors:",
    );
    is_caught(
        "credential/key.rs",
        "use super::super::storage::Kind;",
        "floors:",
    );
    is_caught("config.rs", "use crate::journal::Journal;", "floors:");
    is_caught(
        "private.rs",
        "use crate::credential::Credential;",
        "floors:",
    );
}

#[test]
fn rooms_without_a_floor_are_caught() {
    is_caught("attic.rs", "", "floors:");
}

#[test]
fn cycles_are_caught() {
    is_caught("storage/mod.rs", "use file::File;", "cycle:");
    is_caught("secret.rs", "use crate::private::Folder;", "cycle:");
    is_caught("credential/key.rs", "use super::Credential;", "cycle:");
}

#[test]
fn rooms_for_anything_are_caught() {
    is_caught("storage/utils.rs", "", "names:");
    is_caught("cli/common.rs", "", "names:");
    is_caught("credential/error.rs", "", "names:");
}

#[test]
fn siblings_are_caught() {
    is_caught("storage/memory.rs", "use super::file::File;", "siblings:");
    is_caught(
        "storage/keychain/linux.rs",
        "use crate::storage::file::File;",
        "siblings:",
    );
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
    is_caught("journal.rs", "pub use std::fmt::Debug;", "re-exports:");
    is_caught("platform/mod.rs", "pub fn more() {}", "re-exports:");
}

#[test]
fn items_in_the_map_are_caught() {
    is_caught("lib.rs", "pub struct Everything;", "map:");
}

#[test]
fn knowing_the_system_is_caught() {
    is_caught(
        "private.rs",
        "#[cfg(target_os = \"macos\")] fn f() {}",
        "systems:",
    );
    is_caught(
        "storage/keychain/mod.rs",
        "fn f() { if cfg!(target_os = \"macos\") {} }",
        "systems:",
    );
}

#[test]
fn unsafe_code_is_caught() {
    is_caught("secret.rs", "fn f() { unsafe { g() } }", "unsafe:");
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
    is_caught("secret.rs", "use crate as house;", "floors:");
    is_caught(
        "secret.rs",
        "fn f() { crate :: cli /* x */ :: ui::f(); }",
        "floors:",
    );
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
fn a_change_of_the_environment_is_caught() {
    for call in ["std::env::set_var", "env::remove_var"] {
        let code = format!("fn f() {{ unsafe {{ {call}(\"A\") }} }}");
        is_caught("platform/unix.rs", &code, "environment:");
    }
}

#[test]
fn clocks_are_caught() {
    is_caught(
        "journal.rs",
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
fn reads_rust_as_it_is_written() {
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
