//! git-credential-pat: a Git credential helper for people who use personal access tokens.

use std::process::ExitCode;

use git_credential_pat::Heap;

#[global_allocator]
static HEAP: Heap = Heap::new();

fn main() -> ExitCode {
    git_credential_pat::cli::run(std::env::args_os())
}
