//! What a refresh brought: verified, and stored by compare-and-set, so that a logout in the
//! meantime wins (E38).

use std::sync::Arc;
use std::time::Duration;

use oidc::{
    AccessToken, AccessTokenPolicy, AccessTokenVerifier, Audience, Expectations, Occasion,
    Provider, Subject, TokenFault, TokenSet, VerificationError,
};
use serde_json::{Map, Value};
use session_store::{SessionId, StoreError, Updated};
use shared::error::EndReason;
use tokio::time::{Instant, timeout_at};

use super::turns::Held;
use super::{AccessTokens, Wish};
use crate::config::Settings;
use crate::error::{AppError, causes};
use crate::metrics::labels::RefreshOutcome;
use crate::request_id::of_this_request;
use crate::sessions::{CachedAccessToken, LiveSession, Session, Standing};
use crate::user::personal_claims;

/// What was refreshed is stored after this at the latest, verified or not: until then only
/// this process's memory holds the rotated refresh token.
const VERIFICATION: Duration = Duration::from_secs(2);
/// A store that is busy for a moment delays the answer by so much; one that is away longer,
/// no further.
const MOMENT: Duration = Duration::from_millis(1500);
/// So long a refresh waits for the store to come back.
const OUTAGE: Duration = Duration::from_mins(1);
/// Between two attempts.
const WRITE_PAUSE: Duration = Duration::from_millis(100);
/// Access tokens that one session caches.
const MOST_CACHED: usize = 16;

/// The answer to a refresh, before it is stored.
struct Brought {
    /// The refresh token that was sent for it.
    spent: Option<String>,
    tokens: TokenSet,
    /// The new ID token and its claims. One for a narrower scope tells less of the person,
    /// and is not here.
    claims: Option<(String, Map<String, Value>)>,
    fresh: CachedAccessToken,
    wish: Wish,
}

impl Brought {
    /// `None`: nothing is to be written. Either it is there already (a write that was obeyed,
    /// whose answer was lost), or another refresh was faster: the token that it brought is
    /// the one in force, and ours in its place would be taken for stolen.
    fn applied_to(&self, before: &Session) -> Option<Session> {
        if before.refresh_token != self.spent {
            return None;
        }
        let mut session = before.clone();
        if let Some(rotated) = &self.tokens.refresh_token {
            let rotated = Some(rotated.expose().to_owned());
            session.is_refresh_token_rotated |= rotated != session.refresh_token;
            session.refresh_token = rotated;
        }
        if let Some((raw, claims)) = &self.claims {
            session.claims.clone_from(claims);
            session.id_token = session.id_token.map(|_| raw.clone());
        }
        cache(&mut session.access_tokens, self.fresh.clone(), &self.wish);
        Some(session)
    }
}

impl AccessTokens {
    /// Stores what the provider will not give twice, and gives the token to the caller.
    pub(super) async fn store(
        &self,
        mut live: LiveSession,
        held: &Arc<Held>,
        wish: &Wish,
        tokens: TokenSet,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let issued_at = self.sessions.now();
        let deadline = Instant::now() + VERIFICATION;
        let claims = self.refreshed_claims(&live, &tokens, deadline).await?;
        self.audit.metrics().refreshed(RefreshOutcome::Done);
        let permissions = self.permissions(&live, &tokens, wish, deadline).await;
        let fresh = CachedAccessToken {
            audience: wish.audience.clone(),
            requested_scope: wish.scope.clone(),
            token: tokens.access_token.expose().to_owned(),
            issued_at,
            expires_at: tokens.expires_at.seconds(),
            scope: tokens.scope.to_string(),
            permissions,
        };
        let brought = Brought {
            spent: live.session.refresh_token.clone(),
            tokens,
            claims: claims.filter(|_| wish.is_own()),
            fresh: fresh.clone(),
            wish: wish.clone(),
        };
        match self.write(live.clone(), &brought, MOMENT).await {
            Ok(written) => Ok((written, fresh)),
            Err(error @ AppError::SessionEnded(_)) => Err(error),
            Err(error) => {
                let error = causes(&error);
                tracing::warn!(error, "a refreshed session waits for the store");
                let session = brought.applied_to(&live.session);
                self.write_later(live.clone(), brought, Arc::clone(held));
                live.session = session.unwrap_or(live.session);
                Ok((live, fresh))
            }
        }
    }

    /// A store that stays away must not cost the rotated token. Nobody takes turn or lease
    /// meanwhile: the provider would take the old one for stolen.
    fn write_later(&self, live: LiveSession, brought: Brought, held: Arc<Held>) {
        let tokens = self.clone();
        let writing = async move {
            let written = held.during(tokens.write(live, &brought, OUTAGE)).await;
            if let Err(error) = written {
                let error = causes(&error);
                tracing::error!(event = "refresh_lost", error, "a refresh was not stored");
            }
            held.let_go().await;
        };
        self.closing.finish(of_this_request(writing));
    }

    /// Tries again whatever the trouble is: a store that refuses our password, or a session
    /// that somebody else changes all the time, must not cost the rotated token either.
    async fn write(
        &self,
        mut live: LiveSession,
        brought: &Brought,
        patience: Duration,
    ) -> Result<LiveSession, AppError> {
        let deadline = Instant::now() + patience;
        let mut is_first = true;
        loop {
            let trouble = match self.write_once(&mut live, brought).await {
                Ok(Updated::Done) => return Ok(live),
                Err(error @ AppError::SessionEnded(_)) => return Err(error),
                Ok(Updated::Conflict) => {
                    AppError::Internal("a session changes too quickly to be refreshed".into())
                }
                Err(error) => error,
            };
            if Instant::now() >= deadline {
                return Err(trouble);
            }
            // The first conflict is an ordinary one: a use was noted meanwhile.
            if !std::mem::take(&mut is_first) {
                tokio::time::sleep(WRITE_PAUSE).await;
            }
        }
    }

    /// After a conflict `live` is the session as somebody else wrote it.
    async fn write_once(
        &self,
        live: &mut LiveSession,
        brought: &Brought,
    ) -> Result<Updated, AppError> {
        let Some(session) = brought.applied_to(&live.session) else {
            return Ok(Updated::Done);
        };
        let updated = self.sessions.update(live, &session).await?;
        if updated == Updated::Done {
            live.version += 1;
            live.session = session;
            return Ok(updated);
        }
        match self.sessions.by_id(live.id).await? {
            Standing::Live(reloaded) => *live = *reloaded,
            Standing::Ended(reason) => {
                if self.has_ended(live.id).await? {
                    // Logout won: what the provider just gave must not live on (E38).
                    self.revoke_quietly(brought.tokens.refresh_token.as_ref())
                        .await;
                } else {
                    tracing::error!(
                        event = "refresh_lost",
                        "another replica sealed the session with a secret that this one lacks"
                    );
                }
                return Err(AppError::SessionEnded(reason));
            }
        }
        Ok(updated)
    }

    /// Whether a session is over for everybody. One that does not open here, because a
    /// replica with a newer `AUTH0_SECRET` sealed it, lives on there: what was given for it
    /// must not be revoked.
    async fn has_ended(&self, id: SessionId) -> Result<bool, StoreError> {
        let stored = self.sessions.store().load_session(id).await?;
        let now = self.sessions.now();
        Ok(stored.is_none_or(|stored| stored.ended.is_some() || stored.expires_at <= now))
    }

    /// Claims of the new ID token, if there is one. One that speaks of another person ends
    /// the session (OpenID Connect Core §12.2, E37).
    async fn refreshed_claims(
        &self,
        live: &LiveSession,
        tokens: &TokenSet,
        deadline: Instant,
    ) -> Result<Option<(String, Map<String, Value>)>, AppError> {
        let Some(raw) = &tokens.id_token else {
            return Ok(None);
        };
        let subject = Subject::new(&live.session.subject);
        let expectations = Expectations {
            occasion: Occasion::Refresh { subject: &subject },
            max_age: None,
            acr_values: &[],
            access_token: Some(&tokens.access_token),
        };
        let verifier = self.provider.id_token_verifier();
        let verifying = verifier.verify(raw, &expectations, self.provider.now());
        let Ok(answer) = timeout_at(deadline, verifying).await else {
            tracing::warn!("the provider's keys take long; the claims stay as they were");
            return Ok(None);
        };
        match answer {
            Ok(id_token) => Ok(Some((
                raw.expose().to_owned(),
                personal_claims(id_token.claims()),
            ))),
            // The tokens came from the token endpoint itself: keep them, and the old claims.
            Err(VerificationError::KeysUnavailable(_)) => Ok(None),
            Err(VerificationError::Invalid(fault)) if !speaks_of_another(&fault) => {
                tracing::error!(event = "refresh_unverified", %fault, "a refreshed ID token was not believed");
                Ok(None)
            }
            Err(VerificationError::Invalid(fault)) => {
                tracing::error!(event = "refresh_mismatch", %fault, "a refreshed ID token is not acceptable");
                self.report(live, RefreshOutcome::Mismatch);
                let ended = self.end(live).await;
                self.revoke_quietly(tokens.refresh_token.as_ref()).await;
                ended?;
                Err(AppError::SessionEnded(EndReason::RefreshRefused))
            }
        }
    }

    /// Permissions of the new access token; those of the one before where they cannot be
    /// told in time.
    async fn permissions(
        &self,
        live: &LiveSession,
        tokens: &TokenSet,
        wish: &Wish,
        deadline: Instant,
    ) -> Vec<String> {
        let audience = wish.audience.as_deref();
        let (provider, token) = (&self.provider, &tokens.access_token);
        let telling = permissions_of(provider, &self.config, audience, token);
        if let Ok(Some(permissions)) = timeout_at(deadline, telling).await {
            return permissions;
        }
        let mut present = live.session.access_tokens.iter();
        present
            .find(|token| wish.is_met_by(token))
            .map(|before| before.permissions.clone())
            .unwrap_or_default()
    }
}

/// Another person, client or provider, definitely; as against trouble with keys and clocks,
/// which ends nobody's session (invariant 6).
const fn speaks_of_another(fault: &TokenFault) -> bool {
    matches!(
        fault,
        TokenFault::WrongSubject
            | TokenFault::WrongIssuer
            | TokenFault::WrongAudience
            | TokenFault::WrongAuthorizedParty
            | TokenFault::WrongAccessTokenHash
    )
}

/// Puts a token among the cached ones. The login's own is the first and stays, however many
/// others are asked for: the session's scope and permissions are those of it.
fn cache(tokens: &mut Vec<CachedAccessToken>, fresh: CachedAccessToken, wish: &Wish) {
    tokens.retain(|token| !wish.is_met_by(token));
    if wish.is_own() {
        tokens.insert(0, fresh);
        return;
    }
    if tokens.len() >= MOST_CACHED {
        // The oldest of the others.
        tokens.remove(1);
    }
    tokens.push(fresh);
}

/// `permissions` of an access token that is a JWT for one of our audiences, verified as the
/// resource server would. An opaque token, or one that is not for us to read, has none;
/// `None` if that cannot be told now.
pub async fn permissions_of(
    provider: &Provider,
    settings: &Settings,
    audience: Option<&str>,
    token: &AccessToken,
) -> Option<Vec<String>> {
    let Some(audience) = audience
        .map(Audience::new)
        .or_else(|| settings.audience.clone())
    else {
        return Some(Vec::new());
    };
    let policy = AccessTokenPolicy {
        audience,
        algorithms: settings.algorithms.clone(),
        clock_skew: settings.clock_skew,
        max_lifetime_seconds: None,
        allowed_clients: None,
    };
    let verifier = AccessTokenVerifier::new(provider.signing_keys(), policy);
    match verifier.verify(token.expose(), provider.now()).await {
        Ok(access_token) => Some(access_token.permissions().to_vec()),
        // It may be a good one, whose key cannot be had at this moment.
        Err(
            VerificationError::KeysUnavailable(_)
            | VerificationError::Invalid(TokenFault::UnknownKey),
        ) => None,
        Err(VerificationError::Invalid(_)) => Some(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A host may ask for as many scopes as there are subsets: the session must not grow with it.
    #[test]
    fn a_session_caches_few_tokens_and_its_own_is_always_among_them() {
        let mut tokens = Vec::new();
        let mut got = |scope: Option<String>| {
            let wish = Wish {
                scope: scope.clone(),
                ..Wish::any()
            };
            let fresh = CachedAccessToken {
                audience: None,
                requested_scope: scope,
                token: "token".into(),
                issued_at: 0,
                expires_at: 300,
                scope: String::new(),
                permissions: Vec::new(),
            };
            cache(&mut tokens, fresh, &wish);
            tokens.len()
        };
        got(None);
        for number in 0..100 {
            assert!(got(Some(number.to_string())) <= MOST_CACHED);
        }
        assert!(tokens[0].requested_scope.is_none());
        let newest = tokens.last().unwrap();
        assert_eq!(newest.requested_scope.as_deref(), Some("99"));
    }
}
