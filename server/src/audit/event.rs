//! What is reported: a closed list, so that a secret cannot slip in with a message.

use serde::Serialize;
use session_store::SessionId;

use crate::metrics::Metrics;
use crate::metrics::labels::{AuditEvent, Label as _, LoginFailure, LogoutBy, RefreshOutcome};
use crate::sessions::{Session, reference};

/// Somebody's login.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    issuer: &'a str,
    subject: &'a str,
    session: SessionId,
}

impl<'a> Who<'a> {
    /// Of this session.
    #[must_use]
    pub fn of(id: SessionId, session: &'a Session) -> Self {
        Self {
            issuer: &session.issuer,
            subject: &session.subject,
            session: id,
        }
    }
}

/// What happened.
pub enum Event<'a> {
    /// A login ended in a session.
    Login(Who<'a>),
    /// A login came to nothing.
    LoginFailed(LoginFailure),
    /// A session was ended. Expiry ends sessions without anybody's doing, and is no event.
    Logout(LogoutBy, Who<'a>),
    /// The provider gave no fresh tokens.
    RefreshFailed(RefreshOutcome, Who<'a>),
    /// The provider refused a refresh token that it had rotated for us: somebody else may
    /// have used a copy of it.
    RefreshReuse(Who<'a>),
    /// A ticket was redeemed twice: somebody may have stolen it.
    TicketReuse(Who<'a>),
    /// A host redeemed a ticket that is not, or no longer, its own.
    RedeemRefused,
    /// A caller of the back channel did not show `STREAMLIT_SECRET`.
    HostCredentialRefused,
    /// A logout token was not to be believed.
    LogoutTokenRefused,
}

/// What the line says of it.
#[derive(Default, Serialize)]
pub(super) struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

impl Event<'_> {
    pub(super) const fn name(&self) -> AuditEvent {
        match self {
            Self::Login(_) => AuditEvent::Login,
            Self::LoginFailed(_) => AuditEvent::LoginFailed,
            Self::Logout(..) => AuditEvent::Logout,
            Self::RefreshFailed(..) => AuditEvent::RefreshFailed,
            Self::RefreshReuse(_) => AuditEvent::RefreshReuse,
            Self::TicketReuse(_) => AuditEvent::TicketReuse,
            Self::RedeemRefused => AuditEvent::RedeemRefused,
            Self::HostCredentialRefused => AuditEvent::HostCredentialRefused,
            Self::LogoutTokenRefused => AuditEvent::LogoutTokenRefused,
        }
    }

    /// Whether anybody at all can make it happen, as often as they like. A visitor's forged
    /// component event makes its host redeem (G10).
    pub(super) const fn is_anybodys(&self) -> bool {
        matches!(
            self,
            Self::LoginFailed(_)
                | Self::RedeemRefused
                | Self::HostCredentialRefused
                | Self::LogoutTokenRefused
        )
    }

    pub(super) fn count(&self, metrics: &Metrics) {
        match self {
            Self::Login(_) => metrics.login_finished(),
            Self::LoginFailed(reason) => metrics.login_failed(*reason),
            Self::Logout(by, _) => metrics.logged_out(*by),
            Self::RefreshFailed(outcome, _) => metrics.refreshed(*outcome),
            Self::RefreshReuse(_)
            | Self::TicketReuse(_)
            | Self::RedeemRefused
            | Self::HostCredentialRefused
            | Self::LogoutTokenRefused => {}
        }
    }

    pub(super) fn fields(&self) -> Fields<'_> {
        match self {
            Self::Login(who) | Self::RefreshReuse(who) | Self::TicketReuse(who) => Fields::of(who),
            Self::Logout(by, who) => Fields {
                by: Some(by.as_str()),
                ..Fields::of(who)
            },
            Self::RefreshFailed(outcome, who) => Fields {
                outcome: Some(outcome.as_str()),
                ..Fields::of(who)
            },
            Self::LoginFailed(reason) => Fields {
                reason: Some(reason.as_str()),
                ..Fields::default()
            },
            Self::RedeemRefused | Self::HostCredentialRefused | Self::LogoutTokenRefused => {
                Fields::default()
            }
        }
    }
}

impl<'a> Fields<'a> {
    fn of(who: &Who<'a>) -> Self {
        Self {
            issuer: Some(who.issuer),
            subject: Some(who.subject),
            session: Some(reference(who.session)),
            ..Self::default()
        }
    }
}
