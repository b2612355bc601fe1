//! The command line of `import`.

use crate::neighbour::registry::Source;

/// Take over the credentials of other helpers: shows them first, and asks
///
/// Without FROM: of all that are found.
#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// git-store, git-store:PATH, netrc, netrc:PATH, gh, glab, gcm, git-cache, or env:NAME for a token in a variable of
    /// the environment
    #[arg(value_name = "FROM", value_parser = str::parse::<Source>)]
    pub(super) from: Vec<Source>,
    /// Only what is for this URL, such as https://github.com or https://octocat@github.com; for env:NAME: what the token
    /// is for
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// Show what would be taken over, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    /// Import even where another secret is stored here, or another credential answers now
    #[arg(long)]
    pub(super) replace: bool,
    /// Import even credentials that are known to be rejected or superseded, or whose kind their forge no longer accepts
    #[arg(long)]
    pub(super) refused: bool,
    /// Then take what is kept here for good out of where it came from
    #[arg(long)]
    pub(super) remove_source: bool,
    /// For machines
    #[arg(long)]
    pub(super) json: bool,
}
