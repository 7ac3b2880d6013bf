//! `303 See Other`: the next request is a `GET`, whatever this one was (RFC 9110 §15.4.4).

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

/// To `location`, which has been checked by whoever made it.
#[must_use]
pub fn see_other(location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::try_from(location)
        .unwrap_or_else(|_| HeaderValue::from_static(shared::routes::LAUNCHER));
    response.headers_mut().insert(header::LOCATION, location);
    response
}
