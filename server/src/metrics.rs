//! Counts for the operator, in the OpenMetrics text format that Prometheus reads.
//!
//! Its one job is to count. It decides nothing, and it takes no label from outside: see
//! [`labels`]. The registry is a value of this process' [`AppState`](crate::state::AppState);
//! two companions in one process count apart.

mod endpoint;
pub mod labels;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::StatusCode;
use oidc::{RequestKind, RequestObserver};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use self::endpoint::{count_request, metrics};
use self::labels::{
    AuditEvent, Build, Label, Limit, LoginFailure, LogoutBy, ProviderAnswer, ProviderRequest,
    RefreshOutcome, Route, StatusClass, StoreFault, StoreOperation,
};

/// From an embedded store's 50 µs to past the deadline of a call.
const STORE_SECONDS: [f64; 13] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5,
];
/// Up to the time-out of a request to the provider.
const PROVIDER_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Up to the hold of a long poll.
const HTTP_SECONDS: [f64; 11] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 25.0,
];

/// The counters of one companion. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Meters>);

struct Meters {
    registry: Registry,
    logins_started: Counter,
    logins_finished: Counter,
    logins_failed: Family<LoginFailure, Counter>,
    refreshes: Family<RefreshOutcome, Counter>,
    logouts: Family<LogoutBy, Counter>,
    sessions_live: Count,
    handoffs_waiting: Count,
    watchers: Count,
    store_seconds: Histograms<StoreOperation>,
    store_errors: Family<StoreFault, Counter>,
    provider_seconds: Histograms<ProviderRequest>,
    provider_requests: Family<(ProviderRequest, ProviderAnswer), Counter>,
    http_seconds: Histograms<Route>,
    http_requests: Family<(Route, StatusClass), Counter>,
    limits_hit: Family<Limit, Counter>,
    audit_events: Family<AuditEvent, Counter>,
    audit_lines_dropped: Counter,
}

type Count = Gauge<u64, AtomicU64>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

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
        let registering = &mut registry;
        let meters = Meters {
            logins_started: counter(registering, "logins_started", "Logins begun"),
            logins_finished: counter(
                registering,
                "logins_finished",
                "Logins that ended in a session",
            ),
            logins_failed: counters(
                registering,
                "logins_failed",
                "Logins that came to nothing, by reason",
            ),
            refreshes: counters(
                registering,
                "refreshes",
                "Refreshes at the provider, by outcome",
            ),
            logouts: counters(registering, "logouts", "Sessions that were ended, by whom"),
            sessions_live: gauge(
                registering,
                "sessions_live",
                "Live sessions in the store (of all replicas together), counted every minute",
            ),
            handoffs_waiting: gauge(
                registering,
                "handoffs_waiting",
                "Frames that wait for their login now",
            ),
            watchers: gauge(
                registering,
                "watchers",
                "Frames that watch their session now",
            ),
            store_seconds: histograms(
                registering,
                "store_duration",
                "Calls of the session store",
                || Histogram::new(STORE_SECONDS),
            ),
            store_errors: counters(
                registering,
                "store_errors",
                "Calls of the session store that failed, by kind",
            ),
            provider_seconds: histograms(
                registering,
                "provider_request_duration",
                "Requests to the provider",
                || Histogram::new(PROVIDER_SECONDS),
            ),
            provider_requests: family(
                registering,
                "provider_requests",
                "Requests to the provider, by answer",
            ),
            http_seconds: histograms(
                registering,
                "http_request_duration",
                "Requests, by route",
                || Histogram::new(HTTP_SECONDS),
            ),
            http_requests: family(
                registering,
                "http_requests",
                "Requests, by route and status",
            ),
            limits_hit: counters(
                registering,
                "limits_hit",
                "Requests and lines turned away by a limit",
            ),
            audit_events: counters(registering, "audit_events", "Events for the audit log"),
            audit_lines_dropped: counter(
                registering,
                "audit_lines_dropped",
                "Lines of the audit log that were lost, since its sink failed or was too slow",
            ),
            registry,
        };
        Self(Arc::new(meters))
    }

    /// A person was sent to the provider.
    pub fn login_started(&self) {
        self.0.logins_started.inc();
    }

    /// A login ended in a session.
    pub fn login_finished(&self) {
        self.0.logins_finished.inc();
    }

    /// A login came to nothing.
    pub fn login_failed(&self, reason: LoginFailure) {
        self.0.logins_failed.get_or_create(&reason).inc();
    }

    /// The provider was asked for fresh tokens.
    pub fn refreshed(&self, outcome: RefreshOutcome) {
        self.0.refreshes.get_or_create(&outcome).inc();
    }

    /// A session was ended.
    pub fn logged_out(&self, by: LogoutBy) {
        self.0.logouts.get_or_create(&by).inc();
    }

    /// The store has this many live sessions.
    pub fn sessions_live(&self, count: u64) {
        self.0.sessions_live.set(count);
    }

    /// So many frames wait for their login, and watch their session, now.
    pub fn frames(&self, waiting: usize, watching: usize) {
        let count = |frames| u64::try_from(frames).unwrap_or(u64::MAX);
        self.0.handoffs_waiting.set(count(waiting));
        self.0.watchers.set(count(watching));
    }

    /// Counts those who run into a limit.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> Tally {
        Tally(self.0.limits_hit.get_or_create_owned(&limit))
    }

    /// Somebody ran into a limit.
    pub fn limit_hit(&self, limit: Limit) {
        self.0.limits_hit.get_or_create(&limit).inc();
    }

    /// Something happened that the audit log tells.
    pub fn audited(&self, event: AuditEvent) {
        self.0.audit_events.get_or_create(&event).inc();
    }

    /// A line of the audit log was lost.
    pub fn audit_line_dropped(&self) {
        self.0.audit_lines_dropped.inc();
    }

    /// The session store answered, or did not.
    pub fn store_called(
        &self,
        operation: StoreOperation,
        took: Duration,
        fault: Option<StoreFault>,
    ) {
        let seconds = self.0.store_seconds.get_or_create(&operation);
        seconds.observe(took.as_secs_f64());
        if let Some(fault) = fault {
            self.0.store_errors.get_or_create(&fault).inc();
        }
    }

    fn provider_asked(&self, request: ProviderRequest, took: Duration, answer: ProviderAnswer) {
        let seconds = self.0.provider_seconds.get_or_create(&request);
        seconds.observe(took.as_secs_f64());
        self.0
            .provider_requests
            .get_or_create(&(request, answer))
            .inc();
    }

    /// A request of one of our routes ended.
    fn request_ended(&self, route: Route, took: Duration, status: StatusClass) {
        let seconds = self.0.http_seconds.get_or_create(&route);
        seconds.observe(took.as_secs_f64());
        self.0.http_requests.get_or_create(&(route, status)).inc();
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

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Count {
    let gauge = Count::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// Counters that are all there from the start.
fn counters<L: Label + Send + Sync>(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> Family<L, Counter> {
    let counters = family(registry, name, help);
    for value in L::ALL {
        drop(counters.get_or_create(value));
    }
    counters
}

/// Counters of pairs: too many to be there from the start.
fn family<L>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Counter>
where
    L: EncodeLabelSet + Clone + Eq + std::hash::Hash + std::fmt::Debug + Send + Sync + 'static,
{
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn histograms<L>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    make: fn() -> Histogram,
) -> Histograms<L>
where
    L: EncodeLabelSet + Clone + Eq + std::hash::Hash + std::fmt::Debug + Send + Sync + 'static,
{
    let histograms = Family::new_with_constructor(make);
    registry.register_with_unit(name, help, Unit::Seconds, histograms.clone());
    histograms
}

#[cfg(test)]
mod tests {
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
