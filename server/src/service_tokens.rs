//! The companion's own access tokens for the remote API (RFC 6749 §4.4): nobody's in
//! particular, so no answer to a browser may ever come from a call with one. Kept until
//! shortly before they end; however many ask at once, the provider is asked once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use oidc::{Provider, TokenRequestError, TokenSet};

use crate::config::ServiceClient;

/// A token that ends sooner is not handed out: the call and the API's clock need some time.
const RENEW_BEFORE_SECONDS: i64 = 60;

type Flight = Shared<BoxFuture<'static, Result<TokenSet, TokenRequestError>>>;

/// Cheap to clone; clones share the token.
#[derive(Clone)]
pub struct ServiceTokens {
    provider: Provider,
    client: Arc<ServiceClient>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    current: Option<TokenSet>,
    under_way: Option<Flight>,
}

impl ServiceTokens {
    /// For this client; nothing is asked for yet.
    #[must_use]
    pub fn new(provider: Provider, client: ServiceClient) -> Self {
        Self {
            provider,
            client: Arc::new(client),
            state: Arc::default(),
        }
    }

    /// A token that is good for a minute at least, if the provider makes such.
    ///
    /// # Errors
    /// What the provider answered; the next call asks it again.
    pub async fn fresh(&self) -> Result<TokenSet, TokenRequestError> {
        let flight = {
            let mut state = self.state();
            if let Some(current) = state.current.as_ref().filter(|known| self.lasts(known)) {
                return Ok(current.clone());
            }
            state.join(|| self.request())
        };
        let tokens = flight.await?;
        self.state().current = Some(tokens.clone());
        Ok(tokens)
    }

    fn lasts(&self, tokens: &TokenSet) -> bool {
        tokens.expires_at.seconds_since(self.provider.now()) > RENEW_BEFORE_SECONDS
    }

    fn request(&self) -> Flight {
        let (provider, client) = (self.provider.clone(), Arc::clone(&self.client));
        // No scope: the provider then grants all that the application is authorised for.
        let request = async move {
            provider
                .client_credentials(&client.credentials, &client.audience, None)
                .await
        };
        request.boxed().shared()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The request under way, or a new one. One that was answered is over.
    fn join(&mut self, begin: impl FnOnce() -> Flight) -> Flight {
        let under_way = self.under_way.take();
        let flight = under_way
            .filter(|flight| flight.peek().is_none())
            .unwrap_or_else(begin);
        self.under_way = Some(flight.clone());
        flight
    }
}
