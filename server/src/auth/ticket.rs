//! `POST /api/auth/ticket`: the frame asks who is signed in, and for a ticket.
//!
//! A ticket is worth something to one Streamlit session of one host only: it is bound to
//! the session, to the challenge whose verifier that Streamlit session holds, and to the
//! page's origin, which the browser (not the page) told the frame (invariant 9).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use session_store::{HandleKind, KeyHash, NewHandle};
use shared::auth::{SignedIn, TicketRequest};
use shared::error::ErrorCode;

use crate::config::Settings;
use crate::cookies::{self, Caller, CookiePolicy};
use crate::error::AppError;
use crate::rate_limit::RateLimits;
use crate::requests::FrameJson;
use crate::sessions::{LiveSession, Sessions};
use crate::state::Config;
use crate::user::display;
use crate::values::{is_random_256, random_256};

/// Long enough for a busy script, short enough for a thief to be late.
const LIFETIME_SECONDS: i64 = 60;
/// So long a second redeem still finds, and ends, the grant of the first.
const REMEMBER_SECONDS: i64 = 3600;

/// What a ticket is bound to.
#[derive(Serialize, Deserialize)]
pub struct Binding {
    /// Challenge of the Streamlit session.
    pub challenge: String,
    /// Origin of the Streamlit page.
    pub host_origin: String,
}

impl Binding {
    /// Checks the shape of the challenge and that the page is one of ours.
    ///
    /// # Errors
    /// 400 for a malformed challenge, 403 for an unknown page (G02: also for one that is
    /// only in `EMBED_ORIGINS`).
    pub fn new(
        challenge: String,
        host_origin: String,
        settings: &Settings,
    ) -> Result<Self, AppError> {
        if !is_random_256(&challenge) {
            return Err(AppError::refused(
                ErrorCode::InvalidRequest,
                "The challenge is malformed.",
            ));
        }
        if !settings.is_streamlit_origin(&host_origin) {
            return Err(AppError::refused(
                ErrorCode::UnknownHostOrigin,
                "This page may not sign people in here: its origin is not in STREAMLIT_ORIGINS.",
            ));
        }
        Ok(Self {
            challenge,
            host_origin,
        })
    }

    /// The same where both parts may be absent, but not one of them.
    ///
    /// # Errors
    /// As [`new`](Self::new); 400 if only one is there.
    pub fn optional(
        challenge: Option<String>,
        host_origin: Option<String>,
        settings: &Settings,
    ) -> Result<Option<Self>, AppError> {
        match (challenge, host_origin) {
            (Some(challenge), Some(origin)) => Self::new(challenge, origin, settings).map(Some),
            (None, None) => Ok(None),
            _ => Err(AppError::refused(
                ErrorCode::InvalidRequest,
                "`challenge` and `host_origin` go together.",
            )),
        }
    }
}

/// Who is signed in here, for the frame and its Streamlit session.
///
/// # Errors
/// 401 when signed out, 403 for an unknown page, 429 for a session that asks on and on.
pub async fn ticket(
    State(config): State<Config>,
    State(sessions): State<Sessions>,
    State(policy): State<CookiePolicy>,
    State(rate_limits): State<RateLimits>,
    headers: HeaderMap,
    FrameJson(request): FrameJson<TicketRequest>,
) -> Result<Response, AppError> {
    let binding = Binding::new(request.challenge, request.host_origin, &config)?;
    let ids = policy.session_ids(&headers, Caller::Frame);
    let Some((live, renewed)) = sessions.by_cookie(Caller::Frame, &ids).await? else {
        return Err(AppError::not_authenticated());
    };
    let reference = live.reference();
    let is_known = request.known_ref.as_deref() == Some(reference.as_str());
    let ticket = if is_known {
        None
    } else {
        rate_limits.ticket(live.id)?;
        Some(mint_ticket(&live, &binding, &sessions).await?)
    };
    let body = SignedIn {
        user: display(&live.session),
        expires_at: live.expires_at,
        reference,
        ticket,
        sign_out_key: None,
    };
    let mut response = Json(body).into_response();
    if let Some(id) = renewed {
        let max_age = live.session.absolute_expiry - sessions.now();
        cookies::append(
            response.headers_mut(),
            policy.session(Caller::Frame, &id, max_age),
        );
    }
    Ok(response)
}

/// Mints a ticket on a live session.
///
/// # Errors
/// If the store cannot write.
pub async fn mint_ticket(
    live: &LiveSession,
    binding: &Binding,
    sessions: &Sessions,
) -> Result<String, AppError> {
    let ticket = random_256(sessions.random());
    let key = KeyHash::of(&ticket);
    let expires_at = sessions.now().saturating_add(LIFETIME_SECONDS);
    let handle = NewHandle {
        kind: HandleKind::Ticket,
        key,
        session: Some(live.id),
        sealed: sessions.seal(HandleKind::Ticket, key, binding),
        expires_at,
        remember_until: expires_at.saturating_add(REMEMBER_SECONDS),
    };
    sessions.store().put_handle(handle).await?;
    Ok(ticket)
}
