//! The value of git's `credential.helper` as git hands it to a shell: read, recognised, written.

use std::env;
use std::ffi::OsStr;
use std::path::Path;

use crate::terminal::escape::shell_word;

/// The program's name, wherever it is installed.
pub const PROGRAM: &str = "git-credential-pat";

/// Every setting that names a helper, for `git config`.
pub const KEYS: &str = r"^credential\.(.*\.)?helper$";

/// The words of a value, as the shell would split them. `None` where that takes a shell: variables other than `HOME`,
/// substitutions, pipes.
pub fn words(value: &OsStr) -> Option<Vec<String>> {
    let home = env::var("HOME").ok();
    let home = home.filter(|home| Path::new(home).is_absolute());
    split(value.to_str()?, home.as_deref())
}

/// The same, for a person whose home folder is `home`: that much of a shell is known.
pub fn words_at(value: &OsStr, home: &Path) -> Option<Vec<String>> {
    split(value.to_str()?, Some(home.to_str()?))
}

fn split(value: &str, home: Option<&str>) -> Option<Vec<String>> {
    let command = value.strip_prefix('!').unwrap_or(value);
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = command.chars();
    while let Some(character) = rest.next() {
        match (character, quote) {
            (' ' | '\t', None) => words.extend(word.take()),
            ('\\', None) => word.get_or_insert_default().push(rest.next()?),
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, Some(end)) if character == end => quote = None,
            ('\\', Some('"')) => match rest.next()? {
                known @ ('$' | '`' | '"' | '\\') => word.get_or_insert_default().push(known),
                '\n' => return None,
                other => word.get_or_insert_default().extend(['\\', other]),
            },
            ('$', None | Some('"')) if home.is_some() => {
                let home = home.filter(|home| quote.is_some() || is_one_word(home))?;
                rest = after_home(rest.as_str())?.chars();
                word.get_or_insert_default().push_str(home);
            }
            ('~', None) if word.is_none() && home.is_some() => {
                let is_whole = rest.as_str().is_empty() || rest.as_str().starts_with([' ', '\t']);
                home.filter(|_| is_whole || rest.as_str().starts_with('/'))?;
                word = home.map(str::to_owned);
            }
            ('$' | '`', Some('"'))
            | ('$' | '`' | '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '?' | '\n', None) => {
                return None;
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Whether a shell leaves it whole where it stands without quotes.
fn is_one_word(text: &str) -> bool {
    !text.contains([' ', '\t', '\n', '*', '?', '['])
}

/// What comes after `HOME` or `{HOME}`, if it is no other variable's name.
fn after_home(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("{HOME}") {
        return Some(rest);
    }
    let rest = text.strip_prefix("HOME")?;
    let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (!goes_on).then_some(rest)
}

/// Returns the value that runs `words`: the absolute path of a program, and its arguments.
///
/// A path of Windows gets forward slashes. With a space or another special character it is quoted after `!`, as git tells the path
/// of a program by its first characters, and takes `'C:/…'` for the name of a command of its own (`credential.c`).
pub fn value_of(words: &[&str]) -> String {
    let mut value = Vec::new();
    for (at, word) in words.iter().enumerate() {
        value.push(match windows_path(word).filter(|_| at == 0) {
            Some(path) if is_plain_path(&path) => path,
            Some(path) => format!("!'{}'", path.replace('\'', r"'\''")),
            None => shell_word(word.as_bytes()),
        });
    }
    value.join(" ")
}

/// Returns the path with forward slashes if it begins with a drive or with the name of a server.
fn windows_path(path: &str) -> Option<String> {
    let is_whole = after_drive(path).len() < path.len() || path.starts_with(r"\\");
    is_whole.then(|| path.replace('\\', "/"))
}

fn is_plain_path(path: &str) -> bool {
    path.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_./:+".contains(c))
}

/// Whether a value runs this program, from any folder and with any options. Without a path git puts `git credential-`
/// before it (gitcredentials(7)).
pub fn is_ours(value: &OsStr) -> bool {
    let words = words(value).unwrap_or_default();
    let first = words.first().map_or("", String::as_str);
    let name = Path::new(&first).file_name().and_then(OsStr::to_str);
    let name = name.map(|name| name.strip_suffix(".exe").unwrap_or(name));
    first == "pat" || name == Some(PROGRAM)
}

/// The rest of a path behind the letter of a drive, such as `C:`.
fn after_drive(path: &str) -> &str {
    match path.split_once(':') {
        Some((drive, rest)) if drive.len() == 1 => rest,
        _ => path,
    }
}

/// What may be shown of another helper's value: which program it runs. The rest may hold a password.
pub fn named(value: &OsStr) -> String {
    let is_harmless = |c: &char| c.is_alphanumeric() || "-_./+~".contains(*c);
    let text = value.to_string_lossy();
    if let Some(command) = text.strip_prefix('!') {
        let first: String = command
            .trim_start()
            .chars()
            .take_while(is_harmless)
            .collect();
        return format!("a shell command (!{first}…)");
    }
    let (first, is_all) = match words(value) {
        Some(mut words) if !words.is_empty() => (words.remove(0), words.is_empty()),
        _ => (String::new(), false),
    };
    let is_path = Path::new(&first).is_absolute() && !after_drive(&first).contains(['=', '@', ':']);
    let is_whole = is_path || first.chars().all(|c| is_harmless(&c));
    let first = if is_whole && !first.is_empty() {
        first
    } else {
        text.chars().take_while(is_harmless).collect()
    };
    if is_all && is_whole {
        first
    } else {
        format!("{first} …")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::DRIVE;

    #[test]
    fn knows_its_own_lines() {
        for value in [
            "/home/a/.local/bin/git-credential-pat",
            "/home/a/.local/bin/git-credential-pat --storage memory",
            "/with\\ space/git-credential-pat",
            "!'/with space/git-credential-pat' --timeout 5",
            "pat",
            "'C:/with space/git-credential-pat.exe' --timeout 5",
            "pat --storage file",
        ] {
            assert!(is_ours(value.as_ref()), "{value}");
        }
        for value in [
            "",
            "cache",
            "path",
            "/usr/bin/git-credential-patch",
            "!echo git-credential-pat",
            "store --file pat",
        ] {
            assert!(!is_ours(value.as_ref()), "{value}");
        }
    }

    #[test]
    fn of_another_helper_only_the_program_is_told() {
        let in_folder = format!("{DRIVE}/opt/a\\ b/helper");
        let whole = format!("{DRIVE}/opt/a b/helper");
        assert_eq!(
            named(format!("{DRIVE}/usr/git core/x").as_ref()),
            format!("{DRIVE}/usr/git …")
        );
        for (value, shown) in [
            ("store", "store"),
            (&*in_folder, &*whole),
            ("store --file made-up-Secret", "store …"),
            (
                "!f() { echo username=u; echo password=made-up-Secret; }; f",
                "a shell command (!f…)",
            ),
            ("!echo password=made-up-Secret", "a shell command (!echo…)"),
            ("!TOKEN=made-up-Secret x", "a shell command (!TOKEN…)"),
            ("TOKEN=made-up-Secret x", "TOKEN …"),
            ("https://u:made-up-Secret@one.test", "https …"),
            ("x; echo made-up-Secret", "x …"),
            ("!'/a b' made-up-Secret", "a shell command (!…)"),
        ] {
            assert_eq!(named(value.as_ref()), shown, "{value}");
        }
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for word in [
            "/a b/$x'y",
            "",
            "plain",
            "--file=ü `id` \\ \"q\" ;&|<>()*?",
            "~/x",
        ] {
            let value = format!("first {}", shell_word(word.as_bytes()));
            for home in [None, Some("/h")] {
                assert_eq!(split(&value, home).unwrap(), ["first", word], "{value}");
            }
        }
    }

    #[test]
    fn a_path_of_windows_is_quoted_as_git_and_its_shell_read_it() {
        for (words, expected) in [
            (
                &[
                    r"C:\Program Files\git-credential-pat.exe",
                    "--timeout",
                    "8h",
                ][..],
                "!'C:/Program Files/git-credential-pat.exe' --timeout 8h",
            ),
            (
                &[r"C:\Users\O'Brien\git-credential-pat.exe"],
                r"!'C:/Users/O'\''Brien/git-credential-pat.exe'",
            ),
            (
                &[r"C:\bin\git-credential-pat.exe", "--file", r"D:\my tokens"],
                r"C:/bin/git-credential-pat.exe --file D:\\my\ tokens",
            ),
            (
                &[r"C:\Dokumente (alt)\ü\git-credential-pat.exe"],
                "!'C:/Dokumente (alt)/ü/git-credential-pat.exe'",
            ),
            (
                &[r"\\server\share\git-credential-pat.exe"],
                "//server/share/git-credential-pat.exe",
            ),
            (
                &["/opt/a b/git-credential-pat"],
                r"/opt/a\ b/git-credential-pat",
            ),
        ] {
            let value = value_of(words);
            assert_eq!(value, expected);
            assert!(is_ours(value.as_ref()), "{value}");
            let read = split(&value, None).unwrap();
            let path = read[0].replace('/', r"\");
            assert_eq!(path, words[0].replace('/', r"\"), "{value}");
            assert_eq!(read[1..], words[1..], "{value}");
        }
    }

    #[test]
    fn what_takes_a_shell_is_not_guessed_at() {
        for value in [
            "pat --file $XDG_DATA_HOME/x",
            "pat \"$(id)\"",
            "pat; id",
            "pat 'open",
            "pat \\",
        ] {
            assert_eq!(words(value.as_ref()), None, "{value}");
        }
    }

    #[test]
    fn the_home_folder_is_known_without_a_shell() {
        let read = |value: &str, home: &str| words_at(value.as_ref(), home.as_ref());
        for (value, second) in [
            ("x $HOME/c", "/h/c"),
            ("x ${HOME}/c", "/h/c"),
            ("x \"$HOME/c d\"", "/h/c d"),
            ("x --a=$HOME", "--a=/h"),
            ("x ~/c", "/h/c"),
            ("x ~", "/h"),
            ("x '~/c'", "~/c"),
            ("x \"~/c\"", "~/c"),
            ("x \\~/c", "~/c"),
            ("x --a=~/c", "--a=~/c"),
            ("x '$HOME/c'", "$HOME/c"),
            ("x \"\\$HOME\"", "$HOME"),
            ("x \"a\\b\"", "a\\b"),
        ] {
            assert_eq!(read(value, "/h").unwrap()[1], second, "{value}");
        }
        for value in ["x $HOMES", "x ${HOME:-a}", "x $X", "x ~root/c", "x \"$1\""] {
            assert_eq!(read(value, "/h"), None, "{value}");
        }
        assert_eq!(read("x $HOME/c", "/a b"), None);
        assert_eq!(read("x \"$HOME/c\"", "/a b").unwrap()[1], "/a b/c");
    }
}
