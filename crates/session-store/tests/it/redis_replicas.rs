//! Two companions, one Redis; and what a Redis holds in the end.

use std::sync::Arc;

use session_store::{
    HandleKind, KeyHash, Notice, Purged, RedisStore, SessionId, SessionStore, StoreError, Taken,
};
use test_redis::{Options, RedisServer};

use crate::support::{NOW, by_sub, create, handle, heard, listening, session};

async fn replicas() -> (Arc<RedisStore>, Arc<RedisStore>, RedisServer) {
    let server = RedisServer::start();
    let a = listening(&server, &server.url()).await;
    let b = listening(&server, &server.url()).await;
    (Arc::new(a), Arc::new(b), server)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_writes_the_other_reads() {
    let (a, b, _server) = replicas().await;
    create(&*a, 1).await.unwrap();
    let id = SessionId([1; 16]);
    b.update_session(id, 1, b"of b".to_vec(), NOW + 90)
        .await
        .unwrap();
    assert_eq!(a.load_session(id).await.unwrap().unwrap().sealed, b"of b");
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_reach_every_replica() {
    let (a, b, _server) = replicas().await;
    let (mut at_a, mut at_b) = (a.subscribe(), b.subscribe());
    let ready = Notice::HandoffReady(KeyHash::of("challenge"));
    a.notify(ready).await.unwrap();
    create(&*b, 1).await.unwrap();
    let id = SessionId([1; 16]);
    b.end_session(id, "signed_out", NOW + 60).await.unwrap();
    for notices in [&mut at_a, &mut at_b] {
        assert_eq!(heard(notices).await, ready);
        assert_eq!(heard(notices).await, Notice::SessionEnded(id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_one_server_hear_nothing_of_each_other() {
    let (a, _, server) = replicas().await;
    let other = RedisStore::new(&format!("{}?db=1", server.url())).unwrap();
    let mut at_a = a.subscribe();
    other
        .notify(Notice::SessionEnded(SessionId([9; 16])))
        .await
        .unwrap();
    let own = Notice::SessionEnded(SessionId([1; 16]));
    a.notify(own).await.unwrap();
    assert_eq!(heard(&mut at_a).await, own);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_hundred_takers_over_two_replicas_gets_the_handle() {
    let (a, b, _server) = replicas().await;
    a.put_handle(handle(HandleKind::Ticket, "ticket", None))
        .await
        .unwrap();
    let takers = (0..100).map(|number| {
        let store = if number % 2 == 0 { &a } else { &b }.clone();
        tokio::spawn(async move {
            // All with one mark, as the handoff does.
            let take =
                store.take_handle(HandleKind::Ticket, KeyHash::of("ticket"), b"claimed", NOW);
            matches!(take.await.unwrap(), Taken::Now(_))
        })
    });
    let mut taken = 0;
    for taker in takers.collect::<Vec<_>>() {
        taken += usize::from(taker.await.unwrap());
    }
    assert_eq!(taken, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_clock_is_wrong_steals_no_lease_and_holds_none_for_ever() {
    let (a, b, server) = replicas().await;
    let key = KeyHash::of("refresh");
    assert!(a.acquire_lease(key, b"a", NOW, NOW + 60).await.unwrap());
    for wrong in [NOW + 86_400, NOW - 86_400] {
        assert!(!b.acquire_lease(key, b"b", wrong, wrong + 60).await.unwrap());
    }
    let name = server.cli(&["KEYS", "component-auth0:l:*"]);
    let left: i64 = server.cli(&["PTTL", &name]).parse().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_is_forgotten_by_redis_itself_sometime() {
    let (a, _, server) = replicas().await;
    let cookie = handle(HandleKind::PageCookie, "cookie", Some(1));
    a.create_session(session(1, NOW + 60), vec![cookie])
        .await
        .unwrap();
    create(&*a, 2).await.unwrap();
    create(&*a, 3).await.unwrap();
    a.touch_session(SessionId([2; 16]), NOW + 600)
        .await
        .unwrap();
    a.end_session(SessionId([3; 16]), "signed_out", NOW + 60)
        .await
        .unwrap();
    a.acquire_lease(KeyHash::of("refresh"), b"a", NOW, NOW + 60)
        .await
        .unwrap();
    a.probe().await.unwrap();
    let keys = server.cli(&["KEYS", "*"]);
    assert!(keys.lines().count() >= 11, "{keys}");
    for key in keys.lines() {
        let left: i64 = server.cli(&["TTL", key]).parse().unwrap();
        assert!(left > 0, "{key} stays for ever");
    }
    // Not before its time either: this server's clock is not the callers'.
    let sessions = server.cli(&["TTL", &format!("component-auth0:s:{}", "02".repeat(16))]);
    assert!(sessions.parse::<i64>().unwrap() > 3600, "{sessions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_whose_clock_lies_years_back_keep_their_sessions() {
    let (a, _, server) = replicas().await;
    let past = 1_000_000_000;
    a.create_session(session(1, past + 60), vec![])
        .await
        .unwrap();
    let id = SessionId([1; 16]);
    a.touch_session(id, past + 90).await.unwrap();
    let found = a.load_session(id).await.unwrap();
    assert_eq!(found.unwrap().expires_at, past + 90);
    let name = format!("component-auth0:s:{}", "01".repeat(16));
    let left: i64 = server.cli(&["TTL", &name]).parse().unwrap();
    assert!(left > 86_000, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_of_everything_leaves_no_key() {
    let (a, _, server) = replicas().await;
    for id in 1..=3 {
        let cookie = handle(HandleKind::PageCookie, &id.to_string(), Some(id));
        a.create_session(session(id, NOW + 60), vec![cookie])
            .await
            .unwrap();
    }
    let id = SessionId([1; 16]);
    assert!(a.end_session(id, "x", NOW + 60).await.unwrap().is_some());
    a.remove_handle(HandleKind::PageCookie, KeyHash::of("2"))
        .await
        .unwrap();
    a.purge(NOW + 86_400).await.unwrap();
    // What an ended session held is kept for seconds, see end_session.lua.
    let left = server.cli(&["KEYS", "*"]);
    assert!(
        left.lines()
            .all(|key| key.starts_with("component-auth0:o:")),
        "{left}"
    );
    for key in left.lines() {
        let left: i64 = server.cli(&["PTTL", key]).parse().unwrap();
        assert!(left <= 5000, "{left}");
    }
}

/// Catalogue E66.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_clock_is_fast_purges_nothing_that_others_need() {
    let (a, b, _server) = replicas().await;
    let far_ahead = 10_000_000_000;
    a.create_session(session(1, far_ahead), vec![])
        .await
        .unwrap();
    let purged = b.purge(2 * far_ahead).await.unwrap();
    assert_eq!(purged, Purged::default());
    let id = SessionId([1; 16]);
    assert!(a.load_session(id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_forgets_sessions_that_nobody_purged() {
    let (a, _, server) = replicas().await;
    for id in 1..=40 {
        create(&*a, id).await.unwrap();
        // As if its time to live had run out, long after its purge was due.
        let gone = format!("component-auth0:s:{}", format!("{id:02x}").repeat(16));
        assert_eq!(server.cli(&["DEL", &gone]), "1");
    }
    let index = server.cli(&["KEYS", "component-auth0:i:u:*"]);
    let members: usize = server.cli(&["SCARD", &index]).parse().unwrap();
    assert!(members < 5, "{members}");
    assert!(a.sessions_of_subject(by_sub()).await.unwrap().is_empty());
    assert_eq!(server.cli(&["EXISTS", &index]), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_redis_forgot_are_sent_again() {
    let (a, _, server) = replicas().await;
    create(&*a, 1).await.unwrap();
    assert_eq!(server.cli(&["SCRIPT", "FLUSH"]), "OK");
    create(&*a, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_may_drop_sessions_is_not_ready_and_says_why() {
    let (a, _, server) = replicas().await;
    for setting in [["maxmemory", "100mb"], ["maxmemory-policy", "allkeys-lru"]] {
        assert_eq!(server.cli(&["CONFIG", "SET", setting[0], setting[1]]), "OK");
    }
    let Err(StoreError::Faulty(why)) = a.probe().await else {
        panic!("it is not ready");
    };
    assert!(why.to_string().contains("maxmemory-policy noeviction"));
    let good = server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert_eq!(good, "OK");
    a.probe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_touch_our_keys_and_channel_only_is_enough() {
    let (_, _, server) = replicas().await;
    let made = server.cli(&[
        "ACL",
        "SETUSER",
        "companion",
        "on",
        ">word",
        "~component-auth0:*",
        "&component-auth0:*",
        "+@all",
        "-@dangerous",
        "-@admin",
    ]);
    assert_eq!(made, "OK");
    let url = format!("{}?user=companion&pass=word", server.url());
    let store = listening(&server, &url).await;
    // INFO is among the dangerous: what it would tell is the operator's to know.
    store.probe().await.unwrap();
    let mut notices = store.subscribe();
    create(&store, 1).await.unwrap();
    let id = SessionId([1; 16]);
    store.end_session(id, "x", NOW + 60).await.unwrap();
    assert_eq!(heard(&mut notices).await, Notice::SessionEnded(id));
    store.purge(NOW + 86_400).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_the_channel_can_still_sign_out() {
    let (_, _, server) = replicas().await;
    let rules = "on >word ~component-auth0:* resetchannels +@all";
    let mut setuser = vec!["ACL", "SETUSER", "mute"];
    setuser.extend(rules.split(' '));
    assert_eq!(server.cli(&setuser), "OK");
    let store = RedisStore::new(&format!("{}?user=mute&pass=word", server.url())).unwrap();
    create(&store, 1).await.unwrap();
    let ended = store.end_session(SessionId([1; 16]), "x", NOW + 60).await;
    assert!(ended.unwrap().is_some());
}

#[tokio::test]
async fn debug_shows_where_it_is_and_no_password() {
    let store = RedisStore::new("redis://user:hunter2@host.test:7000/3").unwrap();
    assert_eq!(format!("{store:?}"), "RedisStore(redis://host.test:7000/3)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_url_opens_a_guarded_server() {
    let server = Options::new().password("word").start();
    let store = RedisStore::new(&server.url()).unwrap();
    store.probe().await.unwrap();
    let proxy = server.proxy();
    let over_tcp = RedisStore::new(&proxy.url()).unwrap();
    over_tcp.probe().await.unwrap();
}
