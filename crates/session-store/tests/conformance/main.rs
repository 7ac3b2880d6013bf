//! What every store must do, whatever it is made of. Each case runs against each
//! implementation; a new one joins by one line in `conformance!`.
#![expect(clippy::unwrap_used, reason = "a failed step of a test ends the test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_store::{
    HandleKind, KeyHash, NewHandle, NewSession, Notice, RedisStore, SessionId, SessionStore,
    SqliteStore, Taken, Updated,
};
use tempfile::TempDir;
use test_redis::RedisServer;
use tokio::sync::broadcast;
use tokio::time::timeout;

const NOW: i64 = 1_800_000_000;

struct Fresh {
    store: Arc<dyn SessionStore>,
    _behind: Box<dyn std::any::Any>,
}

fn sqlite() -> Fresh {
    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(&directory.path().join("sessions.db")).unwrap();
    Fresh {
        store: Arc::new(store),
        _behind: Box::new(directory),
    }
}

async fn redis() -> Fresh {
    let server = RedisServer::start();
    Fresh {
        store: Arc::new(listening(&server).await),
        _behind: Box::new(server),
    }
}

/// A store that is being told notices: the server knows of one more subscriber.
async fn listening(server: &RedisServer) -> RedisStore {
    let heard_by = || {
        let reply = server.cli(&["PUBSUB", "NUMSUB", "component-auth0:notices:0"]);
        reply.lines().last().unwrap().parse::<usize>().unwrap()
    };
    let before = heard_by();
    let store = RedisStore::new(&server.url()).unwrap();
    let give_up = Instant::now() + Duration::from_secs(10);
    while heard_by() == before {
        assert!(Instant::now() < give_up, "the store does not listen");
        tokio::task::yield_now().await;
    }
    store
}

/// The next notice that names something: a store may say at any time that some were missed.
async fn heard(notices: &mut broadcast::Receiver<Notice>) -> Notice {
    let next = async {
        loop {
            match notices.recv().await.unwrap() {
                Notice::Missed => {}
                notice => return notice,
            }
        }
    };
    timeout(Duration::from_secs(10), next).await.unwrap()
}

macro_rules! conformance {
    ($($case:ident)*) => {
        mod sqlite_store { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let fresh = super::sqlite();
                super::$case(fresh.store.clone()).await;
            }
        )* }
        mod redis_store { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let fresh = super::redis().await;
                super::$case(fresh.store.clone()).await;
            }
        )* }
    };
}

conformance! {
    a_created_session_is_found_through_its_handle
    an_update_of_an_older_version_is_refused
    an_ended_session_keeps_its_reason_and_loses_its_payload
    ending_a_session_twice_tells_the_second_caller
    a_session_is_found_by_provider_session_and_by_subject_until_it_ends
    one_of_a_hundred_takers_gets_the_handle
    a_lapsed_handle_cannot_be_taken
    an_unknown_handle_is_unknown
    kinds_do_not_answer_for_each_other
    a_second_handle_of_the_same_key_is_refused
    a_lease_has_one_holder_until_it_is_given_back
    the_lease_of_a_dead_holder_frees_itself
    a_holder_prolongs_its_lease
    purge_removes_only_what_nobody_needs
    subscribers_hear_of_the_end_of_a_session
    touching_moves_the_expiry_only
    live_sessions_are_counted_without_the_ended_and_the_expired
}

fn session(id: u8, expires_at: i64) -> NewSession {
    NewSession {
        id: SessionId([id; 16]),
        sealed: b"sealed".to_vec(),
        provider_session: Some(KeyHash::of_parts(&["https://op.test/", "sid"])),
        subject: KeyHash::of_parts(&["https://op.test/", "sub"]),
        expires_at,
    }
}

fn handle(kind: HandleKind, key: &str, session: Option<u8>) -> NewHandle {
    NewHandle {
        kind,
        key: KeyHash::of(key),
        session: session.map(|id| SessionId([id; 16])),
        sealed: b"extra".to_vec(),
        expires_at: NOW + 60,
        remember_until: NOW + 120,
    }
}

async fn a_created_session_is_found_through_its_handle(store: Arc<dyn SessionStore>) {
    let cookie = handle(HandleKind::PageCookie, "cookie", Some(1));
    store
        .create_session(session(1, NOW + 60), vec![cookie])
        .await
        .unwrap();
    let (_, found) = store
        .find(HandleKind::PageCookie, KeyHash::of("cookie"), NOW)
        .await
        .unwrap()
        .unwrap();
    let found = found.unwrap();
    assert_eq!(found.id, SessionId([1; 16]));
    assert_eq!(found.sealed, b"sealed");
    assert!(
        store
            .find(HandleKind::PageCookie, KeyHash::of("cookie"), NOW + 60)
            .await
            .unwrap()
            .is_none()
    );
}

async fn an_update_of_an_older_version_is_refused(store: Arc<dyn SessionStore>) {
    let id = SessionId([1; 16]);
    store
        .create_session(session(1, NOW + 60), vec![])
        .await
        .unwrap();
    let version = store.load_session(id).await.unwrap().unwrap().version;
    let update = |payload: &[u8]| store.update_session(id, version, payload.to_vec(), NOW + 90);
    assert_eq!(update(b"first").await.unwrap(), Updated::Done);
    assert_eq!(update(b"second").await.unwrap(), Updated::Conflict);
    let stored = store.load_session(id).await.unwrap().unwrap();
    assert_eq!(stored.sealed, b"first");
    assert_eq!(stored.expires_at, NOW + 90);
}

async fn an_ended_session_keeps_its_reason_and_loses_its_payload(store: Arc<dyn SessionStore>) {
    let id = SessionId([1; 16]);
    let grant = handle(HandleKind::Grant, "grant", Some(1));
    store
        .create_session(session(1, NOW + 60), vec![grant])
        .await
        .unwrap();
    let version = store.load_session(id).await.unwrap().unwrap().version;
    store
        .end_session(id, "signed_out", NOW + 600)
        .await
        .unwrap();
    let (_, ended) = store
        .find(HandleKind::Grant, KeyHash::of("grant"), NOW)
        .await
        .unwrap()
        .unwrap();
    let ended = ended.unwrap();
    assert_eq!(ended.ended.as_deref(), Some("signed_out"));
    assert!(ended.sealed.is_empty());
    // A refresh that was under way must not bring it back to life.
    let revived = store
        .update_session(id, version, b"new".to_vec(), NOW + 600)
        .await
        .unwrap();
    assert_eq!(revived, Updated::Conflict);
}

async fn ending_a_session_twice_tells_the_second_caller(store: Arc<dyn SessionStore>) {
    store
        .create_session(session(1, NOW + 60), vec![])
        .await
        .unwrap();
    let end = |id| store.end_session(SessionId([id; 16]), "signed_out", NOW);
    let ended = end(1).await.unwrap().unwrap();
    assert_eq!(ended.sealed, b"sealed", "as it was when it ended");
    assert!(end(1).await.unwrap().is_none());
    assert!(end(9).await.unwrap().is_none());
}

async fn a_session_is_found_by_provider_session_and_by_subject_until_it_ends(
    store: Arc<dyn SessionStore>,
) {
    let by_sid = KeyHash::of_parts(&["https://op.test/", "sid"]);
    let by_sub = KeyHash::of_parts(&["https://op.test/", "sub"]);
    store
        .create_session(session(1, NOW + 60), vec![])
        .await
        .unwrap();
    store
        .create_session(session(2, NOW + 60), vec![])
        .await
        .unwrap();
    assert_eq!(
        store
            .sessions_of_provider_session(by_sid)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(store.sessions_of_subject(by_sub).await.unwrap().len(), 2);
    store
        .end_session(SessionId([1; 16]), "signed_out", NOW + 600)
        .await
        .unwrap();
    assert_eq!(
        store.sessions_of_provider_session(by_sid).await.unwrap(),
        [SessionId([2; 16])]
    );
    assert_eq!(
        store.sessions_of_subject(by_sub).await.unwrap(),
        [SessionId([2; 16])]
    );
    assert!(store.sessions_of_subject(by_sid).await.unwrap().is_empty());
}

async fn one_of_a_hundred_takers_gets_the_handle(store: Arc<dyn SessionStore>) {
    store
        .put_handle(handle(HandleKind::Ticket, "ticket", None))
        .await
        .unwrap();
    let takers: Vec<_> = (0..100u8)
        .map(|taker| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .take_handle(HandleKind::Ticket, KeyHash::of("ticket"), &[taker], NOW)
                    .await
                    .unwrap()
            })
        })
        .collect();
    let (mut now, mut before) = (0, 0);
    for taker in takers {
        match taker.await.unwrap() {
            Taken::Now(handle) => {
                assert_eq!(handle.sealed, b"extra");
                now += 1;
            }
            Taken::Before(handle) => {
                assert_eq!(handle.taken.unwrap().len(), 1);
                before += 1;
            }
            Taken::Lapsed | Taken::Unknown => unreachable!("the handle was there"),
        }
    }
    assert_eq!((now, before), (1, 99));
    assert!(
        store
            .find(HandleKind::Ticket, KeyHash::of("ticket"), NOW)
            .await
            .unwrap()
            .is_none()
    );
}

async fn a_lapsed_handle_cannot_be_taken(store: Arc<dyn SessionStore>) {
    store
        .put_handle(handle(HandleKind::Ticket, "ticket", None))
        .await
        .unwrap();
    let key = KeyHash::of("ticket");
    assert!(matches!(
        store
            .take_handle(HandleKind::Ticket, key, b"x", NOW + 60)
            .await
            .unwrap(),
        Taken::Lapsed
    ));
    assert!(matches!(
        store
            .take_handle(HandleKind::Ticket, key, b"x", NOW + 59)
            .await
            .unwrap(),
        Taken::Now(_)
    ));
}

async fn an_unknown_handle_is_unknown(store: Arc<dyn SessionStore>) {
    let key = KeyHash::of("nothing");
    assert!(matches!(
        store
            .take_handle(HandleKind::Ticket, key, b"x", NOW)
            .await
            .unwrap(),
        Taken::Unknown
    ));
    assert!(
        store
            .peek_handle(HandleKind::Ticket, key)
            .await
            .unwrap()
            .is_none()
    );
}

async fn kinds_do_not_answer_for_each_other(store: Arc<dyn SessionStore>) {
    store
        .put_handle(handle(HandleKind::PageCookie, "value", None))
        .await
        .unwrap();
    assert!(
        store
            .find(HandleKind::FrameCookie, KeyHash::of("value"), NOW)
            .await
            .unwrap()
            .is_none()
    );
    store
        .remove_handle(HandleKind::FrameCookie, KeyHash::of("value"))
        .await
        .unwrap();
    assert!(
        store
            .find(HandleKind::PageCookie, KeyHash::of("value"), NOW)
            .await
            .unwrap()
            .is_some()
    );
    store
        .remove_handle(HandleKind::PageCookie, KeyHash::of("value"))
        .await
        .unwrap();
    assert!(
        store
            .find(HandleKind::PageCookie, KeyHash::of("value"), NOW)
            .await
            .unwrap()
            .is_none()
    );
}

async fn a_second_handle_of_the_same_key_is_refused(store: Arc<dyn SessionStore>) {
    assert!(
        store
            .put_handle(handle(HandleKind::SpentState, "state", None))
            .await
            .unwrap()
    );
    assert!(
        !store
            .put_handle(handle(HandleKind::SpentState, "state", None))
            .await
            .unwrap()
    );
}

async fn a_lease_has_one_holder_until_it_is_given_back(store: Arc<dyn SessionStore>) {
    let key = KeyHash::of("refresh");
    let acquire = |holder: &'static [u8]| store.acquire_lease(key, holder, NOW, NOW + 60);
    assert!(acquire(b"a").await.unwrap());
    assert!(!acquire(b"b").await.unwrap());
    store.release_lease(key, b"b").await.unwrap();
    assert!(!acquire(b"b").await.unwrap(), "b had nothing to give back");
    store.release_lease(key, b"a").await.unwrap();
    assert!(acquire(b"b").await.unwrap());
}

/// Waits for a lease as a companion would whose clock runs with ours; gives the seconds.
async fn wait_for_lease(store: &dyn SessionStore, key: KeyHash, holder: &[u8]) -> u64 {
    let began = Instant::now();
    loop {
        let waited = began.elapsed().as_secs();
        assert!(waited < 10, "the lease is never free");
        let now = NOW + i64::try_from(waited).unwrap();
        if store
            .acquire_lease(key, holder, now, now + 60)
            .await
            .unwrap()
        {
            return waited;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn the_lease_of_a_dead_holder_frees_itself(store: Arc<dyn SessionStore>) {
    let key = KeyHash::of("refresh");
    assert!(store.acquire_lease(key, b"a", NOW, NOW + 1).await.unwrap());
    assert!(!store.acquire_lease(key, b"b", NOW, NOW + 1).await.unwrap());
    wait_for_lease(&*store, key, b"b").await;
    store.release_lease(key, b"a").await.unwrap();
    assert!(
        !store.acquire_lease(key, b"c", NOW, NOW + 1).await.unwrap(),
        "the dead has no say any more"
    );
}

async fn a_holder_prolongs_its_lease(store: Arc<dyn SessionStore>) {
    let key = KeyHash::of("refresh");
    assert!(store.acquire_lease(key, b"a", NOW, NOW + 1).await.unwrap());
    assert!(store.acquire_lease(key, b"a", NOW, NOW + 3).await.unwrap());
    assert!(wait_for_lease(&*store, key, b"b").await >= 2);
}

async fn purge_removes_only_what_nobody_needs(store: Arc<dyn SessionStore>) {
    store
        .create_session(
            session(1, NOW + 60),
            vec![handle(HandleKind::Ticket, "t", Some(1))],
        )
        .await
        .unwrap();
    assert_eq!(
        store.purge(NOW + 61).await.unwrap(),
        session_store::Purged::default()
    );
    assert_eq!(store.purge(NOW + 120).await.unwrap().handles, 1);
    assert!(
        store
            .load_session(SessionId([1; 16]))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.purge(NOW + 86_400).await.unwrap().sessions, 1);
    assert!(
        store
            .load_session(SessionId([1; 16]))
            .await
            .unwrap()
            .is_none()
    );
}

async fn subscribers_hear_of_the_end_of_a_session(store: Arc<dyn SessionStore>) {
    let mut notices = store.subscribe();
    store
        .create_session(session(1, NOW + 60), vec![])
        .await
        .unwrap();
    store
        .end_session(SessionId([1; 16]), "signed_out", NOW + 60)
        .await
        .unwrap();
    assert_eq!(
        heard(&mut notices).await,
        Notice::SessionEnded(SessionId([1; 16]))
    );
    let ready = Notice::HandoffReady(KeyHash::of("challenge"));
    store.notify(ready).await.unwrap();
    assert_eq!(heard(&mut notices).await, ready);
}

async fn touching_moves_the_expiry_only(store: Arc<dyn SessionStore>) {
    let id = SessionId([1; 16]);
    store
        .create_session(session(1, NOW + 60), vec![])
        .await
        .unwrap();
    let before = store.load_session(id).await.unwrap().unwrap();
    store.touch_session(id, NOW + 600).await.unwrap();
    let after = store.load_session(id).await.unwrap().unwrap();
    assert_eq!(
        (after.expires_at, after.version),
        (NOW + 600, before.version)
    );
}

mod sqlite_file {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn survives_reopening_and_is_private() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("sessions.db");
        let store = SqliteStore::open(&path).unwrap();
        store
            .create_session(session(1, NOW + 60), vec![])
            .await
            .unwrap();
        let reopened = SqliteStore::open(&path).unwrap();
        assert!(
            reopened
                .load_session(SessionId([1; 16]))
                .await
                .unwrap()
                .is_some()
        );
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("sessions.db");
        std::fs::write(
            &path,
            "not a database, but long enough to be taken for one".repeat(40),
        )
        .unwrap();
        assert!(SqliteStore::open(&path).is_err());
    }
}

async fn live_sessions_are_counted_without_the_ended_and_the_expired(store: Arc<dyn SessionStore>) {
    for (id, expires_at) in [(1, NOW + 60), (2, NOW + 60), (3, NOW + 1), (4, NOW + 60)] {
        store
            .create_session(session(id, expires_at), vec![])
            .await
            .unwrap();
    }
    store
        .end_session(SessionId([4; 16]), "signed_out", NOW + 100)
        .await
        .unwrap();
    assert_eq!(store.count_live(NOW + 2).await.unwrap(), 2);
}
