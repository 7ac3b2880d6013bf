//! Lets an operator measure the provider. It learns what a request was for, how long it
//! took and the status of the answer: nothing of URLs, headers and bodies.

use std::time::Duration;

use http::StatusCode;

/// What a request to the provider is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// The provider's metadata.
    Discovery,
    /// Its signing keys.
    Keys,
    /// An authorization code against tokens.
    Token,
    /// A refresh token against tokens.
    Refresh,
    /// A client's own access token.
    ClientCredentials,
    /// The end of a refresh token.
    Revocation,
}

/// Hears of each request to the provider, once it has ended.
pub trait RequestObserver: Send + Sync + 'static {
    /// `status` is `None` if no answer came, or none within our limits.
    fn finished(&self, kind: RequestKind, took: Duration, status: Option<StatusCode>);
}
