//! git-credential-pat: a Git credential helper for people who use personal access tokens.

use std::process::ExitCode;

fn main() -> ExitCode {
    git_credential_pat::cli::run(std::env::args_os())
}
