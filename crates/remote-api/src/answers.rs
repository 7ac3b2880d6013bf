//! Refusals that are no matter of tokens (those are `api-guard`'s), and the reading of
//! bounded JSON bodies. Refusals never repeat what was sent, save names of fields.

use axum::{
    Json,
    body::Bytes,
    extract::rejection::BytesRejection,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use serde_json::Value;

/// The largest model, pretty-printed, has about 70 KB.
pub(crate) const LARGEST_BODY: usize = 128 * 1024;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    NotFound,
    MethodNotAllowed,
    TooLarge,
    Incomplete,
    NotDeclaredJson,
    NotJson,
    BadModel(Vec<String>),
}

#[derive(Serialize)]
struct Body {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

impl Refusal {
    fn parts(self) -> (StatusCode, Body) {
        let (status, code, message) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not_found",
                "There is nothing at this address.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "This address takes other methods; the Allow header names them.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The body is larger than 128 KiB.",
            ),
            Self::Incomplete => (
                StatusCode::BAD_REQUEST,
                "incomplete_body",
                "The body ended early.",
            ),
            Self::NotDeclaredJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Send the body as application/json.",
            ),
            Self::NotJson => (
                StatusCode::BAD_REQUEST,
                "invalid_json",
                "The body is not JSON.",
            ),
            Self::BadModel(problems) => {
                let body = Body {
                    code: "invalid_model",
                    message: "The model cannot be used; problems says why.",
                    problems,
                };
                return (StatusCode::BAD_REQUEST, body);
            }
        };
        let body = Body {
            code,
            message,
            problems: Vec::new(),
        };
        (status, body)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = self.parts();
        (status, Json(body)).into_response()
    }
}

/// The JSON of a body; `None` if there is no body.
pub(crate) fn json_body(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Option<Value>, Refusal> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Incomplete,
    })?;
    if body.is_empty() {
        return Ok(None);
    }
    // Guessing would make other types part of the contract.
    if !is_json(headers) {
        return Err(Refusal::NotDeclaredJson);
    }
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|_| Refusal::NotJson)
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    declared.is_some_and(|declared| {
        let essence = declared.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    })
}
