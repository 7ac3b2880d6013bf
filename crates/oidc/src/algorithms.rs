//! Which signature algorithms may be believed. The list comes from configuration, never
//! from a token or from the provider, and can hold asymmetric algorithms only.

use std::str::FromStr;

use jsonwebtoken::AlgorithmFamily;

pub use jsonwebtoken::Algorithm;

/// A non-empty allow-list of asymmetric signature algorithms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedAlgorithms(Vec<Algorithm>);

/// The list cannot be an allow-list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAlgorithms {
    /// Nothing could ever be verified.
    #[error("no signature algorithm is named")]
    Empty,
    /// `none` proves nothing, and with HMAC a published public key would be the secret.
    #[error("{0} is not an asymmetric signature algorithm that can be verified")]
    NotAsymmetric(String),
}

impl AllowedAlgorithms {
    /// Reads algorithm names such as `RS256`.
    ///
    /// # Errors
    /// When there is none, or one that is unknown, `none` or HMAC.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidAlgorithms> {
        let algorithms = names
            .into_iter()
            .map(|name| {
                Algorithm::from_str(name)
                    .map_err(|_| InvalidAlgorithms::NotAsymmetric(name.chars().take(16).collect()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(algorithms)
    }

    /// Reads the value of a setting: names separated by commas, also in the form
    /// `['RS256']` that settings of 2022 have.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_setting(value: &str) -> Result<Self, InvalidAlgorithms> {
        let list = value.trim().trim_start_matches('[').trim_end_matches(']');
        let names = list
            .split(',')
            .map(|name| name.trim().trim_matches(['\'', '"']))
            .filter(|name| !name.is_empty());
        Self::parse(names)
    }

    /// Makes the list.
    ///
    /// # Errors
    /// When it is empty or holds HMAC.
    pub fn new(algorithms: Vec<Algorithm>) -> Result<Self, InvalidAlgorithms> {
        if algorithms.is_empty() {
            return Err(InvalidAlgorithms::Empty);
        }
        let hmac = algorithms
            .iter()
            .find(|algorithm| algorithm.family() == AlgorithmFamily::Hmac);
        match hmac {
            Some(hmac) => Err(InvalidAlgorithms::NotAsymmetric(format!("{hmac:?}"))),
            None => Ok(Self(algorithms)),
        }
    }

    /// RS256 alone: what each provider must offer (OpenID Connect Core §15.1).
    #[must_use]
    pub fn rs256() -> Self {
        Self(vec![Algorithm::RS256])
    }

    /// The allowed algorithm of that name, in exactly that spelling.
    pub(crate) fn named(&self, name: &str) -> Option<Algorithm> {
        Algorithm::from_str(name)
            .ok()
            .filter(|algorithm| self.0.contains(algorithm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_asymmetric_algorithms_can_be_allowed() {
        for bad in ["none", "None", "HS256", "HS384", "HS512", "rs256", ""] {
            assert!(
                matches!(
                    AllowedAlgorithms::parse(["RS256", bad]),
                    Err(InvalidAlgorithms::NotAsymmetric(_))
                ),
                "{bad}"
            );
        }
        assert_eq!(AllowedAlgorithms::parse([]), Err(InvalidAlgorithms::Empty));
        assert_eq!(
            AllowedAlgorithms::from_setting("['RS256']"),
            Ok(AllowedAlgorithms::rs256())
        );
        assert_eq!(
            AllowedAlgorithms::from_setting(" [] "),
            Err(InvalidAlgorithms::Empty)
        );
        assert!(AllowedAlgorithms::from_setting("RS256, none").is_err());
        assert!(AllowedAlgorithms::parse(["RS256", "PS512", "ES256", "ES384", "EdDSA"]).is_ok());
    }
}
