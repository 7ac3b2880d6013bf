//! Admits a request to a resource server by verified access token and scope, and answers
//! the others as RFC 6750 says. It issues nothing and keeps no sessions.
//!
//! ```text
//! async fn pong(Authenticated(token): Authenticated) -> String { … }
//! async fn messages(scoped: Scoped<ReadMessages>) -> String { … }
//! ```
//!
//! The router's state must give a [`Guard`] (`Guard: FromRef<State>`). A route whose
//! handler takes neither extractor is public.

mod bearer;
mod rejection;

use std::{marker::PhantomData, sync::Arc};

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use oidc::{AccessTokenVerifier, Clock, VerificationError, VerifiedAccessToken};

use crate::bearer::Absence;

pub use crate::rejection::Rejection;

/// Judges requests. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    verifier: AccessTokenVerifier,
    clock: Arc<dyn Clock>,
}

impl Guard {
    /// A guard with the verifier's policy.
    #[must_use]
    pub fn new(verifier: AccessTokenVerifier, clock: Arc<dyn Clock>) -> Self {
        Self { verifier, clock }
    }

    /// Verifies the request's access token.
    ///
    /// # Errors
    /// A [`Rejection`], ready to be sent.
    pub async fn authenticate(&self, request: &Parts) -> Result<VerifiedAccessToken, Rejection> {
        let token = match bearer::access_token(request) {
            Ok(token) => token,
            Err(Absence::NoCredentials) => return Err(Rejection::MissingToken),
            Err(Absence::Malformed(reason)) => {
                tracing::info!(reason, "access token refused");
                return Err(Rejection::InvalidToken);
            }
        };
        match self.verifier.verify(token, self.clock.now()).await {
            Ok(token) => Ok(token),
            Err(VerificationError::KeysUnavailable(error)) => {
                tracing::error!(%error, "access tokens cannot be judged");
                Err(Rejection::Unavailable)
            }
            Err(VerificationError::Invalid(fault)) => {
                tracing::info!(reason = fault.code(), %fault, "access token refused");
                Err(Rejection::InvalidToken)
            }
        }
    }
}

/// Extractor: the request carries a valid access token.
pub struct Authenticated(pub VerifiedAccessToken);

impl<S> FromRequestParts<S> for Authenticated
where
    S: Send + Sync,
    Guard: FromRef<S>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        Guard::from_ref(state).authenticate(parts).await.map(Self)
    }
}

/// Names the scope token that a route requires.
pub trait RequiredScope {
    /// One scope token, such as `read:messages`.
    const TOKEN: &'static str;
}

/// Extractor: the request carries a valid access token with the scope of `R`.
pub struct Scoped<R: RequiredScope> {
    /// The verified token.
    pub token: VerifiedAccessToken,
    required: PhantomData<R>,
}

impl<S, R> FromRequestParts<S> for Scoped<R>
where
    S: Send + Sync,
    Guard: FromRef<S>,
    R: RequiredScope,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let token = Guard::from_ref(state).authenticate(parts).await?;
        if !is_permitted(&token, R::TOKEN) {
            tracing::info!(
                reason = "insufficient_scope",
                required = R::TOKEN,
                "access token refused"
            );
            return Err(Rejection::InsufficientScope(R::TOKEN));
        }
        Ok(Self {
            token,
            required: PhantomData,
        })
    }
}

/// `scope` says what the person let the client do; with Auth0's RBAC, `permissions` says
/// what the person may do, and a tenant may put a right into either. Both are the
/// provider's signed word for this very resource server, so either suffices. Tokens are
/// compared whole: `read:reports2` is no `read:reports`.
fn is_permitted(token: &VerifiedAccessToken, required: &str) -> bool {
    token.scope().contains(required)
        || token
            .permissions()
            .iter()
            .any(|permission| permission == required)
}
