//! The companion server: OpenID Connect relying party and confidential client of the
//! Streamlit component. It hosts the login, keeps the tokens, and serves the frontend.
//!
//! Where to look: a login's steps are the files of [`auth`], one route each; what a request
//! must show to be heard is in [`requests`]; what leaves us is in `shared`.

pub mod app;
pub mod assets;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod client_address;
pub mod closing;
pub mod config;
pub mod cookies;
pub mod development;
pub mod error;
mod header_timer;
pub mod health;
pub mod host;
pub mod metrics;
pub mod observed_store;
pub mod open_files;
pub mod pages;
pub mod provider_errors;
pub mod rate_limit;
pub mod redirect;
pub mod remote_api;
pub mod request_id;
pub mod requests;
pub mod security_headers;
pub mod serve;
pub mod service_tokens;
pub mod sessions;
pub mod slow_bodies;
pub mod state;
pub mod telemetry;
pub mod upkeep;
pub mod user;
pub mod values;

use std::pin::pin;

use axum::Router;
use axum::extract::{FromRef as _, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use shared::routes;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::{App, limit_time, panicked};
use crate::auth::callback;
use crate::state::{AppState, Config};

/// All routes with all their protections.
pub fn app(state: AppState) -> App {
    pages::start_renderer();
    let probes = if publishes_metrics(&Config::from_ref(&state)) {
        operator_routes()
    } else {
        probes()
    };
    let routes = browser_routes()
        .merge(host_routes())
        .merge(probes)
        .fallback(pages::not_found)
        .method_not_allowed_fallback(callback::method_not_allowed);
    App::new(routes, state)
}

fn browser_routes() -> Router<AppState> {
    Router::new()
        .route(routes::LAUNCHER, get(pages::launcher))
        .route(routes::SIGNED_IN, get(pages::signed_in))
        .route(routes::SIGNED_OUT, get(pages::signed_out))
        .route(routes::COMPONENT, get(assets::component))
        .route("/streamlit/", get(assets::component))
        .route(routes::HERO, get(assets::hero))
        .route("/static/{file}", get(assets::file))
        .route(
            routes::LOGIN,
            get(auth::login::by_navigation)
                .head(no_such_method_of_login)
                .post(auth::login::by_frame)
                .fallback(no_such_method_of_login),
        )
        .route(
            routes::CALLBACK,
            get(callback::by_redirect)
                .head(callback::no_such_method)
                .post(callback::by_form_post)
                .fallback(callback::no_such_method),
        )
        .route(routes::HANDOFF, post(auth::handoff::handoff))
        .route(routes::TICKET, post(auth::ticket::ticket))
        .route(routes::WATCH, post(auth::watch::watch))
        .route(routes::ME, get(auth::me::me))
        .route(
            routes::LOGOUT,
            get(pages::confirm_sign_out).post(auth::logout::logout),
        )
        .route(routes::PONG, get(auth::pong::pong))
        .route(routes::PING, get(health::ping))
}

/// For `HEAD` too (link scanners), which would begin a login.
async fn no_such_method_of_login() -> Response {
    callback::only("GET,POST")
}

/// The back channel: Streamlit hosts with their credential, and the provider.
fn host_routes() -> Router<AppState> {
    Router::new()
        .route(routes::REDEEM, post(auth::redeem::redeem))
        .route(routes::TOKEN, post(auth::token::token))
        .route(routes::SESSION, post(auth::session::session))
        .route(routes::REVOKE, post(auth::revoke::revoke))
        .route(
            routes::BACKCHANNEL_LOGOUT,
            post(auth::backchannel_logout::backchannel_logout),
        )
}

/// What the operator's own listener (`METRICS_ADDR`) answers. No check of the host name: it is
/// reached by address, and tells counts only.
pub fn operator_router(state: AppState) -> Router {
    operator_routes()
        .fallback(pages::not_found)
        .layer(from_fn(async |request: Request, next: Next| {
            limit_time(pin!(next.run(request))).await
        }))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(state)
}

fn operator_routes() -> Router<AppState> {
    probes().route("/metrics", get(metrics::metrics))
}

fn probes() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
}

/// Counts say how many people sign in, and how often it fails: on the public listener they are
/// for developers only, so that nobody publishes them by accident.
fn publishes_metrics(config: &Config) -> bool {
    config.metrics_address.is_none() && config.base.is_loopback()
}
