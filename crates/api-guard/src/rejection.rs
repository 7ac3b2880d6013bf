//! Answers to requests that are not admitted: RFC 6750 §3, with a JSON body. They say
//! nothing about why a token is not believed; the log does.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

/// Why a request is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// No bearer credentials. RFC 6750 §3.1: no error code then.
    MissingToken,
    /// Credentials that are malformed or not believed.
    InvalidToken,
    /// A valid token without this scope token.
    InsufficientScope(&'static str),
    /// Tokens cannot be judged now. Not a word against the token.
    Unavailable,
}

#[derive(Serialize)]
struct Body {
    code: &'static str,
    message: &'static str,
}

impl Rejection {
    fn parts(self) -> (StatusCode, Body) {
        let (status, code, message) = match self {
            Self::MissingToken => (
                StatusCode::UNAUTHORIZED,
                "missing_token",
                "An access token is required in the Authorization header.",
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "The access token is not valid.",
            ),
            Self::InsufficientScope(_) => (
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "The access token does not permit this.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "provider_unavailable",
                "Access tokens cannot be checked at the moment.",
            ),
        };
        (status, Body { code, message })
    }

    fn challenge(self) -> Option<String> {
        match self {
            Self::MissingToken => Some("Bearer".to_owned()),
            Self::InvalidToken => Some(r#"Bearer error="invalid_token""#.to_owned()),
            Self::InsufficientScope(scope) => Some(format!(
                r#"Bearer error="insufficient_scope", scope="{scope}""#
            )),
            Self::Unavailable => None,
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let (status, body) = self.parts();
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let challenge = self
            .challenge()
            .and_then(|text| HeaderValue::try_from(text).ok());
        match challenge {
            Some(challenge) => headers.insert(WWW_AUTHENTICATE, challenge),
            None => headers.insert(RETRY_AFTER, HeaderValue::from_static("5")),
        };
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rejection: Rejection) -> (u16, Option<String>) {
        let response = rejection.into_response();
        let challenge = response.headers().get(WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), challenge)
    }

    #[test]
    fn answers_are_those_of_rfc_6750() {
        assert_eq!(
            answer(Rejection::MissingToken),
            (401, Some("Bearer".to_owned()))
        );
        assert_eq!(
            answer(Rejection::InvalidToken),
            (401, Some(r#"Bearer error="invalid_token""#.to_owned()))
        );
        assert_eq!(
            answer(Rejection::InsufficientScope("read:messages")),
            (
                403,
                Some(r#"Bearer error="insufficient_scope", scope="read:messages""#.to_owned())
            )
        );
        assert_eq!(answer(Rejection::Unavailable), (503, None));
    }

    /// Without a router of ours round it (A01): a cache must not give it to the next person.
    #[test]
    fn no_refusal_may_be_stored_and_only_the_passing_one_asks_to_come_again() {
        for (rejection, retry_after) in [
            (Rejection::MissingToken, None),
            (Rejection::InvalidToken, None),
            (Rejection::InsufficientScope("a"), None),
            (Rejection::Unavailable, Some("5")),
        ] {
            let response = rejection.into_response();
            let header = |name| {
                let value = response.headers().get(name)?;
                Some(value.to_str().unwrap())
            };
            assert_eq!(header(CACHE_CONTROL), Some("no-store"), "{rejection:?}");
            assert_eq!(header(RETRY_AFTER), retry_after, "{rejection:?}");
        }
    }
}
