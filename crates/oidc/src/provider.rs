//! One configured provider: everything a relying party asks of it, with one cache of its
//! documents. It decides nothing about sessions.

use std::sync::Arc;

use url::Url;

use crate::{
    algorithms::AllowedAlgorithms,
    authorization::AuthorizationRequest,
    claims::ClockSkew,
    discovery::{Discovery, DiscoveryError, Metadata},
    http_client::HttpClient,
    id_token::IdTokenVerifier,
    jwks::SigningKeys,
    logout_token::LogoutTokenVerifier,
    random::Random,
    time::{Clock, UnixTime},
    types::{ClientId, ClientSecret, Issuer, Scope},
};

/// What configuration says about the provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// With or without its trailing slash.
    pub issuer: Issuer,
    /// This relying party's name there.
    pub client_id: ClientId,
    /// And its password.
    pub client_secret: ClientSecret,
    /// Signature algorithms that count.
    pub algorithms: AllowedAlgorithms,
    /// Forgiven difference of clocks.
    pub clock_skew: ClockSkew,
}

/// A configured provider. One pointer to clone; clones share caches and connections.
#[derive(Clone)]
pub struct Provider(pub(crate) Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) settings: Arc<ProviderSettings>,
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    discovery: Discovery,
    keys: SigningKeys,
}

impl Provider {
    /// Prepares everything; nothing is fetched yet, so that a provider that is down at the
    /// start does not keep us from starting.
    #[must_use]
    pub fn new(
        settings: ProviderSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let discovery = Discovery::new(
            settings.issuer.clone(),
            http.clone(),
            Arc::clone(&clock),
            Arc::clone(&random),
        );
        Self(Arc::new(Parts {
            settings: Arc::new(settings),
            http,
            clock,
            random,
            keys: SigningKeys::new(discovery.clone()),
            discovery,
        }))
    }

    /// The provider's metadata; see [`Discovery::metadata`].
    ///
    /// # Errors
    /// When none can be had.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, DiscoveryError> {
        self.0.discovery.metadata().await
    }

    /// Whether logins can work now: metadata and signing keys are at hand.
    ///
    /// # Errors
    /// When one of them cannot be had.
    pub async fn ready(&self) -> Result<(), DiscoveryError> {
        self.0.discovery.metadata().await?;
        self.0.keys.ready().await
    }

    /// This relying party's name at the provider.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.0.settings.client_id
    }

    /// Begins an authorization request; finish it with [`AuthorizationRequest::build`].
    #[must_use]
    pub fn authorization_request<'a>(
        &'a self,
        metadata: &'a Metadata,
        redirect_uri: &'a Url,
        scope: &'a Scope,
    ) -> AuthorizationRequest<'a> {
        AuthorizationRequest::new(metadata, &self.0.settings.client_id, redirect_uri, scope)
    }

    /// The randomness that was passed in.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        &*self.0.random
    }

    /// The time, from the clock that was passed in.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.0.clock.now()
    }

    /// A verifier of this client's ID tokens.
    #[must_use]
    pub fn id_token_verifier(&self) -> IdTokenVerifier {
        IdTokenVerifier::new(self.0.keys.clone(), Arc::clone(&self.0.settings))
    }

    /// A verifier of logout tokens for this client.
    #[must_use]
    pub fn logout_token_verifier(&self) -> LogoutTokenVerifier {
        LogoutTokenVerifier::new(self.0.keys.clone(), Arc::clone(&self.0.settings))
    }

    /// The cache of signing keys, for an [`crate::AccessTokenVerifier`].
    #[must_use]
    pub fn signing_keys(&self) -> SigningKeys {
        self.0.keys.clone()
    }
}
