//! `POST /api/auth/revoke` (back channel): the Streamlit host signs its person out.

use axum::extract::State;
use http::StatusCode;
use session_store::HandleKind;
use shared::back_channel::RevokeRequest;

use super::logout::SignOut;
use crate::error::AppError;
use crate::requests::HostJson;
use crate::sessions::{Sessions, Standing};

/// Ends the session behind a grant; with `everywhere` all sessions of that person.
///
/// # Errors
/// Only for a bad credential, or if the store cannot write: a grant that is gone is fine.
pub async fn revoke(
    State(sessions): State<Sessions>,
    State(sign_out): State<SignOut>,
    HostJson(request): HostJson<RevokeRequest>,
) -> Result<StatusCode, AppError> {
    let revoking = end_behind(request, sessions, sign_out.clone());
    sign_out.to_the_end(revoking).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The session of the grant comes last: as long as it lives, a revocation that failed half-way
/// can be tried again.
async fn end_behind(
    request: RevokeRequest,
    sessions: Sessions,
    sign_out: SignOut,
) -> Result<(), AppError> {
    let grant = request.grant.as_str();
    if let Standing::Live(live) = sessions.by_grant(grant).await? {
        if request.everywhere {
            for other in sessions.of_same_subject(&live.session).await? {
                if other != live.id {
                    sign_out.end_by_host(other).await?;
                }
            }
        }
        sign_out.end_by_host(live.id).await?;
    }
    for id in sessions.sealed_to_us(HandleKind::Grant, &[grant]).await? {
        sign_out.end_by_host(id).await?;
        if request.everywhere {
            tracing::warn!("no key here opens the session: whose others to end is unknown");
        }
    }
    Ok(())
}
