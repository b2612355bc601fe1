//! Who issued a token: the one file that names every forge.

use crate::config::host::HostRule;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge::azure::Azure;
use crate::forge::bitbucket::Bitbucket;
use crate::forge::gitea::Gitea;
use crate::forge::github::GitHub;
use crate::forge::gitlab::GitLab;
use crate::forge::{Forge, ForgeKind, ForgeSite, Renewal};
use crate::journal::known::Known;
use crate::journal::snapshot::Snapshot;
use crate::secret::Secret;

const ALL: [&dyn Forge; 5] = [&GitHub, &GitLab, &Gitea, &Bitbucket, &Azure];

/// The forge that issued a token, and the kind of the token.
#[derive(Debug, Clone, Copy)]
pub struct Issuer {
    pub forge: &'static dyn Forge,
    /// `None`: the prefix does not tell the kind.
    pub token: Option<TokenKind>,
    /// Whether a rule or the host's name identifies the forge. Otherwise the forge may be below a path, or not at this host.
    pub is_certain: bool,
}

impl Issuer {
    /// Whether the forge can be asked about this token at `key`'s host.
    pub fn can_tell(&self, key: &Key) -> bool {
        ForgeSite::of(key).is_some_and(|site| self.forge.token_request(&site, self.token).is_some())
    }
}

/// Finds the issuer of a token: by the user's rules, the host's name, the journal and the token itself.
#[derive(Debug)]
pub struct Issuers {
    hosts: Vec<HostRule>,
}

impl Issuers {
    /// Over the `[[host]]` rules of the configuration.
    pub fn new(hosts: Vec<HostRule>) -> Self {
        Self { hosts }
    }

    /// The rule of the user for the host of `key`.
    pub fn rule(&self, key: &Key) -> Option<&HostRule> {
        HostRule::find(&self.hosts, key)
    }

    /// Returns the issuer of tokens for `key`'s host. The first of these decides: a `[[host]]` rule, a public host, the forge
    /// that the server's realm or the journal has `told`, the token's prefix. The token's length and letters never count.
    pub fn issuer(
        &self,
        key: &Key,
        told: Option<ForgeKind>,
        token: Option<&[u8]>,
    ) -> Option<Issuer> {
        let ruled = self.rule(key).and_then(|rule| rule.forge).map(forge);
        let certain = ruled.or_else(|| at_public_host(key));
        let forge = certain
            .or_else(|| told.map(forge))
            .or_else(|| by_prefix(token?))?;
        Some(Issuer {
            forge,
            token: token.and_then(|token| forge.token_kind(token)),
            is_certain: certain.is_some(),
        })
    }

    /// As [`Issuers::issuer`], for the token of `credential`.
    pub fn issuer_of(&self, credential: &Credential, told: Option<ForgeKind>) -> Option<Issuer> {
        let token = credential.token().map(Secret::expose);
        self.issuer(&credential.key, told, token)
    }

    /// The username for `token` at `key`'s host if the user names none; `variable`: its environment variable.
    pub fn username(&self, key: &Key, token: &Secret, variable: Option<&str>) -> DefaultUsername {
        // Older jobs have tokens without a prefix (docs.gitlab.com, "CI/CD job token").
        let name = if variable == Some("CI_JOB_TOKEN") {
            forge(ForgeKind::GitLab).default_username(Some(TokenKind::Job))
        } else {
            let Some(issuer) = self.issuer(key, None, Some(token.expose())) else {
                return DefaultUsername::Unknown;
            };
            issuer.forge.default_username(issuer.token)
        };
        name.map_or(DefaultUsername::Own, DefaultUsername::Known)
    }

    /// The site of the forge of `key`, by the rules; `None` if it is not reached over HTTPS.
    pub fn site(&self, key: &Key) -> Option<ForgeSite> {
        let site = ForgeSite::of(key)?;
        Some(
            match self.rule(key).and_then(|rule| rule.url.path.as_deref()) {
                Some(path) => site.below(path),
                None => site,
            },
        )
    }

    /// Whether the forge replaces the token of `credential` by one call, as far as the journal knows.
    pub fn can_rotate(&self, credential: &Credential, known: Option<&Known>) -> bool {
        let Some(known) = known.filter(|known| known.token != Some(TokenKind::OAuth)) else {
            return false;
        };
        let issuer = self.issuer_of(credential, known.forge);
        let Some((issuer, site)) = issuer.zip(self.site(&credential.key)) else {
            return false;
        };
        // Without a known scope the hint may be a dead end.
        let scopes = known.scopes.as_deref().unwrap_or_default();
        match issuer.forge.renewal(&site, issuer.token) {
            Renewal::InPlace { needs, .. } => {
                scopes.iter().any(|scope| needs.contains(&&scope[..]))
            }
            Renewal::ByHand { .. } => false,
        }
    }
}

fn forge(kind: ForgeKind) -> &'static dyn Forge {
    let mut all = ALL.into_iter();
    all.find(|forge| forge.kind() == kind).unwrap_or(&GitHub)
}

/// Returns the forge whose public host is `key`'s.
fn at_public_host(key: &Key) -> Option<&'static dyn Forge> {
    let host = std::str::from_utf8(&key.host).ok()?;
    let is_web = key.protocol == b"https";
    ALL.into_iter().find(|forge| is_web && forge.is_at(host))
}

/// Returns the forge whose tokens begin as `token` does.
pub fn by_prefix(token: &[u8]) -> Option<&'static dyn Forge> {
    let mut all = ALL.into_iter();
    all.find(|forge| forge.token_kind(token).is_some())
}

/// Returns why the public host of a forge no longer accepts `credential`. Rules and realms do not count here.
pub fn retired_reason(credential: &Credential) -> Option<&'static str> {
    let Credential {
        key,
        password: Some(password),
        authorization: None,
        ..
    } = credential
    else {
        return None;
    };
    let name = key.username.as_ref().map(Username::expose);
    at_public_host(key)?.retired_reason(name.unwrap_or_default(), password.expose())
}

/// As [`retired_reason`], but `None` for a credential that this helper saved or git confirmed.
pub fn is_retired(credential: &Credential, dead: &Snapshot) -> Option<&'static str> {
    let why = retired_reason(credential)?;
    let may_be_good = credential.refresh_token.is_some() || dead.was_good(credential);
    (!may_be_good).then_some(why)
}

/// The username for a token without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultUsername {
    /// The forge accepts this one.
    Known(&'static str),
    /// The token works only with its own username.
    Own,
    /// The forge is unknown.
    Unknown,
}

/// Returns the forge with one of `realms`, which come from the server's challenges.
pub fn by_realms(realms: &[Vec<u8>]) -> Option<ForgeKind> {
    let is_named = |forge: &&dyn Forge| {
        let mut names = forge.realms().iter();
        names.any(|name| realms.iter().any(|realm| realm == name.as_bytes()))
    };
    ALL.into_iter().find(is_named).map(Forge::kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::host::HostUrl;

    fn key(protocol: &str, host: &str) -> Key {
        Key {
            protocol: protocol.as_bytes().to_vec(),
            host: host.as_bytes().to_vec(),
            path: None,
            username: None,
        }
    }

    fn found(host: &str, told: Option<ForgeKind>, token: Option<&[u8]>) -> Option<ForgeKind> {
        let issuer = Issuers::new(Vec::new()).issuer(&key("https", host), told, token);
        issuer.map(|issuer| issuer.forge.kind())
    }

    #[test]
    fn every_forges_token_is_known_in_the_place_of_a_name() {
        for (prefix, _) in ALL.into_iter().flat_map(Forge::prefixes) {
            let name = Username::from(format!("{prefix}madeup-madeup-madeup"));
            assert!(name.may_be_token(), "{prefix}");
        }
    }

    #[test]
    fn the_persons_word_comes_first_and_the_tokens_last() {
        let issuers = Issuers::new(vec![HostRule {
            url: HostUrl {
                protocol: b"https".to_vec(),
                host: b"one.test".to_vec(),
                path: None,
            },
            forge: Some(ForgeKind::GitLab),
            lifetime: None,
        }]);
        let azure = Some(ForgeKind::Azure);
        let github = Some(&b"ghp_x"[..]);
        for (host, told, token, expected) in [
            ("one.test", azure, github, Some(ForgeKind::GitLab)),
            ("gitlab.com", azure, github, Some(ForgeKind::GitLab)),
            ("two.test", azure, github, azure),
            ("two.test", None, github, Some(ForgeKind::GitHub)),
            ("two.test", None, None, None),
        ] {
            let issuer = issuers.issuer(&key("https", host), told, token);
            assert_eq!(issuer.map(|issuer| issuer.forge.kind()), expected, "{host}");
        }
        assert_eq!(by_realms(&[b"Forgejo".to_vec()]), Some(ForgeKind::Gitea));
    }

    #[test]
    fn a_host_that_looks_like_another_is_another() {
        for host in [
            "github.com.evil.test",
            "evilgithub.com",
            "api.github.com",
            "gist.github.com",
            "github.com:8443",
            "xn--github-.com",
        ] {
            assert_eq!(found(host, None, None), None, "{host}");
        }
        assert!(at_public_host(&key("http", "github.com")).is_none());
    }

    #[test]
    fn neither_length_nor_letters_nor_half_a_realm_tell() {
        for token in [
            &b"0123456789abcdef0123456789abcdef01234567"[..],
            &[b'a'; 52],
        ] {
            assert_eq!(found("one.test", None, Some(token)), None);
        }
        for realm in ["gitea", "Gitea ", "My Gitea", ""] {
            assert_eq!(by_realms(&[realm.as_bytes().to_vec()]), None, "{realm}");
        }
    }

    #[test]
    fn every_kind_has_its_forge() {
        for known in ALL {
            assert_eq!(forge(known.kind()).kind(), known.kind());
        }
    }

    #[test]
    fn the_issuer_knows_the_username() {
        use DefaultUsername::{Known, Own, Unknown};
        let issuers = Issuers::new(Vec::new());
        for (host, token, expected) in [
            ("github.com", "ghp_made-up", Known("x-access-token")),
            ("ghe.test", "ghs_made-up", Known("x-access-token")),
            ("gitlab.com", "glpat-made-up", Known("oauth2")),
            ("gitlab.com", "made-up-oauth", Known("oauth2")),
            ("gl.test", "glcbt-made-up", Known("gitlab-ci-token")),
            ("gl.test", "gldt-made-up", Own),
            ("bitbucket.org", "ATCTT3made-up", Known("x-token-auth")),
            (
                "bitbucket.org",
                "ATATT3made-up",
                Known("x-bitbucket-api-token-auth"),
            ),
            ("bitbucket.org", "ATBBmade-up", Own),
            ("codeberg.org", "made-up", Known("x-access-token")),
            ("dev.azure.com", "made-up", Known("x-access-token")),
            ("one.test", "made-up", Unknown),
        ] {
            let token = Secret::new(token.as_bytes());
            let name = issuers.username(&key("https", host), &token, None);
            assert_eq!(name, expected, "{host}");
        }
        let token = Secret::new(b"made-up");
        let job = issuers.username(&key("https", "one.test"), &token, Some("CI_JOB_TOKEN"));
        assert_eq!(job, Known("gitlab-ci-token"));
    }

    #[test]
    fn a_password_is_over_only_at_the_forge_itself() {
        use crate::credential::query::Query;
        let credential = |protocol: &str, host: &str| {
            let described = Query {
                username: Some(b"octocat".to_vec().into()),
                password: Some(Secret::new(b"made-up")),
                ..Query::of(&key(protocol, host))
            };
            Credential::complete(described).unwrap()
        };
        assert!(retired_reason(&credential("https", "github.com")).is_some());
        for (protocol, host) in [
            ("http", "github.com"),
            ("https", "github.com:8443"),
            ("https", "ghe.test"),
            ("https", "gitlab.com"),
            ("https", "codeberg.org"),
            ("https", "dev.azure.com"),
        ] {
            assert!(
                retired_reason(&credential(protocol, host)).is_none(),
                "{protocol} {host}"
            );
        }
    }
}
