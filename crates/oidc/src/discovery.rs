//! The provider's metadata (OpenID Connect Discovery 1.0, RFC 8414): fetched from the
//! configured issuer, checked, cached. Nothing in it can widen what configuration allows.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use url::Url;

use crate::{
    cached_document::{CachedDocument, Source},
    http_client::{HttpClient, HttpError, is_loopback, retry_after},
    observer::RequestKind,
    random::Random,
    time::Clock,
    types::Issuer,
};

/// Checked provider metadata.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Metadata {
    /// The exact issuer identifier that tokens must name.
    pub issuer: Issuer,
    /// Where people sign in.
    pub authorization_endpoint: Url,
    /// Where codes and refresh tokens are redeemed.
    pub token_endpoint: Url,
    /// Where the signing keys are.
    pub jwks_uri: Url,
    /// Where further claims are.
    pub userinfo_endpoint: Option<Url>,
    /// Where refresh tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// Where the provider's session ends (OpenID Connect RP-Initiated Logout 1.0).
    pub end_session_endpoint: Option<Url>,
    /// How the client may authenticate at the token endpoint; `None`: not stated, which
    /// means `client_secret_basic`.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Algorithms of ID tokens. Informative: configuration decides.
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// PKCE methods. Informative: S256 is always used.
    pub code_challenge_methods_supported: Vec<String>,
    /// Whether authorization responses name their issuer (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether the provider sends logout tokens.
    pub backchannel_logout_supported: bool,
    /// Whether logout tokens can name one session.
    pub backchannel_logout_session_supported: bool,
}

/// Why there is no metadata.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DiscoveryError {
    /// The provider is down, slow or overloaded: try later.
    #[error("the provider's metadata cannot be had: {reason}")]
    Unavailable {
        /// What happened, for the log.
        reason: String,
        /// The pause that the provider asked for.
        retry_after: Option<Duration>,
    },
    /// What arrived is not metadata of the configured issuer: somebody must look.
    #[error("the provider's metadata is unacceptable: {0}")]
    Unacceptable(String),
}

impl DiscoveryError {
    /// The pause that the provider asked for.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Unacceptable(_) => None,
        }
    }

    /// For a fetch that ended without an answer.
    pub(crate) fn interrupted() -> Self {
        Self::Unavailable {
            reason: "the request was interrupted".to_owned(),
            retry_after: None,
        }
    }
}

/// Cache of one issuer's metadata. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Discovery {
    cached: CachedDocument<MetadataSource>,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Discovery {
    /// Prepares the cache; nothing is fetched yet.
    #[must_use]
    pub fn new(
        issuer: Issuer,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let source = MetadataSource {
            issuer,
            http: http.clone(),
        };
        Self {
            cached: CachedDocument::new(source, Arc::clone(&clock), Arc::clone(&random)),
            http,
            clock,
            random,
        }
    }

    /// The metadata: from memory for ten minutes, and the last good one while the
    /// provider does not answer (for a day at most).
    ///
    /// # Errors
    /// When none has ever been had, or none for a day.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, DiscoveryError> {
        self.cached.current().await
    }

    /// The last good metadata, without any request.
    #[must_use]
    pub fn known_metadata(&self) -> Option<Arc<Metadata>> {
        self.cached.last_good()
    }

    pub(crate) fn parts(&self) -> (HttpClient, Arc<dyn Clock>, Arc<dyn Random>) {
        (
            self.http.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.random),
        )
    }
}

struct MetadataSource {
    issuer: Issuer,
    http: HttpClient,
}

impl Source for MetadataSource {
    type Document = Metadata;
    const NAME: &'static str = "metadata";

    async fn fetch(&self, previous: Option<&Metadata>) -> Result<Metadata, DiscoveryError> {
        let result = self.fetch_checked(previous).await;
        if let Err(error) = &result {
            tracing::warn!(%error, issuer = %self.issuer, "discovery failed");
        }
        result
    }
}

impl MetadataSource {
    async fn fetch_checked(&self, previous: Option<&Metadata>) -> Result<Metadata, DiscoveryError> {
        let body = fetch_document(&self.http, RequestKind::Discovery, &self.location()).await?;
        let unchecked: UncheckedMetadata = serde_json::from_slice(&body)
            .map_err(|error| DiscoveryError::Unacceptable(format!("not metadata: {error}")))?;
        let metadata = unchecked.check(&self.issuer)?;
        // After the first fetch the discovered form is exact: a provider does not change
        // its name, an attacker who reached its host or its DNS would.
        if previous.is_some_and(|previous| previous.issuer != metadata.issuer) {
            return Err(DiscoveryError::Unacceptable(
                "the issuer has changed".to_owned(),
            ));
        }
        Ok(metadata)
    }

    /// OpenID Connect Discovery 1.0 §4.1: after the issuer's path, less a final slash.
    fn location(&self) -> Url {
        let mut url = self.issuer.url().clone();
        let path = format!(
            "{}/.well-known/openid-configuration",
            url.path().trim_end_matches('/')
        );
        url.set_path(&path);
        url
    }
}

/// Body of a 200 answer; other answers and faults sorted by what the caller does next.
pub(crate) async fn fetch_document(
    http: &HttpClient,
    kind: RequestKind,
    url: &Url,
) -> Result<Vec<u8>, DiscoveryError> {
    let response = http.fetch(kind, url).await.map_err(|error| match error {
        HttpError::Unreachable(reason) => DiscoveryError::Unavailable {
            reason,
            retry_after: None,
        },
        HttpError::Unacceptable(reason) => DiscoveryError::Unacceptable(reason.to_owned()),
    })?;
    let status = response.status();
    if status == http::StatusCode::OK {
        return Ok(response.into_body());
    }
    if status.is_redirection() {
        return Err(DiscoveryError::Unacceptable(format!(
            "redirect ({status}) is not followed"
        )));
    }
    Err(DiscoveryError::Unavailable {
        reason: format!("status {status}"),
        retry_after: retry_after(&response),
    })
}

#[derive(Deserialize)]
struct UncheckedMetadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    end_session_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    backchannel_logout_supported: bool,
    #[serde(default)]
    backchannel_logout_session_supported: bool,
}

impl UncheckedMetadata {
    fn check(self, configured: &Issuer) -> Result<Metadata, DiscoveryError> {
        // Without this a provider could speak for another one (OpenID Connect Discovery
        // §4.3, the mix-up attack).
        if !configured.is_same_but_for_slash(&self.issuer) {
            return Err(DiscoveryError::Unacceptable(
                "its issuer is not the configured one".to_owned(),
            ));
        }
        let issuer = Issuer::parse(&self.issuer)
            .map_err(|error| DiscoveryError::Unacceptable(format!("its issuer {error}")))?;
        let optional = [
            ("userinfo_endpoint", &self.userinfo_endpoint),
            ("revocation_endpoint", &self.revocation_endpoint),
            ("end_session_endpoint", &self.end_session_endpoint),
        ];
        check_endpoint(
            &issuer,
            "authorization_endpoint",
            &self.authorization_endpoint,
        )?;
        check_endpoint(&issuer, "token_endpoint", &self.token_endpoint)?;
        check_endpoint(&issuer, "jwks_uri", &self.jwks_uri)?;
        for (name, url) in optional {
            url.as_ref()
                .map_or(Ok(()), |url| check_endpoint(&issuer, name, url))?;
        }
        Ok(Metadata {
            issuer,
            authorization_endpoint: self.authorization_endpoint,
            token_endpoint: self.token_endpoint,
            jwks_uri: self.jwks_uri,
            userinfo_endpoint: self.userinfo_endpoint,
            revocation_endpoint: self.revocation_endpoint,
            end_session_endpoint: self.end_session_endpoint,
            token_endpoint_auth_methods_supported: self.token_endpoint_auth_methods_supported,
            id_token_signing_alg_values_supported: self.id_token_signing_alg_values_supported,
            code_challenge_methods_supported: self.code_challenge_methods_supported,
            authorization_response_iss_parameter_supported: self
                .authorization_response_iss_parameter_supported,
            backchannel_logout_supported: self.backchannel_logout_supported,
            backchannel_logout_session_supported: self.backchannel_logout_session_supported,
        })
    }
}

/// Plain http only where the issuer itself is on this machine over plain http.
fn check_endpoint(issuer: &Issuer, name: &str, url: &Url) -> Result<(), DiscoveryError> {
    let is_secure = url.scheme() == "https" && url.has_host();
    let is_local = url.scheme() == "http" && is_loopback(url) && is_loopback(issuer.url());
    let has_user = !url.username().is_empty() || url.password().is_some();
    if (is_secure || is_local) && !has_user {
        return Ok(());
    }
    Err(DiscoveryError::Unacceptable(format!(
        "its {name} is not https"
    )))
}

#[cfg(test)]
mod tests;
