//! Bodies of `/api/auth/*` that a browser sends or reads.
//!
//! Nothing here can carry an OAuth token: display data, one-time values and times only.

use serde::{Deserialize, Serialize};

use crate::error::EndReason;

/// What a browser may know of the person, for display only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisplayUser {
    /// Best name known: `name`, given and family name, nickname, e-mail address, subject.
    pub name: String,
    /// E-mail address, if the provider told one.
    pub email: Option<String>,
    /// `https` (or, in development, loopback `http`) URL of a picture.
    pub picture: Option<String>,
}

/// `POST /api/auth/handoff`: the frame asks for the result of the login it began.
#[derive(Clone, Serialize, Deserialize)]
pub struct HandoffRequest {
    /// The frame's own secret; its S256 challenge went with the login form.
    pub verifier: String,
    /// The Streamlit session's challenge: the first ticket is bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// Origin of the Streamlit page, as the browser told the frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_origin: Option<String>,
    /// How long the answer may be held, in milliseconds: 25 s at most, and if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<u32>,
}

/// `POST /api/auth/ticket`: the frame asks who is signed in, and for a ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TicketRequest {
    /// The Streamlit session's challenge, `BASE64URL(SHA-256(verifier))`.
    pub challenge: String,
    /// Origin of the Streamlit page, as the browser told the frame.
    pub host_origin: String,
    /// What the host already knows: no ticket is minted when it still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_ref: Option<String>,
}

/// Answer to [`TicketRequest`] and to a claimed [`HandoffRequest`].
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// Who is signed in.
    pub user: DisplayUser,
    /// When the session ends, Unix seconds.
    pub expires_at: i64,
    /// Opaque, non-secret id of the companion session.
    #[serde(rename = "ref")]
    pub reference: String,
    /// One-time ticket for the Streamlit host; `None` when `known_ref` matched.
    pub ticket: Option<String>,
    /// Only from a handoff: ends this session and can do nothing else, for a frame in which
    /// the browser refuses every cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_out_key: Option<String>,
}

/// 202 answer to [`HandoffRequest`]: ask again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pending {
    /// Always `"pending"`.
    pub status: String,
}

/// Answer to `GET /api/auth/me`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Me {
    /// The display form plus the subject.
    pub user: MeUser,
    /// When the session ends, Unix seconds.
    pub expires_at: i64,
}

/// [`DisplayUser`] plus the subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeUser {
    /// Subject identifier at the issuer (OpenID Connect Core §2).
    pub sub: String,
    /// The display form.
    #[serde(flatten)]
    pub display: DisplayUser,
}

/// `POST /api/auth/logout` by fetch; the cookie counts first.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct LogoutRequest {
    /// From [`SignedIn::sign_out_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_out_key: Option<String>,
}

/// Answer to `POST /api/auth/logout` by fetch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoggedOut {
    /// The provider's end-session page, to be opened in the popup; `None` when it has none.
    pub logout_url: Option<String>,
}

/// `POST /api/auth/watch`: the frame wants to hear of the end of the session it shows.
#[derive(Clone, Serialize, Deserialize)]
pub struct WatchRequest {
    /// [`SignedIn::reference`] of that session.
    #[serde(rename = "ref")]
    pub reference: String,
    /// From [`SignedIn::sign_out_key`]; the cookie counts first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_out_key: Option<String>,
}

/// How the answer to [`WatchRequest`] ends; until then it is white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Watched {
    /// The session is over.
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// Nothing is known; watch again, after a pause.
    Again,
}

/// Answer to `GET /api/ping`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ping {
    /// The server's time, RFC 3339.
    pub ping: String,
}
