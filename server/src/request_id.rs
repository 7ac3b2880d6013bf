//! A short random name for each request: in the log, in a header and on error pages, so
//! that a person can tell an operator which failure they saw.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;

use crate::sessions::Sessions;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The name. Ours: one that a client sends is not taken over.
#[derive(Clone)]
pub struct RequestId(Arc<str>);

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Names the request, and logs it without its query, headers or body: secrets travel there.
pub async fn name_request(
    State(sessions): State<Sessions>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId(oidc::random_base64url::<9>(sessions.random()).into());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!(
        "request",
        id = %id,
        method = %request.method(),
        path = request.uri().path(),
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "answered"));
    if let Ok(value) = HeaderValue::try_from(&*id.0) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
