//! One newtype per protocol value. Secrets show nothing of themselves: no `Display`, no
//! `Default`, no `Deref`, no comparison but in constant time, and a `Debug` that says
//! only what they are.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::{
    http_client::is_transport_allowed,
    random::{Random, random_base64url},
};

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Wraps a value that was received or stored.
            #[must_use]
            pub fn new(value: String) -> Self {
                Self(SecretString::from(value))
            }

            /// The value itself, for sealed storage or for the wire.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

macro_rules! public {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a value that was received, stored or configured.
            #[must_use]
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// The value.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

secret! {
    /// Password of a confidential client (RFC 6749 §2.3.1).
    ClientSecret
}
secret! {
    /// Ties an authorization response to the browser that asked (RFC 6749 §10.12).
    RequestState
}
secret! {
    /// Ties an ID token to the authorization request (OpenID Connect Core §3.1.2.1).
    Nonce
}
secret! {
    /// Ties the token request to the authorization request (RFC 7636).
    CodeVerifier
}
secret! {
    /// Worth one token request (RFC 6749 §4.1.2).
    AuthorizationCode
}
secret! {
    /// An ID token that nobody has verified yet.
    RawIdToken
}
secret! {
    /// Opens the resource server (RFC 6750).
    AccessToken
}
secret! {
    /// Worth further access tokens (RFC 6749 §1.5).
    RefreshToken
}
public! {
    /// The client's public name at the provider (RFC 6749 §2.2).
    ClientId
}
public! {
    /// Identifier of a resource server (RFC 8707; Auth0: the API's identifier).
    Audience
}
public! {
    /// The person, unique and never reassigned within the issuer (OpenID Connect Core §2).
    Subject
}

impl RequestState {
    /// 256 random bits.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        Self::new(random_base64url::<32>(random))
    }

    /// Constant-time: a reply must not be able to probe the value byte by byte.
    #[must_use]
    pub fn matches(&self, returned: &str) -> bool {
        self.expose().as_bytes().ct_eq(returned.as_bytes()).into()
    }
}

impl Nonce {
    /// 256 random bits.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        Self::new(random_base64url::<32>(random))
    }

    pub(crate) fn matches(&self, claimed: &str) -> bool {
        self.expose().as_bytes().ct_eq(claimed.as_bytes()).into()
    }
}

impl CodeVerifier {
    /// 256 random bits: 43 characters, the least that RFC 7636 §4.1 allows and all that
    /// S256 can use.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        Self::new(random_base64url::<32>(random))
    }

    /// `BASE64URL(SHA-256(verifier))`, RFC 7636 §4.2.
    #[must_use]
    pub fn s256_challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.expose()))
    }
}

/// An issuer identifier: compared as an exact string (RFC 8414 §2), requested as a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    text: String,
    url: Url,
}

/// The text is no issuer identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuer {
    /// Not a URL with a host.
    #[error("is not a URL with a host")]
    NotAUrl,
    /// A plain `http` issuer could be anybody on the way.
    #[error("must be https (http is for loopback hosts only)")]
    Insecure,
    /// RFC 8414 §2: no query, no fragment; user information has no place either.
    #[error("must have no user, query or fragment")]
    ExtraParts,
}

impl Issuer {
    /// Reads an issuer identifier.
    ///
    /// # Errors
    /// When it is not an `https` URL (`http` on loopback hosts) without user, query and
    /// fragment.
    pub fn parse(text: &str) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(|_| InvalidIssuer::NotAUrl)?;
        if !url.has_host() {
            return Err(InvalidIssuer::NotAUrl);
        }
        if !is_transport_allowed(&url) {
            return Err(InvalidIssuer::Insecure);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidIssuer::ExtraParts);
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }

    /// The exact identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The identifier as a URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether the two differ at most in one trailing slash. Only for the comparison of
    /// discovered metadata with configuration; afterwards the discovered form is exact.
    #[must_use]
    pub fn is_same_but_for_slash(&self, other: &str) -> bool {
        fn bare(text: &str) -> &str {
            text.strip_suffix('/').unwrap_or(text)
        }
        bare(&self.text) == bare(other)
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Scope tokens (RFC 6749 §3.3), each once, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(Vec<String>);

/// A scope token holds a character that RFC 6749 §3.3 forbids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a scope token may hold printable ASCII without quotes and backslashes only")]
pub struct InvalidScope;

impl Scope {
    /// Reads a space-separated list.
    ///
    /// # Errors
    /// When a token holds a forbidden character, a tab for instance.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let mut tokens: Vec<String> = Vec::new();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if !token
                .bytes()
                .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
            {
                return Err(InvalidScope);
            }
            if !tokens.iter().any(|known| known == token) {
                tokens.push(token.to_owned());
            }
        }
        Ok(Self(tokens))
    }

    /// Whether `token` is in it, exactly: `read:reports` is not in `read:reports2`.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|known| known == token)
    }

    /// Whether each token of it is also in `other`.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.iter().all(|token| other.contains(token))
    }

    /// Whether it holds no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show_in_debug() {
        let shown = format!("{:?}", AccessToken::new("eyJ-canary".to_owned()));
        assert_eq!(shown, "AccessToken([redacted])");
    }

    #[test]
    fn state_matches_itself_and_nothing_else() {
        let state = RequestState::new("abc".to_owned());
        assert!(state.matches("abc"));
        for other in ["", "ab", "abcd", "abd", "ABC"] {
            assert!(!state.matches(other), "{other}");
        }
    }

    #[test]
    fn code_challenge_is_the_one_of_rfc_7636_appendix_b() {
        let verifier = CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(
            verifier.s256_challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn issuer_accepts_https_and_loopback_http_only() {
        for good in [
            "https://a.eu.auth0.com/",
            "https://a.test",
            "http://localhost:3002/",
            "http://127.0.0.1:1",
            "http://[::1]:1/",
        ] {
            assert!(Issuer::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("a.eu.auth0.com", InvalidIssuer::NotAUrl),
            ("http://a.test/", InvalidIssuer::Insecure),
            ("http://localhost.evil.test/", InvalidIssuer::Insecure),
            ("ftp://localhost/", InvalidIssuer::Insecure),
            ("https://user@a.test/", InvalidIssuer::ExtraParts),
            ("https://a.test/?x", InvalidIssuer::ExtraParts),
            ("https://a.test/#x", InvalidIssuer::ExtraParts),
        ] {
            assert_eq!(Issuer::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn issuers_differ_by_more_than_a_slash() {
        let issuer = Issuer::parse("https://a.test/").unwrap();
        assert!(issuer.is_same_but_for_slash("https://a.test"));
        for other in [
            "https://a.test//",
            "https://A.test/",
            "http://a.test/",
            "https://a.test/x",
            "https://a.tes",
        ] {
            assert!(!issuer.is_same_but_for_slash(other), "{other}");
        }
    }

    #[test]
    fn scope_keeps_order_drops_repeats_and_compares_whole_tokens() {
        let scope = Scope::parse("openid  profile openid read:reports2").unwrap();
        assert_eq!(scope.to_string(), "openid profile read:reports2");
        assert!(!scope.contains("read:reports"));
        assert!(Scope::parse("profile").unwrap().is_subset_of(&scope));
        assert!(!Scope::parse("read:reports").unwrap().is_subset_of(&scope));
        for bad in ["a\tb", "a\"b", "a\\b", "ä", "a\nb"] {
            assert_eq!(Scope::parse(bad), Err(InvalidScope), "{bad}");
        }
    }
}
