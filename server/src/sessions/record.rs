//! What a session holds, how much of it is read, and what a look at one finds.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use session_store::SessionId;
use sha2::{Digest as _, Sha256};
use shared::error::EndReason;

use crate::user::DISPLAYED;

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

/// As much of a session as somebody reads: all of it, or without what they need not know.
/// Most looks are for the person only, and the tokens are most of the payload.
pub trait Content: DeserializeOwned + Send + Sync {
    /// Subject at the issuer.
    fn subject(&self) -> &str;
    /// Verified claims about the person, those at least that are shown.
    fn claims(&self) -> &Map<String, Value>;
    /// When the session ends whatever happens, Unix seconds.
    fn absolute_expiry(&self) -> i64;
}

/// The person of a session, as browsers may see them: no token is read.
#[derive(Deserialize)]
pub struct Shown {
    subject: String,
    #[serde(deserialize_with = "shown_claims")]
    claims: Map<String, Value>,
    absolute_expiry: i64,
}

/// What the Streamlit host is told of a session when it asks for no token: none is read.
#[derive(Deserialize)]
pub struct Described {
    /// Issuer of the ID token.
    pub issuer: String,
    /// Subject at the issuer.
    pub subject: String,
    /// Verified claims about the person.
    pub claims: Map<String, Value>,
    /// Scope that the person granted at login.
    pub granted_scope: String,
    /// What the access tokens are for.
    pub access_tokens: Vec<DescribedToken>,
    absolute_expiry: i64,
}

/// What an access token is for, without the token: see [`CachedAccessToken`].
#[derive(Deserialize)]
pub struct DescribedToken {
    audience: Option<String>,
    requested_scope: Option<String>,
    /// Scope it has.
    pub scope: String,
    /// Its `permissions`.
    pub permissions: Vec<String>,
}

impl DescribedToken {
    /// Whether it is the login's own.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.audience.is_none() && self.requested_scope.is_none()
    }
}

macro_rules! content {
    ($($of:ty),+) => {
        $(impl Content for $of {
            fn subject(&self) -> &str {
                &self.subject
            }

            fn claims(&self) -> &Map<String, Value> {
                &self.claims
            }

            fn absolute_expiry(&self) -> i64 {
                self.absolute_expiry
            }
        })+
    };
}

content!(Session, Shown, Described);

/// Only the claims that [`crate::user::display`] looks at; the others are passed over unread.
fn shown_claims<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    struct Claims;

    impl<'de> Visitor<'de> for Claims {
        type Value = Map<String, Value>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("claims")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<Self::Value, A::Error> {
            let mut shown = Map::new();
            while let Some(DisplayedName(name)) = claims.next_key()? {
                if let Some(name) = name {
                    shown.insert(name.to_owned(), claims.next_value()?);
                } else {
                    claims.next_value::<IgnoredAny>()?;
                }
            }
            Ok(shown)
        }
    }

    from.deserialize_map(Claims)
}

/// The name of a claim, if it is one of those.
struct DisplayedName(Option<&'static str>);

impl<'de> Deserialize<'de> for DisplayedName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = DisplayedName;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a claim")
            }

            fn visit_str<E>(self, name: &str) -> Result<DisplayedName, E> {
                let known = DISPLAYED.into_iter().find(|displayed| *displayed == name);
                Ok(DisplayedName(known))
            }
        }

        from.deserialize_str(Name)
    }
}

/// A session that is alive at this moment.
#[derive(Clone)]
pub struct LiveSession<C = Session> {
    /// Internal id.
    pub id: SessionId,
    /// For compare-and-set.
    pub version: i64,
    /// When it ends unless it is used, Unix seconds.
    pub expires_at: i64,
    /// What it holds.
    pub session: C,
    /// It was sealed with an older secret: the payload under the newest, for its next use to
    /// write.
    pub(super) sealed_anew: Option<Vec<u8>>,
}

impl<C> LiveSession<C> {
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
pub enum Standing<C = Session> {
    /// Alive.
    Live(Box<LiveSession<C>>),
    /// Over, for this reason.
    Ended(EndReason),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::user::display;

    fn stored(claims: &Value) -> String {
        json!({
            "issuer": "https://tenant.example/",
            "subject": "auth0|ada",
            "provider_session": "sid",
            "claims": claims,
            "id_token": "an.id.token",
            "refresh_token": "refresh",
            "granted_scope": "openid",
            "access_tokens": [{
                "audience": null, "requested_scope": null, "token": "an.access.token",
                "expires_at": 7, "scope": "openid", "permissions": ["read:chart"],
            }],
            "absolute_expiry": 4_711,
        })
        .to_string()
    }

    fn all<'a, C: Deserialize<'a>>(stored: &'a str) -> C {
        serde_json::from_str(stored).unwrap()
    }

    #[test]
    fn whoever_reads_less_of_a_session_sees_the_same_person_and_the_same_end() {
        for claims in [
            json!({}),
            json!({"name": "Ada \u{e9}\n\"", "picture": "https://example.org/a.png", "x": {"name": [1]}}),
            json!({"given_name": "Ada", "family_name": "Lovelace", "roles": ["name"]}),
            json!({"nickname": "ada", "name": {"email": "no"}, "email": 7}),
            json!({"preferred_username": "ada", "email": ["a"], "na\\me": "x"}),
            json!({"email": "ada@example.org", "email_verified": true}),
        ] {
            let stored = stored(&claims);
            let (session, shown, described): (Session, Shown, Described) =
                (all(&stored), all(&stored), all(&stored));
            assert_eq!(display(&shown), display(&session), "{claims}");
            assert_eq!(display(&described), display(&session), "{claims}");
            assert_eq!(described.claims, session.claims);
            assert_eq!(shown.subject(), session.subject);
            for end in [shown.absolute_expiry(), described.absolute_expiry()] {
                assert_eq!(end, session.absolute_expiry);
            }
            assert!(described.access_tokens[0].is_own());
        }
    }

    #[test]
    fn claims_that_are_not_shown_are_not_kept() {
        let stored = stored(&json!({"name": "Ada", "address": {"street": "x"}, "phone": "1"}));
        let shown: Shown = all(&stored);
        assert_eq!(shown.claims().keys().collect::<Vec<_>>(), ["name"]);
    }
}
