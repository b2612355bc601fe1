//! A second reading of everything the targets test: slow, plain, and written without looking at the first.
//!
//! It is meant to be seen to be right. It knows git's rules (git-credential(1)) and ours (docs/architecture.md), and shares
//! no code with the program.

use std::collections::HashMap;

/// The attributes that describe a credential, by their names.
pub type Said = HashMap<&'static str, Vec<u8>>;

/// Those that have one value.
pub const SINGLE: [&str; 9] = [
    "protocol",
    "host",
    "path",
    "username",
    "password",
    "authtype",
    "credential",
    "password_expiry_utc",
    "oauth_refresh_token",
];

/// The lines up to the first blank one; `None` if one of them holds what no line may hold.
pub fn lines(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut all = Vec::new();
    for line in bytes.split(|byte| *byte == 10) {
        let line = match line.split_last() {
            Some((13, shorter)) => shorter,
            _ => line,
        };
        if line.contains(&0) || line.contains(&13) {
            return None;
        }
        if line.is_empty() {
            break;
        }
        let mut halves = line.splitn(2, |byte| *byte == 61);
        let (key, value) = (halves.next()?, halves.next()?);
        all.push((key.to_vec(), value.to_vec()));
    }
    Some(all)
}

/// What the lines say, or `None` where they must be refused. `is_request`: as git's request; else as an entry of ours.
pub fn said(bytes: &[u8], is_request: bool) -> Option<Said> {
    let mut said = Said::new();
    let mut extra: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut from_url = None;
    for (key, value) in lines(bytes)? {
        *extra.entry(key.clone()).or_default() += 1;
        let Some(name) = SINGLE.iter().find(|name| name.as_bytes() == key) else {
            if is_request && key == b"url" {
                from_url = Some(url(&value)?);
            }
            if is_request && key == b"ephemeral" && !is_boolean(&value) {
                return None;
            }
            continue;
        };
        said.insert(name, value);
    }
    let once = SINGLE.iter().map(|name| name.as_bytes());
    let once: Vec<&[u8]> = if is_request {
        once.chain([&b"url"[..], b"ephemeral"]).collect()
    } else {
        once.collect()
    };
    if once
        .iter()
        .any(|key| extra.get(*key).is_some_and(|count| *count > 1))
    {
        return None;
    }
    if let Some(host) = said.get_mut("host") {
        host.make_ascii_lowercase();
    }
    if let Some(from_url) = from_url {
        let is_http = [&b"http"[..], b"https"].contains(&&from_url["protocol"][..]);
        for (key, value) in from_url {
            match said.get(key) {
                Some(other) if *other != value => return None,
                None if key == "path" && is_http => {}
                _ => {
                    said.insert(key, value);
                }
            }
        }
    }
    let protocol = said.get("protocol")?;
    let host = said.get("host")?;
    let has_path = said.get("path").is_some_and(|path| !path.is_empty());
    let is_nowhere = host.is_empty() && protocol == b"cert" && has_path;
    if protocol.is_empty() || !(is_nowhere || is_plain_host(host)) {
        return None;
    }
    if let Some(path) = said.get("path")
        && path.iter().any(|byte| *byte < 32 || *byte == 127)
    {
        return None;
    }
    Some(said)
}

/// The words of git-config(1), nothing, or a number of C with a unit.
fn is_boolean(value: &[u8]) -> bool {
    let words = ["true", "yes", "on", "false", "no", "off", ""];
    let text = latin(value).to_ascii_lowercase();
    if words.contains(&&text[..]) {
        return true;
    }
    let mut number = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let mut unit: u128 = 1;
    for (suffix, size) in [('k', 1024), ('m', 1024 * 1024), ('g', 1024 * 1024 * 1024)] {
        if unit == 1 && number.ends_with(suffix) {
            number = &number[..number.len() - 1];
            unit = size;
        }
    }
    if number.starts_with(['+', '-']) {
        number = &number[1..];
    }
    let (digits, base) = if let Some(hexadecimal) = number.strip_prefix("0x") {
        (hexadecimal, 16)
    } else if number.starts_with('0') {
        (number, 8)
    } else {
        (number, 10)
    };
    let mut sum: u128 = 0;
    for digit in digits.chars() {
        let Some(value) = digit.to_digit(base) else {
            return false;
        };
        sum = (sum * u128::from(base) + u128::from(value)).min(1 << 64);
    }
    !digits.is_empty() && sum * unit <= 0x7fff_ffff
}

/// Whether `host` holds nothing that ends or divides one.
pub fn is_plain_host(host: &[u8]) -> bool {
    let text = String::from_utf8_lossy(host);
    let is_bracketed = host.first() == Some(&b'[');
    !host.is_empty()
        && text.chars().all(|c| {
            let breaks = "\u{85}\u{2028}\u{2029}".contains(c);
            let divides =
                " @/\\?#<>^`{|}\"!$&'();".contains(c) || (!is_bracketed && "[]".contains(c));
            !(breaks || divides || c.is_ascii_control())
        })
}

/// Whether a credential with these parts may be answered to, or erased by, `asked`.
pub fn matches(asked: &Said, kept: &Said) -> bool {
    let must = ["protocol", "host"];
    let may = ["path", "username"];
    must.iter()
        .all(|key| asked.contains_key(key) && asked.get(key) == kept.get(key))
        && may
            .iter()
            .all(|key| !asked.contains_key(key) || asked.get(key) == kept.get(key))
}

/// Whether git could sign in with it: otherwise it is not kept.
pub fn is_complete(said: &Said) -> bool {
    (said.contains_key("username") && said.contains_key("password"))
        || (said.contains_key("authtype") && said.contains_key("credential"))
}

/// `PROTOCOL://[USER@]HOST[/PATH]`; `None` for what is something else, or says two things.
pub fn url(url: &[u8]) -> Option<Said> {
    if url.iter().any(|byte| b"?#\\".contains(byte)) {
        return None;
    }
    let text = latin(url);
    let (protocol, rest) = text.split_once("://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.split('@').collect::<Vec<_>>()[..] {
        [host] => (None, host),
        [user, host] => (Some(user), host),
        _ => return None,
    };
    if user.is_some_and(|user| user.contains(':')) {
        return None;
    }
    let mut said = Said::from([
        ("protocol", bytes(&protocol.to_ascii_lowercase())),
        ("host", decoded(host)?.to_ascii_lowercase()),
    ]);
    if let Some(user) = user {
        let user = unescaped(user)?;
        if user.iter().any(|byte| b"\0\r\n".contains(byte)) {
            return None;
        }
        said.insert("username", user);
    }
    // The path of a certificate is a file's, slashes and all.
    let path = if protocol.eq_ignore_ascii_case("cert") {
        path
    } else {
        path.trim_matches('/')
    };
    if !path.is_empty() {
        said.insert("path", decoded(path)?);
    }
    Some(said)
}

/// Percent-encoding undone; no control character may come of it.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let plain = unescaped(text)?;
    let is_plain = plain.iter().all(|byte| *byte >= 32 && *byte != 127);
    is_plain.then_some(plain)
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split('%');
    let mut plain = bytes(pieces.next()?);
    for piece in pieces {
        let digits = piece.get(..2)?;
        if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        plain.push(u8::from_str_radix(digits, 16).ok()?);
        plain.extend(bytes(&piece[2..]));
    }
    Some(plain)
}

/// Each byte as the character of the same number, and back: text functions for bytes.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn bytes(latin: &str) -> Vec<u8> {
    latin
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("made by latin"))
        .collect()
}

/// The paragraphs of a file: a blank line ends one, and belongs to it.
pub fn paragraphs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for line in bytes.split_inclusive(|byte| *byte == 10) {
        let last = all.last_mut().expect("never empty");
        last.extend_from_slice(line);
        if line == b"\n" || line == b"\r\n" {
            all.push(Vec::new());
        }
    }
    all.retain(|paragraph| !paragraph.is_empty());
    all
}

/// Seconds, by the table in the manual: `90`, `90s`, `15m`, `8h`, `7d`, `2w`, `6mo`, `1y`, and sums.
pub fn duration(text: &str) -> Option<u64> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mut total: u128 = 0;
    let mut number = String::new();
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let seconds = match c {
            's' => 1,
            'm' if letters.next_if_eq(&'o').is_some() => 30 * 86_400,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            'y' => 365 * 86_400,
            _ => return None,
        };
        let count: u64 = number.parse().ok()?;
        number.clear();
        total += u128::from(count) * seconds;
        u64::try_from(total).ok()?;
    }
    if text.is_empty() || !number.is_empty() {
        return None;
    }
    u64::try_from(total).ok()
}

/// Days since 1970 of a day in the Gregorian calendar, counted one year and one month at a time.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = |year| {
        [
            31,
            if is_leap(year) { 29 } else { 28 },
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ]
    };
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let month = usize::try_from(month - 1).ok()?;
    if !(1..=lengths(year)[month]).contains(&day) {
        return None;
    }
    let years: i64 = (1970..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum();
    Some(years + lengths(year)[..month].iter().sum::<i64>() + day - 1)
}
