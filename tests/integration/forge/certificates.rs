//! A private authority, and certificates of its and of others' making.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS12;
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};

use crate::process;
use crate::sandbox::Sandbox;
use crate::tool;

const SETTINGS: &str = "[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[localhost]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
[own-authority]
basicConstraints = critical, CA:TRUE
subjectAltName = DNS:localhost, IP:127.0.0.1
[clients]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
[ca]
default_ca = dated
[dated]
database = index
default_md = sha256
rand_serial = yes
policy = any
[any]
commonName = supplied
[elsewhere]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:elsewhere.example.test
";

/// What a server says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// `localhost`, signed by the authority that the tests trust.
    Good,
    /// Signed by the same authority, for another name.
    OtherName,
    /// `localhost`, signed by nobody but itself.
    SelfSigned,
    /// `localhost`, and an authority that has signed itself: what `openssl req -x509` makes when nothing else is said.
    OwnAuthority,
    /// `localhost`, signed by the authority that the tests trust, and over since yesterday.
    Ended,
    /// The same, from next year on.
    Early,
    /// The same, for clients only.
    ForClients,
    /// `localhost`, signed by an authority of the same name that nobody trusts.
    Stranger,
}

/// They lie in a folder of the sandbox's; each is made when it is first needed.
#[derive(Debug, Clone)]
pub struct Certificates {
    folder: PathBuf,
    /// The environment of openssl: the clock of a scene.
    clock: Vec<(&'static str, OsString)>,
}

impl Certificates {
    pub fn new(sandbox: &Sandbox) -> Self {
        let folder = sandbox.path("certificates");
        let clock = Vec::new();
        let certificates = Self { folder, clock };
        if !certificates.folder.exists() {
            fs::create_dir(&certificates.folder).unwrap();
            fs::write(certificates.folder.join("settings"), SETTINGS).unwrap();
            certificates.copy_most_needed(sandbox);
        }
        certificates
    }

    /// Makes the authority and [`Certificate::Good`] by another clock, for the [`Self::new`] of the same sandbox.
    pub fn make_at(sandbox: &Sandbox, clock: Vec<(&'static str, OsString)>) {
        let folder = sandbox.path("certificates");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("settings"), SETTINGS).unwrap();
        let certificates = Self { folder, clock };
        certificates.make_authority(sandbox, "authority");
        certificates.sign(sandbox, "good", "authority", "localhost");
    }

    /// The authority and [`Certificate::Good`], which nearly every test needs: made once, and copied to each.
    fn copy_most_needed(&self, sandbox: &Sandbox) {
        static MADE: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            self.make_authority(sandbox, "authority");
            self.sign(sandbox, "good", "authority", "localhost");
            let names = ["authority.pem", "authority.key", "good.pem", "good.key"];
            let read = |name: &str| (name.to_owned(), fs::read(self.folder.join(name)).unwrap());
            names.map(read).into()
        });
        for (name, content) in made {
            fs::write(self.folder.join(name), content).unwrap();
        }
    }

    /// For whoever is to trust [`Certificate::Good`].
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// Of the same name, and trusted for nothing that the tests show.
    pub fn other_authority(&self, sandbox: &Sandbox) -> PathBuf {
        self.make_authority(sandbox, "other-authority");
        self.folder.join("other-authority.pem")
    }

    /// For whoever is to trust [`Certificate::OwnAuthority`].
    pub fn own_authority(&self) -> PathBuf {
        self.folder.join("own-authority.pem")
    }

    /// What a server needs to show `certificate`.
    pub fn server(&self, sandbox: &Sandbox, certificate: Certificate) -> Arc<ServerConfig> {
        let (name, signer, section) = match certificate {
            Certificate::Good => ("good", Some("authority"), "localhost"),
            Certificate::OtherName => ("other-name", Some("authority"), "elsewhere"),
            Certificate::SelfSigned => ("self-signed", None, "localhost"),
            Certificate::OwnAuthority => ("own-authority", None, "own-authority"),
            Certificate::Ended => ("ended", Some("authority"), "localhost"),
            Certificate::Early => ("early", Some("authority"), "localhost"),
            Certificate::ForClients => ("clients", Some("authority"), "clients"),
            Certificate::Stranger => ("stranger", Some("other-authority"), "localhost"),
        };
        if let Some(signer) = signer
            && !self.folder.join(format!("{signer}.pem")).exists()
        {
            self.make_authority(sandbox, signer);
        }
        let path = self.folder.join(format!("{name}.pem"));
        let key = self.folder.join(format!("{name}.key"));
        if !path.exists() {
            match signer {
                None => self.self_sign(sandbox, name, "localhost", section),
                Some(signer) if certificate == Certificate::Early => {
                    self.sign_for_later(sandbox, name, signer, section);
                }
                Some(signer) => self.sign(sandbox, name, signer, section),
            }
        }
        configuration(&path, &key, ALL_VERSIONS)
    }

    /// [`Certificate::Good`], for a server that speaks nothing newer than TLS 1.2.
    pub fn tls12_server(&self, sandbox: &Sandbox) -> Arc<ServerConfig> {
        // So that it is there.
        self.server(sandbox, Certificate::Good);
        let [path, key] = ["good.pem", "good.key"].map(|name| self.folder.join(name));
        configuration(&path, &key, &[&TLS12])
    }

    fn make_authority(&self, sandbox: &Sandbox, name: &str) {
        self.self_sign(sandbox, name, "Test authority", "authority");
    }

    fn self_sign(&self, sandbox: &Sandbox, name: &str, subject: &str, section: &str) {
        self.request(
            sandbox,
            name,
            subject,
            &["-x509", "-days", "30", "-extensions", section],
            "pem",
        );
    }

    fn sign(&self, sandbox: &Sandbox, name: &str, signer: &str, section: &str) {
        self.request(sandbox, name, "localhost", &[], "csr");
        let mut openssl = sandbox.command(tool::need("openssl"));
        let days = if name == "ended" { "-1" } else { "30" };
        openssl.envs(self.clock.iter().cloned());
        openssl
            .current_dir(&self.folder)
            .args(["x509", "-req", "-days", days]);
        openssl.arg("-in").arg(format!("{name}.csr"));
        openssl.arg("-CA").arg(format!("{signer}.pem"));
        openssl.arg("-CAkey").arg(format!("{signer}.key"));
        openssl.args([
            "-CAcreateserial",
            "-extfile",
            "settings",
            "-extensions",
            section,
        ]);
        openssl.arg("-out").arg(format!("{name}.pem"));
        process::run(&mut openssl, b"").succeeded();
    }

    /// Only openssl-ca(1) takes a first day; it wants a list of what it has signed.
    fn sign_for_later(&self, sandbox: &Sandbox, name: &str, signer: &str, section: &str) {
        self.request(sandbox, name, "localhost", &[], "csr");
        fs::write(self.folder.join("index"), "").unwrap();
        let mut openssl = sandbox.command(tool::need("openssl"));
        openssl.current_dir(&self.folder).args([
            "ca",
            "-batch",
            "-notext",
            "-rand_serial",
            "-outdir",
            ".",
        ]);
        let year = (time::OffsetDateTime::now_utc().year() + 1).to_string();
        openssl
            .arg("-startdate")
            .arg(format!("{year}1231000000Z"))
            .args(["-days", "900", "-config", "settings"]);
        openssl.arg("-cert").arg(format!("{signer}.pem"));
        openssl.arg("-keyfile").arg(format!("{signer}.key"));
        openssl.args(["-extensions", section]);
        openssl.arg("-in").arg(format!("{name}.csr"));
        openssl.arg("-out").arg(format!("{name}.pem"));
        process::run(&mut openssl, b"").succeeded();
    }

    fn request(&self, sandbox: &Sandbox, name: &str, subject: &str, how: &[&str], ending: &str) {
        let mut openssl = sandbox.command(tool::need("openssl"));
        openssl.envs(self.clock.iter().cloned());
        openssl
            .current_dir(&self.folder)
            .args(["req", "-config", "settings", "-new"]);
        openssl.args([
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]);
        openssl.arg("-subj").arg(format!("/CN={subject}")).args(how);
        openssl.arg("-keyout").arg(format!("{name}.key"));
        openssl.arg("-out").arg(format!("{name}.{ending}"));
        process::run(&mut openssl, b"").succeeded();
    }
}

fn configuration(
    certificate: &Path,
    key: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap();
    Arc::new(
        builder
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap(),
    )
}
