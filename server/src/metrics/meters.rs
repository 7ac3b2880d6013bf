//! The meters themselves, with their names and words for the operator.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{
    AuditEvent, Label, Limit, LoginFailure, LogoutBy, ProviderAnswer, ProviderRequest,
    RefreshOutcome, StatusClass, StoreFault, StoreOperation,
};
use crate::request_id::Route;

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

pub(super) type Count = Gauge<u64, AtomicU64>;
pub(super) type Counters<L> = Family<L, Counter>;
pub(super) type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Sign-in, and what follows it.
pub(super) struct Sessions {
    pub(super) logins_started: Counter,
    pub(super) logins_finished: Counter,
    pub(super) logins_failed: Counters<LoginFailure>,
    pub(super) refreshes: Counters<RefreshOutcome>,
    pub(super) logouts: Counters<LogoutBy>,
    pub(super) live: Count,
    pub(super) handoffs_waiting: Count,
    pub(super) watchers: Count,
}

impl Sessions {
    // A table: a line or two for each.
    #[rustfmt::skip]
    pub(super) fn new(to: &mut Registry) -> Self {
        Self {
            logins_started: counter(to, "logins_started", "Logins begun"),
            logins_finished: counter(to, "logins_finished", "Logins that ended in a session"),
            logins_failed: counters(to, "logins_failed", "Logins that came to nothing, by reason"),
            refreshes: counters(to, "refreshes", "Refreshes at the provider, by outcome"),
            logouts: counters(to, "logouts", "Sessions that were ended, by whom"),
            live: gauge(to, "sessions_live", "Live sessions in the store (of all replicas together), counted every minute"),
            handoffs_waiting: gauge(to, "handoffs_waiting", "Frames that wait for their login now"),
            watchers: gauge(to, "watchers", "Frames that watch their session now"),
        }
    }
}

/// Those whom we depend on.
pub(super) struct Neighbours {
    pub(super) store_seconds: Histograms<StoreOperation>,
    pub(super) store_errors: Counters<StoreFault>,
    pub(super) provider_seconds: Histograms<ProviderRequest>,
    pub(super) provider_requests: Counters<(ProviderRequest, ProviderAnswer)>,
}

impl Neighbours {
    // A table: a line or two for each.
    #[rustfmt::skip]
    pub(super) fn new(to: &mut Registry) -> Self {
        Self {
            store_seconds: histograms(to, "store_duration", "Calls of the session store",
                || Histogram::new(STORE_SECONDS)),
            store_errors: counters(to, "store_errors", "Calls of the session store that failed, by kind"),
            provider_seconds: histograms(to, "provider_request_duration", "Requests to the provider",
                || Histogram::new(PROVIDER_SECONDS)),
            provider_requests: family(to, "provider_requests", "Requests to the provider, by answer"),
        }
    }
}

/// What comes in, and what is turned away or lost.
pub(super) struct Requests {
    seconds: Histograms<Route>,
    ended: Counters<(Route, StatusClass)>,
    of_route: [OnceLock<OfRoute>; Route::COUNT],
    pub(super) limits_hit: Counters<Limit>,
    pub(super) audit_events: Counters<AuditEvent>,
    pub(super) audit_lines_dropped: Counter,
}

/// One route's, found once: to look them up by their labels takes a lock and a hash each.
struct OfRoute {
    seconds: Histogram,
    ended: [OnceLock<Counter>; StatusClass::ALL.len()],
}

impl Requests {
    /// How long requests of this route took.
    pub(super) fn seconds(&self, route: Route) -> &Histogram {
        &self.of_route(route).seconds
    }

    /// How many requests of this route ended so.
    pub(super) fn ended(&self, route: Route, status: StatusClass) -> &Counter {
        self.of_route(route).ended[status as usize]
            .get_or_init(|| self.ended.get_or_create_owned(&(route, status)))
    }

    fn of_route(&self, route: Route) -> &OfRoute {
        self.of_route[route.index()].get_or_init(|| OfRoute {
            seconds: self.seconds.get_or_create_owned(&route),
            ended: Default::default(),
        })
    }

    // A table: a line or two for each.
    #[rustfmt::skip]
    pub(super) fn new(to: &mut Registry) -> Self {
        Self {
            seconds: histograms(to, "http_request_duration", "Requests, by route",
                || Histogram::new(HTTP_SECONDS)),
            ended: family(to, "http_requests", "Requests, by route and status"),
            of_route: [const { OnceLock::new() }; Route::COUNT],
            limits_hit: counters(to, "limits_hit", "Requests and lines turned away by a limit"),
            audit_events: counters(to, "audit_events", "Events for the audit log"),
            audit_lines_dropped: counter(to, "audit_lines_dropped", "Lines of the audit log that were lost, since its sink failed or was too slow"),
        }
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
    L: EncodeLabelSet + Clone + Eq + Hash + Debug + Send + Sync + 'static,
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
    L: EncodeLabelSet + Clone + Eq + Hash + Debug + Send + Sync + 'static,
{
    let histograms = Family::new_with_constructor(make);
    registry.register_with_unit(name, help, Unit::Seconds, histograms.clone());
    histograms
}
