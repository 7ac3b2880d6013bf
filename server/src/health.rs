//! Probes for operators and the public ping.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use http::StatusCode;
use oidc::{DiscoveryError, Provider};
use serde_json::json;
use session_store::StoreError;
use shared::auth::Ping;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{AppError, causes};
use crate::sessions::Sessions;

const READY: &str = "ready";
const UNAVAILABLE: &str = "unavailable";
const MISCONFIGURED: &str = "misconfigured";

/// `GET /healthz`: the process answers.
pub async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "live" }))
}

/// What was found, remembered for the second in which it was: the route is public, and to
/// look writes to the store. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Readiness {
    provider: Provider,
    sessions: Sessions,
    last: Arc<Mutex<Option<Look>>>,
}

/// On a task of its own, so that whoever hangs up does not make the next one begin anew.
/// `None`: it panicked.
type Look = Shared<BoxFuture<'static, Option<Found>>>;

#[derive(Clone, Copy)]
struct Found {
    /// Unix seconds.
    at: i64,
    provider: Result<(), &'static str>,
    store: Result<(), &'static str>,
}

impl Readiness {
    /// Of this provider and the store below these sessions.
    #[must_use]
    pub fn new(provider: Provider, sessions: Sessions) -> Self {
        Self {
            provider,
            sessions,
            last: Arc::default(),
        }
    }

    /// The look under way, or what was found within this second, or a new look.
    fn look(&self) -> Look {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = &*last {
            let is_good = match look.peek() {
                None => true,
                // Not "no older than": a clock that is set back would keep it for ever (E26).
                Some(found) => found.is_some_and(|found| found.at == self.sessions.now()),
            };
            if is_good {
                return look.clone();
            }
        }
        let (provider, sessions) = (self.provider.clone(), self.sessions.clone());
        let looking = async move { Found::now(&provider, &sessions).await };
        let looking = AssertUnwindSafe(looking).catch_unwind().map(Result::ok);
        let look = looking.boxed().shared();
        tokio::spawn(look.clone());
        last.insert(look).clone()
    }
}

impl Found {
    async fn now(provider: &Provider, sessions: &Sessions) -> Self {
        let (provider, store) = tokio::join!(provider.ready(), sessions.store().probe());
        Self {
            at: sessions.now(),
            provider: provider.map_err(|error| match error {
                DiscoveryError::Unavailable { .. } => UNAVAILABLE,
                DiscoveryError::Unacceptable(_) => MISCONFIGURED,
            }),
            store: store.map_err(|error| {
                tracing::warn!(error = causes(&error), "the session store is not ready");
                match error {
                    StoreError::Unavailable(_) => UNAVAILABLE,
                    StoreError::Faulty(_) => MISCONFIGURED,
                }
            }),
        }
    }
}

/// `GET /readyz`: logins can work: provider metadata and store are at hand. Says which is
/// not, and whether waiting may help (`unavailable`) or somebody must act (`misconfigured`);
/// what exactly is wrong is for the log.
///
/// # Errors
/// 500 if the look itself failed.
pub async fn readyz(State(readiness): State<Readiness>) -> Result<Response, AppError> {
    let Some(found) = readiness.look().await else {
        return Err(AppError::Internal("the look at readiness panicked".into()));
    };
    let status = if found.provider.is_ok() && found.store.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = |part: Result<(), &'static str>| part.err().unwrap_or(READY);
    let body = json!({ "provider": word(found.provider), "store": word(found.store) });
    Ok((status, Json(body)).into_response())
}

/// `GET /api/ping`: the time here.
pub async fn ping(State(sessions): State<Sessions>) -> Json<Ping> {
    let now =
        OffsetDateTime::from_unix_timestamp(sessions.now()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Json(Ping {
        ping: now.format(&Rfc3339).unwrap_or_default(),
    })
}
