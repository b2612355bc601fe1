//! Rotation by hand: a person brings the new token, and the old one stays good until it is revoked.

use super::failure::Error;
use super::outcome::Rotated;
use super::plan::{Plan, Rotation};
use crate::credential::Credential;
use crate::credential::expiry::ExpirySource;
use crate::credential::token::TokenKind;
use crate::forge::{ForgeExpiry, Page, Revocation, TokenFacts, TokenVerdict, Wish, http};
use crate::helper::guess::guessed_expiry;
use crate::helper::lookup::request::Asked;
use crate::journal::mark::Mark;
use crate::secret::{Buffer, Secret};
use crate::terminal::escape;

impl Rotation<'_> {
    /// Puts the token of `new` into every entry of its host that has the token of `old`. The forge's word on the expiry
    /// counts first, then the expiry of `new`, which a person gave, then the guess for its host. `asked`: the forge's answer about
    /// `new`.
    pub fn replace_by_hand(
        &self,
        old: &Credential,
        new: &Credential,
        asked: &Asked,
    ) -> Result<Rotated, Error> {
        let told = match asked {
            Asked::Told(TokenVerdict::Good(TokenFacts { end, .. })) => end.after(self.now.unix),
            _ => ForgeExpiry::Unknown,
        };
        let given = new.expiry.map(|expiry| (expiry, ExpirySource::Person));
        let expiry = match told {
            ForgeExpiry::At(expiry) => Some((expiry, ExpirySource::Forge)),
            ForgeExpiry::Never => given,
            ForgeExpiry::Unknown => given.or_else(|| guessed_expiry(self.helper, new, self.now)),
        };
        let (Some(old_token), Some(token)) = (old.token(), new.token()) else {
            return Err(Error::invalid());
        };
        let date = expiry.map(|(expiry, _)| expiry);
        let mut rotated = self.entries(old)?.replace(token, date, &mut |_| false)?;
        if rotated.saved.is_empty() {
            return Err(Error::Displaced);
        }
        for saved in &rotated.saved {
            // A copy of the old token may lie elsewhere, and a client may confirm it late.
            let old = saved.with_token(old_token, None);
            let _ = self
                .helper
                .journal()
                .mark(&old, Mark::Superseded, self.now.unix);
        }
        self.record(&mut rotated, &old.key, expiry, asked);
        Ok(rotated)
    }
}

impl Plan {
    /// Has the forge revoke `old`. Returns the outcome in words.
    pub fn revoke(&self, old: &Secret) -> String {
        match revoke(old, &self.revocation) {
            Ok(status) if (200..300).contains(&status) => "the old token is revoked".to_owned(),
            Ok(status) => format!("the old token may still be good: the forge answers {status}"),
            Err(cause) => format!("the old token may still be good: {cause}"),
        }
    }

    /// Returns the pages that create a token. That for the kind of the old token comes first.
    pub fn pages(&self, wish: &Wish) -> Vec<Page> {
        let mut pages = self.issuer.forge.creation_pages(&self.site, wish);
        let kind = self.issuer.token.map(TokenKind::word);
        pages.sort_by_key(|page| !kind.is_some_and(|kind| page.title.starts_with(kind)));
        pages
    }

    /// Returns the question before the forge revokes the old token: other programs may use it. If there is nothing to ask,
    /// fails with the text to show.
    pub fn consent(&self, is_new_good: bool) -> Result<String, String> {
        let forge = self.issuer.forge.kind();
        let deleted = self.issuer.forge.deleted_with_token();
        match &self.revocation {
            Revocation::ByHand(page) => {
                let also = deleted.map(|deleted| format!("\n{forge} then deletes {deleted}, too"));
                let page = escape::whole(page);
                Err(format!(
                    "remove the old one there: {page}{}",
                    also.unwrap_or_default()
                ))
            }
            _ if is_new_good => {
                let also = deleted.map(|deleted| format!(", and {forge} deletes {deleted}"));
                Ok(format!(
                    "Have {forge} revoke the old token? Other programs that use it stop working{}.",
                    also.unwrap_or_default()
                ))
            }
            _ => {
                Err("the old token stays good: it is unknown whether the new one works".to_owned())
            }
        }
    }
}

/// Returns the status of the forge's answer.
fn revoke(old: &Secret, revocation: &Revocation) -> Result<u16, http::Error> {
    let mut body = Buffer::with_capacity(64 + old.expose().len());
    let (call, token, body) = match revocation {
        Revocation::Signed(call) => (call, Some(old), None),
        Revocation::Reported(call) => {
            let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
            if !old.expose().iter().all(is_plain) {
                return Err(http::Error::Token);
            }
            body.push(b"{\"credentials\":[\"");
            body.push(old.expose());
            body.push(b"\"]}");
            (call, None, Some(body.as_slice()))
        }
        // There is no call to make.
        Revocation::ByHand(_) => return Err(http::Error::Address),
    };
    let network = http::network_for(&call.url)?;
    Ok(http::call(call, token, body, &network)?.status)
}
