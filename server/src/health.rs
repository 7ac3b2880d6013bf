//! Probes for operators and the public ping.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use oidc::{DiscoveryError, Provider};
use serde_json::json;
use session_store::StoreError;
use shared::auth::Ping;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::causes;
use crate::sessions::Sessions;

const READY: &str = "ready";
const UNAVAILABLE: &str = "unavailable";
const MISCONFIGURED: &str = "misconfigured";

/// `GET /healthz`: the process answers.
pub async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "live" }))
}

/// `GET /readyz`: logins can work: provider metadata and store are at hand. Says which is
/// not, and whether waiting may help (`unavailable`) or somebody must act (`misconfigured`);
/// what exactly is wrong is for the log.
pub async fn readyz(
    State(provider): State<Provider>,
    State(sessions): State<Sessions>,
) -> Response {
    let (provider, store) = tokio::join!(provider.ready(), sessions.store().probe());
    let provider = provider.map_err(|error| match error {
        DiscoveryError::Unavailable { .. } => UNAVAILABLE,
        DiscoveryError::Unacceptable(_) => MISCONFIGURED,
    });
    let store = store.map_err(|error| {
        tracing::warn!(error = causes(&error), "the session store is not ready");
        match error {
            StoreError::Unavailable(_) => UNAVAILABLE,
            StoreError::Faulty(_) => MISCONFIGURED,
        }
    });
    let status = if provider.is_ok() && store.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = |part: Result<(), &'static str>| part.err().unwrap_or(READY);
    (
        status,
        Json(json!({ "provider": word(provider), "store": word(store) })),
    )
        .into_response()
}

/// `GET /api/ping`: the time here.
pub async fn ping(State(sessions): State<Sessions>) -> Json<Ping> {
    let now =
        OffsetDateTime::from_unix_timestamp(sessions.now()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Json(Ping {
        ping: now.format(&Rfc3339).unwrap_or_default(),
    })
}
