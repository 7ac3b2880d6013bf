//! Why a token was not believed. One vocabulary for ID tokens, access tokens and logout
//! tokens; no variant holds a byte of the token.

use crate::discovery::DiscoveryError;

/// What the caller does next about a token that was not verified.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VerificationError {
    /// The token may be good, but there is no key to tell: try later. Says nothing about
    /// the person.
    #[error("the provider's signing keys cannot be had")]
    KeysUnavailable(#[source] DiscoveryError),
    /// The token is not to be believed.
    #[error("the token is not valid: {0}")]
    Invalid(#[from] TokenFault),
}

/// The check that a token failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Longer than any honest token; refused before any decoding.
    #[error("it is too large")]
    Oversized,
    /// Not three non-empty parts of base64url without padding (RFC 7515 §7.1).
    #[error("it is not a compact JWS")]
    NotCompactJws,
    /// Header or claims are not one JSON object.
    #[error("a part is not one JSON object")]
    NotAJsonObject,
    /// A member stands twice: two readers could understand two different tokens.
    #[error("a JSON member stands twice")]
    DuplicateMember,
    /// A header member has the wrong type or form.
    #[error("header {0} is malformed")]
    MalformedHeader(&'static str),
    /// A header asks for processing that we do not do.
    #[error("header {0} is not supported")]
    UnsupportedHeader(&'static str),
    /// The algorithm is not one of the configured.
    #[error("its algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// `typ` belongs to another kind of token.
    #[error("its type is another one")]
    WrongType,
    /// No published key has its `kid`.
    #[error("its key is unknown")]
    UnknownKey,
    /// Several keys could have signed it.
    #[error("its key is ambiguous")]
    AmbiguousKey,
    /// The named key is for another algorithm.
    #[error("its key is for another algorithm")]
    KeyNotForAlgorithm,
    /// The signature does not verify.
    #[error("its signature is wrong")]
    WrongSignature,
    /// A required claim is absent.
    #[error("claim {0} is missing")]
    MissingClaim(&'static str),
    /// A claim has the wrong JSON type or form.
    #[error("claim {0} is malformed")]
    MalformedClaim(&'static str),
    /// A claim that this kind of token must not have.
    #[error("claim {0} does not belong here")]
    ForbiddenClaim(&'static str),
    /// Another issuer's.
    #[error("its issuer is another one")]
    WrongIssuer,
    /// For another client or resource server.
    #[error("its audience is another one")]
    WrongAudience,
    /// Issued to another client.
    #[error("its authorized party is another one")]
    WrongAuthorizedParty,
    /// Issued to a client whose tokens do not count here.
    #[error("its client is not one of the allowed")]
    WrongClient,
    /// Past its `exp`.
    #[error("it has expired")]
    Expired,
    /// Before its `nbf`.
    #[error("it is not valid yet")]
    NotYetValid,
    /// `iat` lies in the future.
    #[error("it was issued in the future")]
    IssuedInTheFuture,
    /// `iat` lies too far back for a token that was just issued.
    #[error("it was issued too long ago")]
    IssuedTooLongAgo,
    /// Lives longer than the policy allows, or ends before it begins.
    #[error("its lifetime is not plausible")]
    ImplausibleLifetime,
    /// Belongs to another authorization request.
    #[error("its nonce is another one")]
    WrongNonce,
    /// About another person than before.
    #[error("its subject is another one")]
    WrongSubject,
    /// The person signed in longer ago than `max_age`.
    #[error("the authentication is too old")]
    AuthenticationTooOld,
    /// None of the requested `acr_values` was met.
    #[error("the authentication context is another one")]
    WrongAuthenticationContext,
    /// `at_hash` is not of the access token that came with it.
    #[error("its access token is another one")]
    WrongAccessTokenHash,
    /// `events` lacks the back-channel logout event.
    #[error("it is no logout event")]
    WrongEvent,
}

impl TokenFault {
    /// Stable name for logs and metrics: of a bounded set, and without a byte of the token.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Oversized => "oversized",
            Self::NotCompactJws => "not_compact_jws",
            Self::NotAJsonObject => "not_a_json_object",
            Self::DuplicateMember => "duplicate_member",
            Self::MalformedHeader(_) => "malformed_header",
            Self::UnsupportedHeader(_) => "unsupported_header",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::WrongType => "wrong_type",
            Self::UnknownKey => "unknown_key",
            Self::AmbiguousKey => "ambiguous_key",
            Self::KeyNotForAlgorithm => "key_not_for_algorithm",
            Self::WrongSignature => "wrong_signature",
            Self::MissingClaim(_) => "missing_claim",
            Self::MalformedClaim(_) => "malformed_claim",
            Self::ForbiddenClaim(_) => "forbidden_claim",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongAuthorizedParty => "wrong_authorized_party",
            Self::WrongClient => "wrong_client",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInTheFuture => "issued_in_the_future",
            Self::IssuedTooLongAgo => "issued_too_long_ago",
            Self::ImplausibleLifetime => "implausible_lifetime",
            Self::WrongNonce => "wrong_nonce",
            Self::WrongSubject => "wrong_subject",
            Self::AuthenticationTooOld => "authentication_too_old",
            Self::WrongAuthenticationContext => "wrong_authentication_context",
            Self::WrongAccessTokenHash => "wrong_access_token_hash",
            Self::WrongEvent => "wrong_event",
        }
    }
}
