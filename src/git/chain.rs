//! Which helpers git calls, in order (gitcredentials(7)): every `credential.helper` that applies to a URL, after the last empty one.

use std::ffi::OsStr;
use std::path::Path;

use super::Git;
use super::context::{applies, context_of, example};
use super::failure::Error;
use super::helper_line::{KEYS, PROGRAM, is_ours, words};
use super::setting::Setting;
use crate::credential::query::Query;

/// The helpers for one URL, or for every URL.
pub struct HelperChain {
    /// In the order in which git calls them.
    pub helpers: Vec<Setting>,
    /// The empty value that drops this helper, and the dropped line.
    pub dropped: Option<[Setting; 2]>,
}

/// Reads every `credential.helper` that counts in the current folder.
pub fn helper_lines(git: &Git) -> Result<Vec<Setting>, Error> {
    git.settings(KEYS)
}

impl HelperChain {
    /// Selects from `lines` the helpers for `url`; without a URL, those for every URL.
    pub fn of(lines: &[Setting], url: Option<&Query>) -> Self {
        let mut chain = Self {
            helpers: Vec::new(),
            dropped: None,
        };
        for line in lines {
            if !applies(&line.key, url) {
                continue;
            }
            if !line.value.is_empty() {
                chain.helpers.push(line.clone());
                continue;
            }
            let ours = chain.helpers.drain(..).rfind(|known| is_ours(&known.value));
            if let Some(ours) = ours {
                chain.dropped = Some([line.clone(), ours]);
            }
        }
        chain
    }

    /// The position of this helper; `None`: git does not call it.
    pub fn position_of_ours(&self) -> Option<usize> {
        let mut helpers = self.helpers.iter();
        helpers.position(|setting| is_ours(&setting.value))
    }
}

/// The contexts in which an empty value drops this helper, though git calls it elsewhere: the empty line of each, and the
/// helpers there.
pub fn contexts_without_ours(lines: &[Setting]) -> Vec<(&Setting, HelperChain)> {
    let mut found = Vec::new();
    for line in lines.iter().filter(|line| line.value.is_empty()) {
        let Some(url) = context_of(&line.key).and_then(example) else {
            continue;
        };
        let chain = HelperChain::of(lines, Some(&url));
        if chain.position_of_ours().is_none() && chain.dropped.is_some() {
            found.push((line, chain));
        }
    }
    found
}

/// The program of a helper line, if it is not installed there.
pub fn missing_program(value: &OsStr) -> Option<String> {
    let first = words(value)?.into_iter().next()?;
    let is_there = if Path::new(&first).is_absolute() {
        Path::new(&first).is_file()
    } else {
        Git::on_path(PROGRAM).is_some()
    };
    (!is_there).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;

    #[test]
    fn an_empty_value_drops_the_helpers_before_it() {
        let lines = [
            Setting::global("credential.helper", "cache"),
            Setting::global("credential.helper", "pat"),
            Setting::global("credential.https://one.test.helper", ""),
            Setting::global("credential.https://one.test.helper", "store"),
        ];
        let of = |url: &str| {
            let url = url::parse(url.as_bytes()).unwrap();
            let chain = HelperChain::of(&lines, Some(&url));
            let values = chain
                .helpers
                .iter()
                .map(|setting| setting.value.to_str().unwrap().to_owned());
            (
                values.collect::<Vec<_>>().join(" "),
                chain.position_of_ours(),
                chain.dropped.is_some(),
            )
        };
        assert_eq!(of("https://one.test/r"), ("store".to_owned(), None, true));
        assert_eq!(
            of("https://two.test"),
            ("cache pat".to_owned(), Some(1), false)
        );
    }
}
