//! The endpoints.

use std::{sync::Arc, time::Duration};

use api_guard::{Authenticated, Guard, RequiredScope, Scoped};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRef, Request, State},
    middleware::{Next, from_fn},
    response::Response,
    routing::{MethodRouter, get, post},
};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};
use oidc::{
    AccessTokenPolicy, AccessTokenVerifier, Clock, Discovery, HttpClient, Random, SigningKeys,
    UnixTime,
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tower_http::{
    catch_panic::CatchPanicLayer, cors::CorsLayer, set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer,
};

use crate::{
    Config,
    answers::{LARGEST_BODY, Refusal},
    model::{CAPACITY, ModelStore},
    model_routes,
    openapi::{self, Description},
};

/// Longer than the deadline of a request for keys, so that its answer can still be given.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How long browsers may remember a preflight's answer.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// What handlers ask for.
#[derive(Clone, FromRef)]
pub struct AppState {
    guard: Guard,
    clock: Arc<dyn Clock>,
    models: ModelStore,
    description: Description,
}

impl AppState {
    /// Prepares the guard; nothing is fetched yet, so that the start needs no provider.
    #[must_use]
    pub fn new(
        config: &Config,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let discovery = Discovery::new(config.issuer.clone(), http, Arc::clone(&clock), random);
        let policy = AccessTokenPolicy {
            audience: config.audience.clone(),
            algorithms: config.algorithms.clone(),
            clock_skew: config.clock_skew,
            max_lifetime_seconds: config.max_token_lifetime_seconds,
            allowed_clients: config.allowed_clients.clone(),
        };
        let verifier = AccessTokenVerifier::new(SigningKeys::new(discovery), policy);
        Self {
            guard: Guard::new(verifier, Arc::clone(&clock)),
            clock,
            models: ModelStore::new(CAPACITY),
            description: Description::of(config),
        }
    }
}

/// All routes with their layers.
pub fn router(state: AppState, config: &Config) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| {
            router.route(path, methods)
        })
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .with_state(state)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(header(CACHE_CONTROL, "no-store"))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .layer(cors(config))
        .layer(from_fn(preflight_without_content))
        .layer(CatchPanicLayer::new())
}

/// As a list, so that a test can hold it against `openapi.json`.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<AppState>)> {
    vec![
        ("/api/ping", get(ping)),
        ("/api/pong", get(pong)),
        ("/api/pong-scoped", get(pong_scoped)),
        ("/api/model/solve", post(model_routes::solve)),
        ("/api/model/export", get(model_routes::export)),
        ("/api/model/import", post(model_routes::import)),
        ("/api/model/chart", get(model_routes::chart)),
        ("/openapi.json", get(openapi::document)),
        ("/healthz", get(healthz)),
    ]
}

/// The CORS layer answers every OPTIONS itself, with an empty 200.
async fn preflight_without_content(request: Request, next: Next) -> Response {
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if is_preflight && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}

/// Tokens come in a header that only script can set, so cookies are never asked for.
fn cors(config: &Config) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(config.cors_origins.clone())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([WWW_AUTHENTICATE])
        .max_age(PREFLIGHT_AGE)
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}

#[derive(Serialize)]
struct Ping {
    ping: String,
}

#[derive(Serialize)]
struct Pong {
    #[serde(rename = "pong")]
    time: String,
    sub: String,
    scope: String,
    permissions: Vec<String>,
}

struct ReadMessages;

impl RequiredScope for ReadMessages {
    const TOKEN: &'static str = "read:messages";
}

async fn ping(State(clock): State<Arc<dyn Clock>>) -> Json<Ping> {
    Json(Ping {
        ping: rfc_3339(clock.now()),
    })
}

async fn pong(
    State(clock): State<Arc<dyn Clock>>,
    Authenticated(token): Authenticated,
) -> Json<Pong> {
    Json(Pong::new(clock.now(), &token))
}

async fn pong_scoped(
    State(clock): State<Arc<dyn Clock>>,
    scoped: Scoped<ReadMessages>,
) -> Json<Pong> {
    Json(Pong::new(clock.now(), &scoped.token))
}

/// The process lives. Whether the provider does is not its health.
async fn healthz() -> &'static str {
    "ok"
}

impl Pong {
    fn new(now: UnixTime, token: &oidc::VerifiedAccessToken) -> Self {
        Self {
            time: rfc_3339(now),
            sub: token.subject().to_string(),
            scope: token.scope().to_string(),
            permissions: token.permissions().to_vec(),
        }
    }
}

fn rfc_3339(time: UnixTime) -> String {
    OffsetDateTime::from_unix_timestamp(time.seconds())
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}
