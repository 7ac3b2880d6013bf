//! What the protocol core's errors mean for a request: unreachable (later), unacceptable
//! (somebody must look), refused (begin again).

use oidc::{DiscoveryError, TokenRequestError, VerificationError};

use crate::error::AppError;

/// Metadata cannot be had.
#[must_use]
pub fn discovery(error: DiscoveryError) -> AppError {
    match error {
        DiscoveryError::Unavailable { .. } => AppError::ProviderUnavailable(error.into()),
        DiscoveryError::Unacceptable(_) => AppError::ProviderUnacceptable(error.into()),
    }
}

/// A code gave no tokens.
#[must_use]
pub fn token_request(error: TokenRequestError) -> AppError {
    match error {
        TokenRequestError::Refused(_)
        | TokenRequestError::ClientMisconfigured(_)
        | TokenRequestError::Unacceptable(_) => AppError::ProviderUnacceptable(error.into()),
        TokenRequestError::Unavailable(_) => AppError::ProviderUnavailable(error.into()),
    }
}

/// A token is not to be believed, or cannot be judged now.
#[must_use]
pub fn verification(error: VerificationError) -> AppError {
    match error {
        VerificationError::KeysUnavailable(_) => AppError::ProviderUnavailable(error.into()),
        VerificationError::Invalid(_) => AppError::ProviderUnacceptable(error.into()),
    }
}
