//! The helper's flags, as people give them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::config::Flags;
use crate::config::choice::Choice;
use crate::tasks::calls::absolute;
use crate::time::parse_duration;

#[derive(Args)]
#[command(next_help_heading = "Options of the helper")]
pub(super) struct FlagArguments {
    /// The storage: auto (the keychain if it can be reached, else memory), memory, keychain, file (plaintext), or several with
    /// commas between them, asked in this order
    #[arg(long, global = true, value_name = "STORAGE", value_parser = str::parse::<Choice>)]
    storage: Option<Choice>,
    /// Memory forgets a credential this long after its last use: seconds, or a number with s, m, h, d or w [default: 1h]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// Memory forgets a credential this long after it was stored, used or not [default: 12h]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    max_age: Option<Duration>,
    /// The plaintext file of the file storage
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    file: Option<PathBuf>,
    /// The socket of the memory daemon
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    socket: Option<PathBuf>,
    /// Another configuration file
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    config: Option<PathBuf>,
}

impl FlagArguments {
    pub(super) fn into_flags(self) -> Flags {
        let Self {
            storage,
            timeout,
            max_age,
            file,
            socket,
            config,
        } = self;
        Flags {
            storage,
            timeout,
            max_age,
            file,
            socket,
            config,
        }
    }
}

/// Parses a path, which need not be UTF-8.
fn absolute_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new()
        .try_map(|path| absolute(&path).ok_or("write the whole path, from / on"))
}
