//! Stores to try, and what the cases share.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_store::{
    HandleKind, KeyHash, NewHandle, NewSession, Notice, RedisStore, SessionId, SessionStore,
    SqliteStore, StoreError,
};
use tempfile::TempDir;
use test_redis::RedisServer;
use tokio::sync::broadcast;
use tokio::time::timeout;

/// The callers' clock: not that of this machine, so a store that reads its own shows it.
/// In the past: Redis purges nothing that by its own clock is still needed.
pub(crate) const NOW: i64 = 1_700_000_000;
/// Every failing call answers in that time, on a machine that others use too.
pub(crate) const PROMPT: Duration = Duration::from_secs(3);
/// For what must happen sometime.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A store with nothing in it.
pub(crate) struct Fresh {
    pub(crate) store: Arc<dyn SessionStore>,
    _behind: Box<dyn Any>,
}

impl Fresh {
    pub(crate) fn sqlite() -> Self {
        let directory = TempDir::new().unwrap();
        let store = SqliteStore::open(&directory.path().join("sessions.db")).unwrap();
        Self {
            store: Arc::new(store),
            _behind: Box::new(directory),
        }
    }

    pub(crate) async fn redis() -> Self {
        let server = RedisServer::start();
        Self {
            store: Arc::new(listening(&server, &server.url()).await),
            _behind: Box::new(server),
        }
    }
}

/// A store that is being told notices: the server knows of one more subscriber.
pub(crate) async fn listening(server: &RedisServer, url: &str) -> RedisStore {
    let before = listeners(server);
    let store = RedisStore::new(url).unwrap();
    eventually(|| listeners(server) > before).await;
    store
}

pub(crate) fn listeners(server: &RedisServer) -> usize {
    let reply = server.cli(&["PUBSUB", "NUMSUB", "component-auth0:notices:0"]);
    reply.lines().last().unwrap().parse().unwrap()
}

/// Waits until it is so.
pub(crate) async fn eventually(so: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < give_up, "it never came to be");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The next notice that names something: a store may say at any time that some were missed.
pub(crate) async fn heard(notices: &mut broadcast::Receiver<Notice>) -> Notice {
    loop {
        match next(notices).await {
            Notice::Missed => {}
            notice => return notice,
        }
    }
}

/// The next notice.
pub(crate) async fn next(notices: &mut broadcast::Receiver<Notice>) -> Notice {
    timeout(PATIENCE, notices.recv()).await.unwrap().unwrap()
}

/// How a call failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Unavailable,
    Faulty,
}

/// The failure of a call that had to fail, and promptly.
pub(crate) async fn failure<T>(call: impl Future<Output = Result<T, StoreError>>) -> Failure {
    let began = Instant::now();
    let result = call.await;
    assert!(began.elapsed() < PROMPT, "after {:?}", began.elapsed());
    match result {
        Ok(_) => panic!("it answered"),
        Err(StoreError::Unavailable(_)) => Failure::Unavailable,
        Err(StoreError::Faulty(_)) => Failure::Faulty,
    }
}

/// Waits until the store answers again; gives what it says of session 1 then.
pub(crate) async fn recovered(store: &dyn SessionStore) -> Option<session_store::StoredSession> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match store.load_session(SessionId([1; 16])).await {
            Ok(found) => return found,
            Err(error) => assert!(Instant::now() < give_up, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn session(id: u8, expires_at: i64) -> NewSession {
    NewSession {
        id: SessionId([id; 16]),
        sealed: b"sealed".to_vec(),
        provider_session: Some(by_sid()),
        subject: by_sub(),
        expires_at,
    }
}

pub(crate) fn by_sid() -> KeyHash {
    KeyHash::of_parts(&["https://op.test/", "sid"])
}

pub(crate) fn by_sub() -> KeyHash {
    KeyHash::of_parts(&["https://op.test/", "sub"])
}

pub(crate) fn handle(kind: HandleKind, key: &str, session: Option<u8>) -> NewHandle {
    NewHandle {
        kind,
        key: KeyHash::of(key),
        session: session.map(|id| SessionId([id; 16])),
        sealed: b"extra".to_vec(),
        expires_at: NOW + 60,
        remember_until: NOW + 120,
    }
}

/// Creates session `id`, which lives for a minute.
pub(crate) async fn create(store: &dyn SessionStore, id: u8) -> Result<(), StoreError> {
    store.create_session(session(id, NOW + 60), vec![]).await
}
