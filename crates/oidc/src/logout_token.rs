//! Logout tokens, OpenID Connect Back-Channel Logout 1.0 §2.6. The provider says that a
//! session or a person is signed out; anybody can send one, so all is verified.

use std::sync::Arc;

use crate::{
    claims::Claims,
    jwks::SigningKeys,
    jws::UnverifiedJws,
    provider::ProviderSettings,
    time::UnixTime,
    types::{Issuer, Subject},
    verification::{TokenFault, VerificationError},
};

/// The member of `events` that makes a token a logout token.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// §2.4 recommends two minutes of life; ten allow for queues and retries.
const OLDEST_ISSUE_SECONDS: i64 = 600;
/// `jti` and `sid` are kept in the store: bounded.
const IDENTIFIER_LIMIT: usize = 255;

/// Verifies logout tokens for one client.
#[derive(Clone)]
pub struct LogoutTokenVerifier {
    keys: SigningKeys,
    settings: Arc<ProviderSettings>,
}

/// The proof that the provider ended something. Private fields, no other constructor.
#[derive(Debug, Clone)]
pub struct VerifiedLogoutToken {
    issuer: Issuer,
    ended: Ended,
    token_id: String,
    issued_at: UnixTime,
    expires_at: UnixTime,
}

/// What the provider ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// One of its sessions.
    Session {
        /// The `sid` of ID tokens of that session.
        session_id: String,
        /// Whose it was, if told.
        subject: Option<Subject>,
    },
    /// All sessions of a person.
    AllSessionsOf(Subject),
}

impl VerifiedLogoutToken {
    /// Who says so.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// What ended.
    #[must_use]
    pub fn ended(&self) -> &Ended {
        &self.ended
    }

    /// `jti`: seen twice before [`Self::expires_at`] it is a replay.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// When the provider said so: whoever signed in later is not meant.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// When its `jti` may be forgotten.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

impl LogoutTokenVerifier {
    /// A verifier whose policy comes from configuration alone.
    pub(crate) fn new(keys: SigningKeys, settings: Arc<ProviderSettings>) -> Self {
        Self { keys, settings }
    }

    /// Verifies the token at the time `now`.
    ///
    /// # Errors
    /// [`VerificationError::KeysUnavailable`] when it cannot be judged now,
    /// [`VerificationError::Invalid`] when it is not to be believed.
    pub async fn verify(
        &self,
        token: &str,
        now: UnixTime,
    ) -> Result<VerifiedLogoutToken, VerificationError> {
        let jws = UnverifiedJws::parse(token, &self.settings.algorithms)?;
        // `logout+jwt` is recommended (§2.4), not required; providers send `JWT` or nothing.
        if !matches!(jws.media_type.as_deref(), None | Some("jwt" | "logout+jwt")) {
            return Err(TokenFault::WrongType.into());
        }
        let (claims, keys) = self.keys.verify(&jws).await?;
        Ok(self.judge(&claims, keys.issuer().clone(), now)?)
    }

    fn judge(
        &self,
        claims: &Claims,
        issuer: Issuer,
        now: UnixTime,
    ) -> Result<VerifiedLogoutToken, TokenFault> {
        // Steps 3 and 4: issuer, audience, times.
        claims.check_issuer(&issuer)?;
        if !claims
            .audiences()?
            .contains(&self.settings.client_id.as_str())
        {
            return Err(TokenFault::WrongAudience);
        }
        let (issued_at, expires_at) = self.check_times(claims, now)?;
        // Step 5: a session or a subject, or both.
        let ended = ended(claims)?;
        // Step 6: the event, with an object as its value.
        let is_logout = claims
            .raw("events")
            .and_then(|events| events.get(LOGOUT_EVENT))
            .is_some_and(serde_json::Value::is_object);
        if !is_logout {
            return Err(TokenFault::WrongEvent);
        }
        // Step 7: a nonce would let it pass for an ID token, and an ID token for it.
        if claims.has("nonce") {
            return Err(TokenFault::ForbiddenClaim("nonce"));
        }
        Ok(VerifiedLogoutToken {
            issuer,
            ended,
            token_id: bounded(claims, "jti")?.ok_or(TokenFault::MissingClaim("jti"))?,
            issued_at,
            expires_at,
        })
    }

    /// When it was issued, and when it ends. `exp` came late into the specification: a token
    /// without it lives ten minutes.
    fn check_times(
        &self,
        claims: &Claims,
        now: UnixTime,
    ) -> Result<(UnixTime, UnixTime), TokenFault> {
        let issued_at = claims
            .check_issued_at(now, self.settings.clock_skew)?
            .ok_or(TokenFault::MissingClaim("iat"))?;
        if now.seconds_since(issued_at) > OLDEST_ISSUE_SECONDS {
            return Err(TokenFault::IssuedTooLongAgo);
        }
        claims.check_not_before(now, self.settings.clock_skew)?;
        let end = issued_at.plus_seconds(OLDEST_ISSUE_SECONDS);
        if claims.has("exp") {
            let expires_at = claims.check_expiry(now, self.settings.clock_skew)?;
            return Ok((issued_at, expires_at.min(end)));
        }
        Ok((issued_at, end))
    }
}

fn ended(claims: &Claims) -> Result<Ended, TokenFault> {
    let subject = claims.has("sub").then(|| claims.subject()).transpose()?;
    match (bounded(claims, "sid")?, subject) {
        (Some(session_id), subject) => Ok(Ended::Session {
            session_id,
            subject,
        }),
        (None, Some(subject)) => Ok(Ended::AllSessionsOf(subject)),
        (None, None) => Err(TokenFault::MissingClaim("sid")),
    }
}

fn bounded(claims: &Claims, name: &'static str) -> Result<Option<String>, TokenFault> {
    match claims.optional_string(name)? {
        Some(text) if text.is_empty() || text.len() > IDENTIFIER_LIMIT => {
            Err(TokenFault::MalformedClaim(name))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests;
