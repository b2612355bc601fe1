//! Items of other programs, as `import` asks for them: those of gh and glab (go-keyring), and GCM's with a namespace of its own.
//!
//! GCM's items without a namespace are git's: the storage itself lists them. If `import` offered them too, the removal of the
//! source would remove the only copy.

use super::generic::GenericCredential;
use super::target::{ItemOwner, plain};
use crate::storage::keychain::attributes::SCHEMA;
use crate::storage::keychain::items::ItemAttributes;

/// The schema by which GCM's items are asked for on every system.
const GCM: &str = "com.microsoft.GitCredentialManager";
/// The namespace of cargo's tokens (cargo: `credential/cargo-credential-wincred`).
const CARGO: &str = "cargo-registry:";

/// Returns the beginning of the targets that can have the attributes `wanted`; `None`: no other program's.
pub(super) fn prefix(wanted: &ItemAttributes) -> Option<String> {
    match wanted.get(SCHEMA) {
        Some(schema) if schema == GCM => Some(String::new()),
        Some(_) => None,
        None => Some(format!("{}:", wanted.get("service")?)),
    }
}

/// Returns the attributes that the programs give to such an item on Linux; `None`: it is of no such program.
pub(super) fn attributes(
    credential: &GenericCredential,
    owner: ItemOwner,
) -> Option<ItemAttributes> {
    let target = plain(&credential.target);
    let user = credential.user.as_deref().unwrap_or_default();
    let (service, named) = match owner {
        ItemOwner::GoKeyring => {
            let service = target.strip_suffix(user)?.strip_suffix(':')?;
            (service, [("username", user)].to_vec())
        }
        // GCM writes a user, and no comment or attribute. Docker marks its items with an attribute, cargo with a comment.
        ItemOwner::Gcm => {
            let is_plain = credential.comment.is_none() && credential.attributes.is_empty();
            let is_gcm = is_plain && !user.is_empty() && !target.starts_with(CARGO);
            is_gcm.then_some((target, [("account", user), (SCHEMA, GCM)].to_vec()))?
        }
        ItemOwner::Git | ItemOwner::Ours => return None,
    };
    let all = named.into_iter().chain([("service", service)]);
    Some(
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    )
}
