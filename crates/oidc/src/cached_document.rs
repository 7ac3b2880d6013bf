//! A document of the provider kept in memory: one fetch at a time whoever waits, the last
//! good one kept through failures, and pauses between attempts. What the document is and
//! how it is fetched is the [`Source`]'s business.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{discovery::DiscoveryError, random::Random, time::Clock};

/// Served without a thought up to this age.
const FRESH_FOR: Duration = Duration::from_mins(10);
/// From this age on a fetch runs beside the callers, so that none ever waits for one.
const REFRESH_AHEAD: Duration = Duration::from_mins(8);
/// A provider that stays away longer has had its time: its keys may have been withdrawn.
const STALE_FOR: Duration = Duration::from_hours(24);
/// Pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause of our own making.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Between two fetches that a caller asked for because the document lacked something. An
/// attacker can make such callers at will (GHSA-2gx3-rcp4-g85q).
const ON_DEMAND_PAUSE: Duration = Duration::from_secs(30);

/// Where a document comes from.
pub(crate) trait Source: Send + Sync + 'static {
    /// The parsed document.
    type Document: Send + Sync + 'static;
    /// Fetches and checks a new document, in view of the one it would replace.
    fn fetch(
        &self,
        previous: Option<&Self::Document>,
    ) -> impl Future<Output = Result<Self::Document, DiscoveryError>> + Send;

    /// Name for the log.
    const NAME: &'static str;
}

type Outcome<S> = Result<Arc<<S as Source>::Document>, DiscoveryError>;

/// See the module.
pub(crate) struct CachedDocument<S: Source> {
    shared: Arc<Shared<S>>,
}

impl<S: Source> Clone for CachedDocument<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

struct Shared<S: Source> {
    source: S,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    state: Mutex<State<S>>,
}

struct State<S: Source> {
    good: Option<Good<S::Document>>,
    failure: Option<Failure>,
    /// Set while a fetch runs; each waiter holds a receiver.
    flight: Option<watch::Receiver<Option<Outcome<S>>>>,
    last_on_demand: Option<Duration>,
}

struct Good<D> {
    document: Arc<D>,
    fetched_at: Duration,
}

struct Failure {
    error: DiscoveryError,
    in_a_row: u32,
    pause_until: Duration,
}

impl<S: Source> CachedDocument<S> {
    pub(crate) fn new(source: S, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            shared: Arc::new(Shared {
                source,
                clock,
                random,
                state: Mutex::new(State {
                    good: None,
                    failure: None,
                    flight: None,
                    last_on_demand: None,
                }),
            }),
        }
    }

    /// The document, fetched when there is none fresh enough.
    pub(crate) async fn current(&self) -> Outcome<S> {
        let waiting = {
            let mut state = self.shared.state();
            let now = self.shared.clock.elapsed();
            if let Some((document, age)) = state.good_with_age(now) {
                if age < REFRESH_AHEAD {
                    return Ok(document);
                }
                // A provider known to fail may hang until the deadline: nobody waits for
                // that while an older document is good enough.
                if age < FRESH_FOR || (state.failure.is_some() && age < STALE_FOR) {
                    self.begin_fetch_unless_paused(&mut state, now);
                    return Ok(document);
                }
            }
            match self.begin_fetch_unless_paused(&mut state, now) {
                Some(waiting) => waiting,
                None => return Err(state.last_error()),
            }
        };
        self.outcome_or_stale(waiting).await
    }

    /// A document newer than `seen`, which lacked something. Answers with the one at hand
    /// when another fetch is not due.
    pub(crate) async fn newer_than(&self, seen: &Arc<S::Document>) -> Outcome<S> {
        let waiting = {
            let mut state = self.shared.state();
            let now = self.shared.clock.elapsed();
            if let Some(good) = &state.good
                && !Arc::ptr_eq(&good.document, seen)
            {
                return Ok(Arc::clone(&good.document));
            }
            let is_too_soon = state
                .last_on_demand
                .is_some_and(|last| now.saturating_sub(last) < ON_DEMAND_PAUSE);
            if is_too_soon && state.flight.is_none() {
                return Ok(Arc::clone(seen));
            }
            match self.begin_fetch_unless_paused(&mut state, now) {
                Some(waiting) => {
                    if !is_too_soon {
                        state.last_on_demand = Some(now);
                    }
                    waiting
                }
                None => return Ok(Arc::clone(seen)),
            }
        };
        self.outcome_or_stale(waiting).await
    }

    /// The last good document, however old.
    pub(crate) fn last_good(&self) -> Option<Arc<S::Document>> {
        self.shared
            .state()
            .good
            .as_ref()
            .map(|good| Arc::clone(&good.document))
    }

    async fn outcome_or_stale(
        &self,
        mut waiting: watch::Receiver<Option<Outcome<S>>>,
    ) -> Outcome<S> {
        let outcome = match waiting.wait_for(Option::is_some).await {
            Ok(outcome) => outcome
                .clone()
                .unwrap_or_else(|| Err(DiscoveryError::interrupted())),
            Err(_) => Err(DiscoveryError::interrupted()),
        };
        let now = self.shared.clock.elapsed();
        match (outcome, self.shared.state().good_with_age(now)) {
            (Err(_), Some((document, age))) if age < STALE_FOR => Ok(document),
            (outcome, _) => outcome,
        }
    }

    /// Joins the fetch under way or begins one; `None` in a pause after a failure.
    ///
    /// The fetch is a task of its own: a caller that goes away (a closed connection) must
    /// not cancel it for the others, nor start it anew for itself.
    fn begin_fetch_unless_paused(
        &self,
        state: &mut State<S>,
        now: Duration,
    ) -> Option<watch::Receiver<Option<Outcome<S>>>> {
        if let Some(flight) = &state.flight
            && flight.has_changed().is_ok()
        {
            return Some(flight.clone());
        }
        if state.is_paused(now) {
            return None;
        }
        let (sender, receiver) = watch::channel(None);
        state.flight = Some(receiver.clone());
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let previous = shared
                .state()
                .good
                .as_ref()
                .map(|good| Arc::clone(&good.document));
            let fetched = shared.source.fetch(previous.as_deref()).await.map(Arc::new);
            shared.record(&fetched);
            // Nobody may be waiting any more.
            let _ = sender.send(Some(fetched));
        });
        Some(receiver)
    }
}

impl<S: Source> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State<S>> {
        // Each critical section leaves the state whole, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, fetched: &Outcome<S>) {
        let mut state = self.state();
        let now = self.clock.elapsed();
        state.flight = None;
        match fetched {
            Ok(document) => {
                if state.failure.take().is_some() {
                    tracing::info!(document = S::NAME, "the provider answers again");
                }
                state.good = Some(Good {
                    document: Arc::clone(document),
                    fetched_at: now,
                });
            }
            Err(error) => {
                let in_a_row = state.failure.as_ref().map_or(0, |failure| failure.in_a_row) + 1;
                let pause = self.pause_after(in_a_row, error.retry_after());
                state.failure = Some(Failure {
                    error: error.clone(),
                    in_a_row,
                    pause_until: now + pause,
                });
            }
        }
    }

    /// Doubling, with a jitter of a quarter so that replicas do not knock all at once.
    fn pause_after(&self, failures_in_a_row: u32, asked_for: Option<Duration>) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1 << failures_in_a_row.saturating_sub(1).min(5));
        let pause = doubled
            .min(LONGEST_PAUSE)
            .max(asked_for.unwrap_or_default());
        let mut byte = [0];
        self.random.fill(&mut byte);
        pause + pause.mul_f64(f64::from(byte[0]) / 255.0 * 0.25)
    }
}

impl<S: Source> State<S> {
    fn good_with_age(&self, now: Duration) -> Option<(Arc<S::Document>, Duration)> {
        let good = self.good.as_ref()?;
        Some((
            Arc::clone(&good.document),
            now.saturating_sub(good.fetched_at),
        ))
    }

    fn is_paused(&self, now: Duration) -> bool {
        self.failure
            .as_ref()
            .is_some_and(|failure| now < failure.pause_until)
    }

    fn last_error(&self) -> DiscoveryError {
        self.failure
            .as_ref()
            .map_or_else(DiscoveryError::interrupted, |failure| failure.error.clone())
    }
}
