//! Which URLs git tells its helpers with their path: `credential.useHttpPath` (gitcredentials(7)).

use super::Git;
use super::context::last;
use super::setting::Setting;
use crate::credential::query::Query;

/// Every `credential.useHttpPath`, read once for any number of URLs.
#[derive(Debug, Default)]
pub struct HttpPaths(Vec<Setting>);

impl HttpPaths {
    /// Reads the settings that count in the current folder. Without git, or where it fails, there are none.
    pub fn of(git: &Git) -> Self {
        let settings = git.settings(r"^credential\.(.*\.)?usehttppath$");
        Self(settings.unwrap_or_default())
    }

    /// Whether git tells the path of `url`. For other protocols than HTTP it always does.
    pub fn are_told(&self, url: &Query) -> bool {
        let is_http = matches!(url.protocol.as_deref(), Some(b"http" | b"https"));
        !is_http || last(&self.0, Some(url)).is_some_and(|setting| setting.is_on() == Some(true))
    }
}
