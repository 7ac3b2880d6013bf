//! `GET /api/auth/me`: who is signed in here, for display. Judged by one cookie only, and
//! silent towards pages of other origins (D40).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use shared::auth::{Me, MeUser};

use crate::cookies::{self, Caller, CookiePolicy};
use crate::error::AppError;
use crate::requests::is_foreign_probe;
use crate::sessions::{Content, LiveSession, Sessions, Shown};
use crate::user::display;

/// The display form of the person, plus the subject.
///
/// # Errors
/// 401 when nobody is signed in, or a foreign page asks.
pub async fn me(
    State(sessions): State<Sessions>,
    State(policy): State<CookiePolicy>,
    headers: HeaderMap,
) -> Result<Response, AppError> {
    let caller = Caller::of(&headers);
    let (live, renewed) = signed_in::<Shown>(caller, &headers, &sessions, policy).await?;
    let user = MeUser {
        sub: live.session.subject().to_owned(),
        display: display(&live.session),
    };
    let mut response = Json(Me {
        user,
        expires_at: live.expires_at,
    })
    .into_response();
    if let Some(id) = renewed {
        let max_age = live.session.absolute_expiry() - sessions.now();
        cookies::append(response.headers_mut(), policy.session(caller, &id, max_age));
    }
    Ok(response)
}

/// The session of whoever asks, and the cookie id to be renewed.
///
/// # Errors
/// 401 when nobody is signed in, or a foreign page asks: it cannot tell the two apart.
pub(super) async fn signed_in<C: Content>(
    caller: Caller,
    headers: &HeaderMap,
    sessions: &Sessions,
    policy: CookiePolicy,
) -> Result<(LiveSession<C>, Option<String>), AppError> {
    if is_foreign_probe(headers) {
        return Err(AppError::not_authenticated());
    }
    let ids = policy.session_ids(headers, caller);
    let found = sessions.read_by_cookie(caller, &ids).await?;
    found.ok_or(AppError::not_authenticated())
}
