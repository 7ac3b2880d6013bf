//! What a refresh brought: verified, and stored by compare-and-set, so that a logout in the
//! meantime wins (E38).

use std::sync::Arc;
use std::time::Duration;

use oidc::{
    AccessToken, AccessTokenPolicy, AccessTokenVerifier, Audience, Expectations, Occasion,
    Provider, Subject, TokenFault, TokenSet, VerificationError,
};
use serde_json::{Map, Value};
use session_store::{StoreError, Updated};
use shared::error::EndReason;
use tokio::time::Instant;

use super::turns::Turn;
use super::{AccessTokens, Wish};
use crate::config::Settings;
use crate::error::{AppError, causes};
use crate::metrics::labels::RefreshOutcome;
use crate::request_id::of_this_request;
use crate::sessions::{CachedAccessToken, LiveSession, Session, Standing};
use crate::user::personal_claims;

/// Attempts at writing a refreshed session that somebody else changes meanwhile.
const MOST_CONFLICTS: u32 = 5;
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
    tokens: TokenSet,
    /// The new ID token and its claims. One for a narrower scope tells less of the person,
    /// and is not here.
    claims: Option<(String, Map<String, Value>)>,
    fresh: CachedAccessToken,
    wish: Wish,
}

impl Brought {
    fn applied_to(&self, before: &Session) -> Session {
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
        session
    }
}

impl AccessTokens {
    /// Stores what the provider will not give twice, and gives the token to the caller.
    pub(super) async fn store(
        &self,
        mut live: LiveSession,
        turn: &Arc<Turn>,
        wish: &Wish,
        tokens: TokenSet,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let claims = self.refreshed_claims(&live, &tokens).await?;
        self.audit.metrics().refreshed(RefreshOutcome::Done);
        let present = &live.session.access_tokens;
        let fresh = self.access_token(&tokens, wish, present).await;
        let brought = Brought {
            tokens,
            claims: claims.filter(|_| wish.is_own()),
            fresh: fresh.clone(),
            wish: wish.clone(),
        };
        match self.write(live.clone(), &brought, MOMENT).await {
            Ok(written) => Ok((written, fresh)),
            Err(AppError::Store(StoreError::Unavailable(_))) => {
                let session = brought.applied_to(&live.session);
                self.write_later(live.clone(), brought, Arc::clone(turn));
                live.session = session;
                Ok((live, fresh))
            }
            Err(error) => Err(error),
        }
    }

    /// A store that stays away must not cost the rotated token. Nobody of this process takes
    /// the turn meanwhile: the provider would take the old one for stolen.
    fn write_later(&self, live: LiveSession, brought: Brought, turn: Arc<Turn>) {
        tracing::warn!("a refreshed session waits for the store to come back");
        let tokens = self.clone();
        let writing = async move {
            if let Err(error) = tokens.write(live, &brought, OUTAGE).await {
                let error = causes(&error);
                tracing::error!(event = "refresh_lost", error, "a refresh was not stored");
            }
            drop(turn);
        };
        self.closing.finish(of_this_request(writing));
    }

    async fn write(
        &self,
        mut live: LiveSession,
        brought: &Brought,
        patience: Duration,
    ) -> Result<LiveSession, AppError> {
        let deadline = Instant::now() + patience;
        let mut conflicts = 0;
        loop {
            match self.write_once(&mut live, brought).await {
                Ok(Updated::Done) => return Ok(live),
                Ok(Updated::Conflict) if conflicts < MOST_CONFLICTS => conflicts += 1,
                Ok(Updated::Conflict) => {
                    return Err(AppError::Internal(
                        "a session changes too quickly to be refreshed".into(),
                    ));
                }
                Err(AppError::Store(StoreError::Unavailable(_))) if Instant::now() < deadline => {
                    tokio::time::sleep(WRITE_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// After a conflict `live` is the session as somebody else wrote it.
    async fn write_once(
        &self,
        live: &mut LiveSession,
        brought: &Brought,
    ) -> Result<Updated, AppError> {
        let session = brought.applied_to(&live.session);
        let updated = self.sessions.update(live, &session).await?;
        if updated == Updated::Done {
            live.version += 1;
            live.session = session;
            return Ok(updated);
        }
        match self.sessions.by_id(live.id).await? {
            Standing::Live(reloaded) => *live = *reloaded,
            Standing::Ended(reason) => {
                // Logout won: what the provider just gave must not live on (E38).
                self.revoke_quietly(brought.tokens.refresh_token.as_ref())
                    .await;
                return Err(AppError::SessionEnded(reason));
            }
        }
        Ok(updated)
    }

    /// Claims of the new ID token, if there is one. One that speaks of another person ends
    /// the session (OpenID Connect Core §12.2, E37).
    async fn refreshed_claims(
        &self,
        live: &LiveSession,
        tokens: &TokenSet,
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
        match verifier
            .verify(raw, &expectations, self.provider.now())
            .await
        {
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

    async fn access_token(
        &self,
        tokens: &TokenSet,
        wish: &Wish,
        present: &[CachedAccessToken],
    ) -> CachedAccessToken {
        let before = present.iter().find(|token| wish.is_met_by(token));
        CachedAccessToken {
            audience: wish.audience.clone(),
            requested_scope: wish.scope.clone(),
            token: tokens.access_token.expose().to_owned(),
            expires_at: tokens.expires_at.seconds(),
            scope: tokens.scope.to_string(),
            permissions: permissions_of(
                &self.provider,
                &self.config,
                wish.audience.as_deref(),
                &tokens.access_token,
            )
            .await
            .or_else(|| before.map(|token| token.permissions.clone()))
            .unwrap_or_default(),
        }
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
