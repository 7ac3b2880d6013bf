//! `GET /api/pong`: calls the remote API's `/api/pong` with the session's access token, on
//! this server, and passes status and body on. The token never reaches the browser.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use shared::error::ErrorCode;

use super::me::signed_in;
use super::refresh::{AccessTokens, Wish};
use crate::cookies::{Caller, CookiePolicy};
use crate::error::AppError;
use crate::remote_api::RemoteApi;
use crate::sessions::Sessions;

/// The remote API's answer: a 401 stays a 401.
///
/// # Errors
/// 401 when nobody is signed in, 404 without a remote API, 502 if it cannot be reached.
pub async fn pong(
    State(sessions): State<Sessions>,
    State(policy): State<CookiePolicy>,
    State(tokens): State<AccessTokens>,
    State(remote): State<RemoteApi>,
    headers: HeaderMap,
) -> Result<Response, AppError> {
    let caller = Caller::of(&headers);
    let (live, _) = signed_in(caller, &headers, &sessions, policy).await?;
    let Some(url) = remote.pong_url() else {
        return Err(AppError::refused(
            ErrorCode::NotFound,
            "REMOTE_API_BASE_URL is not set.",
        ));
    };
    let (_, token) = tokens.fresh(live, &Wish::any()).await?;
    let (status, body) = remote
        .get(url, &token.token)
        .await
        .map_err(AppError::RemoteApi)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    // Whatever it says it is, it is shown as data, never as a page of our origin.
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(response)
}
