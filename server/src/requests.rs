//! Who may send what: extractors that a handler names to state its rule.
//!
//! [`OwnOrigin`]: only our own pages and frames. [`FrameJson`]: the same, with a JSON body.
//! [`HostJson`]: a Streamlit host with its credential. Each refuses before the body is read.

use axum::Form;
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use shared::error::ErrorCode;
use subtle::{Choice, ConstantTimeEq as _};

use crate::audit::{Audit, Event};
use crate::client_address::ClientAddress;
use crate::error::AppError;
use crate::rate_limit::RateLimits;
use crate::state::{AppState, Config};

/// The request comes from our own origin, as the browser itself says.
///
/// `Origin` must be exactly ours; `null` and absent are refused. Where Fetch Metadata is
/// sent it must agree. No page of anybody else can make a browser send this.
pub struct OwnOrigin;

/// A JSON body from our own origin.
pub struct FrameJson<T>(pub T);

/// A form from our own origin.
pub struct OwnForm<T>(pub T);

/// A JSON body from a Streamlit host that has shown its credential.
pub struct HostJson<T>(pub T);

impl<S> FromRequestParts<S> for OwnOrigin
where
    S: Send + Sync,
    Config: FromRef<S>,
{
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        let config = Config::from_ref(state);
        if is_own_origin(&parts.headers, config.base.as_str()) {
            Ok(Self)
        } else {
            Err(AppError::refused(
                ErrorCode::ForbiddenOrigin,
                "This request is accepted only from this server's own pages.",
            ))
        }
    }
}

fn is_own_origin(headers: &HeaderMap, own: &str) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let one_and_own =
        origins.next().is_some_and(|origin| origin == own) && origins.next().is_none();
    // Absent on plain http off loopback, and in old engines: `Origin` alone decides there.
    let site = headers.get("sec-fetch-site");
    one_and_own && site.is_none_or(|site| site == "same-origin")
}

/// Whether the browser itself says that this comes from a page of somebody else. Clients
/// that say nothing may be anything; [`OwnOrigin`] refuses them all the same.
#[must_use]
pub fn is_of_foreign_page(headers: &HeaderMap, own: &str) -> bool {
    let says = [header::ORIGIN.as_str(), "sec-fetch-site"]
        .iter()
        .any(|name| headers.contains_key(*name));
    says && !is_own_origin(headers, own)
}

impl<T: DeserializeOwned> FromRequest<AppState> for FrameJson<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        let (mut parts, body) = request.into_parts();
        OwnOrigin::from_request_parts(&mut parts, state).await?;
        json(Request::from_parts(parts, body)).await.map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for OwnForm<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        let (mut parts, body) = request.into_parts();
        OwnOrigin::from_request_parts(&mut parts, state).await?;
        let request = Request::from_parts(parts, body);
        let Form(form) = Form::from_request(request, state)
            .await
            .map_err(|rejection| body_refusal(rejection.status(), "The form cannot be read."))?;
        Ok(Self(form))
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for HostJson<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        if !shows_host_credential(request.headers(), &Config::from_ref(state)) {
            let (mut parts, _) = request.into_parts();
            let client = ClientAddress::from_request_parts(&mut parts, state).await?;
            Audit::from_ref(state).record(&Event::HostCredentialRefused);
            RateLimits::from_ref(state).wrong_credential(client)?;
            return Err(AppError::refused(
                ErrorCode::InvalidHostCredential,
                "STREAMLIT_SECRET of the Streamlit host is missing or not the companion's.",
            ));
        }
        json(request).await.map(Self)
    }
}

/// Compares in constant time, and with every accepted secret, so that neither the value
/// nor its place in the rotation shows in the timing.
fn shows_host_credential(headers: &HeaderMap, config: &Config) -> bool {
    let mut presented = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (presented.next(), presented.next()) else {
        return false;
    };
    let Some((scheme, secret)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return false;
    };
    let known = config
        .streamlit_secrets
        .iter()
        .fold(Choice::from(0), |known, accepted| {
            known | accepted.expose_secret().as_bytes().ct_eq(secret.as_bytes())
        });
    scheme.eq_ignore_ascii_case("bearer") && known.into()
}

async fn json<T: DeserializeOwned>(request: Request) -> Result<T, AppError> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    // A "simple" content type would let foreign pages send it without asking (CORS).
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(AppError::refused(
            ErrorCode::UnsupportedMediaType,
            "The body must be application/json.",
        ));
    }
    let body = Bytes::from_request(request, &())
        .await
        .map_err(|rejection| body_refusal(rejection.status(), "The body cannot be read."))?;
    serde_json::from_slice(&body).map_err(|_| {
        AppError::refused(
            ErrorCode::InvalidRequest,
            "The body is not what this route takes.",
        )
    })
}

/// Why a body was not taken, in our own codes.
pub(crate) fn body_refusal(status: http::StatusCode, message: &'static str) -> AppError {
    let code = match status {
        http::StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge,
        http::StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
        http::StatusCode::REQUEST_TIMEOUT => ErrorCode::RequestTimeout,
        _ => ErrorCode::InvalidRequest,
    };
    AppError::refused(code, message)
}

/// Whether the browser only looks ahead; such a request must consume nothing.
#[must_use]
pub fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz", "x-purpose"]
        .iter()
        .any(|name| {
            let value = headers.get(*name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.contains("prefetch") || value.contains("preview"))
        })
}

/// Whether this is a person's navigation of a whole page, where Fetch Metadata tells.
#[must_use]
pub fn is_document_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| headers.get(name).is_none_or(|value| value == wanted);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

/// Whether a page of another origin asks for something that says who is signed in.
#[must_use]
pub fn is_foreign_probe(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OWN: &str = "https://login.example.org";

    fn headers(values: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_our_exact_origin_passes() {
        assert!(is_own_origin(&headers(&[("origin", OWN)]), OWN));
        assert!(is_own_origin(
            &headers(&[("origin", OWN), ("sec-fetch-site", "same-origin")]),
            OWN
        ));
        // D26: look-alikes, `null`, absence, two values, and Fetch Metadata that disagrees.
        for bad in [
            "null",
            "",
            "https://login.example.org.evil.test",
            "https://evil-login.example.org",
            "http://login.example.org",
            "https://login.example.org:8443",
            "https://LOGIN.example.org",
            "https://login.example.org.",
            "https://login.example.org/",
        ] {
            assert!(!is_own_origin(&headers(&[("origin", bad)]), OWN), "{bad}");
        }
        assert!(!is_own_origin(&headers(&[]), OWN));
        assert!(!is_own_origin(
            &headers(&[("origin", OWN), ("origin", OWN)]),
            OWN
        ));
        for site in ["same-site", "cross-site", "none"] {
            assert!(!is_own_origin(
                &headers(&[("origin", OWN), ("sec-fetch-site", site)]),
                OWN
            ));
        }
    }

    #[test]
    fn prefetches_are_recognised() {
        assert!(is_prefetch(&headers(&[(
            "sec-purpose",
            "prefetch;prerender"
        )])));
        for name in ["sec-purpose", "purpose", "x-moz", "x-purpose"] {
            for looks_ahead in ["prefetch", "preview"] {
                assert!(is_prefetch(&headers(&[(name, looks_ahead)])), "{name}");
            }
        }
        assert!(!is_prefetch(&headers(&[])));
    }

    #[test]
    fn a_navigation_is_one_of_a_whole_page_by_all_that_the_browser_says() {
        let says = |mode, destination| {
            let metadata = headers(&[("sec-fetch-mode", mode), ("sec-fetch-dest", destination)]);
            is_document_navigation(&metadata)
        };
        assert!(says("navigate", "document"));
        assert!(!says("navigate", "iframe"));
        assert!(!says("cors", "document"));
        assert!(is_document_navigation(&headers(&[])));
    }
}
