//! Opens a store by its `SESSION_STORE` URL, and puts many sessions into it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use session_store::{
    HandleKind, KeyHash, NewHandle, NewSession, RedisStore, SessionId, SessionStore, SqliteStore,
    StoreError,
};

/// Writes under way at once: enough for Redis's pipeline, and so few that on a busy machine none
/// waits longer for SQLite's one writer than a store lets a call wait.
const AT_ONCE: usize = 16;
/// A store that is busy is asked again so often, with this pause.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);
/// As long as a session that is used now lives by default.
const ROLLING_SECONDS: i64 = 86_400;

/// The store of a URL as `SESSION_STORE` has it.
pub(crate) fn open(url: &str) -> anyhow::Result<Arc<dyn SessionStore>> {
    Ok(match url.strip_prefix("sqlite:") {
        Some(path) => Arc::new(SqliteStore::open(Path::new(path))?),
        None => Arc::new(RedisStore::new(url).context("no Redis URL")?),
    })
}

/// One session as a login leaves it behind.
pub(crate) struct Seed {
    pub(crate) id: SessionId,
    pub(crate) sealed: Vec<u8>,
    pub(crate) subject: KeyHash,
    pub(crate) provider_session: KeyHash,
    /// Values of the handles that lead to it.
    pub(crate) handles: Vec<(HandleKind, String)>,
    pub(crate) expires_at: i64,
}

impl Seed {
    /// Expires as one that was used at `now`.
    pub(crate) fn rolling(now: i64) -> i64 {
        now + ROLLING_SECONDS
    }

    /// Stores it, and waits for a store that has no time: a disk that is written this fast stalls
    /// now and then for longer than requests are meant to wait.
    pub(crate) async fn put(&self, store: &dyn SessionStore) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            match self.create(store).await {
                Err(StoreError::Unavailable(_)) => tokio::time::sleep(PAUSE).await,
                done => return Ok(done?),
            }
            // The write may have been done although its answer was lost.
            if matches!(store.load_session(self.id).await, Ok(Some(_))) {
                return Ok(());
            }
        }
        bail!("the store was busy for too long");
    }

    /// Stores it, by one call.
    pub(crate) async fn create(&self, store: &dyn SessionStore) -> Result<(), StoreError> {
        store.create_session(self.session(), self.handles()).await
    }

    /// The handles as the store wants them.
    pub(crate) fn handles(&self) -> Vec<NewHandle> {
        let handle = |(kind, value): &(HandleKind, String)| NewHandle {
            kind: *kind,
            key: KeyHash::of(value),
            session: Some(self.id),
            sealed: Vec::new(),
            expires_at: self.expires_at,
            remember_until: self.expires_at,
        };
        self.handles.iter().map(handle).collect()
    }

    fn session(&self) -> NewSession {
        NewSession {
            id: self.id,
            sealed: self.sealed.clone(),
            provider_session: Some(self.provider_session),
            subject: self.subject,
            expires_at: self.expires_at,
        }
    }
}

/// Stores all of them, many at once.
pub(crate) async fn fill(
    store: &Arc<dyn SessionStore>,
    seeds: impl Iterator<Item = anyhow::Result<Seed>>,
) -> anyhow::Result<()> {
    stream::iter(seeds)
        .map(|seed| {
            let store = Arc::clone(store);
            async move { seed?.put(store.as_ref()).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
}
