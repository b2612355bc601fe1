//! The files of other helpers, as each helper finds them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::configured::{gcm_folders_in_git, gcm_settings};
use crate::files::places::{Foreign, named_folder};

/// The files of git-credential-store: its own two, and those that git's configuration names (`told`).
pub(super) fn git_store(folders: &Foreign, told: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = vec![
        folders.home.join(".git-credentials"),
        folders.config.join("git").join("credentials"),
    ];
    for file in told {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

pub(super) fn netrc(folders: &Foreign) -> PathBuf {
    named_folder("NETRC").unwrap_or_else(|| folders.home.join(".netrc"))
}

/// gh's `hosts.yml` (cli/go-gh: `pkg/config`, `ConfigDir`).
pub(super) fn gh(folders: &Foreign) -> PathBuf {
    let on_windows = || Some(folders.roaming.as_ref()?.join("GitHub CLI"));
    let folder = named_folder("GH_CONFIG_DIR").or_else(on_windows);
    folder
        .unwrap_or_else(|| folders.config.join("gh"))
        .join("hosts.yml")
}

/// glab's `config.yml`. The folder of its first versions comes before the one of the XDG specification.
pub(super) fn glab(folders: &Foreign) -> PathBuf {
    let first = folders.home.join(".config").join("glab-cli");
    let folder = match named_folder("GLAB_CONFIG_DIR") {
        Some(named) => named,
        None if first.join("config.yml").exists() => first,
        None => folders.local.join("glab-cli"),
    };
    folder.join("config.yml")
}

/// The socket of git-credential-cache: the one that git's configuration names (`told`), or git's default.
pub(super) fn git_cache(folders: &Foreign, told: Vec<PathBuf>) -> PathBuf {
    let old = folders.home.join(".git-credential-cache");
    let usual = if old.is_dir() {
        old
    } else {
        folders.cache.join("git").join("credential")
    };
    told.into_iter().next().unwrap_or(usual.join("socket"))
}

/// The folders of GCM's plaintext store: the one in the environment, or all that git's configuration names, since it may name
/// one for each URL.
pub(super) fn gcm(home: &Path) -> Vec<PathBuf> {
    if let Some(folder) = named_folder("GCM_PLAINTEXT_STORE_PATH") {
        return vec![folder];
    }
    let mut folders = gcm_folders_in_git("plaintextStorePath", home);
    folders.push(home.join(".gcm").join("store"));
    folders
}

pub(super) fn gcm_namespaces() -> Vec<Vec<u8>> {
    let names = gcm_settings("GCM_NAMESPACE", "namespace").into_iter();
    let names = names.map(OsString::into_encoded_bytes);
    names.filter(|name| !name.is_empty()).collect()
}

/// The folder of GCM's gpg files, if GCM is set to use gpg.
pub(super) fn gcm_gpg(home: &Path) -> Option<PathBuf> {
    let folder = || home.join(".password-store");
    gcm_store(
        "gpg",
        ("PASSWORD_STORE_DIR", "gpgPassStorePath"),
        home,
        folder,
    )
}

/// The folder of the files that GCM encrypts with the data protection of Windows, if GCM is set to.
pub(super) fn gcm_dpapi(home: &Path) -> Option<PathBuf> {
    let folder = || home.join(".gcm").join("dpapi_store");
    gcm_store(
        "dpapi",
        ("GCM_DPAPI_STORE_PATH", "dpapiStorePath"),
        home,
        folder,
    )
}

/// The folder of the store `kind` of GCM: by `variable`, by git's setting, or the usual one. `None`: GCM is not set to use it.
fn gcm_store(
    kind: &str,
    (variable, setting): (&str, &'static str),
    home: &Path,
    usual: impl FnOnce() -> PathBuf,
) -> Option<PathBuf> {
    let kinds = gcm_settings("GCM_CREDENTIAL_STORE", "credentialStore");
    if !kinds.iter().any(|set| set.eq_ignore_ascii_case(kind)) {
        return None;
    }
    let told = || gcm_folders_in_git(setting, home).into_iter();
    let named = named_folder(variable).or_else(|| told().next());
    Some(named.unwrap_or_else(usual))
}
