//! One request to a forge about a token, after a check that the forge is there.

use crate::credential::Credential;
use crate::forge::{
    self, Call, Forge, ForgeSite, Signature, TokenFacts, TokenVerdict, http, reading,
};
use crate::helper::issuer::Issuer;
use crate::secret::Secret;
use crate::terminal::{escape, with_causes};
use crate::time::{Now, in_words};

/// The subject of these steps in the trace.
pub(super) const LOOK_UP: &str = "look-up";

/// The outcome of a request to a forge about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The verdict in the forge's answer.
    Told(TokenVerdict),
    /// There is no answer.
    Failed(http::Error),
    /// This forge cannot tell, or not about this kind of token.
    CannotTell,
    /// The issuer of the token is unknown.
    NoForge,
    /// No token is sent over anything but HTTPS.
    NotHttps,
    /// The forge's API is not at the root of the host, and no rule says where it is. No token was sent.
    NotThere(forge::ForgeKind),
}

impl Asked {
    /// Whether the forge itself says that the token is invalid.
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Told(verdict) if verdict.is_rejection())
    }

    /// The scopes of a good token, if the forge tells them.
    pub fn scopes(&self) -> Option<&[String]> {
        match self {
            Self::Told(TokenVerdict::Good(found)) => found.scopes.as_deref(),
            _ => None,
        }
    }

    /// The reason why it is unknown whether the token works, or why a working one cannot be used.
    pub fn unclear(&self, forge: &str) -> Option<String> {
        Some(match self {
            Self::Told(TokenVerdict::Blocked { words, .. }) => {
                let words = words.as_deref().unwrap_or("no reason given");
                format!("{forge} knows the token but blocks it: {words}")
            }
            Self::Told(TokenVerdict::Limited { status, wait }) => {
                let wait = wait.map(|wait| format!(", try again in {}", in_words(wait)));
                let wait = wait.unwrap_or_default();
                format!("{forge} limits requests for now ({status}){wait}")
            }
            Self::Told(TokenVerdict::Unclear { status }) => {
                format!("{forge} answers {status}, which says nothing about the token")
            }
            Self::Told(_) => return None,
            Self::Failed(error) => with_causes(error),
            Self::NotThere(kind) => {
                format!("{kind} is not at the root of this host, so the token was not sent")
            }
            Self::CannotTell => format!("{forge} tells nothing about a token"),
            Self::NoForge => "the forge is unknown".to_owned(),
            Self::NotHttps => "a token is sent over HTTPS only".to_owned(),
        })
    }

    /// The verdict in the words of the trace. Repeats no text of the forge.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Told(TokenVerdict::Good(_)) => "the token works".to_owned(),
            Self::Told(TokenVerdict::Ended) => "the token has expired".to_owned(),
            Self::Told(TokenVerdict::Revoked) => "the token was revoked".to_owned(),
            Self::Told(TokenVerdict::Rejected) => "the token is rejected".to_owned(),
            Self::Told(TokenVerdict::Blocked { .. }) => "the token is blocked".to_owned(),
            _ => self.unclear("the forge").unwrap_or_default(),
        }
    }

    /// The setting to change, so that the forge can be asked.
    pub fn setting_hint(&self) -> Option<String> {
        match self {
            Self::Failed(error) => error.setting_hint(),
            Self::NotThere(kind) => Some(format!(
                "name its URL in config.toml: [[host]] url = \"https://HOST/PATH\", forge = \"{}\"",
                kind.word()
            )),
            Self::NoForge => Some("name it in a [[host]] rule in config.toml".to_owned()),
            _ => None,
        }
    }

    /// Whether the forge says that the token is good.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Told(TokenVerdict::Good(_)))
    }
}

/// Asks the forge at `site` about the token of `credential`.
pub(crate) fn ask(credential: &Credential, issuer: &Issuer, site: &ForgeSite, now: Now) -> Asked {
    let Issuer {
        forge,
        token,
        is_certain,
    } = issuer;
    let (Some(call), Some(secret)) = (forge.token_request(site, *token), credential.token()) else {
        return Asked::CannotTell;
    };
    let send = |call: &Call| {
        let network = http::network_for(&call.url)?;
        http::call(call, Some(secret), None, &network)
    };
    if !is_certain && let Some(asked) = probe(*forge, &call, now) {
        return asked;
    }
    let mut answer = send(&call);
    let second = answer.as_ref().ok();
    let second = second.and_then(|answer| forge.second_token_request(site, *token, answer));
    if let Some(call) = second {
        answer = send(&call);
    }
    match answer {
        Ok(answer) => {
            let verdict = reading::read(*forge, &answer, *token, now.unix);
            Asked::Told(safe(verdict, site, secret))
        }
        Err(error) => Asked::Failed(error),
    }
}

/// Makes `call` without a token. Returns why the token must not follow, or `None` if the forge itself answers there.
fn probe(forge: &dyn Forge, call: &Call, now: Now) -> Option<Asked> {
    let call = Call {
        signature: Signature::None,
        ..call.clone()
    };
    let send = || http::call(&call, None, None, &http::network_for(&call.url)?);
    match send() {
        Ok(answer) => match reading::read(forge, &answer, None, now.unix) {
            limited @ TokenVerdict::Limited { .. } => Some(Asked::Told(limited)),
            _ if reading::is_from(forge, &answer) => None,
            _ => Some(Asked::NotThere(forge.kind())),
        },
        Err(error) => Some(Asked::Failed(error)),
    }
}

/// Makes a verdict fit to be shown and kept: the forge knows the token, and may repeat it in any text.
fn safe(verdict: TokenVerdict, site: &ForgeSite, secret: &Secret) -> TokenVerdict {
    let holds_secret = |text: &String| secret.is_in(text.as_bytes());
    match verdict {
        TokenVerdict::Good(found) => TokenVerdict::Good(TokenFacts {
            scopes: found
                .scopes
                .filter(|scopes| !scopes.iter().any(holds_secret)),
            user: found.user.filter(|user| !holds_secret(user)),
            ..found
        }),
        TokenVerdict::Blocked { authorize, words } => TokenVerdict::Blocked {
            // A person will open it.
            authorize: authorize
                .filter(|link| link.starts_with(&site.url("/")) && !holds_secret(link)),
            words: words
                .filter(|words| !holds_secret(words))
                .map(|words| escape::safe(words.as_bytes())),
        },
        verdict => verdict,
    }
}
