//! The text of the journal: one paragraph for each entry, in git's attribute lines.

use super::about::{About, Fingerprint, RotationRecord};
use super::known::push;
use super::mark::Mark;
use super::{Contents, Entry, Error};
use crate::credential::code::{hex, unhex};
use crate::credential::query::Query;
use crate::credential::word::from_word;
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::write;
use crate::secret::Buffer;

impl Contents {
    /// Reads a whole journal; `None` if it is damaged.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = AttributeLines::new(bytes);
        let first = lines.find_map(|line| line.ok().filter(|line| line.key == b"key"))?;
        let mut contents = Self {
            key: unhex(first.value)?,
            ..Self::default()
        };
        // To the end of the first paragraph.
        lines.by_ref().for_each(drop);
        let mut rest = lines.rest();
        while !rest.is_empty() {
            let mut lines = AttributeLines::new(rest);
            let mut secret = None;
            let mut user = None;
            let (mut rotation, mut successor) = (None, None);
            let mut entry = Entry::default();
            for line in lines.by_ref() {
                let line = line.ok()?;
                let Ok(text) = std::str::from_utf8(line.value) else {
                    continue;
                };
                match line.key {
                    b"token" => secret = Some(Fingerprint(text.to_owned())),
                    b"user" => user = Some(Fingerprint(text.to_owned())),
                    b"rotation" => rotation = Some(Fingerprint(text.to_owned())),
                    b"successor" => successor = Some(Fingerprint(text.to_owned())),
                    b"said" => entry.said = text.parse().ok(),
                    b"notified" => entry.notified = text.parse().ok(),
                    key => match str::from_utf8(key).ok().and_then(from_word::<Mark>) {
                        Some(mark) => entry.mark = text.parse().ok().map(|at| (mark, at)),
                        None => entry.known.read(key, text),
                    },
                }
            }
            if let Some(secret) = secret {
                let key = read::entry(AttributeLines::new(rest)).ok()?.key()?;
                // A journal of version 0.1.0 has the name itself.
                let mut owner = contents.owner(&key);
                owner.user = user.or(owner.user);
                entry.about = Some(About { owner, secret });
            }
            match rotation {
                Some(old) => contents.rotations.push(RotationRecord { old, successor }),
                None => contents.entries.push(entry),
            }
            rest = lines.rest();
        }
        Some(contents)
    }

    /// Writes the whole journal.
    pub(super) fn write(&self) -> Result<Buffer, Error> {
        let mut out = Buffer::with_capacity(4096);
        out.push(format!("key={}\n\n", hex(&self.key)).as_bytes());
        for entry in &self.entries {
            if let Some(About { owner, secret }) = &entry.about {
                write::query(&Query::of(&owner.place), &mut out)?;
                push(&mut out, "user", owner.user.as_ref().map(|user| &user.0));
                push(&mut out, "token", Some(&secret.0));
            }
            push(&mut out, "said", entry.said);
            push(&mut out, "notified", entry.notified);
            if let Some((mark, at)) = entry.mark {
                push(&mut out, mark.word(), Some(at));
            }
            entry.known.write(&mut out);
            out.push(b"\n");
        }
        for RotationRecord { old, successor } in &self.rotations {
            push(&mut out, "rotation", Some(&old.0));
            push(&mut out, "successor", successor.as_ref().map(|new| &new.0));
            out.push(b"\n");
        }
        Ok(out)
    }
}
