//! The secret of an item: the text that the keychain's items have, and the bytes in the Credential Manager.
//!
//! | | text | blob |
//! |---|---|---|
//! | git's items | password, LF, attribute lines | UTF-16LE: password, CR LF, attribute lines; the expiry is an attribute of the item |
//! | this program's own items | the same | the same bytes: UTF-8 is half as long, and no other program reads them |

use zeroize::Zeroizing;

use super::generic::GenericCredential;
use super::target::ItemOwner;

const EXPIRY: &str = "password_expiry_utc=";

/// Returns the text of an item; `None`: another program wrote a blob that is no text.
pub(super) fn text_of(
    credential: &GenericCredential,
    owner: ItemOwner,
) -> Option<Zeroizing<Vec<u8>>> {
    match owner {
        ItemOwner::Git => Some(with_expiry(&decode(&credential.blob)?, credential.expiry())),
        ItemOwner::Gcm => {
            // A version of GCM also writes its refresh token here, below the password.
            let text = decode(&credential.blob)?;
            let end = text.find(['\r', '\n']).unwrap_or(text.len());
            Some(Zeroizing::new(text.as_bytes()[..end].to_vec()))
        }
        ItemOwner::Ours | ItemOwner::GoKeyring => Some(credential.blob.clone()),
    }
}

/// Puts `text` into the item. Keeps what the text does not name: the comment and the attributes of other programs. Fails if a
/// password of git's items is not UTF-8.
pub(super) fn set_text(
    credential: &mut GenericCredential,
    owner: ItemOwner,
    text: &[u8],
) -> Result<(), std::str::Utf8Error> {
    if owner != ItemOwner::Git {
        credential.blob = Zeroizing::new(text.to_vec());
        return Ok(());
    }
    let mut lines = std::str::from_utf8(text)?.split('\n');
    let mut expiry = None;
    // No unit of UTF-16 is shorter than its UTF-8; a line end grows by one.
    let mut blob = Zeroizing::new(Vec::with_capacity(4 * text.len() + 4));
    encode(lines.next().unwrap_or_default(), &mut blob);
    for line in lines {
        if let Some(digits) = line.strip_prefix(EXPIRY) {
            expiry = Some(digits);
        } else if !line.is_empty() {
            encode("\r\n", &mut blob);
            encode(line, &mut blob);
        }
    }
    credential.blob = blob;
    credential.set_expiry(expiry);
    Ok(())
}

fn with_expiry(blob: &str, expiry: Option<String>) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(blob.len() + 256));
    let mut lines = blob
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line));
    text.extend_from_slice(lines.next().unwrap_or_default().as_bytes());
    let expiry = expiry.map(|digits| format!("{EXPIRY}{digits}"));
    let others = lines.filter(|line| !line.is_empty() && !line.starts_with(EXPIRY));
    for line in expiry.as_deref().into_iter().chain(others) {
        text.push(b'\n');
        text.extend_from_slice(line.as_bytes());
    }
    text
}

/// Decodes UTF-16LE; `None` for an odd length, another encoding, or a zero, which no password of git has.
fn decode(blob: &[u8]) -> Option<Zeroizing<String>> {
    if !blob.len().is_multiple_of(2) {
        return None;
    }
    // Enough for every text: a secret that moved would leave a copy.
    let mut text = Zeroizing::new(String::with_capacity(blob.len() / 2 * 3));
    let units = blob
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    for letter in char::decode_utf16(units) {
        text.push(letter.ok().filter(|&letter| letter != '\0')?);
    }
    Some(text)
}

fn encode(text: &str, blob: &mut Vec<u8>) {
    blob.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
}
