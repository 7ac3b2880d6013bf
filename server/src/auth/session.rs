//! `POST /api/auth/session` (back channel): is this login still alive, and who is it?
//! Cheap: one look into the store, no call to the provider.

use axum::Json;
use axum::extract::State;
use shared::back_channel::{GrantRequest, SessionState};

use crate::error::AppError;
use crate::requests::HostJson;
use crate::sessions::{Sessions, Standing};
use crate::state::Config;
use crate::user::{roles, verified};

/// The session behind a grant.
///
/// # Errors
/// 401 `session_ended` with the reason.
pub async fn session(
    State(config): State<Config>,
    State(sessions): State<Sessions>,
    HostJson(request): HostJson<GrantRequest>,
) -> Result<Json<SessionState>, AppError> {
    let live = match sessions.by_grant(&request.grant).await? {
        Standing::Live(live) => live,
        Standing::Ended(reason) => return Err(AppError::SessionEnded(reason)),
    };
    let own = live
        .session
        .access_tokens
        .iter()
        .find(|token| token.audience.is_none() && token.requested_scope.is_none());
    Ok(Json(SessionState {
        user: verified(&live.session),
        scope: own.map_or_else(
            || live.session.granted_scope.clone(),
            |token| token.scope.clone(),
        ),
        permissions: own
            .map(|token| token.permissions.clone())
            .unwrap_or_default(),
        roles: roles(&live.session.claims, config.roles_claim.as_deref()),
        session_expires_at: live.expires_at,
    }))
}
