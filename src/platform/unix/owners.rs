//! Other users who may act through a group or a user's number.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::process::effective_uid;

/// A file of users or groups larger than this says nothing.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Returns the nearest folder above `path` that is there, if it belongs to neither this user nor root.
pub fn stranger_above(path: &Path) -> Option<PathBuf> {
    for above in path.ancestors().skip(1) {
        match fs::metadata(above) {
            Ok(found) => {
                let is_ours = found.uid() == effective_uid() || found.uid() == 0;
                return (!is_ours).then(|| above.to_path_buf());
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    None
}

/// Whether a group is this user's own: their primary group, in which there is no other user (as Debian and Fedora make one for
/// each user). Read from `/etc/passwd` and `/etc/group` (passwd(5), group(5)): a directory service could make git wait.
/// A group that is not there is no private one.
pub fn is_private_group(group: u32) -> bool {
    let (Some(users), Some(groups)) = (text_of("/etc/passwd"), text_of("/etc/group")) else {
        return false;
    };
    is_private(&users, &groups, effective_uid(), group)
}

fn is_private(users: &str, groups: &str, user: u32, group: u32) -> bool {
    let mut own_names = Vec::new();
    for line in users.lines() {
        // The rest is in a directory service (nsswitch.conf(5), compat).
        if line.starts_with('+') {
            return false;
        }
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, number, primary, ..] = fields[..] else {
            continue;
        };
        let is_own = number.parse() == Ok(user);
        if is_own != (primary.parse() == Ok(group)) {
            return false;
        }
        if is_own {
            own_names.push(name);
        }
    }
    let mut is_known = false;
    for line in groups.lines() {
        if line.starts_with('+') {
            return false;
        }
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, number, members, ..] = fields[..] else {
            continue;
        };
        if number.parse() != Ok(group) {
            continue;
        }
        is_known = true;
        let mut members = members.split(',').filter(|name| !name.is_empty());
        if !members.all(|name| own_names.contains(&name)) {
            return false;
        }
    }
    is_known && !own_names.is_empty()
}

/// Whether a number stands for users that have none in this user namespace, root among them. In a sandbox (flatpak,
/// bubblewrap) the folders above a home belong to that number.
#[cfg(target_os = "linux")]
pub fn is_roots_unmapped(user: u32) -> bool {
    let overflow = text_of("/proc/sys/kernel/overflowuid");
    if overflow.and_then(|text| text.trim().parse().ok()) != Some(user) {
        return false;
    }
    text_of("/proc/self/uid_map").is_some_and(|map| !is_mapped(&map, user))
}

#[cfg(not(target_os = "linux"))]
pub fn is_roots_unmapped(_: u32) -> bool {
    false
}

/// Whether a map of users (`user_namespaces(7)`) has a number for `user`.
#[cfg(target_os = "linux")]
fn is_mapped(map: &str, user: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return true;
        };
        (first..first + count).contains(&u64::from(user))
    })
}

fn text_of(path: &str) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    let length = file.take(LARGEST).read_to_string(&mut text).ok()?;
    ((length as u64) < LARGEST).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_only_without_others() {
        let users = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\ncy:x:1002:100::/home/cy:/bin/sh\ndee:x:1003:100::/home/dee:/bin/sh\n";
        let groups = "root:x:0:\nusers:x:100:\nann:x:1000:\nbob:x:1001:ann\ncy:x:1002:cy\n";
        for (user, group, is_it) in [
            (1000, 1000, true),
            (0, 0, true),
            // Another member.
            (1001, 1001, false),
            // The primary group of two.
            (1002, 100, false),
            // A member, but it is not the primary one.
            (1002, 1002, false),
            // Of another user, of no user, and of an unknown user.
            (1000, 0, false),
            (1000, 5000, false),
            (5000, 1000, false),
        ] {
            assert_eq!(
                is_private(users, groups, user, group),
                is_it,
                "{user} {group}"
            );
        }
        let own = groups.replace("ann:x:1000:", "ann:x:1000:ann");
        assert!(is_private(users, &own, 1000, 1000));
        assert!(!is_private(
            &format!("{users}+::::::\n"),
            groups,
            1000,
            1000
        ));
        assert!(!is_private(users, "", 1000, 1000));
        assert!(!is_private("", groups, 1000, 1000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_map_tells_who_has_a_number() {
        assert!(is_mapped("         0          0 4294967295\n", 65_534));
        assert!(!is_mapped("      1000       1000          1\n", 65_534));
        assert!(!is_mapped("0 1000 1\n1 100000 65533\n", 65_534));
        assert!(is_mapped("0 1000 1\n1 100000 65536\n", 65_534));
    }
}
