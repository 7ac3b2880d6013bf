//! The tenant's handle, its router, and serving it.

use std::future::Future;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::rand;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::serve::ListenerExt as _;
use axum::{Router, middleware};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use url::Url;

use crate::clock::Clock;
use crate::faults::Faults;
use crate::journal::{Journal, JournalSnapshot};
use crate::keys::Keys;
use crate::settings::{Settings, User};
use crate::store::Store;
use crate::{
    authorize, backchannel, control, guard, hosts, login, logout, metadata, pages, revoke, token,
    userinfo,
};

/// How long open connections may outlive the shutdown signal.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
const BACKCHANNEL_TIMEOUT: Duration = Duration::from_secs(3);

/// A running tenant; clones are handles of the same one.
#[derive(Clone)]
pub struct DevTenant {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) issuer_host: Option<String>,
    users: RwLock<Vec<User>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Keys,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) store: Store,
    pub(crate) http: reqwest::Client,
}

impl DevTenant {
    /// A tenant with fresh state; makes an RSA key unless the settings hold one.
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let settings = settings.normalized();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(BACKCHANNEL_TIMEOUT)
            .no_proxy()
            .build()
            .unwrap_or_default();
        Self {
            shared: Arc::new(Shared {
                keys: Keys::new(settings.signing_key.as_ref()),
                users: RwLock::new(settings.users.clone()),
                issuer_host: Url::parse(&settings.issuer)
                    .ok()
                    .and_then(|issuer| issuer.host_str().map(str::to_owned)),
                settings,
                clock,
                faults: Faults::default(),
                journal: Journal::default(),
                store: Store::default(),
                http,
            }),
        }
    }

    /// All routes.
    pub fn router(&self) -> Router {
        let mut router = Router::new()
            .route("/", get(start_page))
            .route("/assets/dev-tenant.css", get(style))
            .route("/assets/submit.js", get(submit_script))
            .route("/avatars/{file}", get(avatar))
            .route("/authorize", get(authorize::get).post(authorize::post))
            .route("/login", get(login::page).post(login::submit))
            .route("/oidc/logout", get(logout::get).post(logout::post))
            .route("/v2/logout", get(logout::legacy))
            .merge(
                Router::new()
                    .route("/oauth/token", post(token::endpoint))
                    .route("/oauth/revoke", post(revoke::endpoint))
                    .route(
                        "/userinfo",
                        get(userinfo::endpoint).post(userinfo::endpoint),
                    )
                    .layer(guard::registered_origins(self)),
            )
            .merge(
                Router::new()
                    .route(
                        "/.well-known/openid-configuration",
                        get(metadata::discovery),
                    )
                    .route("/.well-known/jwks.json", get(metadata::jwks))
                    .layer(guard::any_origin()),
            );
        if self.shared.settings.test_switches {
            let guarded = middleware::from_fn_with_state(self.clone(), hosts::refuse_foreign_pages);
            router = router.merge(control_routes().route_layer(guarded));
        }
        router
            .fallback(not_found)
            .layer(middleware::from_fn_with_state(self.clone(), guard::guard))
            .with_state(self.clone())
    }

    /// The switches that make the tenant misbehave.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// A new key signs from now on; the previous one stays in the key set.
    pub fn rotate_keys(&self) {
        self.shared.keys.rotate(false);
    }

    /// As [`Self::rotate_keys`], and the older keys leave the key set at once.
    pub fn replace_keys(&self) {
        self.shared.keys.rotate(true);
    }

    /// What was asked so far.
    #[must_use]
    pub fn journal(&self) -> JournalSnapshot {
        self.shared.journal.snapshot()
    }

    /// Forgets what was asked so far.
    pub fn reset_journal(&self) {
        self.shared.journal.reset();
    }

    /// The issuer identifier, with its trailing slash.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.shared.settings.issuer
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Signs any claims with the current key; `header` entries override (null removes) those
    /// of the honest header. For tests of verifiers.
    #[must_use]
    pub fn sign_raw(&self, claims: &Value, header: &Map<String, Value>) -> String {
        self.shared.keys.sign(claims, header)
    }

    /// Changes a user from now on (roles, permissions, blocked); false if nobody has the name.
    pub fn change_user(&self, username: &str, change: impl FnOnce(&mut User)) -> bool {
        let mut users = self
            .shared
            .users
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let found = users.iter_mut().find(|user| user.username == username);
        found.map(change).is_some()
    }

    /// Ends a user's sessions as an administrator would, with back-channel logout.
    pub async fn end_sessions_of(&self, username: &str) {
        let Some(user) = self.user(|user| user.username == username) else {
            return;
        };
        let ended = self
            .shared
            .store
            .lock()
            .end_sessions(|session| session.sub == user.sub);
        backchannel::announce(self, ended).await;
    }

    /// Revokes all refresh tokens of a user, as an administrator would.
    pub fn revoke_refresh_tokens_of(&self, username: &str) {
        if let Some(user) = self.user(|user| user.username == username) {
            self.shared
                .store
                .lock()
                .families
                .retain(|family| family.grant.sub != user.sub);
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    pub(crate) fn users(&self) -> Vec<User> {
        self.shared
            .users
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn user(&self, matches: impl Fn(&User) -> bool) -> Option<User> {
        let users = self
            .shared
            .users
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        users.iter().find(|user| matches(user)).cloned()
    }

    /// 256 random bits, base64url.
    #[expect(clippy::expect_used, reason = "without entropy no provider can go on")]
    #[expect(
        clippy::unused_self,
        reason = "randomness belongs to the tenant, not to a global"
    )]
    pub(crate) fn random(&self) -> String {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).expect("the system's random source");
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Serves `tenant` until `shutdown` resolves. Requests that hang by a fault do not hold it up.
///
/// # Errors
/// What `axum::serve` reports of the listener.
pub async fn serve(
    listener: TcpListener,
    tenant: DevTenant,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // `axum::serve` leaves Nagle on, which costs up to 40 ms an answer.
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).ok();
    });
    let server = axum::serve(listener, tenant.router()).with_graceful_shutdown(async move {
        stopped.await.ok();
    });
    let ending = async move {
        shutdown.await;
        stop.send(()).ok();
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        result = server => result,
        () = ending => Ok(()),
    }
}

fn control_routes() -> Router<DevTenant> {
    Router::new()
        .route(
            "/dev/faults",
            get(control::faults)
                .put(control::set_faults)
                .delete(control::reset_faults),
        )
        .route(
            "/dev/journal",
            get(control::journal).delete(control::reset_journal),
        )
        .route("/dev/rotate-keys", post(control::rotate_keys))
        .route("/dev/users/{username}", put(control::change_user))
        .route(
            "/dev/users/{username}/end-sessions",
            post(control::end_sessions),
        )
        .route(
            "/dev/users/{username}/revoke-refresh-tokens",
            post(control::revoke_refresh_tokens),
        )
}

async fn start_page(State(tenant): State<DevTenant>) -> Response {
    pages::page(&pages::sheet(&tenant.shared.settings, &tenant.users()))
}

async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        pages::STYLE,
    )
}

async fn submit_script() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        pages::SUBMIT_SCRIPT,
    )
}

async fn avatar(State(tenant): State<DevTenant>, Path(file): Path<String>) -> Response {
    let username = file.strip_suffix(".svg").unwrap_or_default();
    match tenant.user(|user| user.username == username) {
        Some(user) => pages::avatar(&user),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn not_found() -> Response {
    pages::ErrorPage::new(StatusCode::NOT_FOUND, "No such page").into_response()
}
