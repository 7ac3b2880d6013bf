//! `POST /api/auth/backchannel-logout`: the provider ends a session (OpenID Connect
//! Back-Channel Logout 1.0 §2.5 to §2.8). Only its signed logout token counts.

use axum::extract::{Form, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use oidc::{Provider, VerificationError, VerifiedLogoutToken};
use serde::Deserialize;
use session_store::{HandleKind, KeyHash, NewHandle};
use shared::error::{EndReason, ErrorCode};

use super::logout::SignOut;
use crate::audit::{Audit, Event};
use crate::client_address::ClientAddress;
use crate::error::AppError;
use crate::provider_errors::verification;
use crate::rate_limit::RateLimits;
use crate::sessions::Sessions;

const REFUSED: AppError = AppError::refused(
    ErrorCode::InvalidRequest,
    "The logout token is not acceptable.",
);

/// The one form field.
#[derive(Deserialize)]
pub struct LogoutForm {
    logout_token: String,
}

/// Ends what the logout token names. 200 also when nothing of ours is left of it.
///
/// # Errors
/// 400 for a token that is not to be believed, or one seen before; 429 for too many of those.
pub async fn backchannel_logout(
    State(provider): State<Provider>,
    State(sessions): State<Sessions>,
    State(sign_out): State<SignOut>,
    State(audit): State<Audit>,
    State(limits): State<RateLimits>,
    client: ClientAddress,
    form: Result<Form<LogoutForm>, axum::extract::rejection::FormRejection>,
) -> Result<Response, AppError> {
    let Ok(Form(LogoutForm { logout_token })) = form else {
        return Err(REFUSED);
    };
    let verifier = provider.logout_token_verifier();
    let token = match verifier.verify(&logout_token, provider.now()).await {
        Ok(token) => token,
        Err(VerificationError::Invalid(fault)) => {
            limits.refused_logout_token(client)?;
            tracing::warn!(event = "logout_token_refused", %fault, "a logout token was refused");
            audit.record(&Event::LogoutTokenRefused);
            return Err(REFUSED);
        }
        Err(error) => return Err(verification(error)),
    };
    if was_obeyed(&token, &sessions).await? {
        limits.refused_logout_token(client)?;
        tracing::warn!(event = "logout_token_replayed", "a logout token came again");
        audit.record(&Event::LogoutTokenRefused);
        return Err(REFUSED);
    }
    let obeying = obey(token, sessions, sign_out.clone());
    sign_out.to_the_end(obeying).await?;
    Ok(StatusCode::OK.into_response())
}

async fn obey(
    token: VerifiedLogoutToken,
    sessions: Sessions,
    sign_out: SignOut,
) -> Result<(), AppError> {
    // First: a login under way has no session yet that could be found.
    sessions.note_provider_logout(&token).await?;
    for id in sessions.named_by(&token).await? {
        sign_out.end(id, EndReason::ProviderLogout).await?;
    }
    note_obeyed(&token, &sessions).await
}

fn spent_key(token: &VerifiedLogoutToken) -> KeyHash {
    KeyHash::of_parts(&[token.issuer().as_str(), token.token_id()])
}

/// A `jti` counts once, and not before it was obeyed to the end: one that met a fault of the
/// store (or a process that died) is sent again by the provider, and then it must count.
async fn was_obeyed(token: &VerifiedLogoutToken, sessions: &Sessions) -> Result<bool, AppError> {
    let until = token
        .expires_at()
        .seconds()
        .max(sessions.now().saturating_add(600));
    let seen = NewHandle {
        kind: HandleKind::SpentLogoutToken,
        key: spent_key(token),
        session: None,
        sealed: Vec::new(),
        expires_at: until,
        remember_until: until,
    };
    let store = sessions.store();
    if store.put_handle(seen).await? {
        return Ok(false);
    }
    let seen = store
        .peek_handle(HandleKind::SpentLogoutToken, spent_key(token))
        .await?;
    Ok(seen.is_some_and(|seen| seen.taken.is_some()))
}

async fn note_obeyed(token: &VerifiedLogoutToken, sessions: &Sessions) -> Result<(), AppError> {
    let (key, now) = (spent_key(token), sessions.now());
    let store = sessions.store();
    store
        .take_handle(HandleKind::SpentLogoutToken, key, b"obeyed", now)
        .await?;
    Ok(())
}
