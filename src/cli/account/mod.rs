//! `account`: adds, lists and removes the rules for several accounts on one host.

mod list;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;

use self::list::{list, token_in_words};
use super::exit_code::ExitCode;
use super::failure::CliResult;
use super::messages::invalid_state;
use super::rule::{add, file_of, in_words, own_setup, show, warn_unrecorded};
use super::streams::Streams;
use super::{open, settings, ui};
use crate::config::Flags;
use crate::config::account::Account;
use crate::credential::query::Query;
use crate::git::Git;
use crate::git::http_path::HttpPaths;
use crate::helper::token_state::StoredTokens;
use crate::tasks::accounts;
use crate::tasks::accounts::overview::AccountView;
use crate::tasks::setup::change::Warning;
use crate::tasks::setup::paths::{calling_key, path_removals, remove_paths};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time;

/// Keep a token for each owner on a host: add, list or remove rules
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: AccountAction,
}

#[derive(Subcommand)]
enum AccountAction {
    /// Add a rule: the repositories below a URL have a token of their own
    Add {
        /// The URL of an owner, such as https://github.com/acme; a host alone needs NAME
        #[arg(value_name = "URL")]
        url: String,
        /// The user of the token
        #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        name: Option<String>,
        /// Show the changes, and make none
        #[arg(long)]
        dry_run: bool,
    },
    /// List the rules, and the token that answers for each
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove the rule for a URL; its token stays
    Remove {
        /// The URL of the rule, as 'account list' shows it
        #[arg(value_name = "URL")]
        rule: String,
        /// Show the changes, and make none
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    match &arguments.action {
        AccountAction::Add { url, name, dry_run } => {
            let rule = accounts::rule(&target::parse(url)?, name.as_deref())?;
            let url = Query::of(&rule.key);
            let before = settings(flags.clone(), Some(&url))?;
            let is_added = add(&before, &rule, *dry_run, streams)?;
            if !*dry_run || !is_added {
                let shown = show_answer(flags, &rule, streams);
                if shown.is_err() && !*dry_run {
                    ui::warn(
                        streams,
                        "the rule is complete, but its token is unknown",
                        None,
                    );
                }
                shown?;
            }
            Ok(ExitCode::SUCCESS)
        }
        AccountAction::List { json } => list(flags, *json, streams),
        AccountAction::Remove { rule, dry_run } => remove(flags, rule, *dry_run, streams),
    }
}

fn remove(flags: Flags, typed: &str, is_dry: bool, streams: &mut Streams) -> CliResult {
    let url = target::parse(typed)?;
    let (settings, helper) = open(flags, Some(&url))?;
    let choice = accounts::choose(&settings.accounts, &url)?;
    let git = Git::find()?;
    let setup = own_setup(&git, &settings);
    accounts::remove(file_of(&settings), &url, true)?;
    let (removals, warnings) = path_removals(&setup, &choice.removed, &choice.others)?;
    // First git, then the rule: a path that git sends without a rule would hide the host's token.
    show(&setup, &removals, is_dry, streams)?;
    if !is_dry && !removals.is_empty() {
        let key = calling_key(&git, &url)?.unwrap_or_else(|| "credential.helper".into());
        let unrecorded = remove_paths(&setup, &key, &removals)?;
        warn_unrecorded(unrecorded.as_ref(), streams);
    }
    for Warning { says, hint } in warnings {
        ui::warn(streams, &says, hint.as_deref());
    }
    accounts::remove(file_of(&settings), &url, is_dry)?;
    let verb = if is_dry {
        "would be removed"
    } else {
        "removed"
    };
    let place = escape::safe(settings.config.as_os_str().as_encoded_bytes());
    for rule in &choice.removed {
        let says = format!("the rule for {} {verb} from {place}\n", in_words(rule));
        ui::change(streams, &says, is_dry)?;
    }
    let kept = helper.storages().list_all().map(|outcome| outcome.value);
    let kept = kept.unwrap_or_default();
    for rule in &choice.removed {
        let view = AccountView::of(rule, &settings.accounts, &kept, &HttpPaths::default(), 0);
        if let Some((kind, listed)) = view.token.filter(|_| rule.key.path.is_some()) {
            let says = format!("its token stays in {}", kind.place());
            let hint = format!(
                "remove it with 'git credential-pat logout {}'",
                listed.key.argument()
            );
            ui::done_with_hint(streams, &says, &hint)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says which token answers for the rule now.
fn show_answer(flags: Flags, rule: &Account, streams: &mut Streams) -> CliResult<()> {
    let (settings, helper) = open(flags, Some(&Query::of(&rule.key)))?;
    let outcome = helper.storages().list_all()?;
    let unix_now = time::now().unix;
    ui::notices(streams, &outcome.notices, unix_now);
    let paths = HttpPaths::default();
    let view = AccountView::of(rule, &settings.accounts, &outcome.value, &paths, unix_now);
    let (state, expiry) = match view.token {
        None => ("no token yet".to_owned(), None),
        Some(token) => (token_in_words(token), token.1.expiry),
    };
    let tokens = StoredTokens::read(&helper, unix_now);
    let invalid = view.token.and_then(|(kind, listed)| {
        let (known, state) = tokens.token(*kind, listed);
        invalid_state(state, &known)
    });
    if let Some(words) = invalid {
        let says = format!("its token: {state}, {words}");
        return Ok(ui::done_with_hint(streams, &says, &login_hint(rule))?);
    }
    match expiry {
        Some(expiry) if expiry.is_past(unix_now) => {
            let says = format!("its token: {state}, expired {}", expiry.day());
            ui::done_with_hint(streams, &says, &login_hint(rule))?;
        }
        Some(expiry) => {
            ui::done(
                streams,
                &format!("its token: {state}, expires {}\n", expiry.day()),
            )?;
        }
        None if view.token.is_some() => ui::done(streams, &format!("its token: {state}\n"))?,
        None => ui::done_with_hint(streams, &state, &login_hint(rule))?,
    }
    Ok(())
}

fn login_hint(rule: &Account) -> String {
    format!(
        "save one with 'git credential-pat login {}'",
        rule.key.argument()
    )
}
