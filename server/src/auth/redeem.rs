//! `POST /api/auth/redeem` (back channel): ticket and verifier against the verified user,
//! the access token and a grant.
//!
//! It takes all four at once: the ticket, the verifier that only one Streamlit session
//! holds, the host's credential and the host's own origin (invariants 2 and 9). Every
//! failure looks alike.

use axum::Json;
use axum::extract::State;
use session_store::{Handle, HandleKind, KeyHash, Taken};
use shared::back_channel::{RedeemRequest, Redeemed};
use shared::error::ErrorCode;
use subtle::ConstantTimeEq as _;

use super::refresh::Wish;
use super::ticket::Binding;
use crate::audit::{Event, Who};
use crate::error::AppError;
use crate::requests::HostJson;
use crate::sessions::{LiveSession, Sessions, Standing};
use crate::state::Redeeming;
use crate::user::{roles, verified};
use crate::values::{is_random_256, s256};

const INVALID: AppError = AppError::refused(
    ErrorCode::InvalidTicket,
    "The ticket is unknown, spent or expired, or not for this Streamlit session.",
);

/// Redeems a ticket.
///
/// # Errors
/// 400 `invalid_ticket` whatever is wrong with it; 429 for a Streamlit session that asks on
/// and on; 503 if store or provider are down, and then the ticket is not spent.
pub async fn redeem(
    State(redeeming): State<Redeeming>,
    HostJson(request): HostJson<RedeemRequest>,
) -> Result<Json<Redeemed>, AppError> {
    let redeemed = redeeming.redeem(&request).await;
    if let Err(AppError::Refused {
        code: ErrorCode::InvalidTicket,
        ..
    }) = &redeemed
    {
        redeeming.audit.record(&Event::RedeemRefused);
    }
    redeemed.map(Json)
}

impl Redeeming {
    async fn redeem(&self, request: &RedeemRequest) -> Result<Redeemed, AppError> {
        if !is_random_256(&request.ticket) || request.verifier.len() > 256 {
            return Err(INVALID);
        }
        self.rate_limits.redeem(&request.verifier)?;
        let sessions = &self.sessions;
        let key = KeyHash::of(&request.ticket);
        let found = sessions
            .store()
            .peek_handle(HandleKind::Ticket, key)
            .await?
            .ok_or(INVALID)?;
        if !is_for(&found, key, request, sessions) {
            // Only the right verifier spends a ticket: a thief's attempt changes nothing.
            return Err(INVALID);
        }
        if found.taken.is_none() && found.expires_at <= sessions.now() {
            return Err(INVALID);
        }
        let Some(session) = found.session else {
            return Err(INVALID);
        };
        let Standing::Live(live) = sessions.by_id(session).await? else {
            return Err(INVALID);
        };
        if let Some(first) = &found.taken {
            self.revoke_grant(first, &live).await?;
            return Err(INVALID);
        }
        // Before the ticket is spent: if the provider is down, the host may try again.
        let (live, token) = self.tokens.fresh(*live, &Wish::any()).await?;
        let grant = self.grant_for_ticket(key, &live).await?;
        let reference = live.reference();
        let session = live.session;
        Ok(Redeemed {
            grant,
            reference,
            roles: roles(&session.claims, self.config.roles_claim.as_deref()),
            user: verified(session.issuer, session.subject, session.claims),
            scope: token.scope,
            permissions: token.permissions,
            access_token: token.token,
            access_token_expires_at: token.expires_at,
            session_expires_at: live.expires_at,
        })
    }

    /// Spends the ticket for a grant. The grant is stored first and named in the spent
    /// ticket, so that whoever comes second finds the one to take back.
    async fn grant_for_ticket(
        &self,
        ticket: KeyHash,
        live: &LiveSession,
    ) -> Result<String, AppError> {
        let sessions = &self.sessions;
        let grant = sessions.add_handle(HandleKind::Grant, live).await?;
        let key = KeyHash::of(&grant);
        let store = sessions.store();
        match store
            .take_handle(HandleKind::Ticket, ticket, key.as_bytes(), sessions.now())
            .await?
        {
            Taken::Now(_) => return Ok(grant),
            Taken::Before(Handle {
                taken: Some(first), ..
            }) => self.revoke_grant(&first, live).await?,
            Taken::Before(_) | Taken::Lapsed | Taken::Unknown => {}
        }
        store.remove_handle(HandleKind::Grant, key).await?;
        Err(INVALID)
    }

    /// A ticket that comes twice was stolen from one of the two: neither keeps a grant (D21).
    async fn revoke_grant(&self, mark: &[u8], live: &LiveSession) -> Result<(), AppError> {
        if let Some(first) = KeyHash::from_bytes(mark) {
            tracing::warn!(
                event = "ticket_reuse",
                "a ticket was redeemed twice; its grant is void"
            );
            let who = Who::of(live.id, &live.session);
            self.audit.record(&Event::TicketReuse(who));
            let store = self.sessions.store();
            store.remove_handle(HandleKind::Grant, first).await?;
        }
        Ok(())
    }
}

/// Whether the ticket was minted for this Streamlit session on this host.
fn is_for(found: &Handle, key: KeyHash, request: &RedeemRequest, sessions: &Sessions) -> bool {
    let Some(binding) = sessions.open::<Binding>(HandleKind::Ticket, key, &found.sealed) else {
        return false;
    };
    let challenge = s256(&request.verifier);
    let same_challenge: bool = binding
        .challenge
        .as_bytes()
        .ct_eq(challenge.as_bytes())
        .into();
    same_challenge && request.origin.contains(&binding.host_origin)
}
