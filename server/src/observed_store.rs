//! The session store as the companion uses it: each call has a deadline and is measured.
//!
//! A store that hangs (a lock, a network that swallows packets) must not hold requests:
//! after the deadline the caller hears [`StoreError::Unavailable`], which is a quick 503.
//!
//! **What a call that missed its deadline did is not known.** A read did nothing. A write
//! may have happened, or may still happen. Every caller is sound all the same:
//! - `update_session`: tried again it meets its own new version, hears `Conflict` and loads
//!   afresh;
//! - `take_handle`, `put_handle` of a spent value: the ticket, handoff or response is
//!   spent, and nobody got anything for it: the person has to begin again, nobody gains;
//! - `create_session`, `put_handle` of a cookie or grant: nobody was told its value, so it
//!   leads nowhere until it is purged;
//! - `end_session`: the session may live; the caller says 503, and can be asked again. If it
//!   does not, its refresh token is revoked once that shows;
//! - `acquire_lease`: this holder's own next attempt prolongs it, others wait it out;
//! - `notify`: subscribers also look for themselves.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use session_store::{
    Handle, HandleKind, KeyHash, NewHandle, NewSession, Notice, Purged, SessionId, SessionStore,
    StoreError, StoredSession, Taken, Updated,
};
use tokio::sync::broadcast;
use tracing::Instrument as _;

use crate::metrics::Metrics;
use crate::metrics::labels::{Label as _, StoreFault, StoreOperation as Operation};
use crate::telemetry::TRACE;

/// A request has a handful of calls; a person waits no longer than this for one.
pub const DEADLINE: Duration = Duration::from_secs(2);
/// Counting and purging may scan, and nobody waits for them.
const UPKEEP_DEADLINE: Duration = Duration::from_secs(30);

/// A store with a deadline for each call, and counts of them.
pub struct ObservedStore {
    inner: Arc<dyn SessionStore>,
    metrics: Metrics,
}

/// The store did not answer within the deadline.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs())]
struct DeadlineMissed(Duration);

impl ObservedStore {
    /// Over this store.
    #[must_use]
    pub fn new(inner: Arc<dyn SessionStore>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }

    async fn observed<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let deadline = match operation {
            Operation::CountLive | Operation::Purge => UPKEEP_DEADLINE,
            _ => DEADLINE,
        };
        let began = Instant::now();
        let span = tracing::debug_span!(
            target: TRACE,
            "store call",
            operation = operation.as_str()
        );
        let mut call = pin!(call.instrument(span));
        // An answer from memory is there at once, and needs no timer.
        let answer = match futures::poll!(call.as_mut()) {
            Poll::Ready(answer) => Ok(answer),
            Poll::Pending => tokio::time::timeout(deadline, call).await,
        };
        let (result, fault) = match answer {
            Ok(Ok(answer)) => (Ok(answer), None),
            Ok(Err(error)) => {
                let fault = match &error {
                    StoreError::Unavailable(_) => StoreFault::Unavailable,
                    StoreError::Faulty(_) => StoreFault::Faulty,
                };
                (Err(error), Some(fault))
            }
            Err(_) => {
                let missed = StoreError::Unavailable(DeadlineMissed(deadline).into());
                (Err(missed), Some(StoreFault::Deadline))
            }
        };
        self.metrics.store_called(operation, began.elapsed(), fault);
        result
    }
}

#[async_trait]
impl SessionStore for ObservedStore {
    async fn create_session(
        &self,
        session: NewSession,
        handles: Vec<NewHandle>,
    ) -> Result<(), StoreError> {
        let call = self.inner.create_session(session, handles);
        self.observed(Operation::CreateSession, call).await
    }

    async fn load_session(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        let call = self.inner.load_session(id);
        self.observed(Operation::LoadSession, call).await
    }

    async fn update_session(
        &self,
        id: SessionId,
        version: i64,
        sealed: Vec<u8>,
        expires_at: i64,
    ) -> Result<Updated, StoreError> {
        let call = self.inner.update_session(id, version, sealed, expires_at);
        self.observed(Operation::UpdateSession, call).await
    }

    async fn touch_session(&self, id: SessionId, expires_at: i64) -> Result<(), StoreError> {
        let call = self.inner.touch_session(id, expires_at);
        self.observed(Operation::TouchSession, call).await
    }

    async fn end_session(
        &self,
        id: SessionId,
        reason: &str,
        remember_until: i64,
    ) -> Result<Option<StoredSession>, StoreError> {
        let call = self.inner.end_session(id, reason, remember_until);
        self.observed(Operation::EndSession, call).await
    }

    async fn sessions_of_provider_session(
        &self,
        provider_session: KeyHash,
    ) -> Result<Vec<SessionId>, StoreError> {
        let call = self.inner.sessions_of_provider_session(provider_session);
        self.observed(Operation::SessionsOfProviderSession, call)
            .await
    }

    async fn sessions_of_subject(&self, subject: KeyHash) -> Result<Vec<SessionId>, StoreError> {
        let call = self.inner.sessions_of_subject(subject);
        self.observed(Operation::SessionsOfSubject, call).await
    }

    async fn put_handle(&self, handle: NewHandle) -> Result<bool, StoreError> {
        let call = self.inner.put_handle(handle);
        self.observed(Operation::PutHandle, call).await
    }

    async fn find(
        &self,
        kind: HandleKind,
        key: KeyHash,
        now: i64,
    ) -> Result<Option<(Handle, Option<StoredSession>)>, StoreError> {
        let call = self.inner.find(kind, key, now);
        self.observed(Operation::Find, call).await
    }

    async fn take_handle(
        &self,
        kind: HandleKind,
        key: KeyHash,
        mark: &[u8],
        now: i64,
    ) -> Result<Taken, StoreError> {
        let call = self.inner.take_handle(kind, key, mark, now);
        self.observed(Operation::TakeHandle, call).await
    }

    async fn peek_handle(
        &self,
        kind: HandleKind,
        key: KeyHash,
    ) -> Result<Option<Handle>, StoreError> {
        let call = self.inner.peek_handle(kind, key);
        self.observed(Operation::PeekHandle, call).await
    }

    async fn remove_handle(&self, kind: HandleKind, key: KeyHash) -> Result<(), StoreError> {
        let call = self.inner.remove_handle(kind, key);
        self.observed(Operation::RemoveHandle, call).await
    }

    async fn acquire_lease(
        &self,
        key: KeyHash,
        holder: &[u8],
        now: i64,
        expires_at: i64,
    ) -> Result<bool, StoreError> {
        let call = self.inner.acquire_lease(key, holder, now, expires_at);
        self.observed(Operation::AcquireLease, call).await
    }

    async fn release_lease(&self, key: KeyHash, holder: &[u8]) -> Result<(), StoreError> {
        let call = self.inner.release_lease(key, holder);
        self.observed(Operation::ReleaseLease, call).await
    }

    async fn count_live(&self, now: i64) -> Result<u64, StoreError> {
        let call = self.inner.count_live(now);
        self.observed(Operation::CountLive, call).await
    }

    async fn purge(&self, now: i64) -> Result<Purged, StoreError> {
        let call = self.inner.purge(now);
        self.observed(Operation::Purge, call).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let call = self.inner.probe();
        self.observed(Operation::Probe, call).await
    }

    async fn notify(&self, notice: Notice) -> Result<(), StoreError> {
        let call = self.inner.notify(notice);
        self.observed(Operation::Notify, call).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.inner.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use session_store::SqliteStore;

    use super::*;

    fn observed() -> (ObservedStore, Metrics, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(&directory.path().join("sessions.db")).unwrap();
        let metrics = Metrics::new();
        let store = ObservedStore::new(Arc::new(sqlite), metrics.clone());
        (store, metrics, directory)
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_unavailable_after_the_deadline() {
        let (store, metrics, _directory) = observed();
        let began = tokio::time::Instant::now();
        let hanging = pending::<Result<(), StoreError>>();
        let Err(error) = store.observed(Operation::Find, hanging).await else {
            panic!("an answer")
        };
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert_eq!(began.elapsed(), DEADLINE);
        let counted = "component_auth0_store_errors_total{kind=\"deadline\"} 1";
        assert!(metrics.text().contains(counted), "{}", metrics.text());
    }

    #[tokio::test]
    async fn calls_are_measured_and_their_answers_passed_on() {
        let (store, metrics, _directory) = observed();
        assert!(
            store
                .load_session(SessionId([7; 16]))
                .await
                .unwrap()
                .is_none()
        );
        let text = metrics.text();
        let counted = "component_auth0_store_duration_seconds_count{operation=\"load_session\"} 1";
        assert!(text.contains(counted), "{text}");
        assert!(
            !text.contains("store_errors_total{kind=\"deadline\"} 1"),
            "{text}"
        );
    }
}
