//! Fresh access tokens: from the session's cache, or by the refresh token (RFC 6749 §6).
//!
//! One refresh per session at a time, across threads (a mutex) and replicas (a lease in
//! the store), keyed by the session, so that no two people can ever share a result
//! (invariant 6). Only a definite refusal of the refresh token ends a session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use oidc::{
    AccessToken, AccessTokenPolicy, AccessTokenVerifier, Audience, Expectations, Occasion,
    Provider, RefreshError, RefreshRequest, RefreshToken, Scope, Subject, TokenFault, TokenSet,
    VerificationError,
};
use session_store::{KeyHash, SessionId, StoreError, Updated};
use shared::error::{EndReason, ErrorCode};
use tracing::Instrument as _;

use crate::closing::Closing;
use crate::config::Settings;
use crate::error::{AppError, causes};
use crate::sessions::{CachedAccessToken, LiveSession, Session, Sessions, Standing, reference};
use crate::state::Config;
use crate::user::personal_claims;
use crate::values::random_256;

/// A holder of the lease that died blocks nobody longer than this. More than two attempts
/// at the provider can take.
const LEASE_SECONDS: i64 = 25;
/// How often and how long somebody waits for another replica's refresh.
const LEASE_RETRY: Duration = Duration::from_millis(100);
const LEASE_PATIENCE: u32 = 100;
/// Attempts at writing a refreshed session that somebody else changed meanwhile.
const WRITE_ATTEMPTS: u32 = 5;
/// Pauses between attempts at a store that is busy.
const WRITE_PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
];
/// A token that ends within this is renewed when somebody asks without a wish.
const DEFAULT_MIN_TTL: i64 = 60;
/// Access tokens that one session caches.
const MOST_CACHED: usize = 16;

const REAUTHENTICATION_REQUIRED: AppError = AppError::refused(
    ErrorCode::ReauthenticationRequired,
    "The access token has expired and cannot be renewed: please sign in again.",
);

const DENIED: AppError = AppError::refused(
    ErrorCode::AudienceNotAllowed,
    "The provider does not give this person a token for that audience and scope.",
);

/// Which access token is wanted.
#[derive(Clone)]
pub struct Wish {
    /// `None`: the configured audience.
    pub audience: Option<String>,
    /// `None`: all that was granted.
    pub scope: Option<String>,
    /// Seconds that it must still live.
    pub min_ttl: i64,
}

impl Wish {
    /// The login's own token.
    #[must_use]
    pub const fn any() -> Self {
        Self {
            audience: None,
            scope: None,
            min_ttl: DEFAULT_MIN_TTL,
        }
    }

    /// Whether it is for the login's own token.
    const fn is_own(&self) -> bool {
        self.audience.is_none() && self.scope.is_none()
    }

    fn is_met_by(&self, token: &CachedAccessToken) -> bool {
        token.audience == self.audience && token.requested_scope == self.scope
    }
}

/// Access tokens of sessions. Cheap to clone.
#[derive(Clone)]
pub struct AccessTokens {
    provider: Provider,
    sessions: Sessions,
    config: Config,
    closing: Closing,
    holder: Arc<str>,
    refreshing: Arc<Mutex<HashMap<SessionId, Weak<tokio::sync::Mutex<()>>>>>,
}

impl AccessTokens {
    /// Of these sessions at this provider.
    #[must_use]
    pub fn new(provider: Provider, sessions: Sessions, config: Config, closing: Closing) -> Self {
        let holder = random_256(sessions.random()).into();
        Self {
            provider,
            sessions,
            config,
            closing,
            holder,
            refreshing: Arc::default(),
        }
    }

    /// A token that meets `wish`, and the session as it is then.
    ///
    /// # Errors
    /// `session_ended`, `reauthentication_required`, or a neighbour's fault.
    pub async fn fresh(
        &self,
        live: LiveSession,
        wish: &Wish,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        if let Some(token) = self.cached(&live, wish) {
            return Ok((live, token));
        }
        // On a task of its own: a host that hangs up in the middle must not cost us the
        // refresh token that the provider has just rotated.
        let (tokens, wish) = (self.clone(), wish.clone());
        let renewing = async move { tokens.renewed(live.id, &wish).await };
        self.closing
            .finish(renewing.in_current_span())
            .await
            .unwrap_or_else(|_| Err(AppError::Internal("renewing a token panicked".into())))
    }

    async fn renewed(
        &self,
        id: SessionId,
        wish: &Wish,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let turn = self.turn(id);
        let _turn = turn.lock().await;
        let key = KeyHash::of_parts(&["refresh", &reference(id)]);
        for _ in 0..LEASE_PATIENCE {
            // Whoever had the turn before may have brought the very token.
            let live = match self.sessions.by_id(id).await? {
                Standing::Live(live) => *live,
                Standing::Ended(reason) => return Err(AppError::SessionEnded(reason)),
            };
            if let Some(token) = self.cached(&live, wish) {
                return Ok((live, token));
            }
            let now = self.sessions.now();
            let store = self.sessions.store();
            let holder = self.holder.as_bytes();
            if store
                .acquire_lease(key, holder, now, now.saturating_add(LEASE_SECONDS))
                .await?
            {
                let refreshed = self.refresh(live, wish).await;
                if let Err(error) = store.release_lease(key, holder).await {
                    // It expires by itself; what was refreshed is stored already.
                    tracing::warn!(error = causes(&error), "a lease was not given back");
                }
                return refreshed;
            }
            tokio::time::sleep(LEASE_RETRY).await;
        }
        Err(AppError::ProviderUnavailable(
            "another replica's refresh does not end".into(),
        ))
    }

    fn turn(&self, id: SessionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut refreshing = self
            .refreshing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = refreshing.get(&id).and_then(Weak::upgrade) {
            return turn;
        }
        refreshing.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        refreshing.insert(id, Arc::downgrade(&turn));
        turn
    }

    /// A cached token that lives long enough; or, without a refresh token, one that lives.
    fn cached(&self, live: &LiveSession, wish: &Wish) -> Option<CachedAccessToken> {
        let min_ttl = if live.session.refresh_token.is_some() {
            wish.min_ttl
        } else {
            1
        };
        let needed = self.sessions.now().saturating_add(min_ttl);
        let mut tokens = live.session.access_tokens.iter();
        tokens
            .find(|token| wish.is_met_by(token) && token.expires_at >= needed)
            .cloned()
    }

    async fn refresh(
        &self,
        live: LiveSession,
        wish: &Wish,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let Some(refresh_token) = live.session.refresh_token.clone().map(RefreshToken::new) else {
            return Err(REAUTHENTICATION_REQUIRED);
        };
        match self.request(&live.session, &refresh_token, wish).await {
            Ok(tokens) => self.store(live, tokens, wish).await,
            // Of another audience or scope it says nothing about the person.
            Err(RefreshError::Denied) if !wish.is_own() => Err(DENIED),
            Err(RefreshError::SessionOver | RefreshError::Denied) => {
                tracing::warn!(
                    event = "refresh_refused",
                    "the provider refused a refresh token"
                );
                self.sessions
                    .end(live.id, EndReason::RefreshRefused)
                    .await?;
                Err(AppError::SessionEnded(EndReason::RefreshRefused))
            }
            Err(RefreshError::InteractionRequired(_)) => Err(REAUTHENTICATION_REQUIRED),
            Err(error) => self.make_do(live, wish, error),
        }
    }

    async fn request(
        &self,
        session: &Session,
        refresh_token: &RefreshToken,
        wish: &Wish,
    ) -> Result<TokenSet, RefreshError> {
        let unreadable = |_| RefreshError::Unacceptable("a stored scope is unreadable".into());
        let granted_scope = Scope::parse(&session.granted_scope).map_err(unreadable)?;
        let scope = wish
            .scope
            .as_deref()
            .map(Scope::parse)
            .transpose()
            .map_err(unreadable)?;
        let audience = wish.audience.as_deref().map(Audience::new);
        let request = RefreshRequest {
            refresh_token,
            granted_scope: &granted_scope,
            scope: scope.as_ref(),
            audience: audience.as_ref(),
        };
        match self.provider.refresh(request).await {
            // The reply may have been lost after the provider rotated: inside its reuse
            // interval the same token works once more (E35).
            Err(RefreshError::Unavailable(reason)) => {
                tracing::info!(reason, "refresh had no answer; trying once more");
                self.provider.refresh(request).await
            }
            answered => answered,
        }
    }

    /// The provider fails us: a token that still lives is better than none.
    fn make_do(
        &self,
        live: LiveSession,
        wish: &Wish,
        error: RefreshError,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let now = self.sessions.now();
        let mut tokens = live.session.access_tokens.iter();
        let usable = tokens
            .find(|token| wish.is_met_by(token) && token.expires_at > now)
            .cloned();
        match (usable, error) {
            (Some(token), error) => {
                tracing::warn!(%error, "refresh failed; the present token is used to its end");
                Ok((live, token))
            }
            (None, error @ RefreshError::Unavailable(_)) => {
                Err(AppError::ProviderUnavailable(error.into()))
            }
            (None, error) => Err(AppError::ProviderUnacceptable(error.into())),
        }
    }

    async fn store(
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

    /// The same for whoever does not wait for the provider to hear of it.
    pub fn revoke_soon(&self, refresh_token: RefreshToken) {
        let tokens = self.clone();
        self.closing
            .finish(async move { tokens.revoke_quietly(Some(&refresh_token)).await });
    }

    /// Revokes a refresh token at the provider (RFC 7009); a failure is logged, no more.
    pub async fn revoke_quietly(&self, refresh_token: Option<&RefreshToken>) {
        let Some(token) = refresh_token else { return };
        if let Err(error) = self.provider.revoke(token).await {
            tracing::warn!(%error, "a refresh token could not be revoked");
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
