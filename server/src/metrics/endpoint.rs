//! `GET /metrics`, and what counts requests.

use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};

use super::Metrics;
use super::labels::{Limit, StatusClass};
use crate::auth::watch::Watching;
use crate::request_id::Route;
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

/// Counts a request, also one whose sender goes away before the answer.
pub struct Counting<'a> {
    metrics: &'a Metrics,
    route: Route,
    began: Instant,
    status: StatusClass,
}

impl<'a> Counting<'a> {
    /// From now on.
    #[must_use]
    pub fn begin(metrics: &'a Metrics, route: Route) -> Self {
        Self {
            metrics,
            route,
            began: Instant::now(),
            status: StatusClass::Aborted,
        }
    }

    /// With this answer.
    pub fn end(mut self, response: &Response) {
        self.status = StatusClass::of(response.status());
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            self.metrics.limit_hit(Limit::Rate);
        }
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.metrics.request_ended(self.route, took, self.status);
    }
}
