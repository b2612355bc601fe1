//! Adds and removes `[[account]]` rules in the text of `config.toml`. Every other byte stays as it is.
//!
//! The text is cut and spliced at the spans that the parser tells: a writer of TOML, such as `toml_edit`, would write LF for
//! CRLF, end the last line and sort dotted keys. Each new text is parsed again before it is used.
//!
//! | the text before | an added rule |
//! |---|---|
//! | ends with a newline | an empty line and the rule |
//! | does not end with one | the same, and the rule's last line does not end either |
//! | is empty | an empty line and the rule; without a file, the rule alone |
//!
//! So the removal of a rule knows the text before: it takes one empty line with the rule.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::account::Account;
use super::failure::Error;
use super::{source, written};
use crate::credential::key::Key;
use crate::credential::username::Username;
use crate::files::external;
use crate::files::owned::Folder;

/// `config.toml` as it was read, with its rules.
pub(crate) struct RuleFile {
    path: PathBuf,
    /// `None`: there is no file.
    text: Option<String>,
    pub(crate) accounts: Vec<Account>,
}

/// The next text of the file; `None`: no file.
pub(crate) struct NewText(Option<String>);

impl RuleFile {
    /// Reads the file as the helper does, and fails as the helper does.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = match source::read(path) {
            Err(error) if error.is_absence() => None,
            text => Some(text?),
        };
        let written = text.as_deref().map(|text| written::parse(text, path));
        Ok(Self {
            path: path.to_path_buf(),
            accounts: written.transpose()?.unwrap_or_default().account,
            text,
        })
    }

    /// The text with one more rule.
    pub(crate) fn with(&self, key: &Key) -> Result<NewText, Error> {
        let mut expected = self.accounts.clone();
        expected.push(Account { key: key.clone() });
        self.checked(Some(appended(self.text.as_deref(), key)), &expected)
    }

    /// The text without the rules that `is_removed` picks.
    pub(crate) fn without(&self, is_removed: impl Fn(&Account) -> bool) -> Result<NewText, Error> {
        let text = self.text.as_deref().unwrap_or_default();
        let sections = sections(text).ok_or_else(|| self.not_editable())?;
        let mut rest = text.to_owned();
        let picked = sections.into_iter().zip(&self.accounts);
        // From the last one on: the places of the others stay.
        for (section, _) in picked.rev().filter(|(_, account)| is_removed(account)) {
            rest.replace_range(section, "");
        }
        let expected = self.accounts.iter().filter(|account| !is_removed(account));
        let expected: Vec<Account> = expected.cloned().collect();
        let is_no_file = rest.is_empty() && text.starts_with('[');
        self.checked((!is_no_file).then_some(rest), &expected)
    }

    /// `text` if it has the `expected` rules.
    fn checked(&self, text: Option<String>, expected: &[Account]) -> Result<NewText, Error> {
        let parsed = written::parse(text.as_deref().unwrap_or_default(), &self.path);
        if parsed.is_ok_and(|parsed| parsed.account == expected) {
            Ok(NewText(text))
        } else {
            Err(self.not_editable())
        }
    }

    fn not_editable(&self) -> Error {
        let path = self.path.clone();
        Error::NotEditable { path }
    }

    /// Replaces the file in one move, at the end of a link of this user. Returns false if another program wrote the file since it
    /// was read. `may_vanish`: whether a text of nothing but the rule is removed with its file.
    pub(crate) fn replace(&self, new: NewText, may_vanish: bool) -> Result<bool, Error> {
        let unwritten = |cause| Error::Unwritten {
            path: self.path.clone(),
            cause,
        };
        let before = self.text.as_ref().map(String::as_bytes);
        let new = match new.0 {
            None if may_vanish => {
                let removed = external::remove(&self.path, |now| Some(now) == before);
                let is_removed = removed.map_err(unwritten)?;
                // The folder has this program's name. It stays if anything is left in it.
                let _ = self.path.parent().map(fs::remove_dir);
                return Ok(is_removed);
            }
            new => new.unwrap_or_default(),
        };
        let folder = self.path.parent().filter(|folder| !folder.exists());
        folder.map(Folder::make).transpose().map_err(unwritten)?;
        let is_written = external::replace(&self.path, before, new.as_bytes());
        if !is_written.map_err(unwritten)? {
            return Ok(false);
        }
        // A new file in a folder that others can change would be read by no later call.
        let read = source::read(&self.path);
        if read.is_err() && before.is_none() {
            let removed = external::remove(&self.path, |now| now == new.as_bytes());
            removed.map_err(unwritten)?;
        }
        read.map(|_| true)
    }
}

/// The lines of one rule.
fn lines(key: &Key) -> Vec<String> {
    let user = key.username.as_ref().and_then(Username::visible);
    let bare = Key {
        username: None,
        ..key.clone()
    };
    let mut lines = vec![
        "[[account]]".to_owned(),
        format!("url = \"{}\"", bare.encoded()),
    ];
    if let Some(name) = user {
        let name = String::from_utf8_lossy(name);
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        lines.push(format!("username = \"{name}\""));
    }
    lines
}

fn appended(text: Option<&str>, key: &Key) -> String {
    let before = text.unwrap_or_default();
    let newline = if before.contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let is_ended = before.is_empty() || before.ends_with('\n');
    let mut new = before.to_owned();
    if !is_ended {
        new.push_str(newline);
    }
    if text.is_some() {
        new.push_str(newline);
    }
    new.push_str(&lines(key).join(newline));
    if is_ended {
        new.push_str(newline);
    }
    new
}

/// The place of each rule, with the empty line before it. `None`: the rules are an inline array.
fn sections(text: &str) -> Option<Vec<Range<usize>>> {
    let root = DeTable::parse(text).ok()?;
    let mut sections = Vec::new();
    let Some(DeValue::Array(rules)) = root.get_ref().get("account").map(toml::Spanned::get_ref)
    else {
        return Some(sections);
    };
    for rule in rules {
        let DeValue::Table(table) = rule.get_ref() else {
            return None;
        };
        let header = rule.span();
        if !text.get(header.clone())?.starts_with("[[") {
            return None;
        }
        let ends = table.values().map(|value| value.span().end);
        let end = ends.fold(header.end, usize::max);
        sections.push(section(text, header.start, end));
    }
    Some(sections)
}

/// The whole lines from `start` to `end`, and one empty line before them; at the start of the file, one after them. If no newline
/// ends the last line, the newline before the empty line goes, too.
fn section(text: &str, start: usize, end: usize) -> Range<usize> {
    let start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let newline = text[end..].find('\n');
    let end = newline.map_or(text.len(), |at| end + at + 1);
    let before = &text[..start];
    if before.is_empty() {
        let after = &text[end..];
        let rest = after.strip_prefix("\r\n").or(after.strip_prefix('\n'));
        return start..text.len() - rest.unwrap_or(after).len();
    }
    let Some(before_empty) = without_newline(before) else {
        return start..end;
    };
    if !before_empty.is_empty() && !before_empty.ends_with('\n') {
        return start..end;
    }
    let rest = match newline {
        Some(_) => before_empty,
        None => without_newline(before_empty).unwrap_or(before_empty),
    };
    rest.len()..end
}

fn without_newline(text: &str) -> Option<&str> {
    text.strip_suffix("\r\n").or(text.strip_suffix('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;
    use crate::platform::testing::{make_link, mode, set_mode};

    fn key(url: &str, user: Option<&str>) -> Key {
        let mut query = url::parse(url.as_bytes()).unwrap();
        query.username = user.map(Username::from);
        query.key().unwrap()
    }

    fn file(text: Option<&str>) -> RuleFile {
        let parsed = written::parse(text.unwrap_or_default(), Path::new("config.toml"));
        RuleFile {
            path: PathBuf::from("config.toml"),
            text: text.map(str::to_owned),
            accounts: parsed.unwrap().account,
        }
    }

    fn without(text: &str, url: &str) -> Option<String> {
        let key = key(url, None);
        let file = file(Some(text));
        let is_removed = |account: &Account| account.key.path == key.path;
        file.without(is_removed).map(|new| new.0).unwrap()
    }

    #[test]
    fn a_removed_rule_leaves_the_text_before_it_was_added() {
        let key = key("https://one.test/acme", Some("a \\\"b\" ü"));
        for text in [
            None,
            Some(""),
            Some("\n"),
            Some("\r\n"),
            Some("\n\n"),
            Some("# nothing"),
            Some("# nothing\n"),
            Some("storage = 'memory'"),
            Some("storage = 'memory'\n\n"),
            Some("storage = 'memory'\n\n\n"),
            Some("storage = 'memory' # why\r\n[warn]\r\nbefore = '3d'\r\n"),
            Some("storage = 'memory'\r\n[warn]\r\nbefore = '3d'"),
            Some("\u{feff}[warn]\nbefore = '3d'\n# end"),
            Some("warn.before = '3d'\nlookup.enabled = true\nwarn.every = '1d'\n"),
            Some("[[account]]\nurl = 'https://two.test/x'\n[[host]]\nurl = 'https://two.test'\n"),
            Some("[[account]]\nurl = 'https://two.test/x'"),
        ] {
            let added = file(text).with(&key).unwrap().0;
            let new = file(added.as_deref());
            assert_eq!(new.accounts.last().unwrap().key, key, "{text:?}");
            let removed = new.without(|account| account.key == key).unwrap().0;
            assert_eq!(removed.as_deref(), text, "{added:?}");
        }
    }

    #[test]
    fn newlines_are_those_of_the_file() {
        let key = key("https://one.test/acme", Some("me"));
        let added = |text| file(text).with(&key).unwrap().0.unwrap();
        assert_eq!(
            added(None),
            "[[account]]\nurl = \"https://one.test/acme\"\nusername = \"me\"\n"
        );
        assert_eq!(
            added(Some("[warn]\r\n# no end")),
            "[warn]\r\n# no end\r\n\r\n[[account]]\r\nurl = \"https://one.test/acme\"\r\nusername = \"me\""
        );
    }

    #[test]
    fn comments_and_other_sections_stay() {
        let text = "# first\n[warn] # w\nbefore = '3d'\n\n# of acme\n[[account]] # a\n  url = 'https://one.test/acme' # b\n\
                    # in it\n  username = \"\"\"\nme\"\"\" # c\n# after\n\n[[account]]\nurl = 'https://one.test/two'\n\n[memory]\n";
        assert_eq!(
            without(text, "https://one.test/acme").unwrap(),
            "# first\n[warn] # w\nbefore = '3d'\n\n# of acme\n# after\n\n[[account]]\nurl = 'https://one.test/two'\n\n[memory]\n"
        );
        let rest = without(text, "https://one.test/two").unwrap();
        assert!(rest.ends_with("# after\n\n[memory]\n"), "{rest}");
        let glued = "[memory]\n[[account]]\nurl = 'https://one.test/two'";
        assert_eq!(
            without(glued, "https://one.test/two").unwrap(),
            "[memory]\n"
        );
    }

    #[test]
    fn two_rules_go_in_any_order() {
        let text = "[[account]]\nurl = 'https://one.test/one'\n\n[[account]]\nurl = 'https://one.test/two'\n";
        let first = without(text, "https://one.test/one").unwrap();
        assert_eq!(without(&first, "https://one.test/two"), None);
        let second = without(text, "https://one.test/two").unwrap();
        assert_eq!(without(&second, "https://one.test/one"), None);
    }

    #[test]
    fn an_inline_array_is_left_alone() {
        let text = "account = [ {url = 'https://one.test/acme'} ]\n";
        let file = file(Some(text));
        let added = file.with(&key("https://one.test/me", None));
        assert!(matches!(added, Err(Error::NotEditable { .. })));
        let removed = file.without(|_| true);
        assert!(matches!(removed, Err(Error::NotEditable { .. })));
    }

    /// A folder that only this user can write.
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        set_mode(home.path(), 0o700);
        home
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_link_stays_and_its_target_keeps_its_mode() {
        let home = home();
        let (link, target) = (home.path().join("config.toml"), home.path().join("dotfile"));
        fs::write(&target, "# mine\n").unwrap();
        set_mode(&target, 0o640);
        let before = mode(&target);
        make_link("dotfile", &link);
        let key = key("https://one.test/acme", None);
        let file = RuleFile::read(&link).unwrap();
        assert!(file.replace(file.with(&key).unwrap(), true).unwrap());
        assert!(link.is_symlink() && !target.is_symlink());
        assert_eq!(mode(&target), before);
        let file = RuleFile::read(&link).unwrap();
        assert_eq!(file.accounts.len(), 1);
        let rest = file.without(|_| true).unwrap();
        assert!(file.replace(rest, true).unwrap());
        assert_eq!(fs::read(&target).unwrap(), b"# mine\n");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_new_file_is_private_and_goes_with_its_rule() {
        let home = home();
        let folder = home.path().join("new");
        let path = folder.join("config.toml");
        let key = key("https://one.test/acme", None);
        let file = RuleFile::read(&path).unwrap();
        assert!(file.replace(file.with(&key).unwrap(), true).unwrap());
        assert_eq!(mode(&path), 0o600);
        let file = RuleFile::read(&path).unwrap();
        assert!(
            file.replace(file.without(|_| true).unwrap(), false)
                .unwrap()
        );
        assert_eq!(
            fs::read(&path).unwrap(),
            b"",
            "the file that a flag names stays"
        );
        fs::write(&path, file.text.as_deref().unwrap()).unwrap();
        assert!(file.replace(file.without(|_| true).unwrap(), true).unwrap());
        assert!(!folder.exists());
    }

    #[test]
    fn what_another_program_wrote_meanwhile_stays() {
        let home = home();
        let path = home.path().join("config.toml");
        let key = key("https://one.test/acme", None);
        let absent = RuleFile::read(&path).unwrap();
        fs::write(&path, "# one\n").unwrap();
        assert!(!absent.replace(absent.with(&key).unwrap(), true).unwrap());
        let file = RuleFile::read(&path).unwrap();
        fs::write(&path, "# two\n").unwrap();
        assert!(!file.replace(file.with(&key).unwrap(), true).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"# two\n");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_would_not_be_read_is_not_left() {
        let home = home();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        set_mode(&open, 0o777);
        let path = open.join("config.toml");
        let file = RuleFile::read(&path).unwrap();
        let new = file.with(&key("https://one.test/acme", None)).unwrap();
        assert!(matches!(
            file.replace(new, true),
            Err(Error::NotOurs { .. })
        ));
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
    }
}
