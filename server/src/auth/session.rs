//! `POST /api/auth/session` (back channel): is this login still alive, and who is it?
//! Cheap: one look into the store, no call to the provider.

use axum::Json;
use axum::extract::State;
use shared::back_channel::{GrantRequest, SessionState};

use crate::error::AppError;
use crate::requests::HostJson;
use crate::sessions::{Described, DescribedToken, Sessions, Standing};
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
    let live = match sessions.read_by_grant::<Described>(&request.grant).await? {
        Standing::Live(live) => live,
        Standing::Ended(reason) => return Err(AppError::SessionEnded(reason)),
    };
    let session_expires_at = live.expires_at;
    let session = live.session;
    let mut tokens = session.access_tokens.into_iter();
    let own = tokens.find(DescribedToken::is_own);
    let (scope, permissions) = own.map_or_else(
        || (session.granted_scope, Vec::new()),
        |token| (token.scope, token.permissions),
    );
    Ok(Json(SessionState {
        roles: roles(&session.claims, config.roles_claim.as_deref()),
        user: verified(session.issuer, session.subject, session.claims),
        scope,
        permissions,
        session_expires_at,
    }))
}
