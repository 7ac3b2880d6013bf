//! Cases of many who want the same at once.

use std::sync::Arc;

use session_store::{HandleKind, KeyHash, Notice, SessionId, SessionStore, Taken, Updated};

use crate::support::{NOW, create, handle, heard};

pub(crate) async fn one_of_a_hundred_takers_gets_the_handle(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn one_of_a_hundred_callers_puts_a_handle(store: Arc<dyn SessionStore>) {
    let callers = (0..100).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let spent = handle(HandleKind::SpentState, "state", None);
            store.put_handle(spent).await.unwrap()
        })
    });
    let mut stored = 0;
    for caller in callers.collect::<Vec<_>>() {
        stored += usize::from(caller.await.unwrap());
    }
    assert_eq!(stored, 1);
}

pub(crate) async fn one_of_fifty_writers_a_version_succeeds(store: Arc<dyn SessionStore>) {
    let id = SessionId([1; 16]);
    create(&*store, 1).await.unwrap();
    for round in 1..=5 {
        let writers = (0..50).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                // All write the same: who wrote cannot be told from what was written.
                let update = store.update_session(id, round, b"same".to_vec(), NOW + 90);
                update.await.unwrap() == Updated::Done
            })
        });
        let mut done = 0;
        for writer in writers.collect::<Vec<_>>() {
            done += usize::from(writer.await.unwrap());
        }
        assert_eq!(done, 1);
        let now = store.load_session(id).await.unwrap().unwrap();
        assert_eq!(now.version, round + 1);
    }
}

pub(crate) async fn one_of_fifty_enders_gets_the_session_and_one_notice_goes_out(
    store: Arc<dyn SessionStore>,
) {
    let id = SessionId([1; 16]);
    create(&*store, 1).await.unwrap();
    let mut notices = store.subscribe();
    let enders = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let ended = store.end_session(id, "signed_out", NOW + 60).await.unwrap();
            ended.is_some_and(|was| was.sealed == b"sealed")
        })
    });
    let mut got = 0;
    for ender in enders.collect::<Vec<_>>() {
        got += usize::from(ender.await.unwrap());
    }
    assert_eq!(got, 1);
    assert_eq!(heard(&mut notices).await, Notice::SessionEnded(id));
    let mark = Notice::HandoffReady(KeyHash::of("after all of them"));
    store.notify(mark).await.unwrap();
    assert_eq!(heard(&mut notices).await, mark);
}

pub(crate) async fn no_write_brings_an_ended_session_back(store: Arc<dyn SessionStore>) {
    for id in 1..=20 {
        create(&*store, id).await.unwrap();
        let id = SessionId([id; 16]);
        let writers = (0..10).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                // Far more often than there is time for before the end.
                for version in 1..1000 {
                    let update = store.update_session(id, version, b"new".to_vec(), NOW + 600);
                    if update.await.unwrap() == Updated::Conflict {
                        return;
                    }
                    store.touch_session(id, NOW + 900).await.unwrap();
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        let ended = store.end_session(id, "signed_out", NOW + 600).await;
        assert!(ended.unwrap().is_some());
        for writer in writers {
            writer.await.unwrap();
        }
        let stays = store.load_session(id).await.unwrap().unwrap();
        assert_eq!(stays.ended.as_deref(), Some("signed_out"));
        assert!(stays.sealed.is_empty());
    }
    assert_eq!(store.count_live(NOW).await.unwrap(), 0);
}
