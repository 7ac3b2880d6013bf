//! `GET /metrics`, and the layer that counts requests.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};

use super::Metrics;
use super::labels::{Limit, Route, StatusClass};
use crate::auth::watch::Watching;
use crate::request_id::route;
use crate::state::Handoff;

/// Prometheus asks for this among others, and reads it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`: all counters. Which listener has it is the router's business.
pub async fn metrics(
    State(metrics): State<Metrics>,
    State(handoff): State<Handoff>,
    State(watching): State<Watching>,
) -> Response {
    metrics.frames(handoff.waiting.count(), watching.count());
    let headers = [
        (header::CONTENT_TYPE, OPEN_METRICS),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, metrics.text()).into_response()
}

/// Counts each request, also those whose sender went away before the answer.
pub async fn count_request(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let mut counting = Counting {
        metrics,
        route: Route(route(&request).to_owned()),
        began: Instant::now(),
        status: StatusClass::Aborted,
    };
    let response = next.run(request).await;
    counting.status = StatusClass::of(response.status());
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        counting.metrics.limit_hit(Limit::Rate);
    }
    response
}

struct Counting {
    metrics: Metrics,
    route: Route,
    began: Instant,
    status: StatusClass,
}

impl Drop for Counting {
    fn drop(&mut self) {
        let route = std::mem::replace(&mut self.route, Route(String::new()));
        self.metrics
            .request_ended(route, self.began.elapsed(), self.status);
    }
}
