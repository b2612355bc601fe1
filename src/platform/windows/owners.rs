//! The owner of a file, and the rights of other users: read from its security descriptor.

use std::io;
use std::sync::OnceLock;

use super::user::User;

/// The right to read the content or the list of names (MS-DTYP 2.4.3; "File Access Rights Constants"): `FILE_READ_DATA`,
/// `FILE_READ_EA`, and the generic rights that include them.
pub const READING: u32 = 0x0001 | 0x0008 | GENERIC_READ | GENERIC_ALL;
/// The right to write: `FILE_WRITE_DATA`, `FILE_APPEND_DATA`, `FILE_WRITE_EA`, `FILE_WRITE_ATTRIBUTES`, and those below.
pub const WRITING: u32 = 0x0002 | 0x0004 | 0x0010 | 0x0100 | REPLACING;
/// The right to remove or rename what others made: `FILE_DELETE_CHILD`, `DELETE`, `WRITE_DAC`, `WRITE_OWNER`.
pub const REPLACING: u32 =
    0x0040 | 0x0001_0000 | 0x0004_0000 | 0x0008_0000 | GENERIC_WRITE | GENERIC_ALL;
const GENERIC_READ: u32 = 0x8000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const GENERIC_ALL: u32 = 0x1000_0000;
/// Every right.
pub const ALL: u32 = u32::MAX;

const SYSTEM: &str = "S-1-5-18";
const ADMINISTRATORS: &str = "S-1-5-32-544";
/// The service that owns Windows itself, the root of the system drive among it.
const TRUSTED_INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
/// These stand for the owner of a file.
const OWNER_RIGHTS: &str = "S-1-3-4";
const CREATOR_OWNER: &str = "S-1-3-0";

/// The sorts of owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This user, or the system and its administrators. The files of an elevated process belong to the latter, who reach every file.
    Us,
    /// Windows itself.
    Windows,
    Other,
}

/// The owner of a file, and the rights of all users but this one, the system and administrators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub owner: Owner,
    /// A set of access rights.
    pub others: u32,
}

impl Access {
    /// Of a file on a volume that keeps no access lists, such as FAT: any user may do everything.
    pub const UNPROTECTED: Self = Self {
        owner: Owner::Us,
        others: ALL,
    };
    /// Of a device or a pipe.
    pub const STRANGE: Self = Self {
        owner: Owner::Other,
        others: ALL,
    };

    /// Reads a security descriptor in its self-relative form (MS-DTYP 2.4.6). Entries that deny something are not counted: they
    /// take nothing away from what is found. Fails with `InvalidData`.
    pub fn read(descriptor: &[u8]) -> io::Result<Self> {
        Self::parse(descriptor, own_sid()?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn parse(descriptor: &[u8], user: &str) -> Option<Self> {
        let owner = sid(descriptor.get(offset(descriptor, 4)?..)?)?;
        let owner = match owner.as_str() {
            TRUSTED_INSTALLER => Owner::Windows,
            SYSTEM | ADMINISTRATORS => Owner::Us,
            owner if owner == user => Owner::Us,
            _ => Owner::Other,
        };
        // Without a list everyone has every right: that is no empty list, which gives none.
        let has_list = u16_at(descriptor, 2)? & DACL_PRESENT != 0;
        let others = match offset(descriptor, 16)? {
            start if has_list && start != 0 => rights_of_others(descriptor.get(start..)?, user)?,
            _ => ALL,
        };
        Some(Self { owner, others })
    }
}

/// In a descriptor's control bits.
const DACL_PRESENT: u16 = 0x0004;
/// In an entry's flags: it is for what will be created in a folder.
const INHERIT_ONLY: u8 = 0x08;

/// The rights that a list (MS-DTYP 2.4.5) gives to other users.
fn rights_of_others(list: &[u8], user: &str) -> Option<u32> {
    let mut others = 0;
    let mut rest = list.get(8..)?;
    for _ in 0..u16_at(list, 4)? {
        let (kind, flags) = (*rest.first()?, *rest.get(1)?);
        let length = usize::from(u16_at(rest, 2)?);
        let entry = rest.get(..length).filter(|entry| entry.len() >= 8)?;
        rest = &rest[length..];
        if flags & INHERIT_ONLY != 0 {
            continue;
        }
        others |= match kind {
            // ACCESS_ALLOWED_ACE; ACCESS_ALLOWED_CALLBACK_ACE, whose condition is taken to hold.
            0x00 | 0x09 => {
                let sid = sid(&entry[8..])?;
                let is_trusted = sid == user || TRUSTED.contains(&sid.as_str());
                if is_trusted { 0 } else { u32_at(entry, 4)? }
            }
            // The same that deny: ACCESS_DENIED_ACE, of objects, with a condition, both.
            0x01 | 0x06 | 0x0A | 0x0C => 0,
            // Files have no others.
            _ => ALL,
        };
    }
    Some(others)
}

/// They may have every right.
const TRUSTED: [&str; 5] = [
    SYSTEM,
    ADMINISTRATORS,
    TRUSTED_INSTALLER,
    OWNER_RIGHTS,
    CREATOR_OWNER,
];

/// Returns a user's or group's identifier (MS-DTYP 2.4.2) as text, such as `S-1-5-18`.
fn sid(bytes: &[u8]) -> Option<String> {
    let (&revision, &count) = (bytes.first()?, bytes.get(1)?);
    let mut authority = [0; 8];
    authority[2..].copy_from_slice(bytes.get(2..8)?);
    let mut text = format!("S-{revision}-{}", u64::from_be_bytes(authority));
    for at in 0..usize::from(count) {
        text.push('-');
        text.push_str(&u32_at(bytes, 8 + at * 4)?.to_string());
    }
    Some(text)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn offset(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, at)?).ok()
}

/// This user's identifier as text.
pub fn own_sid() -> io::Result<&'static str> {
    static OWN: OnceLock<String> = OnceLock::new();
    if let Some(own) = OWN.get() {
        return Ok(own);
    }
    let own = User::of_process()?.name()?;
    Ok(OWN.get_or_init(|| own))
}

#[cfg(test)]
mod tests {
    use super::super::handles::descriptor_of;
    use super::*;

    const USER: &str = "S-1-5-21-1-2-3-1001";

    fn access(text: &str) -> Access {
        Access::parse(&descriptor_of(text), USER).unwrap()
    }

    #[test]
    fn the_user_the_system_and_administrators_are_no_others() {
        for owner in [USER, "SY", "BA"] {
            let found = access(&format!(
                "O:{owner}D:P(A;;FA;;;{USER})(A;;FA;;;SY)(A;;FA;;;BA)"
            ));
            assert_eq!((found.owner, found.others), (Owner::Us, 0), "{owner}");
        }
        let windows = access(&format!(
            "O:{TRUSTED_INSTALLER}D:(A;;FA;;;{TRUSTED_INSTALLER})"
        ));
        assert_eq!((windows.owner, windows.others), (Owner::Windows, 0));
        for owner in [
            "S-1-5-21-1-2-3-1002",
            "S-1-5-21-1-2-3-100",
            "WD",
            "BU",
            "S-1-5-21-1-2-3",
        ] {
            assert_eq!(
                access(&format!("O:{owner}D:P")).owner,
                Owner::Other,
                "{owner}"
            );
        }
    }

    #[test]
    fn an_entry_for_others_counts_by_its_rights() {
        for other in ["WD", "BU", "AU", "AN", "S-1-5-21-1-2-3-1002"] {
            for (rights, read, written, replaced) in [
                ("FA", true, true, true),
                ("GA", true, true, true),
                ("FR", true, false, false),
                ("GR", true, false, false),
                ("FW", false, true, false),
                ("GW", false, true, true),
                ("0x1301bf", true, true, true),
                ("SD", false, true, true),
                ("WD", false, true, true),
                ("WO", false, true, true),
                ("0x40", false, true, true),
                ("0x4", false, true, false),
                // To pass through a folder, to see the attributes and this list.
                ("0x1200a0", false, false, false),
            ] {
                let text = format!("O:{USER}D:P(A;;FA;;;{USER})(A;;{rights};;;{other})");
                let found = access(&text).others;
                let told = [READING, WRITING, REPLACING].map(|set| found & set != 0);
                // `FW` includes the right to read the list, and no content.
                assert_eq!(told, [read, written, replaced], "{text}: {found:x}");
            }
        }
    }

    #[test]
    fn a_missing_list_gives_every_right_and_an_empty_one_none() {
        assert_eq!(access(&format!("O:{USER}")).others, ALL);
        let mut null = descriptor_of(&format!("O:{USER}D:P"));
        null[16..20].fill(0);
        assert_eq!(Access::parse(&null, USER).unwrap().others, ALL);
        assert_eq!(access(&format!("O:{USER}D:P")).others, 0);
    }

    #[test]
    fn entries_that_deny_or_are_only_handed_down_give_nothing() {
        let folder =
            format!("O:{USER}D:(D;;FA;;;WD)(A;OICIIO;FA;;;WD)(A;OICIIO;FA;;;CO)(A;;FA;;;OW)");
        assert_eq!(access(&folder).others, 0);
        // A denial before it does not hide what is allowed.
        let both = format!("O:{USER}D:(D;;FR;;;WD)(A;;FR;;;WD)");
        assert!(access(&both).others & READING != 0);
    }

    #[test]
    fn the_root_of_a_drive_may_be_added_to_and_not_replaced() {
        let root = access(&format!(
            "O:{TRUSTED_INSTALLER}D:PAI(A;;LC;;;AU)(A;OICIIO;SDGXGWGR;;;AU)(A;;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
        ));
        assert!(root.others & WRITING != 0 && root.others & REPLACING == 0);
    }

    #[test]
    fn an_unknown_entry_gives_every_right_and_a_cut_descriptor_is_an_error() {
        let whole = descriptor_of(&format!("O:{USER}D:P(A;;FA;;;{USER})"));
        let list = u32_at(&whole, 16).unwrap() as usize;
        let mut strange = whole.clone();
        strange[list + 8] = 0x05;
        assert_eq!(Access::parse(&strange, USER).unwrap().others, ALL);
        strange[list + 8] = 0x09;
        assert_eq!(Access::parse(&strange, USER).unwrap().others, 0);
        strange[list + 4] = 2;
        assert_eq!(Access::parse(&strange, USER), None, "an entry is missing");
        strange = whole.clone();
        strange[list + 10] = 4;
        assert_eq!(
            Access::parse(&strange, USER),
            None,
            "too short for an entry"
        );
        for length in 0..20 {
            assert_eq!(Access::parse(&whole[..length], USER), None, "{length}");
        }
    }
}
