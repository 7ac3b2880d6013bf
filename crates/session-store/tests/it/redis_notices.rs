//! Notices over a connection that breaks.

use session_store::{KeyHash, Notice, SessionStore as _};
use test_redis::{Fault, RedisServer};

use crate::support::{eventually, heard, listeners, listening, next};

const READY: &str = "challenge";

fn ready() -> Notice {
    Notice::HandoffReady(KeyHash::of(READY))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_subscribers_are_told_that_they_missed_some() {
    let server = RedisServer::start();
    let proxy = server.proxy();
    let store = listening(&server, &proxy.url()).await;
    let mut notices = store.subscribe();
    store.notify(ready()).await.unwrap();
    assert_eq!(heard(&mut notices).await, ready());
    proxy.cut();
    assert_eq!(next(&mut notices).await, Notice::Missed);
    store.notify(ready()).await.unwrap();
    assert_eq!(heard(&mut notices).await, ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_redis_notices_are_heard_again() {
    let mut server = RedisServer::start();
    let store = listening(&server, &server.url()).await;
    let mut notices = store.subscribe();
    store.notify(ready()).await.unwrap();
    assert_eq!(heard(&mut notices).await, ready());
    server.stop();
    assert!(store.notify(ready()).await.is_err());
    server.start_again();
    assert_eq!(next(&mut notices).await, Notice::Missed);
    eventually(|| listeners(&server) == 1).await;
    crate::support::recovered(&store).await;
    store.notify(ready()).await.unwrap();
    assert_eq!(heard(&mut notices).await, ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_that_looks_alive_is_found_out() {
    let server = RedisServer::start();
    let proxy = server.proxy();
    let store = listening(&server, &proxy.url()).await;
    let mut notices = store.subscribe();
    store.notify(ready()).await.unwrap();
    assert_eq!(heard(&mut notices).await, ready());
    proxy.set(Fault::BlackHole);
    // It asks, hears nothing, gives the connection up and cannot make another.
    let before = proxy.accepted();
    eventually(|| proxy.accepted() > before).await;
    proxy.set(Fault::None);
    assert_eq!(next(&mut notices).await, Notice::Missed);
    let other = session_store::RedisStore::new(&server.url()).unwrap();
    other.notify(ready()).await.unwrap();
    assert_eq!(heard(&mut notices).await, ready());
}
