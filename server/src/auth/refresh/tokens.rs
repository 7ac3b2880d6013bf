//! What a refresh brought: verified, and stored by compare-and-set, so that a logout in the
//! meantime wins (E38).

use std::time::Duration;

use oidc::{
    AccessToken, AccessTokenPolicy, AccessTokenVerifier, Audience, Expectations, Occasion,
    Provider, Subject, TokenFault, TokenSet, VerificationError,
};
use session_store::{StoreError, Updated};
use shared::error::EndReason;

use super::{AccessTokens, Wish};
use crate::config::Settings;
use crate::error::AppError;
use crate::sessions::{CachedAccessToken, LiveSession, Session, Standing};
use crate::user::personal_claims;

/// Attempts at writing a refreshed session that somebody else changed meanwhile.
const WRITE_ATTEMPTS: u32 = 5;
/// Pauses between attempts at a store that is busy.
const WRITE_PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
];
/// Access tokens that one session caches.
const MOST_CACHED: usize = 16;

impl AccessTokens {
    pub(super) async fn store(
        &self,
        mut live: LiveSession,
        tokens: TokenSet,
        wish: &Wish,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let claims = self.refreshed_claims(&live, &tokens).await?;
        let present = &live.session.access_tokens;
        let fresh = self.access_token(&tokens, wish, present).await;
        for _ in 0..WRITE_ATTEMPTS {
            let mut session = live.session.clone();
            if let Some(rotated) = &tokens.refresh_token {
                session.refresh_token = Some(rotated.expose().to_owned());
            }
            // An ID token for a narrower scope tells less of the person.
            if let Some((raw, claims)) = claims.as_ref().filter(|_| wish.is_own()) {
                session.claims.clone_from(claims);
                session.id_token = session.id_token.map(|_| raw.clone());
            }
            cache(&mut session.access_tokens, fresh.clone(), wish);
            if self.written(&live, &session).await? == Updated::Done {
                live.version += 1;
                live.session = session;
                return Ok((live, fresh));
            }
            match self.sessions.by_id(live.id).await? {
                Standing::Live(reloaded) => live = *reloaded,
                Standing::Ended(reason) => {
                    // Logout won: what the provider just gave must not live on (E38).
                    self.revoke_quietly(tokens.refresh_token.as_ref()).await;
                    return Err(AppError::SessionEnded(reason));
                }
            }
        }
        Err(AppError::Internal(
            "a session changes too quickly to be refreshed".into(),
        ))
    }

    /// Writes what the provider will not give twice: a store that is busy for a moment must
    /// not cost the rotated token.
    async fn written(&self, live: &LiveSession, session: &Session) -> Result<Updated, AppError> {
        let mut pauses = WRITE_PAUSES.iter();
        loop {
            match (self.sessions.update(live, session).await, pauses.next()) {
                (Err(StoreError::Unavailable(_)), Some(pause)) => tokio::time::sleep(*pause).await,
                (written, _) => return Ok(written?),
            }
        }
    }

    /// Claims of the new ID token, if there is one. One that speaks of another person ends
    /// the session (OpenID Connect Core §12.2, E37).
    async fn refreshed_claims(
        &self,
        live: &LiveSession,
        tokens: &TokenSet,
    ) -> Result<Option<(String, serde_json::Map<String, serde_json::Value>)>, AppError> {
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
                self.sessions
                    .end(live.id, EndReason::RefreshRefused)
                    .await?;
                self.revoke_quietly(tokens.refresh_token.as_ref()).await;
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
