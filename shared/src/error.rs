//! The stable error codes, listed once.

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[$meta:meta])* $variant:ident = $code:literal,)*) => {
        /// Stable machine-readable reason of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$meta])* #[serde(rename = $code)] $variant,)*
        }

        impl ErrorCode {
            /// Every code, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it stands in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

error_codes! {
    /// 400: the request is malformed.
    InvalidRequest = "invalid_request",
    /// 400: the ticket is unknown, spent, expired, or not for this verifier or origin: alike.
    InvalidTicket = "invalid_ticket",
    /// 400: the authorization response belongs to no login of this browser, or to a spent one.
    InvalidTransaction = "invalid_transaction",
    /// 400: the audience is not configured.
    AudienceNotAllowed = "audience_not_allowed",
    /// 400: the scope was not granted.
    ScopeNotGranted = "scope_not_granted",
    /// 401: nobody is signed in here.
    NotAuthenticated = "not_authenticated",
    /// 401: the host's credential is missing or wrong; says nothing about the person.
    InvalidHostCredential = "invalid_host_credential",
    /// 401: the person's session has ended; `reason` tells why.
    SessionEnded = "session_ended",
    /// 401: the access token expired and cannot be renewed; the person must sign in again.
    ReauthenticationRequired = "reauthentication_required",
    /// 403: the request comes from another origin than it must.
    ForbiddenOrigin = "forbidden_origin",
    /// 403: the Streamlit page's origin is not in `STREAMLIT_ORIGINS`.
    UnknownHostOrigin = "unknown_host_origin",
    /// 404: no such page.
    NotFound = "not_found",
    /// 405: the route has no such method.
    MethodNotAllowed = "method_not_allowed",
    /// 408: the request did not arrive in time.
    RequestTimeout = "request_timeout",
    /// 409: the provider or the person refused the login.
    LoginRefused = "login_refused",
    /// 410: the handoff was claimed or has lapsed.
    HandoffGone = "handoff_gone",
    /// 413: the body is too large.
    PayloadTooLarge = "payload_too_large",
    /// 415: the body is not `application/json` (or, for forms, not a form).
    UnsupportedMediaType = "unsupported_media_type",
    /// 421: the `Host` is none of ours.
    MisdirectedRequest = "misdirected_request",
    /// 429: too many requests; see `Retry-After`.
    RateLimited = "rate_limited",
    /// 500: a fault of ours; the log has the details under the request id.
    InternalError = "internal_error",
    /// 502: the provider's answer is not acceptable.
    ProviderError = "provider_error",
    /// 502: the remote API cannot be reached.
    RemoteApiUnavailable = "remote_api_unavailable",
    /// 503: the provider cannot be reached; see `Retry-After`.
    ProviderUnavailable = "provider_unavailable",
    /// 503: the session store cannot be reached; see `Retry-After`.
    StoreUnavailable = "store_unavailable",
}

/// Why a session ended, for `session_ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The person signed out, in the frame, on a page or through Python.
    SignedOut,
    /// The provider ended it (Back-Channel Logout).
    ProviderLogout,
    /// The rolling or absolute lifetime is over.
    Expired,
    /// Another login took its place in that browser.
    Replaced,
    /// The provider refused the refresh token.
    RefreshRefused,
    /// Nothing is known of it (any more).
    Unknown,
}

/// The body of every JSON error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable code.
    pub code: ErrorCode,
    /// Words for a person.
    pub message: String,
    /// Only with `session_ended`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndReason>,
}
