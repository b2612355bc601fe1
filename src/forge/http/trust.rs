//! The trusted certificates, and the fault of one that is not trusted.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore,
    SignatureScheme,
};
use rustls_native_certs::load_native_certs;

use super::Error;
use super::pem;
use super::pin;
use crate::git::network::Network;

/// The error for a key that is not pinned; [`why_tls`] compares it.
const NOT_PINNED: &str = "the key is not pinned";

/// Returns the TLS settings for the forge.
pub(crate) fn to_forge(network: &Network) -> Result<Arc<ClientConfig>, Error> {
    let mut trusted = certificates(network.authorities.as_deref())?;
    // As git does, skip files of the folder that cannot be read.
    trusted.extend(
        network
            .folder
            .as_deref()
            .map(pem::in_folder)
            .into_iter()
            .flatten(),
    );
    let pinned = network.pinned.clone();
    client(trusted, network.trusts_all, pinned, network.is_tls13_only)
}

/// Returns the TLS settings for an HTTPS proxy. `http.sslVerify` and `http.pinnedPubkey` do not apply to it (curl's
/// `CURLOPT_PROXY_SSL_VERIFYPEER`).
pub(crate) fn to_proxy(network: &Network) -> Result<Arc<ClientConfig>, Error> {
    let trusted = certificates(network.proxy_authorities.as_deref())?;
    client(trusted, false, None, false)
}

/// Returns the certificates in `file`, or those that the system trusts (or `SSL_CERT_FILE` and `SSL_CERT_DIR`). Fails if the
/// file has none.
fn certificates(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Error> {
    match file {
        Some(file) => pem::certificates(file),
        None => Ok(load_native_certs().certs),
    }
}

fn client(
    trusted: Vec<CertificateDer<'static>>,
    trusts_all: bool,
    pinned: Option<OsString>,
    is_tls13_only: bool,
) -> Result<Arc<ClientConfig>, Error> {
    let mut provider = ring::default_provider();
    if is_tls13_only {
        provider
            .cipher_suites
            .retain(|suite| suite.version().version == ProtocolVersion::TLSv1_3);
    }
    let provider = Arc::new(provider);
    let judge = Judge {
        authorities: (!trusts_all)
            .then(|| verifier(&trusted, &provider))
            .transpose()?,
        trusted,
        pinned,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::Tls)?;
    let builder = builder.dangerous();
    let builder = builder.with_custom_certificate_verifier(Arc::new(judge));
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn verifier(
    trusted: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|_| Error::Certificate("cannot be checked: this system trusts no authority"))
}

/// Decides by git's settings whether a server is trusted.
#[derive(Debug)]
struct Judge {
    /// `None`: `http.sslVerify` is off.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    trusted: Vec<CertificateDer<'static>>,
    pinned: Option<OsString>,
    provider: Arc<CryptoProvider>,
}

impl Judge {
    /// Whether the server has a certificate that is itself trusted. git's TLS libraries accept that even for the certificate
    /// of an authority. `webpki` checks the dates before it reports this error.
    fn is_trusted_itself(&self, shown: &CertificateDer<'_>, error: &rustls::Error) -> bool {
        let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else {
            return false;
        };
        other.0.to_string() == "CaUsedAsEndEntity" && self.trusted.iter().any(|own| own == shown)
    }

    /// Whether the signatures of the handshake do not matter: there are neither authorities nor pinned keys.
    fn trusts_any_server(&self) -> bool {
        self.authorities.is_none() && self.pinned.is_none()
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(authorities) = &self.authorities {
            match authorities.verify_server_cert(shown, between, name, ocsp, now) {
                Ok(_) => {}
                Err(error) if self.is_trusted_itself(shown, &error) => {
                    verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(pinned) = &self.pinned {
            let key = ParsedCertificate::try_from(shown)?.subject_public_key_info();
            if !pin::allows(pinned, key.as_ref()) {
                return Err(rustls::Error::General(NOT_PINNED.to_owned()));
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.trusts_any_server() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, shown, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.trusts_any_server() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, shown, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

pub(crate) fn why_tls(error: &rustls::Error) -> Error {
    let rustls::Error::InvalidCertificate(cause) = error else {
        return match error {
            rustls::Error::General(cause) if cause == NOT_PINNED => Error::Pinned,
            _ => Error::Tls,
        };
    };
    Error::Certificate(fault(cause))
}

/// The fault of a certificate, for a message to its administrator.
fn fault(cause: &CertificateError) -> &'static str {
    match cause {
        CertificateError::UnknownIssuer => {
            "is issued by an authority that this system does not trust: name its authority in http.sslCAInfo if it is your own"
        }
        CertificateError::NotValidForNameContext { .. } => "is for another name",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired, if this computer's clock is right"
        }
        CertificateError::NotValidYetContext { .. } => {
            "is not valid yet, if this computer's clock is right"
        }
        CertificateError::Revoked => "is revoked",
        CertificateError::InvalidPurposeContext { .. } => "is not one for servers",
        CertificateError::BadSignature => {
            "is signed with another key than the trusted authority of that name has"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed in a way that is not trusted, such as with SHA-1"
        }
        // `webpki` has no types for these errors, only texts.
        CertificateError::Other(other) => match &other.0.to_string()[..] {
            "CaUsedAsEndEntity" => {
                "is a certificate authority's own: sign one for the server with it (CA:FALSE), and trust the authority"
            }
            "UnsupportedCertVersion" => "is of a version before X.509 v3",
            _ => "is not valid",
        },
        _ => "is not valid",
    }
}
