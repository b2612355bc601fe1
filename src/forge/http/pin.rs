//! `http.pinnedPubkey`: the keys that a server may have, as curl reads them (`CURLOPT_PINNEDPUBLICKEY`).

use std::ffi::OsStr;
use std::path::Path;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::pem;
use crate::credential::basic::base64;

const DIGEST: &str = "sha256//";

/// Whether `pinned` allows `key`, a `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1). A value that cannot be read allows none.
pub(crate) fn allows(pinned: &OsStr, key: &[u8]) -> bool {
    if let Some(digests) = pinned.to_str().filter(|text| text.starts_with(DIGEST)) {
        let own = [DIGEST.as_bytes(), base64(&Sha256::digest(key)).as_slice()].concat();
        // As curl, compare the text itself, with everything between two semicolons.
        return digests.split(';').any(|digest| digest.as_bytes() == own);
    }
    let Ok(content) = pem::read(Path::new(pinned)) else {
        return false;
    };
    let in_pem = SubjectPublicKeyInfoDer::from_pem_slice(&content);
    content == key || in_pem.is_ok_and(|pinned| pinned.as_ref() == key)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Of the bytes `key`, by sha256sum(1) and base64(1).
    const OWN: &str = "sha256//LHDhK3oGRvkiefQnx7OOczTY5Tic/xZ6HcMOc/gmtoM=";

    #[test]
    fn one_of_several_digests_is_enough() {
        for (pinned, is_allowed) in [
            (OWN.to_owned(), true),
            (format!("sha256//AAAA;{OWN}"), true),
            (format!("{OWN};x"), true),
            (format!("x;{OWN}"), false),
            (format!("sha256//AAAA; {OWN}"), false),
            (OWN.replace("sha256", "SHA256"), false),
            ("sha256//".to_owned(), false),
            (String::new(), false),
            ("/no/such/file".to_owned(), false),
        ] {
            assert_eq!(allows(pinned.as_ref(), b"key"), is_allowed, "{pinned}");
        }
    }

    #[test]
    fn a_file_holds_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        for (content, is_allowed) in [
            ("key", true),
            ("other", false),
            (
                "-----BEGIN PUBLIC KEY-----\na2V5\n-----END PUBLIC KEY-----\n",
                true,
            ),
            (
                "-----BEGIN PUBLIC KEY-----\nb3RoZXI=\n-----END PUBLIC KEY-----\n",
                false,
            ),
            (
                "-----BEGIN CERTIFICATE-----\na2V5\n-----END CERTIFICATE-----\n",
                false,
            ),
            ("", false),
        ] {
            fs::write(&file, content).unwrap();
            assert_eq!(allows(file.as_os_str(), b"key"), is_allowed, "{content}");
        }
        assert!(!allows(folder.path().as_os_str(), b"key"));
    }
}
