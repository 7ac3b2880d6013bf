//! Every value that a label can take. All are words of this file: nothing that a browser, a
//! host or a provider sends becomes a label, so nobody can grow the number of series, or
//! read a secret from one.

use std::fmt;

use http::StatusCode;
use oidc::{RefreshError, RequestKind};
use prometheus_client::encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder};

use crate::error::AppError;
use crate::request_id::Route;
use shared::error::ErrorCode;

/// A label with all its values.
pub trait Label: Copy + Eq + std::hash::Hash + fmt::Debug + EncodeLabelSet + 'static {
    /// All values: each counter exists from the start, at zero, so that its first step is
    /// seen as one.
    const ALL: &'static [Self];

    /// The value as it is written.
    fn as_str(self) -> &'static str;
}

macro_rules! label {
    (
        $(#[$about:meta])*
        $name:ident as $key:literal {
            $($(#[$about_value:meta])* $value:ident = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name {
            $($(#[$about_value])* $value,)+
        }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl EncodeLabelSet for $name {
            fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
                ($key, self.as_str()).encode(encoder.encode_label())
            }
        }
    };
}

label! {
    /// Why a login came to nothing.
    LoginFailure as "reason" {
        /// The person declined, or the provider refused the person.
        Refused = "refused",
        /// The response belongs to no login of that browser.
        InvalidTransaction = "invalid_transaction",
        /// The request itself was not acceptable.
        InvalidRequest = "invalid_request",
        /// The provider could not be reached.
        ProviderUnavailable = "provider_unavailable",
        /// The provider's answer was not to be believed, or it refuses this client.
        ProviderUnacceptable = "provider_unacceptable",
        /// The session store did not answer.
        Store = "store",
        /// A fault of ours.
        Internal = "internal",
    }
}

impl LoginFailure {
    /// What an error means for the login that it ended.
    #[must_use]
    pub const fn of(error: &AppError) -> Self {
        match error {
            AppError::LoginRefused(_) => Self::Refused,
            AppError::Refused {
                code: ErrorCode::InvalidTransaction,
                ..
            } => Self::InvalidTransaction,
            AppError::Refused { .. } | AppError::RateLimited { .. } | AppError::SessionEnded(_) => {
                Self::InvalidRequest
            }
            AppError::ProviderUnavailable(_) => Self::ProviderUnavailable,
            AppError::ProviderUnacceptable(_) => Self::ProviderUnacceptable,
            AppError::Store(_) => Self::Store,
            AppError::RemoteApi(_) | AppError::Internal(_) => Self::Internal,
        }
    }
}

label! {
    /// How a refresh at the provider ended.
    RefreshOutcome as "outcome" {
        /// Fresh tokens.
        Done = "done",
        /// The provider refused the refresh token: the session has ended.
        Refused = "refused",
        /// The provider does not give a token for that audience and scope.
        Denied = "denied",
        /// The person has to act; the session stays.
        InteractionRequired = "interaction_required",
        /// The provider refuses this client: the operator has to act.
        Misconfigured = "misconfigured",
        /// No answer.
        Unavailable = "unavailable",
        /// An answer that is not to be believed.
        Unacceptable = "unacceptable",
        /// The new ID token speaks of somebody else: the session has ended.
        Mismatch = "mismatch",
    }
}

impl RefreshOutcome {
    /// What an answer to a refresh means.
    #[must_use]
    pub const fn of(error: &RefreshError) -> Self {
        match error {
            RefreshError::SessionOver => Self::Refused,
            RefreshError::Denied => Self::Denied,
            RefreshError::InteractionRequired(_) => Self::InteractionRequired,
            RefreshError::ClientMisconfigured(_) => Self::Misconfigured,
            RefreshError::Unavailable(_) => Self::Unavailable,
            RefreshError::Unacceptable(_) => Self::Unacceptable,
        }
    }
}

label! {
    /// Who ended a session.
    LogoutBy as "by" {
        /// The person, in the frame or on a page.
        Person = "person",
        /// The Streamlit host.
        Host = "host",
        /// The provider, by a logout token.
        Provider = "provider",
        /// A newer login in the same browser.
        Replaced = "replaced",
        /// The provider, by refusing the refresh token.
        Refresh = "refresh",
    }
}

label! {
    /// A call of the session store.
    StoreOperation as "operation" {
        /// `create_session`
        CreateSession = "create_session",
        /// `load_session`
        LoadSession = "load_session",
        /// `update_session`
        UpdateSession = "update_session",
        /// `touch_session`
        TouchSession = "touch_session",
        /// `end_session`
        EndSession = "end_session",
        /// `sessions_of_provider_session`
        SessionsOfProviderSession = "sessions_of_provider_session",
        /// `sessions_of_subject`
        SessionsOfSubject = "sessions_of_subject",
        /// `put_handle`
        PutHandle = "put_handle",
        /// `find`
        Find = "find",
        /// `take_handle`
        TakeHandle = "take_handle",
        /// `peek_handle`
        PeekHandle = "peek_handle",
        /// `remove_handle`
        RemoveHandle = "remove_handle",
        /// `acquire_lease`
        AcquireLease = "acquire_lease",
        /// `release_lease`
        ReleaseLease = "release_lease",
        /// `count_live`
        CountLive = "count_live",
        /// `purge`
        Purge = "purge",
        /// `probe`
        Probe = "probe",
        /// `notify`
        Notify = "notify",
    }
}

label! {
    /// How a call of the session store failed.
    StoreFault as "kind" {
        /// No answer in time.
        Deadline = "deadline",
        /// Locked, unreachable or slow.
        Unavailable = "unavailable",
        /// An answer that it must not give.
        Faulty = "faulty",
    }
}

label! {
    /// A request to the provider.
    ProviderRequest as "request" {
        /// Its metadata.
        Discovery = "discovery",
        /// Its signing keys.
        Keys = "jwks",
        /// An authorization code against tokens.
        Token = "token",
        /// A refresh token against tokens.
        Refresh = "refresh",
        /// Our own access token for the remote API.
        ClientCredentials = "client_credentials",
        /// The end of a refresh token.
        Revoke = "revoke",
    }
}

impl ProviderRequest {
    pub(super) const fn of(kind: RequestKind) -> Self {
        match kind {
            RequestKind::Discovery => Self::Discovery,
            RequestKind::Keys => Self::Keys,
            RequestKind::Token => Self::Token,
            RequestKind::Refresh => Self::Refresh,
            RequestKind::ClientCredentials => Self::ClientCredentials,
            RequestKind::Revocation => Self::Revoke,
        }
    }
}

label! {
    /// How a request to the provider ended, seen from HTTP alone.
    ProviderAnswer as "answer" {
        /// With a 2xx.
        Success = "2xx",
        /// With a redirect, which is not followed.
        Redirect = "3xx",
        /// With a 4xx: what that means is in the counters of logins and refreshes.
        ClientError = "4xx",
        /// With a 5xx.
        ServerError = "5xx",
        /// Not at all, or outside our limits.
        None = "none",
    }
}

impl ProviderAnswer {
    pub(super) fn of(status: Option<StatusCode>) -> Self {
        match status.map(|status| status.as_u16() / 100) {
            None => Self::None,
            Some(2) => Self::Success,
            Some(3) => Self::Redirect,
            Some(4) => Self::ClientError,
            Some(_) => Self::ServerError,
        }
    }
}

label! {
    /// How a request to us ended.
    StatusClass as "status" {
        /// 1xx, such as a websocket's.
        Informational = "1xx",
        /// 2xx
        Success = "2xx",
        /// 3xx
        Redirection = "3xx",
        /// 4xx
        ClientError = "4xx",
        /// 5xx
        ServerError = "5xx",
        /// The client went away before the answer.
        Aborted = "aborted",
    }
}

impl StatusClass {
    /// The class of a status.
    #[must_use]
    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

label! {
    /// A line of the audit log.
    AuditEvent as "event" {
        /// A login ended in a session.
        Login = "login",
        /// A login came to nothing.
        LoginFailed = "login_failed",
        /// A session was ended.
        Logout = "logout",
        /// The provider gave no fresh tokens.
        RefreshFailed = "refresh_failed",
        /// The provider refused a refresh token that it had rotated.
        RefreshReuse = "refresh_reuse",
        /// A ticket was redeemed twice.
        TicketReuse = "ticket_reuse",
        /// A ticket was not the host's.
        RedeemRefused = "redeem_refused",
        /// A caller of the back channel did not show the secret.
        HostCredentialRefused = "host_credential_refused",
        /// A logout token was not to be believed.
        LogoutTokenRefused = "logout_token_refused",
    }
}

label! {
    /// A limit that somebody ran into.
    Limit as "limit" {
        /// Frames that wait for a login.
        HandoffsWaiting = "handoffs_waiting",
        /// Frames that watch their session.
        Watchers = "watchers",
        /// Requests of one client.
        Rate = "rate",
        /// Lines of one kind in the audit log.
        AuditLines = "audit_lines",
    }
}

impl EncodeLabelSet for Route {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("route", self.as_str()).encode(encoder.encode_label())
    }
}

/// What was built.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Build;

impl EncodeLabelSet for Build {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("version", env!("CARGO_PKG_VERSION")).encode(encoder.encode_label())
    }
}
