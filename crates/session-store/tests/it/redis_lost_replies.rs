//! Redis obeyed and its answer was lost: the call asks again, and must hear what it would
//! have heard, never that "somebody else" was quicker.
//!
//! Each case cuts the connection of the store under test in the moment of the answer. The
//! outcome without operation ids would be a different one in every case.

use std::sync::Arc;

use session_store::{HandleKind, KeyHash, RedisStore, SessionId, SessionStore, Taken, Updated};
use test_redis::{Fault, FaultProxy, RedisServer};

use crate::support::{NOW, create, handle, recovered, session};

struct Setting {
    store: Arc<RedisStore>,
    proxy: FaultProxy,
    /// Over a way of its own.
    observer: RedisStore,
    _server: RedisServer,
}

/// A store with an open connection behind a proxy.
async fn setting() -> Setting {
    let server = RedisServer::start();
    let proxy = server.proxy();
    let store = RedisStore::new(&proxy.url()).unwrap();
    recovered(&store).await;
    // Its listening connection is made by now, or comes later and takes no answer of a call.
    crate::support::eventually(|| crate::support::listeners(&server) == 1).await;
    Setting {
        store: Arc::new(store),
        observer: RedisStore::new(&server.url()).unwrap(),
        proxy,
        _server: server,
    }
}

impl Setting {
    /// Redis obeys the next command; the first `bytes` of its answer arrive, the rest never.
    /// The store has used that very script before, so that it is the script's own answer.
    fn lose_next_reply(&self, bytes: usize) {
        self.proxy.set(Fault::CutReply(bytes));
    }

    fn assert_lost(&self) {
        assert_eq!(self.proxy.fault(), Fault::None, "no answer was lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_session_is_created_once() {
    for bytes in [0, 1] {
        let setting = setting().await;
        create(&*setting.store, 9).await.unwrap();
        setting.lose_next_reply(bytes);
        let grant = handle(HandleKind::Grant, "grant", Some(1));
        setting
            .store
            .create_session(session(1, NOW + 60), vec![grant])
            .await
            .unwrap();
        setting.assert_lost();
        let leads_to = setting
            .observer
            .find(HandleKind::Grant, KeyHash::of("grant"), NOW)
            .await
            .unwrap();
        assert!(leads_to.unwrap().1.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_of_a_version_hears_that_it_wrote() {
    let setting = setting().await;
    let id = SessionId([1; 16]);
    create(&*setting.store, 1).await.unwrap();
    let write = |version| {
        setting
            .store
            .update_session(id, version, b"same".to_vec(), NOW + 90)
    };
    assert_eq!(write(1).await.unwrap(), Updated::Done);
    setting.lose_next_reply(0);
    assert_eq!(write(2).await.unwrap(), Updated::Done);
    setting.assert_lost();
    let stored = setting.observer.load_session(id).await.unwrap().unwrap();
    assert_eq!(stored.version, 3, "written once");
    assert_eq!(write(2).await.unwrap(), Updated::Conflict, "a call anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_puts_a_handle_hears_that_it_is_new() {
    let setting = setting().await;
    let put = |key| {
        setting
            .store
            .put_handle(handle(HandleKind::SpentState, key, None))
    };
    assert!(put("before").await.unwrap());
    setting.lose_next_reply(0);
    assert!(put("state").await.unwrap());
    setting.assert_lost();
    assert!(!put("state").await.unwrap(), "a call anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_handle_gets_it() {
    let setting = setting().await;
    for key in ["before", "ticket"] {
        setting
            .store
            .put_handle(handle(HandleKind::Ticket, key, None))
            .await
            .unwrap();
    }
    let take = |key| {
        setting
            .store
            .take_handle(HandleKind::Ticket, KeyHash::of(key), b"claimed", NOW)
    };
    assert!(matches!(take("before").await.unwrap(), Taken::Now(_)));
    setting.lose_next_reply(0);
    let Taken::Now(taken) = take("ticket").await.unwrap() else {
        panic!("it took it itself");
    };
    assert_eq!(taken.sealed, b"extra");
    setting.assert_lost();
    // The same mark once more is somebody else.
    assert!(matches!(take("ticket").await.unwrap(), Taken::Before(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ends_a_session_gets_what_it_held() {
    let setting = setting().await;
    create(&*setting.store, 1).await.unwrap();
    create(&*setting.store, 2).await.unwrap();
    let end = |id| {
        setting
            .store
            .end_session(SessionId([id; 16]), "signed_out", NOW + 60)
    };
    assert!(end(2).await.unwrap().is_some());
    setting.lose_next_reply(0);
    let was = end(1).await.unwrap().unwrap();
    assert_eq!(
        (was.sealed.as_slice(), was.version),
        (b"sealed".as_slice(), 1)
    );
    assert_eq!(was.ended, None);
    setting.assert_lost();
    assert!(end(1).await.unwrap().is_none(), "a call anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_cut_in_its_middle_is_sent_again() {
    let setting = setting().await;
    create(&*setting.store, 1).await.unwrap();
    for (id, bytes) in [(2, 0), (3, 1), (4, 40)] {
        setting.proxy.set(Fault::CutCommand(bytes));
        create(&*setting.store, id).await.unwrap();
        setting.assert_lost();
    }
    assert_eq!(setting.observer.count_live(NOW).await.unwrap(), 4);
}
