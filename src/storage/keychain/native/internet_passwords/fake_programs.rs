//! Programs in tests, as they use the keychain: git's helper, gh, Git Credential Manager, docker, and this one.

use zeroize::Zeroizing;

use super::failure::{DUPLICATE, NOT_FOUND};
use super::fake::{FakeClass, FakeItem, FakeKeychain, FakeProgram, Tags};
use super::raw::{
    PasswordFields, PasswordItem, PasswordItems, PasswordQuery, RawResult, signed, unsigned,
};

/// git-credential-osxkeychain since git 2.45, for `https`.
pub(super) struct Osxkeychain<'a>(pub(super) &'a FakeKeychain);

impl Osxkeychain<'_> {
    fn program(&self) -> FakeProgram {
        self.0.program("git-credential-osxkeychain", true)
    }

    /// Only what git gave is in the query.
    fn tags(host: &str, path: Option<&str>, user: Option<&str>) -> Tags {
        let (server, port) = match host.split_once(':') {
            Some((server, port)) => (server, Some(port)),
            None => (host, None),
        };
        // `strtol`, and 0 for what is no number.
        let port = port.map(|port| port.parse::<u16>().unwrap_or(0).cast_signed().to_string());
        let mut tags = Tags::from([
            ("ptcl", "htps".to_owned()),
            ("atyp", "dflt".to_owned()),
            ("srvr", server.to_owned()),
        ]);
        tags.extend(port.map(|port| ("port", port)));
        tags.extend(path.map(|path| ("path", path.to_owned())));
        tags.extend(user.map(|user| ("acct", user.to_owned())));
        tags
    }

    /// Returns the account and the body of the first match.
    pub(super) fn get(
        &self,
        host: &str,
        path: Option<&str>,
        user: Option<&str>,
    ) -> RawResult<Option<(String, String)>> {
        let tags = Self::tags(host, path, user);
        let found = self
            .program()
            .copy_matching(FakeClass::Internet, &tags, false, true);
        match found {
            Err(NOT_FOUND) => Ok(None),
            found => {
                let item = found?.remove(0);
                let body = String::from_utf8(item.secret).unwrap();
                Ok(Some((item.tags["acct"].clone(), body)))
            }
        }
    }

    /// A missing path or port in the query of the update matches anything.
    pub(super) fn store(
        &self,
        host: &str,
        path: Option<&str>,
        user: &str,
        body: &str,
    ) -> RawResult<()> {
        let tags = Self::tags(host, path, Some(user));
        match self
            .program()
            .add(FakeClass::Internet, &tags, body.as_bytes())
        {
            Err(DUPLICATE) => self
                .program()
                .update(FakeClass::Internet, &tags, body.as_bytes()),
            added => added,
        }
    }

    /// Removes every match whose first line is `password`.
    pub(super) fn erase(
        &self,
        host: &str,
        user: Option<&str>,
        password: Option<&str>,
    ) -> RawResult<()> {
        let tags = Self::tags(host, None, user);
        let found = match self
            .program()
            .copy_matching(FakeClass::Internet, &tags, true, false)
        {
            Err(NOT_FOUND) => return Ok(()),
            found => found?,
        };
        for item in found {
            let found =
                self.program()
                    .copy_matching(FakeClass::Internet, &item.tags, false, true)?;
            let body = String::from_utf8_lossy(&found[0].secret);
            if password.is_none_or(|password| body.lines().next() == Some(password)) {
                self.program().delete(&item)?;
            }
        }
        Ok(())
    }
}

/// Adds an item of gh, by go-keyring: base64 since its version 0.2.
pub(super) fn add_gh_item(keychain: &FakeKeychain, service: &str, account: &str, token: &str) {
    let coded = crate::credential::basic::base64(token.as_bytes());
    let secret = [b"go-keyring-base64:", coded.as_slice()].concat();
    let program = keychain.program("security", true);
    add_generic(&program, service, account, &secret);
}

/// Adds an item of Git Credential Manager.
pub(super) fn add_gcm_item(keychain: &FakeKeychain, service: &str, account: &str, secret: &str) {
    let program = keychain.program("git-credential-manager", true);
    add_generic(&program, service, account, secret.as_bytes());
}

fn add_generic(program: &FakeProgram, service: &str, account: &str, secret: &[u8]) {
    let tags = Tags::from([("svce", service.to_owned()), ("acct", account.to_owned())]);
    program.add(FakeClass::Generic, &tags, secret).unwrap();
}

/// Adds an item of docker-credential-osxkeychain. It has the label, and the key of git's.
pub(super) fn add_docker_item(keychain: &FakeKeychain, host: &str, user: &str, secret: &str) {
    let mut tags = Osxkeychain::tags(host, Some(""), Some(user));
    tags.insert("labl", "Docker Credentials".to_owned());
    let program = keychain.program("docker-credential-osxkeychain", true);
    program
        .add(FakeClass::Internet, &tags, secret.as_bytes())
        .unwrap();
}

fn referenced(program: &FakeProgram, item: &PasswordItem) -> RawResult<FakeItem> {
    let number = u64::from_le_bytes(item.reference[..].try_into().unwrap());
    program.numbered(number)
}

/// The tags for `fields`, as `system.rs` names them.
fn tags_of(fields: &PasswordFields) -> (FakeClass, Tags) {
    match fields {
        PasswordFields::Internet {
            server,
            port,
            path,
            account,
            protocol,
            authentication,
            domain: _,
        } => {
            let tags = Tags::from([
                ("srvr", server.clone()),
                ("port", signed(*port).to_string()),
                ("path", path.clone()),
                ("acct", account.clone()),
                ("ptcl", protocol.clone()),
                ("atyp", authentication.clone()),
            ]);
            (FakeClass::Internet, tags)
        }
        PasswordFields::Generic { service, account } => {
            let tags = Tags::from([("svce", service.clone()), ("acct", account.clone())]);
            (FakeClass::Generic, tags)
        }
    }
}

fn fields_of(item: &FakeItem) -> PasswordFields {
    let tag = |name: &str| item.tags[name].clone();
    match item.class {
        FakeClass::Internet => PasswordFields::Internet {
            server: tag("srvr"),
            port: unsigned(tag("port").parse().unwrap()),
            path: tag("path"),
            account: tag("acct"),
            protocol: tag("ptcl"),
            authentication: tag("atyp"),
            domain: tag("sdmn"),
        },
        FakeClass::Generic => PasswordFields::Generic {
            service: tag("svce"),
            account: tag("acct"),
        },
    }
}

impl PasswordItems for FakeProgram {
    fn list(&self, query: PasswordQuery<'_>) -> RawResult<Vec<PasswordItem>> {
        let (class, tags) = match query {
            PasswordQuery::Internet { server } => {
                let mut tags = Tags::from([("atyp", "dflt".to_owned())]);
                tags.extend(server.map(|server| ("srvr", server.to_owned())));
                (FakeClass::Internet, tags)
            }
            PasswordQuery::Generic { service } => {
                let service = service.map(|service| ("svce", service.to_owned()));
                (FakeClass::Generic, service.into_iter().collect())
            }
        };
        let found = self.copy_matching(class, &tags, true, false)?;
        let read = |item: &FakeItem| PasswordItem {
            reference: item.number.to_le_bytes().to_vec(),
            fields: fields_of(item),
            label: item.tags["labl"].clone(),
            modified: item.modified,
            created: item.created,
        };
        Ok(found.iter().map(read).collect())
    }

    fn secret(&self, item: &PasswordItem) -> RawResult<Zeroizing<Vec<u8>>> {
        let found = referenced(self, item)?;
        self.ask_for(&found)?;
        Ok(Zeroizing::new(found.secret))
    }

    fn add(&self, fields: &PasswordFields, label: &str, secret: &[u8]) -> RawResult<()> {
        let (class, mut tags) = tags_of(fields);
        tags.insert("labl", label.to_owned());
        self.add(class, &tags, secret)
    }

    fn update(&self, item: &PasswordItem, secret: &[u8]) -> RawResult<()> {
        let found = referenced(self, item)?;
        // Its whole key names the item.
        self.update(found.class, &found.tags, secret)
    }

    fn delete(&self, item: &PasswordItem) -> RawResult<()> {
        let found = referenced(self, item)?;
        self.delete(&found)
    }

    fn is_unlocked(&self) -> RawResult<bool> {
        let state = self.keychain().state();
        state.check()?;
        Ok(!state.is_locked)
    }
}
