//! Protocol core of a relying party and of a resource server: OpenID Connect discovery,
//! authorization and token requests, and the verification of ID tokens, access tokens and
//! logout tokens.
//!
//! It knows nothing of a web framework, of cookies or of sessions, reads neither the clock
//! nor the environment, and draws no randomness of its own: time, randomness and the HTTP
//! client are passed in. What is believed (issuer, audience, algorithm, key) comes from
//! configuration and discovery, never from a token.

mod access_token;
mod algorithms;
mod authorization;
mod cached_document;
mod claims;
mod discovery;
mod error;
mod http_client;
mod id_token;
mod jwks;
mod jws;
mod logout_token;
mod observer;
mod provider;
mod random;
#[cfg(test)]
mod redaction;
mod revocation;
mod strict_json;
#[cfg(test)]
mod test_support;
mod time;
mod token;
mod token_response;
mod types;
mod verification;
mod weak_keys;

pub use crate::{
    access_token::{AccessTokenPolicy, AccessTokenVerifier, VerifiedAccessToken},
    algorithms::{Algorithm, AllowedAlgorithms, InvalidAlgorithms},
    authorization::{
        AuthorizationRequest, AuthorizationRequestError, AuthorizationResponse,
        AuthorizationResponseError, GrantedResponse, PreparedAuthorizationRequest, ResponseMode,
        returned_state,
    },
    claims::{ClockSkew, ClockSkewTooLarge},
    discovery::{Discovery, DiscoveryError, Metadata},
    error::OAuthErrorCode,
    http_client::{HttpClient, HttpClientUnavailable},
    id_token::{Expectations, IdTokenVerifier, Occasion, VerifiedIdToken},
    jwks::SigningKeys,
    logout_token::{Ended, LogoutTokenVerifier, VerifiedLogoutToken},
    observer::{RequestKind, RequestObserver},
    provider::{Provider, ProviderSettings},
    random::{Random, SystemRandom, random_base64url},
    revocation::RevocationError,
    time::{Clock, SystemClock, UnixTime},
    token::{ClientCredentials, RefreshError, RefreshRequest, TokenRequestError, TokenSet},
    types::{
        AccessToken, Audience, AuthorizationCode, ClientId, ClientSecret, CodeVerifier,
        InvalidIssuer, InvalidScope, Issuer, Nonce, RawIdToken, RefreshToken, RequestState, Scope,
        Subject,
    },
    verification::{TokenFault, VerificationError},
};
