//! One companion and its provider, and the clock that both go by.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_tenant::{
    API_IDENTIFIER, APP_CLIENT_ID, APP_CLIENT_SECRET, DevTenant, ROLES_CLAIM, SigningKeyPem,
};
use oidc::{Clock, Random};
use server::assets::Assets;
use server::config::{Lookup, Settings};
use server::state::{AppState, Outside};
use session_store::{RedisStore, SessionStore, SqliteStore};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::util::BoxCloneSyncService;

use super::answer::Answer;
use super::browser::Browser;
use super::clock::{FakeClock, SeededRandom};
use super::faulty_store::StoreFaults;
use super::jar::Topology;

pub(crate) const BASE: &str = "http://localhost:3001";
pub(crate) const STREAMLIT_ORIGIN: &str = "http://127.0.0.1:4010";
pub(crate) const STREAMLIT_SECRET: &str = "the-credential-of-the-streamlit-hosts-of-the-tests";
const AUTH0_SECRET: &str = "the-session-secret-of-the-companion-in-the-tests";
const SCOPE: &str = "openid profile email offline_access read:messages read:chart read:export write:import write:solve";

/// What a browser or host of the tests talks to: this companion, or one in another process.
pub(crate) type App = BoxCloneSyncService<Request, Response, Infallible>;

/// Everything of one test.
pub(crate) struct World {
    pub(crate) tenant: DevTenant,
    pub(crate) clock: FakeClock,
    pub(crate) app: App,
    /// Of the companion that serves `app`.
    pub(crate) state: AppState,
    pub(crate) base: String,
    pub(crate) exchanges: Arc<Mutex<Vec<Exchange>>>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) directory: Arc<TempDir>,
    random: Arc<SeededRandom>,
}

/// What left the companion.
pub(crate) struct Exchange {
    pub(crate) to_browser: bool,
    pub(crate) path: String,
    pub(crate) answer: Answer,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With these settings over those of the tests.
    pub(crate) async fn with(changes: &[(&str, &str)]) -> Self {
        Self::with_tenant(changes, |sheet| sheet).await
    }

    /// With changes to the provider's sheet, too.
    pub(crate) async fn with_tenant(
        changes: &[(&str, &str)],
        change: impl FnOnce(dev_tenant::Settings) -> dev_tenant::Settings,
    ) -> Self {
        super::log::prepare();
        let clock = FakeClock::new();
        // Another site than the companion's, or mistakes with `SameSite` pass unseen (G04).
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://{}/", listener.local_addr().unwrap());
        let mut settings = settings(&issuer);
        settings.extend(owned(changes));
        let base = settings["AUTH0_BASE_URL"].clone();
        let tenant = tenant(change(sheet(&issuer, &base)), clock.clone());
        tokio::spawn(dev_tenant::serve(listener, tenant.clone(), pending()));
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let random = Arc::new(SeededRandom::new());
        let store = store(&settings, &directory);
        let (app, state) = companion(&settings, store, &clock, &random);
        Self {
            app,
            state,
            tenant,
            clock,
            base,
            exchanges: Arc::default(),
            settings,
            directory,
            random,
        }
    }

    /// The companion started again, on the same sessions, with these settings over the
    /// former. The former one stays, as a second replica.
    pub(crate) fn restarted(&self, changes: &[(&str, &str)]) -> Self {
        self.started(changes, |store| store)
    }

    /// Access tokens live five minutes; the companion's store fails where a test wants it.
    pub(crate) async fn faulty() -> (Self, StoreFaults) {
        let world = Self::with_tenant(&[], |mut sheet| {
            sheet.apis[0].token_seconds = 300;
            sheet
        })
        .await;
        let faults = StoreFaults::default();
        let world = world.behind(|store| faults.before(store));
        (world, faults)
    }

    /// The companion started again, with something before its store.
    pub(crate) fn behind(
        &self,
        change: impl FnOnce(Arc<dyn SessionStore>) -> Arc<dyn SessionStore>,
    ) -> Self {
        self.started(&[], change)
    }

    fn started(
        &self,
        changes: &[(&str, &str)],
        change: impl FnOnce(Arc<dyn SessionStore>) -> Arc<dyn SessionStore>,
    ) -> Self {
        let mut settings = self.settings.clone();
        settings.extend(owned(changes));
        let store = change(store(&settings, &self.directory));
        let (app, state) = companion(&settings, store, &self.clock, &self.random);
        Self {
            app,
            state,
            tenant: self.tenant.clone(),
            clock: self.clock.clone(),
            base: self.base.clone(),
            exchanges: Arc::clone(&self.exchanges),
            settings,
            directory: Arc::clone(&self.directory),
            random: Arc::clone(&self.random),
        }
    }

    /// A browser whose Streamlit page is on another site, third-party cookies blocked.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self, Topology::CrossSite)
    }

    /// A fresh value like those that frames and hosts make.
    pub(crate) fn random_256(&self) -> String {
        oidc::random_base64url::<32>(&*self.random)
    }
}

fn owned(changes: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    changes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

fn settings(issuer: &str) -> BTreeMap<String, String> {
    owned(&[
        ("AUTH0_BASE_URL", BASE),
        ("AUTH0_ISSUER_BASE_URL", issuer),
        ("AUTH0_CLIENT_ID", APP_CLIENT_ID),
        ("AUTH0_CLIENT_SECRET", APP_CLIENT_SECRET),
        ("AUTH0_SECRET", AUTH0_SECRET),
        ("AUTH0_AUDIENCE", API_IDENTIFIER),
        ("AUTH0_SCOPE", SCOPE),
        ("ROLES_CLAIM", ROLES_CLAIM),
        ("STREAMLIT_SECRET", STREAMLIT_SECRET),
        ("AUDIT_LOG", "off"),
        (
            "STREAMLIT_ORIGINS",
            "http://127.0.0.1:4010,http://localhost:4010",
        ),
        ("EMBED_ORIGINS", "https://portal.example.org"),
    ])
    .collect()
}

fn sheet(issuer: &str, base: &str) -> dev_tenant::Settings {
    dev_tenant::Settings::for_issuer(issuer).allow_base_url(base)
}

/// Making an RSA key takes most of a test's time: all tenants share one.
fn tenant(mut sheet: dev_tenant::Settings, clock: FakeClock) -> DevTenant {
    static KEY: OnceLock<SigningKeyPem> = OnceLock::new();
    sheet.signing_key = Some(KEY.get_or_init(SigningKeyPem::generate).clone());
    DevTenant::new(sheet, Arc::new(move || clock.seconds()))
}

/// `SESSION_STORE` if it is a Redis, else a file of the world's own.
fn store(settings: &BTreeMap<String, String>, directory: &TempDir) -> Arc<dyn SessionStore> {
    let store: Arc<dyn SessionStore> = match settings.get("SESSION_STORE") {
        Some(url) if url.starts_with("redis") => Arc::new(RedisStore::new(url).unwrap()),
        _ => Arc::new(SqliteStore::open(&directory.path().join("sessions.db")).unwrap()),
    };
    // It fails nowhere, and lets the paused clock stand still while it works.
    StoreFaults::default().before(store)
}

fn companion(
    settings: &BTreeMap<String, String>,
    store: Arc<dyn SessionStore>,
    clock: &FakeClock,
    random: &Arc<SeededRandom>,
) -> (App, AppState) {
    let has_frontend = settings.contains_key("STATIC_DIR");
    let settings = Settings::parse(&Lookup::of(settings.clone()))
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let random: Arc<dyn Random> = Arc::clone(random) as Arc<dyn Random>;
    let assets = if has_frontend {
        Assets::load(&settings).unwrap()
    } else {
        Assets::without_frontend()
    };
    let outside = Outside {
        clock,
        random,
        store,
        assets,
    };
    let state = AppState::new(settings, outside).unwrap();
    (App::new(server::app(state.clone())), state)
}

pub(crate) fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Waits for what happens soon, without anybody waiting for it; no longer than ten seconds.
pub(crate) async fn eventually<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let deadline = tokio::time::sleep(Duration::from_secs(10));
    tokio::pin!(deadline);
    loop {
        if condition().await {
            return;
        }
        tokio::select! {
            biased;
            () = &mut deadline => panic!("it did not happen"),
            () = tokio::task::yield_now() => {}
        }
    }
}
