//! Passwords and client secrets of a development tenant.
//!
//! Obvious values, but they travel the same code paths as real ones, so they get the
//! same care: no `Debug`, comparison in constant time.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// A development password or client secret.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DevSecret(String);

impl DevSecret {
    /// Constant-time comparison with what somebody sent.
    #[must_use]
    pub fn matches(&self, sent: &str) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(sent.as_bytes()))
    }

    /// The value, for the pages and programs that hand it to a developer.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for DevSecret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl std::fmt::Debug for DevSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DevSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_matches_nothing() {
        assert!(!DevSecret::from("").matches(""));
        assert!(DevSecret::from("a").matches("a"));
        assert!(!DevSecret::from("a").matches("b"));
    }
}
