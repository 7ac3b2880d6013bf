//! What a session holds, and what a look at one finds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use session_store::SessionId;
use sha2::{Digest as _, Sha256};
use shared::error::EndReason;

/// What a session holds. Sealed at rest; no `Debug`, since tokens are in it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// Issuer of the ID token.
    pub issuer: String,
    /// Subject at the issuer.
    pub subject: String,
    /// The provider's session id (`sid`), for logout.
    pub provider_session: Option<String>,
    /// Verified claims about the person.
    pub claims: Map<String, Value>,
    /// The ID token itself, kept only for `LOGOUT_ID_TOKEN_HINT`.
    pub id_token: Option<String>,
    /// The refresh token, if the provider gave one.
    pub refresh_token: Option<String>,
    /// Whether that one came by a refresh: if the provider refuses it, somebody else may have
    /// used a copy.
    #[serde(default)]
    pub is_refresh_token_rotated: bool,
    /// Scope that the person granted at login.
    pub granted_scope: String,
    /// Access tokens by audience and scope; the first is the login's own.
    pub access_tokens: Vec<CachedAccessToken>,
    /// When the session ends whatever happens, Unix seconds.
    pub absolute_expiry: i64,
}

/// An access token of a session.
#[derive(Clone, Serialize, Deserialize)]
pub struct CachedAccessToken {
    /// Audience asked for; `None`: the configured one.
    pub audience: Option<String>,
    /// Scope asked for; `None`: all that was granted.
    pub requested_scope: Option<String>,
    /// The token.
    pub token: String,
    /// When it was issued, Unix seconds; 0: an older release stored it and did not say.
    #[serde(default)]
    pub issued_at: i64,
    /// When it expires, Unix seconds.
    pub expires_at: i64,
    /// Scope it has.
    pub scope: String,
    /// Its `permissions`, if it is a verifiable JWT that has some.
    pub permissions: Vec<String>,
}

impl CachedAccessToken {
    /// Whether it is good for `min_ttl` seconds more; or, where the provider gives none that
    /// lives so long, whether it is in the first half of its life. Without the latter each of
    /// those who wait for a refresh would make another one (E34).
    #[must_use]
    pub const fn lasts(&self, min_ttl: i64, now: i64) -> bool {
        let left = self.expires_at.saturating_sub(now);
        let age = now.saturating_sub(self.issued_at);
        let never_lasted = left.saturating_add(age) <= min_ttl;
        left >= min_ttl || (never_lasted && left > 0 && left >= age)
    }
}

/// A session that is alive at this moment.
#[derive(Clone)]
pub struct LiveSession {
    /// Internal id.
    pub id: SessionId,
    /// For compare-and-set.
    pub version: i64,
    /// When it ends unless it is used, Unix seconds.
    pub expires_at: i64,
    /// What it holds.
    pub session: Session,
    /// Sealed with an older secret: its next use seals it anew.
    pub(super) is_stale: bool,
}

impl LiveSession {
    /// The opaque, non-secret `ref` of the contract. Leads nowhere.
    #[must_use]
    pub fn reference(&self) -> String {
        reference(self.id)
    }
}

/// The `ref` of a session: a hash of its id.
#[must_use]
pub fn reference(id: SessionId) -> String {
    let labelled = [b"ref".as_slice(), &id.0].concat();
    URL_SAFE_NO_PAD.encode(&Sha256::digest(&labelled)[..12])
}

/// What became of the session behind a handle.
pub enum Standing {
    /// Alive.
    Live(Box<LiveSession>),
    /// Over, for this reason.
    Ended(EndReason),
}
