//! Whose turn it is to refresh a session: within this process by a mutex, among replicas by a
//! lease in the store (invariant 6). Both are keyed by the session, so that no two people
//! can ever wait for, or share, one result (A02).

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use session_store::{KeyHash, SessionId, StoreError};
use tokio::sync::OwnedMutexGuard;

use crate::error::causes;
use crate::sessions::{Sessions, reference};
use crate::values::random_256;

/// A holder that died blocks nobody longer than this. Below the ten seconds in which an
/// Auth0 tenant takes a rotated refresh token once more: if the holder died between the
/// provider's answer and our store, the next one still gets through with the old token.
const LEASE_SECONDS: i64 = 6;
/// A holder that lives renews it this often, however long the provider takes.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// Turns of this process at the sessions of all replicas. Cheap to clone.
#[derive(Clone)]
pub(super) struct Turns {
    sessions: Sessions,
    holder: Arc<str>,
    gates: Arc<Mutex<HashMap<SessionId, Weak<Gate>>>>,
}

#[derive(Default)]
struct Gate {
    mutex: Arc<tokio::sync::Mutex<()>>,
    /// How often the provider did not answer the one whose turn it was.
    unanswered: AtomicU64,
}

/// Turn and lease together: nobody anywhere refreshes the session while this is held. Shared
/// by a refresh and the task that stores what it brought.
pub(super) struct Held {
    turn: Turn,
    lease: Lease,
}

/// Nobody else of this process refreshes the session while this is held.
pub(super) struct Turn {
    gate: Arc<Gate>,
    unanswered_before: u64,
    _guard: OwnedMutexGuard<()>,
}

/// No other replica refreshes the session while this is kept.
pub(super) struct Lease {
    turns: Turns,
    key: KeyHash,
}

impl Turns {
    pub(super) fn new(sessions: Sessions) -> Self {
        Self {
            holder: random_256(sessions.random()).into(),
            sessions,
            gates: Arc::default(),
        }
    }

    /// Waits for the turn at this session.
    pub(super) async fn take(&self, id: SessionId) -> Turn {
        let gate = self.gate(id);
        let unanswered_before = gate.unanswered.load(Ordering::Acquire);
        let guard = Arc::clone(&gate.mutex).lock_owned().await;
        Turn {
            gate,
            unanswered_before,
            _guard: guard,
        }
    }

    fn gate(&self, id: SessionId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(&id).and_then(Weak::upgrade) {
            return gate;
        }
        gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(Gate::default());
        gates.insert(id, Arc::downgrade(&gate));
        gate
    }

    /// The lease of this session; `None` while another replica has it.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub(super) async fn lease(&self, id: SessionId) -> Result<Option<Lease>, StoreError> {
        let key = KeyHash::of_parts(&["refresh", &reference(id)]);
        let is_ours = self.acquire(key).await?;
        Ok(is_ours.then(|| Lease {
            turns: self.clone(),
            key,
        }))
    }

    async fn acquire(&self, key: KeyHash) -> Result<bool, StoreError> {
        let now = self.sessions.now();
        let until = now.saturating_add(LEASE_SECONDS);
        let store = self.sessions.store();
        store
            .acquire_lease(key, self.holder.as_bytes(), now, until)
            .await
    }
}

impl Turn {
    /// Whether the provider did not answer somebody for whom this turn waited: it need not
    /// be asked again by each of those that waited, one time-out after the other.
    pub(super) fn waited_in_vain(&self) -> bool {
        self.gate.unanswered.load(Ordering::Acquire) != self.unanswered_before
    }

    fn note_unanswered(&self) {
        self.gate.unanswered.fetch_add(1, Ordering::AcqRel);
    }
}

impl Held {
    pub(super) fn new(turn: Turn, lease: Lease) -> Arc<Self> {
        Arc::new(Self { turn, lease })
    }

    /// Does this, and keeps the lease meanwhile.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.lease.keep() => match never {},
        }
    }

    /// Tells those that wait that the provider did not answer.
    pub(super) fn note_unanswered(&self) {
        self.turn.note_unanswered();
    }

    /// Whoever lets go last gives both back: others of this process and of others go on.
    pub(super) async fn let_go(self: Arc<Self>) {
        if let Some(held) = Arc::into_inner(self) {
            held.lease.give_back().await;
        }
    }
}

impl Lease {
    /// Renews it for as long as this is polled. Once it is lost (this process stood still
    /// for too long), it is not fought for: compare-and-set decides whose result counts.
    async fn keep(&self) -> Infallible {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.turns.acquire(self.key).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!("the lease of a refresh was lost to another replica");
                    return pending().await;
                }
                Err(error) => {
                    tracing::warn!(error = causes(&error), "a lease was not renewed");
                }
            }
        }
    }

    /// Lets the others go on at once.
    async fn give_back(self) {
        let store = self.turns.sessions.store();
        let holder = self.turns.holder.as_bytes();
        if let Err(error) = store.release_lease(self.key, holder).await {
            // It expires by itself; what was refreshed is stored already.
            tracing::warn!(error = causes(&error), "a lease was not given back");
        }
    }
}
