//! The body of a token response (RFC 6749 §5.1), read leniently where providers differ and
//! strictly where it matters. Private: outside there are [`TokenSet`]s only.

use std::{fmt, time::Duration};

use oauth2::{TokenResponse, TokenType};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    time::UnixTime,
    token::TokenSet,
    types::{AccessToken, RawIdToken, RefreshToken, Scope},
};

/// For a response without `expires_in`: short, so that a wrong guess costs a refresh only.
const DEFAULT_LIFETIME_SECONDS: i64 = 300;
/// The longest lifetime that Auth0 can be set to; more is a mistake or an attack on our
/// arithmetic.
const LONGEST_LIFETIME_SECONDS: i64 = 30 * 24 * 3600;

/// What the `oauth2` crate deserializes.
#[derive(Deserialize, Serialize)]
pub(crate) struct TokenResponseBody {
    access_token: oauth2::AccessToken,
    token_type: AnyTokenType,
    #[serde(default, deserialize_with = "lenient_seconds")]
    expires_in: Option<i64>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    refresh_token: Option<oauth2::RefreshToken>,
    #[serde(default)]
    id_token: Option<String>,
}

/// `Bearer` is what we can use; others must be told from it, not misread.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct AnyTokenType(String);

impl TokenType for AnyTokenType {}

impl fmt::Debug for TokenResponseBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenResponseBody([redacted])")
    }
}

impl TokenResponse for TokenResponseBody {
    type TokenType = AnyTokenType;

    fn access_token(&self) -> &oauth2::AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &AnyTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        u64::try_from(self.expires_in?)
            .ok()
            .map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&oauth2::RefreshToken> {
        self.refresh_token.as_ref()
    }

    /// Read by [`TokenResponseBody::into_token_set`] instead.
    fn scopes(&self) -> Option<&Vec<oauth2::Scope>> {
        None
    }
}

impl TokenResponseBody {
    /// Checks the response; the error is a reason for the log.
    pub(crate) fn into_token_set(
        self,
        now: UnixTime,
        requested: &Scope,
    ) -> Result<TokenSet, &'static str> {
        // RFC 6749 §7.1: a token of unknown type must not be used; §5.1: case-insensitive.
        if !self.token_type.0.eq_ignore_ascii_case("bearer") {
            return Err("the token type is not Bearer");
        }
        let access_token = self.access_token.into_secret();
        // It goes into a header: anything but visible ASCII would split or break it.
        if access_token.is_empty() || !access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the access token is malformed");
        }
        let lifetime = self.expires_in.unwrap_or(DEFAULT_LIFETIME_SECONDS);
        if lifetime < 0 {
            return Err("the lifetime is negative");
        }
        let scope = match self.scope {
            None => requested.clone(),
            Some(text) => Scope::parse(&text).map_err(|_| "the scope is malformed")?,
        };
        Ok(TokenSet {
            access_token: AccessToken::new(access_token),
            expires_at: now.plus_seconds(lifetime.min(LONGEST_LIFETIME_SECONDS)),
            scope,
            refresh_token: self
                .refresh_token
                .map(|token| RefreshToken::new(token.into_secret())),
            id_token: self.id_token.map(RawIdToken::new),
        })
    }
}

/// Seconds as a number, or, as some providers write them, as a string of digits.
fn lenient_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let seconds = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::String(digits) => digits.parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(whole)),
        _ => None,
    };
    seconds
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom("expires_in is not a number of seconds"))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float cast saturates, and the result is bounded by the caller"
)]
fn whole(seconds: f64) -> i64 {
    seconds as i64
}
