//! Whose certificates are trusted, and what is wrong with one that is not.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rustls::CertificateError;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::Error;
use crate::network::Network;

/// More than all certificate authorities there are.
const LARGEST_BUNDLE: u64 = 4 * 1024 * 1024;
/// Each may be there twice: by its name, and by its digest.
const MOST_FILES: usize = 4096;

/// As git has it: the authorities in `http.sslCAInfo`, or else the system's; and those in the folder `http.sslCAPath`.
pub(super) fn authorities(network: &Network) -> Result<RootCerts, Error> {
    let in_folder = network.folder.as_deref().map(in_folder).unwrap_or_default();
    let mut all = match &network.authorities {
        Some(path) => certificates(path)?,
        None if in_folder.is_empty() => return Ok(RootCerts::PlatformVerifier),
        None => of_system(),
    };
    all.extend(in_folder);
    Ok(RootCerts::new_with_certs(&all))
}

fn of_system() -> Vec<Certificate<'static>> {
    let known = rustls_native_certs::load_native_certs().certs;
    let owned = known
        .iter()
        .map(|known| Certificate::from_der(known).to_owned());
    owned.collect()
}

/// What cannot be read there counts for nothing, as it does for git.
fn in_folder(folder: &Path) -> Vec<Certificate<'static>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut left = LARGEST_BUNDLE;
    let mut found = Vec::new();
    for entry in entries.take(MOST_FILES) {
        let path = entry.path();
        // Nothing that would have to be waited for.
        let length = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
        let Some(rest) = length.and_then(|file| left.checked_sub(file.len())) else {
            continue;
        };
        left = rest;
        found.extend(certificates(&path).unwrap_or_default());
    }
    found
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_BUNDLE).read_to_end(&mut text))
        .map_err(|_| Error::Authorities)?;
    let found: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        Err(Error::Authorities)
    } else {
        Ok(found)
    }
}

pub(super) fn why_tls(error: &rustls::Error) -> Error {
    let rustls::Error::InvalidCertificate(cause) = error else {
        return match error {
            // What the platform's verifier says when there is nothing at all to trust.
            rustls::Error::General(_) => {
                Error::Certificate("cannot be checked: this system trusts no authority")
            }
            _ => Error::Tls,
        };
    };
    Error::Certificate(fault(cause))
}

/// What is wrong, for whoever has made it.
#[allow(deprecated)]
fn fault(cause: &CertificateError) -> &'static str {
    match cause {
        CertificateError::UnknownIssuer => {
            "is issued by nobody this system trusts: name its authority in http.sslCAInfo if it is your own"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired, if this computer's clock is right"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet, if this computer's clock is right"
        }
        CertificateError::Revoked => "is revoked",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "is not one for servers"
        }
        CertificateError::BadSignature => {
            "is signed with another key than the trusted authority of that name has"
        }
        CertificateError::UnsupportedSignatureAlgorithm
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed in a way that is not trusted, such as with SHA-1"
        }
        // The library that finds these is rustls's own, and names them by their words alone.
        CertificateError::Other(other) => match &other.0.to_string()[..] {
            "CaUsedAsEndEntity" => {
                "is a certificate authority's own: have that sign another one for the server (CA:FALSE), and trust the authority"
            }
            "UnsupportedCertVersion" => "is of a version before X.509 v3",
            _ => "is not valid",
        },
        _ => "is not valid",
    }
}
