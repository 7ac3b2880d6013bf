//! Bodies between the companion and the Streamlit host. They carry tokens: they never
//! reach a browser, and none of them has a `Debug` that could print one.

use serde::{Deserialize, Serialize};

/// The verified person.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Subject identifier at the issuer (OpenID Connect Core §2).
    pub sub: String,
    /// Issuer of the ID token.
    pub issuer: String,
    /// Best name known; see [`crate::auth::DisplayUser::name`].
    pub name: String,
    /// E-mail address, if the provider told one.
    pub email: Option<String>,
    /// Whether the provider vouches for the address; `false` when it says nothing.
    pub email_verified: bool,
    /// URL of a picture.
    pub picture: Option<String>,
    /// The ID token's verified claims about the person.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// The host's own origin or origins, as its configuration says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Origins {
    /// A single origin.
    One(String),
    /// Several, for instance `localhost` and `127.0.0.1` in development.
    Many(Vec<String>),
}

impl Origins {
    /// Whether `origin` is one of them, exactly.
    #[must_use]
    pub fn contains(&self, origin: &str) -> bool {
        match self {
            Self::One(own) => own == origin,
            Self::Many(own) => own.iter().any(|own| own == origin),
        }
    }
}

/// `POST /api/auth/redeem`.
#[derive(Clone, Serialize, Deserialize)]
pub struct RedeemRequest {
    /// The ticket that the frame announced.
    pub ticket: String,
    /// The secret behind the challenge in the component's args.
    pub verifier: String,
    /// The host's own configured origins.
    pub origin: Origins,
}

/// Answer to [`RedeemRequest`].
#[derive(Clone, Serialize, Deserialize)]
pub struct Redeemed {
    /// Opaque handle of this Streamlit session on this login.
    pub grant: String,
    /// Opaque, non-secret id of the companion session.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The verified person.
    pub user: User,
    /// Scope of the access token.
    pub scope: String,
    /// Permissions of the access token (Auth0 RBAC).
    pub permissions: Vec<String>,
    /// Roles, from the configured claim.
    pub roles: Vec<String>,
    /// The access token.
    pub access_token: String,
    /// When it expires, Unix seconds.
    pub access_token_expires_at: i64,
    /// When the companion session ends, Unix seconds.
    pub session_expires_at: i64,
}

/// `POST /api/auth/token`.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenRequest {
    /// Handle from [`Redeemed`].
    pub grant: String,
    /// Another audience than the default; one of the configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// A subset of the granted scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Seconds that the token must still live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ttl: Option<i64>,
}

/// Answer to [`TokenRequest`].
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// A fresh access token.
    pub access_token: String,
    /// When it expires, Unix seconds.
    pub expires_at: i64,
    /// Its scope.
    pub scope: String,
    /// Its permissions (Auth0 RBAC).
    pub permissions: Vec<String>,
    /// Roles, from the configured claim.
    pub roles: Vec<String>,
}

/// `POST /api/auth/session`.
#[derive(Clone, Serialize, Deserialize)]
pub struct GrantRequest {
    /// Handle from [`Redeemed`].
    pub grant: String,
}

/// `POST /api/auth/revoke`.
#[derive(Clone, Serialize, Deserialize)]
pub struct RevokeRequest {
    /// Handle from [`Redeemed`].
    pub grant: String,
    /// End all sessions of this person, not only this one.
    #[serde(default)]
    pub everywhere: bool,
}

/// Answer to `POST /api/auth/session`.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionState {
    /// The verified person.
    pub user: User,
    /// Scope of the access token.
    pub scope: String,
    /// Permissions of the access token (Auth0 RBAC).
    pub permissions: Vec<String>,
    /// Roles, from the configured claim.
    pub roles: Vec<String>,
    /// When the companion session ends, Unix seconds.
    pub session_expires_at: i64,
}
