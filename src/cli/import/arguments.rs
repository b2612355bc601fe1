//! The command line of `import`.

use crate::neighbour::registry::Source;

/// Import credentials from other helpers
///
/// Shows them first, and asks. Without FROM, imports from every helper that it finds.
#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// git-store, git-store:PATH, netrc, netrc:PATH, gh, glab, gcm, git-cache, or env:NAME for a token in an environment
    /// variable
    #[arg(value_name = "FROM", value_parser = str::parse::<Source>)]
    pub(super) from: Vec<Source>,
    /// Import only the credentials for this URL, such as https://github.com or https://octocat@github.com; with env:NAME, the
    /// URL that the token is for
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// Show the credentials that would be imported, and import none
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    /// Also import a credential that replaces a stored secret, or that would answer in place of another one
    #[arg(long)]
    pub(super) replace: bool,
    /// Also import credentials that were rejected or superseded, or whose kind their forge no longer accepts
    #[arg(long)]
    pub(super) refused: bool,
    /// Then remove the credentials from their source, if they are kept here permanently
    #[arg(long)]
    pub(super) remove_source: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}
