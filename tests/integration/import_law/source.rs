//! Reads a Rust file just far enough for the law: its code without comments, literals and unit tests, and the paths in it.

use std::collections::BTreeSet;

/// Returns the code of `text` without comments, string and character literals, and `#[cfg(test)]` items. Lines keep their numbers.
pub fn code_of(text: &str) -> String {
    without_blanks(&without_tests(&without_literals(text)))
}

/// Removes the blanks inside a path, and those between a macro's name and its `!`.
fn without_blanks(code: &str) -> String {
    let mut code = code.replace('\t', " ");
    for (blank, mark) in [(" ::", "::"), (":: ", "::"), (" !", "!")] {
        while code.contains(blank) {
            code = code.replace(blank, mark);
        }
    }
    code
}

fn without_literals(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let starts = |with: &str| {
            with.chars()
                .enumerate()
                .all(|(i, c)| rest.get(i) == Some(&c))
        };
        let before = code.chars().next_back().unwrap_or(' ');
        let length = if starts("//") {
            rest.iter().position(|&c| c == '\n').unwrap_or(rest.len())
        } else if starts("/*") {
            block_comment(rest)
        } else if let Some(hashes) = raw_string(rest).filter(|_| !is_word(before)) {
            raw_string_length(rest, hashes)
        } else if starts("\"") {
            quoted(rest, '"')
        } else if starts("'") && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
            quoted(rest, '\'')
        } else {
            code.push(rest[0]);
            at += 1;
            continue;
        };
        // Keeps lines and words apart.
        code.push(' ');
        code.extend(rest[..length].iter().filter(|&&c| c == '\n'));
        at += length;
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Returns the number of `#` of a raw string that starts here.
fn raw_string(rest: &[char]) -> Option<usize> {
    let prefix = rest
        .iter()
        .take(2)
        .take_while(|&&c| c == 'b' || c == 'r')
        .count();
    let hashes = rest[prefix..].iter().take_while(|&&c| c == '#').count();
    let is_raw = prefix > 0 && rest[prefix - 1] == 'r' && rest.get(prefix + hashes) == Some(&'"');
    is_raw.then_some(hashes)
}

fn raw_string_length(rest: &[char], hashes: usize) -> usize {
    let start = rest.iter().position(|&c| c == '"').unwrap() + 1;
    let is_end = |at: &usize| {
        rest[*at] == '"'
            && rest[*at + 1..]
                .iter()
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes
    };
    (start..rest.len())
        .find(is_end)
        .map_or(rest.len(), |at| at + 1 + hashes)
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        rest = &rest[at + MARK.len()..];
        let item_end = item_length(rest);
        kept.extend(rest[..item_end].chars().filter(|&c| c == '\n'));
        rest = &rest[item_end..];
    }
    kept + rest
}

/// Returns the length of the item that starts here, with its `;` or closing brace.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Returns the modules that are declared for tests only: `#[cfg(test)] mod name;`.
pub fn test_modules(text: &str) -> BTreeSet<String> {
    let code = without_literals(text);
    let after = code.split("#[cfg(test)]").skip(1);
    let declared = after.filter_map(|item| {
        let item = item.trim_start().trim_start_matches("pub ");
        let (name, _) = item.strip_prefix("mod ")?.split_once(';')?;
        (!name.contains('{')).then(|| name.trim().to_owned())
    });
    declared.collect()
}

/// A path in the code: one branch of a `use`, or a path in an expression or a type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    pub line: usize,
    pub path: Vec<String>,
    pub is_reexport: bool,
}

/// Returns all paths of `use` declarations, and all paths that start at the crate or a parent module.
pub fn mentions(code: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let length = rest
            .chars()
            .take_while(|&c| is_word(c))
            .map(char::len_utf8)
            .sum::<usize>();
        if length == 0 {
            at += rest.chars().next().unwrap().len_utf8();
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        match &rest[..length] {
            "use" => {
                let end = rest.find(';').unwrap_or(rest.len());
                let is_reexport = is_public(&code[..at]);
                expand(&rest[length..end], &[], &mut |path| {
                    found.push(Mention {
                        line,
                        path,
                        is_reexport,
                    });
                });
                at += end;
            }
            "crate" | "super" | "git_credential_pat" if !code[..at].trim_end().ends_with("::") => {
                let end = rest
                    .find(|c: char| !(is_word(c) || c == ':'))
                    .unwrap_or(rest.len());
                let path = words(&rest[..end]);
                // `pub(crate)` and `pub(super)` are no paths.
                if path.len() > 1 {
                    found.push(Mention {
                        line,
                        path,
                        is_reexport: false,
                    });
                }
                at += end.max(length);
            }
            _ => at += length,
        }
    }
    found
}

fn is_public(before: &str) -> bool {
    let before = before.trim_end();
    let restricted = before
        .strip_suffix(')')
        .and_then(|before| before.rfind("pub("))
        .is_some();
    let last_line = before.rsplit([';', '}', '{', ']']).next().unwrap_or("");
    last_line.trim() == "pub" || (restricted && last_line.trim().starts_with("pub("))
}

fn words(path: &str) -> Vec<String> {
    path.split("::")
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Expands `a::{b, c::{self, d as e}}` to `a::b`, `a::c`, `a::c::d`.
fn expand(tree: &str, start: &[String], found: &mut impl FnMut(Vec<String>)) {
    let tree = tree.trim();
    let Some(brace) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or("");
        let mut path = start.to_vec();
        path.extend(words(name));
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        return found(path);
    };
    let mut start = start.to_vec();
    start.extend(words(&tree[..brace]));
    let inner = &tree[brace + 1..tree.rfind('}').unwrap_or(tree.len())];
    let mut depth = 0;
    for branch in inner.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    }) {
        if !branch.trim().is_empty() {
            expand(branch, &start, found);
        }
    }
}

/// Reports whether `word` stands in `code` as a word of its own.
pub fn says(code: &str, word: &str) -> bool {
    line_of(code, word).is_some()
}

/// Returns the line of the first place where `word` stands as a word of its own.
pub fn line_of(code: &str, word: &str) -> Option<usize> {
    let found = code.match_indices(word).find(|(at, _)| {
        let before = code[..*at].chars().next_back().is_some_and(is_word);
        let after = code[at + word.len()..].chars().next().is_some_and(is_word);
        let ends_in_word = word.chars().next_back().is_some_and(is_word);
        !(before || after && ends_in_word)
    });
    found.map(|(at, _)| code[..at].matches('\n').count() + 1)
}
