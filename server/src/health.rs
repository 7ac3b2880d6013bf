//! Probes for operators and the public ping.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use oidc::Provider;
use serde_json::json;
use shared::auth::Ping;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::sessions::Sessions;

/// `GET /healthz`: the process answers.
pub async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "live" }))
}

/// `GET /readyz`: logins can work: provider metadata and store are at hand. Says which is
/// missing, and no more.
pub async fn readyz(
    State(provider): State<Provider>,
    State(sessions): State<Sessions>,
) -> Response {
    let provider_ready = provider.ready().await.is_ok();
    let store_ready = sessions.store().probe().await.is_ok();
    let word = |ready| if ready { "ready" } else { "unavailable" };
    let status = if provider_ready && store_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "provider": word(provider_ready), "store": word(store_ready) })),
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
