//! Reads certificates and keys from files, within bounds.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Error;

/// In bytes: larger than a bundle of all known authorities.
const LARGEST_BUNDLE: u64 = 4 * 1024 * 1024;
/// A folder may have each certificate twice: by its name and by its digest.
const MOST_FILES: usize = 4096;

/// Returns the certificates in a folder. As git does, skips files that cannot be read.
pub(crate) fn in_folder(folder: &Path) -> Vec<CertificateDer<'static>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut left = LARGEST_BUNDLE;
    let mut found = Vec::new();
    for entry in entries.take(MOST_FILES) {
        let path = entry.path();
        // Only plain files: a pipe could block.
        let length = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
        let Some(rest) = length.and_then(|file| left.checked_sub(file.len())) else {
            continue;
        };
        left = rest;
        found.extend(certificates(&path).unwrap_or_default());
    }
    found
}

/// Returns the certificates in a file. Fails if there are none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path).map_err(|_| Error::Authorities)?;
    let all = CertificateDer::pem_slice_iter(&text);
    let found: Vec<_> = all.filter_map(Result::ok).collect();
    if found.is_empty() {
        Err(Error::Authorities)
    } else {
        Ok(found)
    }
}

/// Reads a plain file. Fails for other files: a pipe could block.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut content = Vec::new();
    let file = File::open(path)?;
    file.take(LARGEST_BUNDLE).read_to_end(&mut content)?;
    Ok(content)
}
