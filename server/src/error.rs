//! The one way in which a request fails: an [`AppError`] becomes a status, a stable code
//! and words that are safe for anyone; the chain of causes goes to the log, once, here.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use session_store::StoreError;
use shared::error::{EndReason, ErrorBody, ErrorCode};

/// Seconds after which a client may try again when a neighbour of ours is down.
const RETRY_AFTER_SECONDS: u32 = 5;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a request fails; variants by what its sender can do next.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The sender is at fault: `code` says how, `message` is for a person.
    #[error("{message}")]
    Refused {
        /// Stable code of a 4xx answer.
        code: ErrorCode,
        /// Fixed words; nothing of the request.
        message: &'static str,
    },
    /// Too many requests of one client.
    #[error("too many requests of one client")]
    RateLimited {
        /// Seconds after which the next one passes.
        retry_after: u32,
    },
    /// The login was refused at the provider, or by the person.
    #[error("login refused: {0}")]
    LoginRefused(oidc::OAuthErrorCode),
    /// The session behind a grant has ended.
    #[error("the session has ended")]
    SessionEnded(EndReason),
    /// The provider cannot be reached: try again later.
    #[error("the provider is unavailable")]
    ProviderUnavailable(#[source] Cause),
    /// The provider's answer is not acceptable: trying again will not help soon.
    #[error("the provider's answer is not acceptable")]
    ProviderUnacceptable(#[source] Cause),
    /// The remote API cannot be reached.
    #[error("the remote API is unavailable")]
    RemoteApi(#[source] Cause),
    /// The session store cannot answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of ours.
    #[error("internal fault")]
    Internal(#[source] Cause),
}

impl AppError {
    /// A refusal with fixed words.
    #[must_use]
    pub const fn refused(code: ErrorCode, message: &'static str) -> Self {
        Self::Refused { code, message }
    }

    /// The sender is not signed in.
    #[must_use]
    pub const fn not_authenticated() -> Self {
        Self::refused(ErrorCode::NotAuthenticated, "Nobody is signed in here.")
    }

    /// The request's time is over, whoever was late.
    #[must_use]
    pub const fn request_timeout() -> Self {
        Self::refused(
            ErrorCode::RequestTimeout,
            "The request took too long. Please try again.",
        )
    }

    fn parts(&self) -> (StatusCode, ErrorCode) {
        let code = match self {
            Self::Refused { code, .. } => *code,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::LoginRefused(_) => ErrorCode::LoginRefused,
            Self::SessionEnded(_) => ErrorCode::SessionEnded,
            Self::ProviderUnavailable(_) => ErrorCode::ProviderUnavailable,
            Self::ProviderUnacceptable(_) => ErrorCode::ProviderError,
            Self::RemoteApi(_) => ErrorCode::RemoteApiUnavailable,
            Self::Store(_) => ErrorCode::StoreUnavailable,
            Self::Internal(_) => ErrorCode::InternalError,
        };
        (status(code), code)
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Refused { message, .. } => message,
            Self::RateLimited { .. } => {
                "Too many sign-ins come from your network just now. Please try again in a moment."
            }
            Self::LoginRefused(_) => "The sign-in was refused or cancelled. You can try again.",
            Self::SessionEnded(_) => "The session has ended.",
            Self::ProviderUnavailable(_) => {
                "The sign-in service cannot be reached. Please try again in a moment."
            }
            Self::ProviderUnacceptable(_) => {
                "The sign-in service gave an answer that cannot be trusted, so nobody was signed in."
            }
            Self::RemoteApi(_) => "The remote API cannot be reached.",
            Self::Store(_) => {
                "The sign-in service has a problem just now. Please try again in a moment."
            }
            Self::Internal(_) => "Something went wrong here. Please try again.",
        }
    }

    fn log(&self, status: StatusCode, code: ErrorCode) {
        let chain = causes(self);
        if status.is_server_error() {
            tracing::error!(code = code.as_str(), %chain, "request failed");
        } else {
            tracing::debug!(code = code.as_str(), %chain, "request refused");
        }
    }
}

/// The status of each code; exhaustive, so that a new code needs a decision.
#[must_use]
pub const fn status(code: ErrorCode) -> StatusCode {
    use ErrorCode as Code;
    match code {
        Code::InvalidRequest
        | Code::InvalidTicket
        | Code::InvalidTransaction
        | Code::AudienceNotAllowed
        | Code::ScopeNotGranted => StatusCode::BAD_REQUEST,
        Code::NotAuthenticated
        | Code::InvalidHostCredential
        | Code::SessionEnded
        | Code::ReauthenticationRequired => StatusCode::UNAUTHORIZED,
        Code::ForbiddenOrigin | Code::UnknownHostOrigin => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::LoginRefused => StatusCode::CONFLICT,
        Code::HandoffGone => StatusCode::GONE,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::MisdirectedRequest => StatusCode::MISDIRECTED_REQUEST,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::ProviderError | Code::RemoteApiUnavailable => StatusCode::BAD_GATEWAY,
        Code::ProviderUnavailable | Code::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// `error: cause: cause of the cause`.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let (status, code) = self.parts();
        self.log(status, code);
        let reason = match self {
            Self::SessionEnded(reason) => Some(reason),
            _ => None,
        };
        let retry_after = match self {
            Self::RateLimited { retry_after } => Some(retry_after),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER_SECONDS),
            _ => None,
        };
        let body = ErrorBody {
            code,
            message: self.message().to_owned(),
            reason,
        };
        let mut response = (status, Json(&body)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if code == ErrorCode::InvalidHostCredential {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // For people the page layer draws the same answer as a page.
        response.extensions_mut().insert(body);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_error_status() {
        for code in ErrorCode::ALL {
            let status = status(*code);
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{}",
                code.as_str()
            );
        }
    }

    #[test]
    fn the_cause_stays_out_of_the_answer() {
        let error = AppError::Internal("canary".into());
        assert!(causes(&error).contains("canary"));
        let response = error.into_response();
        assert!(
            !response
                .extensions()
                .get::<ErrorBody>()
                .unwrap()
                .message
                .contains("canary")
        );
    }
}
