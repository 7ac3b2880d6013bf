//! A Redis that fails, by name of the failure: what callers hear, how soon, and that the same
//! store works again when Redis does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_store::{HandleKind, KeyHash, RedisStore, SessionId, SessionStore};
use test_redis::{Fault, Options, RedisServer};

use crate::support::{Failure, NOW, PROMPT, create, eventually, failure, handle, recovered};

const ID: SessionId = SessionId([1; 16]);

fn store(url: &str) -> RedisStore {
    RedisStore::new(url).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_before_the_first_call_and_later() {
    let mut server = RedisServer::start();
    server.stop();
    let store = store(&server.url());
    assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
    assert_eq!(failure(store.probe()).await, Failure::Unavailable);
    server.start_again();
    assert!(recovered(&store).await.is_none());
    create(&store, 1).await.unwrap();
    server.stop();
    assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
    server.start_again();
    // It kept nothing: nobody is signed in, and that is no error.
    assert!(recovered(&store).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn reset() {
    let server = RedisServer::start();
    let proxy = server.proxy();
    let store = store(&proxy.url());
    create(&store, 1).await.unwrap();
    proxy.set(Fault::Refuse);
    assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
    assert_eq!(failure(create(&store, 2)).await, Failure::Unavailable);
    proxy.set(Fault::None);
    assert!(recovered(&store).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_down_callers_are_answered_without_knocking() {
    let server = RedisServer::start();
    let proxy = server.proxy();
    let store = store(&proxy.url());
    proxy.set(Fault::Refuse);
    let (before, began) = (proxy.accepted(), Instant::now());
    for _ in 0..500 {
        assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
    }
    // Both its connections pause 50, 100, 200 … ms between two attempts.
    let allowed = 8 + 2 * usize::try_from(began.elapsed().as_secs()).unwrap() * 2;
    let knocked = proxy.accepted() - before;
    assert!(knocked <= allowed, "{knocked} in {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn slow() {
    let server = RedisServer::start();
    let proxy = server.proxy();
    let store = store(&proxy.url());
    create(&store, 1).await.unwrap();
    proxy.set(Fault::Delay(Duration::from_millis(200)));
    assert!(
        store.load_session(ID).await.unwrap().is_some(),
        "slow is fine"
    );
    proxy.set(Fault::Delay(Duration::from_secs(5)));
    assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
    proxy.set(Fault::None);
    assert!(recovered(&store).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn black_hole() {
    let server = RedisServer::start();
    let proxy = server.proxy();
    let store = store(&proxy.url());
    create(&store, 1).await.unwrap();
    proxy.set(Fault::BlackHole);
    for _ in 0..3 {
        assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
        assert_eq!(failure(store.probe()).await, Failure::Unavailable);
    }
    proxy.set(Fault::None);
    assert!(recovered(&store).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_under_a_crowd() {
    let server = RedisServer::start();
    let store = Arc::new(store(&server.url()));
    create(&*store, 1).await.unwrap();
    server.pause();
    let began = Instant::now();
    let crowd = (0..3000).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { failure(store.load_session(ID)).await })
    });
    for caller in crowd.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), Failure::Unavailable);
    }
    // Not one after the other.
    assert!(began.elapsed() < PROMPT + PROMPT, "{:?}", began.elapsed());
    server.resume();
    assert!(recovered(&*store).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only() {
    let server = RedisServer::start();
    let store = store(&server.url());
    create(&store, 1).await.unwrap();
    // A replica whose primary is away, as after a failover that went wrong.
    assert_eq!(server.cli(&["REPLICAOF", "127.0.0.1", "1"]), "OK");
    assert_eq!(failure(create(&store, 2)).await, Failure::Unavailable);
    assert_eq!(
        failure(store.probe()).await,
        Failure::Unavailable,
        "not ready"
    );
    assert!(
        store.load_session(ID).await.unwrap().is_some(),
        "reads go on"
    );
    assert_eq!(server.cli(&["REPLICAOF", "NO", "ONE"]), "OK");
    create(&store, 2).await.unwrap();
    store.probe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn primary_down() {
    let server = Options::new()
        .arguments(&["--replica-serve-stale-data", "no"])
        .start();
    let store = store(&server.url());
    create(&store, 1).await.unwrap();
    assert_eq!(server.cli(&["REPLICAOF", "127.0.0.1", "1"]), "OK");
    assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
    assert_eq!(server.cli(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert!(recovered(&store).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_and_none() {
    let server = Options::new().password("word").start();
    let socket = server.socket().display();
    let none = store(&format!("redis+unix://{socket}"));
    assert_eq!(failure(none.load_session(ID)).await, Failure::Faulty);
    let wrong = store(&format!("redis+unix://{socket}?pass=hunter2"));
    assert_eq!(failure(wrong.probe()).await, Failure::Faulty);
    let error = wrong.load_session(ID).await.err().unwrap();
    assert!(!format!("{error:?}").contains("hunter2"));
    // The operator sets the password that was configured here.
    let set = server.cli(&["CONFIG", "SET", "requirepass", "hunter2"]);
    assert_eq!(set, "OK");
    eventually_ok(&wrong).await;
}

async fn eventually_ok(store: &RedisStore) {
    let give_up = Instant::now() + crate::support::PATIENCE;
    while let Err(error) = store.probe().await {
        assert!(Instant::now() < give_up, "{error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_memory_refuses_logins_and_lets_people_sign_out() {
    let server = RedisServer::start();
    let store = store(&server.url());
    create(&store, 1).await.unwrap();
    store
        .put_handle(handle(HandleKind::Grant, "grant", Some(1)))
        .await
        .unwrap();
    let set = |limit| server.cli(&["CONFIG", "SET", "maxmemory", limit]);
    assert_eq!(set("1"), "OK");
    assert_eq!(failure(create(&store, 2)).await, Failure::Unavailable);
    let put = store.put_handle(handle(HandleKind::Ticket, "ticket", Some(1)));
    assert_eq!(failure(put).await, Failure::Unavailable);
    assert_eq!(failure(store.probe()).await, Failure::Unavailable);
    assert!(store.load_session(ID).await.unwrap().is_some());
    let ended = store.end_session(ID, "signed_out", NOW + 60).await.unwrap();
    assert!(ended.is_some());
    store
        .remove_handle(HandleKind::Grant, KeyHash::of("grant"))
        .await
        .unwrap();
    // What was refused left nothing half done.
    assert!(
        store
            .load_session(SessionId([2; 16]))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(set("0"), "OK");
    create(&store, 2).await.unwrap();
    assert_eq!(store.count_live(NOW).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_with_a_script_of_somebody_else() {
    let server = Options::new()
        .arguments(&["--busy-reply-threshold", "50"])
        .start();
    let store = store(&server.url());
    create(&store, 1).await.unwrap();
    let mut endless = std::process::Command::new("redis-cli")
        .arg("-s")
        .arg(server.socket())
        .args(["EVAL", "while true do end", "0"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually(|| server.cli(&["PING"]).starts_with("BUSY")).await;
    assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
    assert_eq!(failure(create(&store, 2)).await, Failure::Unavailable);
    assert_eq!(server.cli(&["SCRIPT", "KILL"]), "OK");
    endless.wait().unwrap();
    assert!(recovered(&store).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn loading_its_data() {
    let server = RedisServer::start();
    let proxy = server.proxy();
    let store = store(&proxy.url());
    create(&store, 1).await.unwrap();
    proxy.set(Fault::Answer(
        b"-LOADING Redis is loading the dataset in memory\r\n",
    ));
    assert_eq!(failure(store.load_session(ID)).await, Failure::Unavailable);
    proxy.set(Fault::None);
    assert!(recovered(&store).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn not_a_redis_at_all() {
    let server = RedisServer::start();
    let proxy = server.proxy();
    proxy.set(Fault::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let store = store(&proxy.url());
    assert_eq!(failure(store.load_session(ID)).await, Failure::Faulty);
    assert_eq!(failure(store.probe()).await, Failure::Faulty);
    proxy.set(Fault::None);
    assert!(recovered(&store).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn wiped() {
    let server = RedisServer::start();
    let store = store(&server.url());
    create(&store, 1).await.unwrap();
    store
        .put_handle(handle(HandleKind::Grant, "grant", Some(1)))
        .await
        .unwrap();
    assert_eq!(server.cli(&["FLUSHALL"]), "OK");
    assert!(store.load_session(ID).await.unwrap().is_none());
    let grant = KeyHash::of("grant");
    assert!(
        store
            .find(HandleKind::Grant, grant, NOW)
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.end_session(ID, "x", NOW).await.unwrap().is_none());
    create(&store, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_type() {
    let server = RedisServer::start();
    let store = store(&server.url());
    let key = format!("component-auth0:s:{}", "01".repeat(16));
    assert_eq!(server.cli(&["SET", &key, "not a hash"]), "OK");
    assert_eq!(failure(store.load_session(ID)).await, Failure::Faulty);
    let update = store.update_session(ID, 1, vec![], NOW);
    assert_eq!(failure(update).await, Failure::Faulty);
    assert_eq!(server.cli(&["DEL", &key]), "1");
    create(&store, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn garbled_record() {
    let server = RedisServer::start();
    let store = store(&server.url());
    create(&store, 1).await.unwrap();
    let key = format!("component-auth0:s:{}", "01".repeat(16));
    for (field, value) in [("e", "tomorrow"), ("v", "first")] {
        let was = server.cli(&["HGET", &key, field]);
        assert_eq!(server.cli(&["HSET", &key, field, value]), "0");
        assert_eq!(failure(store.load_session(ID)).await, Failure::Faulty);
        assert_eq!(server.cli(&["HSET", &key, field, &was]), "0");
    }
    assert!(store.load_session(ID).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_with_its_data() {
    let mut server = Options::new().append_only().start();
    let store = store(&server.url());
    create(&store, 1).await.unwrap();
    server.stop();
    assert_eq!(failure(create(&store, 2)).await, Failure::Unavailable);
    server.start_again();
    assert_eq!(recovered(&store).await.unwrap().sealed, b"sealed");
    // The scripts are new to it.
    create(&store, 2).await.unwrap();
    assert_eq!(store.count_live(NOW).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_two_calls_is_not_noticed() {
    let mut server = Options::new().append_only().start();
    let store = store(&server.url());
    create(&store, 1).await.unwrap();
    server.stop();
    server.start_again();
    assert!(store.load_session(ID).await.unwrap().is_some());
}
