//! What handlers can ask for. Each takes the part it uses, none the whole.

use std::ops::Deref;
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::FromRef;
use oidc::{Clock, HttpClient, Provider, ProviderSettings, Random};
use session_store::{KeyRing, SessionStore};

use crate::assets::Assets;
use crate::audit::Audit;
use crate::auth::logout::SignOut;
use crate::auth::refresh::AccessTokens;
use crate::auth::transaction::Transactions;
use crate::auth::waiting::Waiting;
use crate::auth::watch::Watching;
use crate::closing::Closing;
use crate::config::Settings;
use crate::cookies::CookiePolicy;
use crate::health::Readiness;
use crate::metrics::Metrics;
use crate::observed_store::ObservedStore;
use crate::rate_limit::RateLimits;
use crate::remote_api::RemoteApi;
use crate::sessions::Sessions;

/// The settings, shared.
#[derive(Clone)]
pub struct Config(Arc<Settings>);

impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.0
    }
}

/// Everything. One pointer to clone: axum does so several times for each request.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// Each part by its name, and by its type for handlers that ask for it.
macro_rules! parts {
    ($($part:ident: $type:ty,)+) => {
        struct Parts {
            $($part: $type,)+
        }

        $(impl FromRef<AppState> for $type {
            fn from_ref(state: &AppState) -> Self {
                state.0.$part.clone()
            }
        })+
    };
}

parts! {
    config: Config,
    provider: Provider,
    sessions: Sessions,
    cookies: CookiePolicy,
    transactions: Transactions,
    waiting: Waiting,
    tokens: AccessTokens,
    sign_out: SignOut,
    watching: Watching,
    closing: Closing,
    assets: Assets,
    remote_api: RemoteApi,
    metrics: Metrics,
    rate_limits: RateLimits,
    readiness: Readiness,
    audit: Audit,
}

/// What beginning a login needs.
#[derive(Clone)]
pub struct Login {
    /// The settings.
    pub config: Config,
    /// The provider.
    pub provider: Provider,
    /// Login transactions.
    pub transactions: Transactions,
    /// Sessions.
    pub sessions: Sessions,
    /// Cookies.
    pub cookies: CookiePolicy,
    /// What is reported.
    pub audit: Audit,
}

impl FromRef<AppState> for Login {
    fn from_ref(state: &AppState) -> Self {
        Self {
            config: state.0.config.clone(),
            provider: state.0.provider.clone(),
            transactions: state.0.transactions.clone(),
            sessions: state.0.sessions.clone(),
            cookies: state.0.cookies,
            audit: state.0.audit.clone(),
        }
    }
}

/// What finishing a login needs.
#[derive(Clone)]
pub struct Callback {
    /// The settings.
    pub config: Config,
    /// The provider.
    pub provider: Provider,
    /// Login transactions.
    pub transactions: Transactions,
    /// Sessions.
    pub sessions: Sessions,
    /// Frames that wait for a result.
    pub waiting: Waiting,
    /// Cookies.
    pub cookies: CookiePolicy,
    /// Ends what a login replaces.
    pub sign_out: SignOut,
    /// Waits for logins that are being finished.
    pub closing: Closing,
    /// What is reported.
    pub audit: Audit,
}

impl FromRef<AppState> for Callback {
    fn from_ref(state: &AppState) -> Self {
        Self {
            config: state.0.config.clone(),
            provider: state.0.provider.clone(),
            transactions: state.0.transactions.clone(),
            sessions: state.0.sessions.clone(),
            waiting: state.0.waiting.clone(),
            cookies: state.0.cookies,
            sign_out: state.0.sign_out.clone(),
            closing: state.0.closing.clone(),
            audit: state.0.audit.clone(),
        }
    }
}

/// What redeeming a ticket needs.
#[derive(Clone)]
pub struct Redeeming {
    /// The settings.
    pub config: Config,
    /// Sessions.
    pub sessions: Sessions,
    /// Their access tokens.
    pub tokens: AccessTokens,
    /// How often a Streamlit session may ask.
    pub rate_limits: RateLimits,
    /// What is reported.
    pub audit: Audit,
}

impl FromRef<AppState> for Redeeming {
    fn from_ref(state: &AppState) -> Self {
        Self {
            config: state.0.config.clone(),
            sessions: state.0.sessions.clone(),
            tokens: state.0.tokens.clone(),
            rate_limits: state.0.rate_limits.clone(),
            audit: state.0.audit.clone(),
        }
    }
}

/// What handing a login over to its frame needs.
#[derive(Clone)]
pub struct Handoff {
    /// The settings.
    pub config: Config,
    /// Sessions.
    pub sessions: Sessions,
    /// Frames that wait for a result.
    pub waiting: Waiting,
    /// Cookies.
    pub cookies: CookiePolicy,
    /// Ends what a login replaces.
    pub sign_out: SignOut,
}

impl FromRef<AppState> for Handoff {
    fn from_ref(state: &AppState) -> Self {
        Self {
            config: state.0.config.clone(),
            sessions: state.0.sessions.clone(),
            waiting: state.0.waiting.clone(),
            cookies: state.0.cookies,
            sign_out: state.0.sign_out.clone(),
        }
    }
}

/// What comes from outside: tests bring their own.
pub struct Outside {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Where sessions live.
    pub store: Arc<dyn SessionStore>,
    /// The built frontend.
    pub assets: Assets,
}

impl AppState {
    /// Puts the parts together. Must be called on the async runtime.
    ///
    /// # Errors
    /// If the TLS stack cannot be set up or the secrets are too short.
    pub fn new(settings: Settings, outside: Outside) -> anyhow::Result<Self> {
        let Outside {
            clock,
            random,
            store,
            assets,
        } = outside;
        let settings = Arc::new(settings);
        let config = Config(Arc::clone(&settings));
        let metrics = Metrics::new();
        let audit = Audit::open(&settings.audit_log, metrics.clone(), Arc::clone(&clock))
            .context("AUDIT_LOG cannot be opened")?;
        let store = Arc::new(ObservedStore::new(store, metrics.clone()));
        let closing = Closing::new();
        let cookies = CookiePolicy::new(&settings);
        let provider = provider(
            &settings,
            HttpClient::new()?.observed_by(Arc::new(metrics.clone())),
            Arc::clone(&clock),
            Arc::clone(&random),
        );
        let secrets = &settings.session_secrets;
        let sessions = Sessions::new(
            store,
            KeyRing::derive(secrets, "session")?,
            clock,
            random,
            settings.lifetimes,
            closing.clone(),
        );
        let transactions = Transactions::new(
            KeyRing::derive(secrets, "transaction")?,
            cookies,
            Arc::clone(&settings),
        );
        let waiting = Waiting::new(sessions.clone(), closing.clone(), &metrics);
        let tokens = AccessTokens::new(
            provider.clone(),
            sessions.clone(),
            config.clone(),
            closing.clone(),
            audit.clone(),
        );
        let sign_out = SignOut::new(
            sessions.clone(),
            tokens.clone(),
            provider.clone(),
            config.clone(),
            audit.clone(),
            closing.clone(),
        );
        let rate_limits = RateLimits::new(settings.rate_limit);
        Ok(Self(Arc::new(Parts {
            transactions,
            waiting,
            watching: Watching::new(sessions.clone(), closing.clone(), &metrics),
            remote_api: RemoteApi::new(settings.remote_api.clone())?,
            rate_limits,
            readiness: Readiness::new(provider.clone(), sessions.clone()),
            config,
            provider,
            sessions,
            cookies,
            tokens,
            sign_out,
            closing,
            assets,
            metrics,
            audit,
        })))
    }

    /// What is counted here.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// The sessions, over the store with its deadlines.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// The end of the process: whoever runs it says when.
    #[must_use]
    pub fn closing(&self) -> &Closing {
        &self.0.closing
    }

    /// Fetches the provider's metadata and keys ahead of the first login. A provider that is
    /// down keeps nobody from starting: the first request tries again.
    pub async fn warm_up(self) {
        if let Err(error) = self.0.provider.ready().await {
            tracing::warn!(
                error = crate::error::causes(&error),
                "the provider is not ready yet"
            );
        }
    }
}

/// The configured provider; nothing is fetched from it yet.
#[must_use]
pub fn provider(
    settings: &Settings,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Provider {
    let known = ProviderSettings {
        issuer: settings.issuer.clone(),
        client_id: settings.client_id.clone(),
        client_secret: settings.client_secret.clone(),
        algorithms: settings.algorithms.clone(),
        clock_skew: settings.clock_skew,
    };
    Provider::new(known, http, clock, random)
}
