//! What the frame shows: nothing here may be secret, the view draws it.

use shared::auth::DisplayUser;

/// The state, as far as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// No answer yet.
    Loading,
    /// Nobody is signed in.
    SignedOut {
        /// Something to add.
        notice: Option<Notice>,
    },
    /// A login is under way in another window.
    Waiting {
        /// The handoff challenge, for the form that a person can press.
        handoff_challenge: String,
        /// The browser did not let the window open.
        blocked: bool,
    },
    /// Somebody is signed in.
    SignedIn(Person),
    /// Neither is known, or a login failed.
    Failed(Failure),
}

impl Phase {
    /// The value of `data-state`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::SignedOut { .. } => "signed-out",
            Self::Waiting { .. } => "waiting",
            Self::SignedIn(_) => "signed-in",
            Self::Failed(_) => "error",
        }
    }
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Display data.
    pub user: DisplayUser,
    /// When the session ends, Unix seconds.
    pub expires_at: i64,
    /// Opaque, non-secret id of the companion session.
    pub reference: String,
    /// The logout has been sent.
    pub leaving: bool,
    /// Something to add.
    pub notice: Option<Notice>,
}

/// Something to add to a state, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The login took too long, or its result lapsed; a click finishes it.
    ClickAgain,
    /// The session ended by itself.
    SessionEnded,
    /// The provider's session lives on; its end-session page is here.
    FinishAtProvider(String),
    /// The logout did not reach the companion.
    LogoutFailed,
}

/// A failure in the terms of what the person can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What to say and to offer.
    pub kind: FailureKind,
    /// Stable code, for the host.
    pub code: String,
}

/// Kinds of failures, by what the person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The companion cannot be reached: retry.
    Unreachable,
    /// The companion does not answer: wait or retry.
    Silent,
    /// The login was refused: sign in again.
    LoginRefused,
    /// This page may not use the companion: nothing.
    HostRefused,
    /// Opened outside an app: nothing.
    NotEmbedded,
    /// A refusal that has no other kind: retry.
    Other,
}

impl FailureKind {
    /// The code, where the companion gave none.
    const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "companion_unreachable",
            Self::Silent => "companion_silent",
            Self::LoginRefused => "login_refused",
            Self::HostRefused => "unknown_host_origin",
            Self::NotEmbedded => "not_embedded",
            Self::Other => "invalid_answer",
        }
    }

    /// Words for the host's developer, in English like every message of the contract.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unreachable => "The sign-in service cannot be reached",
            Self::Silent => "The sign-in service does not answer",
            Self::LoginRefused => "The sign-in was refused",
            Self::HostRefused => "The sign-in service does not know this app's address",
            Self::NotEmbedded => "The sign-in component was opened outside an app",
            Self::Other => "The sign-in service refused the request",
        }
    }
}

impl From<FailureKind> for Failure {
    fn from(kind: FailureKind) -> Self {
        Self {
            kind,
            code: kind.code().to_owned(),
        }
    }
}

impl Failure {
    /// A refusal with the companion's own code.
    pub(super) fn refused(code: String) -> Self {
        let kind = if code == FailureKind::HostRefused.code() {
            FailureKind::HostRefused
        } else {
            FailureKind::Other
        };
        Self { kind, code }
    }
}
