//! Typed access to the claims of a token whose signature has been verified. A claim of
//! the wrong JSON type is an error, never an absent claim (CVE-2026-25537).

use serde_json::{Map, Value};

use crate::{
    time::UnixTime,
    types::{Issuer, Subject},
    verification::TokenFault,
};

/// `sub` is at most 255 ASCII characters (OpenID Connect Core §2).
const SUBJECT_LIMIT: usize = 255;
/// Clocks differ; this much is forgiven, once, on our side.
const LARGEST_SKEW_SECONDS: u8 = 60;
/// Integers above this are not exact in every JSON reader (RFC 8259 §6).
const LARGEST_EXACT: i64 = 1 << 53;

/// Forgiven difference between the provider's clock and ours: at most 60 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew(u8);

/// More than a minute of difference is a broken clock, and a longer life for stolen tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock skew must be 60 seconds at most")]
pub struct ClockSkewTooLarge;

impl ClockSkew {
    /// Reads whole seconds.
    ///
    /// # Errors
    /// When there are more than 60.
    pub fn from_seconds(seconds: u64) -> Result<Self, ClockSkewTooLarge> {
        u8::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds <= LARGEST_SKEW_SECONDS)
            .map(Self)
            .ok_or(ClockSkewTooLarge)
    }

    pub(crate) fn seconds(self) -> i64 {
        i64::from(self.0)
    }
}

impl Default for ClockSkew {
    /// 60 seconds.
    fn default() -> Self {
        Self(LARGEST_SKEW_SECONDS)
    }
}

/// The members of the claims set, still to be judged.
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    pub(crate) fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(crate) fn has(&self, name: &'static str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn raw(&self, name: &'static str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(crate) fn optional_string(&self, name: &'static str) -> Result<Option<&str>, TokenFault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenFault::MalformedClaim(name)),
        }
    }

    pub(crate) fn string(&self, name: &'static str) -> Result<&str, TokenFault> {
        self.optional_string(name)?
            .ok_or(TokenFault::MissingClaim(name))
    }

    /// A `NumericDate` as a whole number of seconds. Fractions are refused: no provider
    /// needs them, and readers differ in rounding.
    pub(crate) fn optional_time(&self, name: &'static str) -> Result<Option<UnixTime>, TokenFault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .filter(|seconds| (0..=LARGEST_EXACT).contains(seconds))
                .map(|seconds| Some(UnixTime(seconds)))
                .ok_or(TokenFault::MalformedClaim(name)),
        }
    }

    pub(crate) fn time(&self, name: &'static str) -> Result<UnixTime, TokenFault> {
        self.optional_time(name)?
            .ok_or(TokenFault::MissingClaim(name))
    }

    /// An array of strings.
    pub(crate) fn optional_strings(
        &self,
        name: &'static str,
    ) -> Result<Option<Vec<&str>>, TokenFault> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        value
            .as_array()
            .and_then(|values| values.iter().map(Value::as_str).collect::<Option<Vec<_>>>())
            .map(Some)
            .ok_or(TokenFault::MalformedClaim(name))
    }

    /// `aud`: one string or an array of them (RFC 7519 §4.1.3), never empty.
    pub(crate) fn audiences(&self) -> Result<Vec<&str>, TokenFault> {
        let audiences = match self.0.get("aud") {
            None => return Err(TokenFault::MissingClaim("aud")),
            Some(Value::String(one)) => vec![one.as_str()],
            Some(_) => self.optional_strings("aud")?.unwrap_or_default(),
        };
        if audiences.is_empty() {
            return Err(TokenFault::MalformedClaim("aud"));
        }
        Ok(audiences)
    }

    /// `iss`, compared as an exact string: no prefix, no other slash (GHSA-75c5-xw7c-p5pm).
    pub(crate) fn check_issuer(&self, issuer: &Issuer) -> Result<(), TokenFault> {
        if self.string("iss")? == issuer.as_str() {
            return Ok(());
        }
        Err(TokenFault::WrongIssuer)
    }

    pub(crate) fn subject(&self) -> Result<Subject, TokenFault> {
        let subject = self.string("sub")?;
        let is_sane = !subject.is_empty()
            && subject.len() <= SUBJECT_LIMIT
            && !subject.chars().any(char::is_control);
        if is_sane {
            return Ok(Subject::new(subject));
        }
        Err(TokenFault::MalformedClaim("sub"))
    }

    /// `exp`, required and not past.
    pub(crate) fn check_expiry(
        &self,
        now: UnixTime,
        skew: ClockSkew,
    ) -> Result<UnixTime, TokenFault> {
        let expires_at = self.time("exp")?;
        // RFC 7519 §4.1.4: "on or after" the time it must not be accepted.
        if now >= expires_at.plus_seconds(skew.seconds()) {
            return Err(TokenFault::Expired);
        }
        Ok(expires_at)
    }

    /// `nbf`, when there is one.
    pub(crate) fn check_not_before(
        &self,
        now: UnixTime,
        skew: ClockSkew,
    ) -> Result<(), TokenFault> {
        match self.optional_time("nbf")? {
            Some(not_before) if now.plus_seconds(skew.seconds()) < not_before => {
                Err(TokenFault::NotYetValid)
            }
            _ => Ok(()),
        }
    }

    /// `iat`, when there is one: not in the future.
    pub(crate) fn check_issued_at(
        &self,
        now: UnixTime,
        skew: ClockSkew,
    ) -> Result<Option<UnixTime>, TokenFault> {
        match self.optional_time("iat")? {
            Some(issued_at) if now.plus_seconds(skew.seconds()) < issued_at => {
                Err(TokenFault::IssuedInTheFuture)
            }
            issued_at => Ok(issued_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_the_most_that_clocks_may_differ() {
        for (seconds, is_good) in [
            (0, true),
            (60, true),
            (61, false),
            (300, false),
            (u64::MAX, false),
        ] {
            assert_eq!(
                ClockSkew::from_seconds(seconds).is_ok(),
                is_good,
                "{seconds}"
            );
        }
        assert_eq!(ClockSkew::default().seconds(), 60);
    }
}
