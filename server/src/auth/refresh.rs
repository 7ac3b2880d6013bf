//! Fresh access tokens: from the session's cache, or by the refresh token (RFC 6749 §6).
//!
//! One refresh per session at a time, over threads and replicas ([`turns`]): lease, read
//! again, redeem, compare-and-set ([`tokens`]). Only a definite refusal of the refresh token
//! ends a session.

mod tokens;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use oidc::{
    Audience, Provider, RefreshError, RefreshRequest, RefreshToken, Scope, TokenRequestError,
    TokenSet,
};
use session_store::SessionId;
use shared::error::{EndReason, ErrorCode};

pub use self::tokens::permissions_of;
use self::turns::{Held, Turns};
use super::patience::Patience;
use crate::audit::{Audit, Event, Who};
use crate::closing::Closing;
use crate::error::AppError;
use crate::metrics::labels::{LogoutBy, RefreshOutcome};
use crate::request_id::of_this_request;
use crate::sessions::{CachedAccessToken, LiveSession, Session, Sessions, Standing};
use crate::state::Config;

/// A token that ends within this is renewed when somebody asks without a wish.
const DEFAULT_MIN_TTL: i64 = 60;
/// A reply may have been lost after the provider rotated the refresh token; it takes the old
/// one once more, but only so soon (Auth0: ten seconds). A reply that is lost without a sign
/// shows as a time-out only, so the first attempt is given up before that (E35); not much
/// before, since a provider without such an interval takes the second for a theft.
const FIRST_TRY: Duration = Duration::from_secs(8);
const SECOND_TRY: Duration = Duration::from_secs(8);

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
    audit: Audit,
    turns: Turns,
}

impl AccessTokens {
    /// Of these sessions at this provider.
    #[must_use]
    pub fn new(
        provider: Provider,
        sessions: Sessions,
        config: Config,
        closing: Closing,
        audit: Audit,
    ) -> Self {
        Self {
            provider,
            turns: Turns::new(sessions.clone()),
            sessions,
            config,
            closing,
            audit,
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
            .to_the_end(of_this_request(renewing))
            .await
            .unwrap_or_else(|_| Err(AppError::Internal("renewing a token panicked".into())))
    }

    async fn renewed(
        &self,
        id: SessionId,
        wish: &Wish,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let turn = self.turns.take(id).await;
        let mut patience = Patience::new();
        loop {
            // Whoever had the turn before may have brought the very token.
            let live = self.live(id).await?;
            if let Some(token) = self.cached(&live, wish) {
                return Ok((live, token));
            }
            if turn.waited_in_vain() {
                return self.make_do(live, wish, unavailable("it did not answer just now"));
            }
            if let Some(lease) = self.turns.lease(id).await? {
                return self.while_held(Held::new(turn, lease), id, wish).await;
            }
            if !patience.lasts().await {
                return self.make_do(live, wish, unavailable("a refresh elsewhere does not end"));
            }
        }
    }

    async fn live(&self, id: SessionId) -> Result<LiveSession, AppError> {
        match self.sessions.by_id(id).await? {
            Standing::Live(live) => Ok(*live),
            Standing::Ended(reason) => Err(AppError::SessionEnded(reason)),
        }
    }

    async fn while_held(
        &self,
        held: Arc<Held>,
        id: SessionId,
        wish: &Wish,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let refreshing = async {
            // Read again: another replica may have refreshed between our look and the lease,
            // and its refresh token is the one to use now.
            let live = self.live(id).await?;
            match self.cached(&live, wish) {
                Some(token) => Ok((live, token)),
                None => self.refresh(live, &held, wish).await,
            }
        };
        let refreshed = held.during(refreshing).await;
        held.let_go().await;
        refreshed
    }

    /// A cached token that lives long enough; or, without a refresh token, one that lives.
    fn cached(&self, live: &LiveSession, wish: &Wish) -> Option<CachedAccessToken> {
        let min_ttl = if live.session.refresh_token.is_some() {
            wish.min_ttl
        } else {
            1
        };
        let now = self.sessions.now();
        let mut tokens = live.session.access_tokens.iter();
        tokens
            .find(|token| wish.is_met_by(token) && token.lasts(min_ttl, now))
            .cloned()
    }

    async fn refresh(
        &self,
        live: LiveSession,
        held: &Arc<Held>,
        wish: &Wish,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let Some(refresh_token) = live.session.refresh_token.clone().map(RefreshToken::new) else {
            return Err(REAUTHENTICATION_REQUIRED);
        };
        let answer = self.request(&live.session, &refresh_token, wish).await;
        if let Err(error) = &answer {
            self.report(&live, RefreshOutcome::of(error));
        }
        match answer {
            Ok(tokens) => self.store(live, held, wish, tokens).await,
            // Of another audience or scope it says nothing about the person.
            Err(RefreshError::Denied) if !wish.is_own() => Err(DENIED),
            Err(error @ (RefreshError::SessionOver | RefreshError::Denied)) => {
                let is_over = matches!(error, RefreshError::SessionOver);
                self.refused(live, wish, is_over).await
            }
            Err(RefreshError::InteractionRequired(_)) => Err(REAUTHENTICATION_REQUIRED),
            Err(error) => {
                if matches!(error, RefreshError::Unavailable(_)) {
                    held.note_unanswered();
                }
                self.make_do(live, wish, error)
            }
        }
    }

    /// The refresh token is of no use any more: the session ends, if it is still the
    /// session's. (A replica that stood still may have sent one that another has replaced.)
    async fn refused(
        &self,
        live: LiveSession,
        wish: &Wish,
        is_over: bool,
    ) -> Result<(LiveSession, CachedAccessToken), AppError> {
        let present = self.live(live.id).await?;
        if present.session.refresh_token != live.session.refresh_token {
            return match self.cached(&present, wish) {
                Some(token) => Ok((present, token)),
                None => self.make_do(present, wish, unavailable("a refresh elsewhere was faster")),
            };
        }
        tracing::warn!(
            event = "refresh_refused",
            "the provider refused a refresh token"
        );
        if is_over && live.session.is_refresh_token_rotated {
            let who = Who::of(live.id, &live.session);
            self.audit.record(&Event::RefreshReuse(who));
        }
        self.end(&live).await?;
        Err(AppError::SessionEnded(EndReason::RefreshRefused))
    }

    /// Ends a session that cannot be refreshed any more.
    async fn end(&self, live: &LiveSession) -> Result<(), AppError> {
        let reason = EndReason::RefreshRefused;
        if self.sessions.end(live.id, reason).await?.is_some() {
            let who = Who::of(live.id, &live.session);
            self.audit.record(&Event::Logout(LogoutBy::Refresh, who));
        }
        Ok(())
    }

    /// A provider that does not answer says nothing about anybody: that is counted, no more.
    fn report(&self, live: &LiveSession, outcome: RefreshOutcome) {
        if outcome == RefreshOutcome::Unavailable {
            return self.audit.metrics().refreshed(outcome);
        }
        let who = Who::of(live.id, &live.session);
        self.audit.record(&Event::RefreshFailed(outcome, who));
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
        let mut request = RefreshRequest {
            refresh_token,
            granted_scope: &granted_scope,
            scope: scope.as_ref(),
            audience: audience.as_ref(),
            time_limit: FIRST_TRY,
        };
        // First, so that waiting for it is no part of an attempt: without it none is made.
        let metadata = self.provider.metadata().await;
        metadata.map_err(TokenRequestError::from)?;
        match self.provider.refresh(request).await {
            Err(RefreshError::Unavailable(reason)) => {
                tracing::info!(reason, "refresh had no answer; trying once more");
                request.time_limit = SECOND_TRY;
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
        let is_passing = matches!(error, RefreshError::Unavailable(_));
        if !is_passing {
            // Nobody is signed out by it, so nobody else will tell the operator (G12).
            tracing::error!(event = "refresh_alarm", %error, "the provider refuses us, not the person");
        }
        let now = self.sessions.now();
        let mut tokens = live.session.access_tokens.iter();
        let usable = tokens
            .find(|token| wish.is_met_by(token) && token.expires_at > now)
            .cloned();
        match usable {
            Some(token) => {
                tracing::warn!(%error, "refresh failed; the present token is used to its end");
                Ok((live, token))
            }
            None if is_passing => Err(AppError::ProviderUnavailable(error.into())),
            None => Err(AppError::ProviderUnacceptable(error.into())),
        }
    }

    /// The same for whoever does not wait for the provider to hear of it.
    pub fn revoke_soon(&self, refresh_token: RefreshToken) {
        let tokens = self.clone();
        let revoking = async move { tokens.revoke_quietly(Some(&refresh_token)).await };
        self.closing.finish(of_this_request(revoking));
    }

    /// Revokes a refresh token at the provider (RFC 7009); a failure is logged, no more.
    pub async fn revoke_quietly(&self, refresh_token: Option<&RefreshToken>) {
        let Some(token) = refresh_token else { return };
        if let Err(error) = self.provider.revoke(token).await {
            tracing::warn!(%error, "a refresh token could not be revoked");
        }
    }
}

fn unavailable(reason: &str) -> RefreshError {
    RefreshError::Unavailable(reason.to_owned())
}
