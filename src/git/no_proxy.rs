//! `no_proxy` as curl reads it (`lib/noproxy.c`, 7.86 and later).
//!
//! | entry | hosts without a proxy |
//! |---|---|
//! | `*`, and nothing else in the list | every one |
//! | `corp.test`, `.corp.test`, `corp.test.` | the name and all names below it |
//! | `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32` | addresses; a name is not resolved |

use std::net::IpAddr;

/// Whether `host`, which may have a port, is reached without a proxy.
pub(crate) fn is_exempt(host: &str, list: &str) -> bool {
    if list == "*" {
        return true;
    }
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    let mut entries = list.split([',', ' ', '\t']);
    match name.parse::<IpAddr>() {
        Ok(address) => entries.any(|entry| holds(entry, address)),
        Err(_) => entries.any(|entry| covers(entry, name)),
    }
}

/// Whether `entry` is the name, or one above it.
fn covers(entry: &str, name: &str) -> bool {
    let entry = entry.strip_suffix('.').unwrap_or(entry);
    let entry = entry.strip_prefix('.').unwrap_or(entry);
    let name = name.strip_suffix('.').unwrap_or(name);
    if entry.is_empty()
        || entry.len() > name.len()
        || !name.is_char_boundary(name.len() - entry.len())
    {
        return false;
    }
    let (below, end) = name.split_at(name.len() - entry.len());
    end.eq_ignore_ascii_case(entry) && (below.is_empty() || below.ends_with('.'))
}

/// Whether `entry` is the address, or a range around it. A length of 0 means the address itself, as curl has it.
fn holds(entry: &str, address: IpAddr) -> bool {
    let (start, length) = entry.split_once('/').unwrap_or((entry, "0"));
    let (Ok(start), Ok(length)) = (start.parse::<IpAddr>(), length.parse::<u32>()) else {
        return false;
    };
    let is_same = |one: u128, two: u128, width: u32| match length {
        0 => one == two,
        length if length <= width => (one ^ two) >> (width - length) == 0,
        _ => false,
    };
    match (start, address) {
        (IpAddr::V4(one), IpAddr::V4(two)) => {
            is_same(one.to_bits().into(), two.to_bits().into(), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(two)) => is_same(one.to_bits(), two.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exemptions_are_what_curl_takes_for_such() {
        for (host, list, expected) in [
            ("git.corp.test:8443", "corp.test", true),
            ("git.corp.test:8443", ".corp.test", true),
            ("git.corp.test", "corp.test.", true),
            ("git.corp.test.", "corp.test", true),
            ("git.corp.test", "git.corp.test", true),
            ("git.corp.test", "a,CORP.test", true),
            ("git.corp.test", "a\tcorp.test b", true),
            ("git.corp.test", "*", true),
            ("git.corp.test", "a,*", false),
            ("git.corp.test", "*,a", false),
            ("git.corp.test", " *", false),
            ("git.corp.test", "*.corp.test", false),
            ("git.corp.test", "..corp.test", false),
            ("git.corp.test", "orp.test", false),
            ("git.corp.test", "x.git.corp.test", false),
            ("git.corp.test:8443", "git.corp.test:8443", false),
            ("git.corp.test", ".", false),
            ("git.corp.test", "", false),
            ("[::1]:8443", "::1", true),
            ("[2001:db8::7]", "2001:db8::/32", true),
            ("[2001:db9::7]", "2001:db8::/32", false),
            ("192.0.2.7:8443", "192.0.2.7", true),
            ("192.0.2.7", "a, 192.0.0.0/16", true),
            ("192.1.2.7", "192.0.0.0/16", false),
            ("192.0.2.7", "192.0.2.0/33", false),
            ("192.0.2.7", "192.0.2.0/0", false),
            ("192.0.2.7", "2.7", false),
            ("192.0.2.7", "::/1", false),
        ] {
            assert_eq!(is_exempt(host, list), expected, "{host} {list:?}");
        }
    }
}
