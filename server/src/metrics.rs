//! Counts for the operator, in the OpenMetrics text format that Prometheus reads.
//!
//! Its one job is to count. It decides nothing, and it takes no label from outside: see
//! [`labels`]. The registry is a value of this process' [`AppState`](crate::state::AppState);
//! two companions in one process count apart.

mod endpoint;
pub mod labels;
mod meters;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use oidc::{RequestKind, RequestObserver};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use self::endpoint::{Counting, metrics};
use self::labels::{
    AuditEvent, Build, Limit, LoginFailure, LogoutBy, ProviderAnswer, ProviderRequest,
    RefreshOutcome, StatusClass, StoreFault, StoreOperation,
};
use self::meters::{Neighbours, Requests, Sessions};
use crate::request_id::Route;

/// The counters of one companion. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Meters>);

struct Meters {
    registry: Registry,
    sessions: Sessions,
    neighbours: Neighbours,
    requests: Requests,
}

/// Counts one thing. Clones count together.
#[derive(Clone)]
pub struct Tally(Counter);

impl Tally {
    /// It happened once more.
    pub fn count(&self) {
        self.0.inc();
    }
}

impl Metrics {
    /// All counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("component_auth0");
        registry.register("build", "What runs here", Info::new(Build));
        Self(Arc::new(Meters {
            sessions: Sessions::new(&mut registry),
            neighbours: Neighbours::new(&mut registry),
            requests: Requests::new(&mut registry),
            registry,
        }))
    }

    /// A person was sent to the provider.
    pub fn login_started(&self) {
        self.0.sessions.logins_started.inc();
    }

    /// A login ended in a session.
    pub fn login_finished(&self) {
        self.0.sessions.logins_finished.inc();
    }

    /// A login came to nothing.
    pub fn login_failed(&self, reason: LoginFailure) {
        self.0.sessions.logins_failed.get_or_create(&reason).inc();
    }

    /// The provider was asked for fresh tokens.
    pub fn refreshed(&self, outcome: RefreshOutcome) {
        self.0.sessions.refreshes.get_or_create(&outcome).inc();
    }

    /// A session was ended.
    pub fn logged_out(&self, by: LogoutBy) {
        self.0.sessions.logouts.get_or_create(&by).inc();
    }

    /// The store has this many live sessions.
    pub fn sessions_live(&self, count: u64) {
        self.0.sessions.live.set(count);
    }

    /// So many frames wait for their login, and watch their session, now.
    pub fn frames(&self, waiting: usize, watching: usize) {
        let count = |frames| u64::try_from(frames).unwrap_or(u64::MAX);
        self.0.sessions.handoffs_waiting.set(count(waiting));
        self.0.sessions.watchers.set(count(watching));
    }

    /// Counts those who run into a limit.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> Tally {
        Tally(self.0.requests.limits_hit.get_or_create_owned(&limit))
    }

    /// Somebody ran into a limit.
    pub fn limit_hit(&self, limit: Limit) {
        self.0.requests.limits_hit.get_or_create(&limit).inc();
    }

    /// Something happened that the audit log tells.
    pub fn audited(&self, event: AuditEvent) {
        self.0.requests.audit_events.get_or_create(&event).inc();
    }

    /// A line of the audit log was lost.
    pub fn audit_line_dropped(&self) {
        self.0.requests.audit_lines_dropped.inc();
    }

    /// The session store answered, or did not.
    pub fn store_called(
        &self,
        operation: StoreOperation,
        took: Duration,
        fault: Option<StoreFault>,
    ) {
        let seconds = self.0.neighbours.store_seconds.get_or_create(&operation);
        seconds.observe(took.as_secs_f64());
        if let Some(fault) = fault {
            self.0.neighbours.store_errors.get_or_create(&fault).inc();
        }
    }

    fn provider_asked(&self, request: ProviderRequest, took: Duration, answer: ProviderAnswer) {
        let seconds = self.0.neighbours.provider_seconds.get_or_create(&request);
        seconds.observe(took.as_secs_f64());
        self.0
            .neighbours
            .provider_requests
            .get_or_create(&(request, answer))
            .inc();
    }

    /// A request of one of our routes ended.
    fn request_ended(&self, route: Route, took: Duration, status: StatusClass) {
        let requests = &self.0.requests;
        requests.seconds(route).observe(took.as_secs_f64());
        requests.ended(route, status).inc();
    }

    /// All of it, as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut text, &self.0.registry);
        text
    }
}

impl RequestObserver for Metrics {
    fn finished(&self, kind: RequestKind, took: Duration, status: Option<StatusCode>) {
        self.provider_asked(ProviderRequest::of(kind), took, ProviderAnswer::of(status));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::labels::Label as _;
    use super::*;

    #[test]
    fn every_reason_is_there_before_it_happens() {
        let metrics = Metrics::new();
        let before = metrics.text();
        for reason in LoginFailure::ALL {
            let line = format!(
                "component_auth0_logins_failed_total{{reason=\"{}\"}} 0",
                reason.as_str()
            );
            assert!(before.contains(&line), "{line} in\n{before}");
        }
        metrics.login_failed(LoginFailure::Store);
        assert!(
            metrics
                .text()
                .contains("component_auth0_logins_failed_total{reason=\"store\"} 1\n")
        );
    }

    #[test]
    fn two_companions_count_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.login_started();
        assert!(
            one.text()
                .contains("component_auth0_logins_started_total 1\n")
        );
        assert!(
            other
                .text()
                .contains("component_auth0_logins_started_total 0\n")
        );
    }
}
