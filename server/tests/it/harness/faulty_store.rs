//! A store that fails in the very call that a test names, and works otherwise.

use std::collections::HashMap;
use std::future::pending;
use std::ops::Range;
use std::sync::{Arc, Mutex, mpsc};

use async_trait::async_trait;
use session_store::{
    Handle, HandleKind, KeyHash, NewHandle, NewSession, Notice, Purged, SessionId, SessionStore,
    StoreError, StoredSession, Taken, Updated,
};
use tokio::sync::{Semaphore, broadcast};

/// Which calls fail. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct StoreFaults(Arc<Mutex<HashMap<&'static str, Counted>>>);

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "faults that a test switches on, each by itself"
)]
struct Counted {
    calls: usize,
    failing: Range<usize>,
    is_faulty: bool,
    is_done: bool,
    is_outrun: bool,
    hangs: bool,
    panics: bool,
    /// Closed when the answers may go.
    held: Option<Arc<Semaphore>>,
}

/// How a call goes on.
enum Fate {
    Answered,
    AnswerLost,
}

impl StoreFaults {
    /// The store, with these faults before it.
    pub(crate) fn before(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionStore> {
        let faults = self.clone();
        Arc::new(FaultyStore { store, faults })
    }

    /// From now on, so many calls of this operation pass, then so many fail.
    pub(crate) fn fail(&self, operation: &'static str, passing: usize, failing: usize) {
        let mut operations = self.0.lock().unwrap();
        let counted = operations.entry(operation).or_default();
        let first = counted.calls.saturating_add(passing);
        counted.failing = first..first.saturating_add(failing);
    }

    /// The same, but the store does what it does not answer.
    pub(crate) fn lose_answers(&self, operation: &'static str, passing: usize, lost: usize) {
        self.fail(operation, passing, lost);
        let mut operations = self.0.lock().unwrap();
        operations.entry(operation).or_default().is_done = true;
    }

    /// From now on somebody else is always faster: writes the session, puts or takes the handle.
    pub(crate) fn outrun(&self, operation: &'static str) {
        let mut operations = self.0.lock().unwrap();
        operations.entry(operation).or_default().is_outrun = true;
    }

    fn is_outrun(&self, operation: &'static str) -> bool {
        let operations = self.0.lock().unwrap();
        operations.get(operation).is_some_and(|it| it.is_outrun)
    }

    /// From now on this operation fails as if trying again could not help: Redis with another
    /// password, a disk that is full.
    pub(crate) fn refuse(&self, operation: &'static str) {
        self.fail(operation, 0, usize::MAX);
        let mut operations = self.0.lock().unwrap();
        operations.entry(operation).or_default().is_faulty = true;
    }

    /// From now on this operation never answers.
    pub(crate) fn hang(&self, operation: &'static str) {
        let mut operations = self.0.lock().unwrap();
        operations.entry(operation).or_default().hangs = true;
    }

    /// From now on this operation is done, and its answers wait until nothing fails any more.
    pub(crate) fn hold_answers(&self, operation: &'static str) {
        let mut operations = self.0.lock().unwrap();
        let held = Some(Arc::new(Semaphore::new(0)));
        operations.entry(operation).or_default().held = held;
    }

    async fn let_go(&self, operation: &'static str) {
        let held = {
            let operations = self.0.lock().unwrap();
            operations.get(operation).and_then(|it| it.held.clone())
        };
        if let Some(held) = held {
            assert!(held.acquire().await.is_err(), "it is closed, never given");
        }
    }

    /// From now on this operation panics.
    pub(crate) fn panic(&self, operation: &'static str) {
        let mut operations = self.0.lock().unwrap();
        operations.entry(operation).or_default().panics = true;
    }

    /// From now on nothing fails.
    pub(crate) fn heal(&self) {
        for counted in self.0.lock().unwrap().values_mut() {
            counted.failing = 0..0;
            counted.is_faulty = false;
            counted.is_done = false;
            counted.is_outrun = false;
            counted.hangs = false;
            counted.panics = false;
            if let Some(held) = counted.held.take() {
                held.close();
            }
        }
    }

    /// How many calls of this operation there were, failed ones included.
    pub(crate) fn calls(&self, operation: &'static str) -> usize {
        let operations = self.0.lock().unwrap();
        operations.get(operation).map_or(0, |counted| counted.calls)
    }

    async fn called(&self, operation: &'static str) -> Result<Fate, StoreError> {
        let (fails, is_faulty, is_done, hangs, panics) = {
            let mut operations = self.0.lock().unwrap();
            let counted = operations.entry(operation).or_default();
            counted.calls += 1;
            let fails = counted.failing.contains(&(counted.calls - 1));
            let Counted {
                is_faulty,
                is_done,
                hangs,
                panics,
                ..
            } = *counted;
            (fails, is_faulty, is_done, hangs, panics)
        };
        assert!(!panics, "canary of a panic");
        if hangs {
            return pending().await;
        }
        if fails && is_done {
            return Ok(Fate::AnswerLost);
        }
        if fails && is_faulty {
            return Err(StoreError::Faulty("the test wants it so".into()));
        }
        if fails {
            return Err(StoreError::Unavailable("the test wants it so".into()));
        }
        Ok(Fate::Answered)
    }
}

/// While the store's own threads are at work, a paused clock must not run to the deadline of
/// that very call: tokio lets none pass beside blocking work. This lasts until it is dropped.
fn standing_still() -> mpsc::Sender<()> {
    let (lasting, end) = mpsc::channel();
    tokio::task::spawn_blocking(move || end.recv());
    lasting
}

struct FaultyStore {
    store: Arc<dyn SessionStore>,
    faults: StoreFaults,
}

macro_rules! with_faults {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty $(, outrun by $faster:ident($($seen:ident),*))?;)*) => {
        #[async_trait]
        impl SessionStore for FaultyStore {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                let fate = self.faults.called(stringify!($name)).await?;
                let _standing_still = standing_still();
                $(if self.faults.is_outrun(stringify!($name)) {
                    $faster(&*self.store, $(&$seen),*).await?;
                })?
                let answer = self.store.$name($($argument),*).await;
                self.faults.let_go(stringify!($name)).await;
                match fate {
                    Fate::Answered => answer,
                    Fate::AnswerLost => Err(StoreError::Unavailable("its answer is lost".into())),
                }
            })*

            fn subscribe(&self) -> broadcast::Receiver<Notice> {
                self.store.subscribe()
            }
        }
    };
}

/// The same payload again, but it counts as a write.
async fn written_before(
    store: &dyn SessionStore,
    id: &SessionId,
    version: &i64,
) -> Result<(), StoreError> {
    if let Some(present) = store.load_session(*id).await? {
        let (sealed, expires_at) = (present.sealed, present.expires_at);
        store
            .update_session(*id, *version, sealed, expires_at)
            .await?;
    }
    Ok(())
}

/// The same handle, but older than everything: eight zeros.
async fn put_before(store: &dyn SessionStore, handle: &NewHandle) -> Result<(), StoreError> {
    let older = NewHandle {
        kind: handle.kind,
        key: handle.key,
        session: handle.session,
        sealed: vec![0; 8],
        expires_at: handle.expires_at,
        remember_until: handle.remember_until,
    };
    store.put_handle(older).await?;
    Ok(())
}

async fn taken_before(
    store: &dyn SessionStore,
    kind: &HandleKind,
    key: &KeyHash,
    now: &i64,
) -> Result<(), StoreError> {
    store.take_handle(*kind, *key, &[7; 32], *now).await?;
    Ok(())
}

with_faults! {
    create_session(session: NewSession, handles: Vec<NewHandle>) -> ();
    load_session(id: SessionId) -> Option<StoredSession>;
    update_session(id: SessionId, version: i64, sealed: Vec<u8>, expires_at: i64) -> Updated,
        outrun by written_before(id, version);
    touch_session(id: SessionId, expires_at: i64) -> ();
    end_session(id: SessionId, reason: &str, remember_until: i64) -> Option<StoredSession>;
    sessions_of_provider_session(provider_session: KeyHash) -> Vec<SessionId>;
    sessions_of_subject(subject: KeyHash) -> Vec<SessionId>;
    put_handle(handle: NewHandle) -> bool, outrun by put_before(handle);
    find(kind: HandleKind, key: KeyHash, now: i64) -> Option<(Handle, Option<StoredSession>)>;
    take_handle(kind: HandleKind, key: KeyHash, mark: &[u8], now: i64) -> Taken,
        outrun by taken_before(kind, key, now);
    peek_handle(kind: HandleKind, key: KeyHash) -> Option<Handle>;
    remove_handle(kind: HandleKind, key: KeyHash) -> ();
    acquire_lease(key: KeyHash, holder: &[u8], now: i64, expires_at: i64) -> bool;
    release_lease(key: KeyHash, holder: &[u8]) -> ();
    count_live(now: i64) -> u64;
    purge(now: i64) -> Purged;
    probe() -> ();
    notify(notice: Notice) -> ();
}
