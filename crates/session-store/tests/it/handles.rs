//! Cases of handles.

use std::sync::Arc;

use session_store::{HandleKind, KeyHash, SessionStore, Taken};

use crate::support::{NOW, handle};

pub(crate) async fn a_lapsed_handle_cannot_be_taken(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn an_unknown_handle_is_unknown(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn kinds_do_not_answer_for_each_other(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn a_second_handle_of_the_same_key_is_refused(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn a_taken_handle_is_still_seen_with_its_mark(store: Arc<dyn SessionStore>) {
    let key = KeyHash::of("ticket");
    store
        .put_handle(handle(HandleKind::Ticket, "ticket", None))
        .await
        .unwrap();
    let take = |mark: &'static [u8]| store.take_handle(HandleKind::Ticket, key, mark, NOW);
    assert!(matches!(take(b"first").await.unwrap(), Taken::Now(_)));
    for mark in [b"first".as_slice(), b"second"] {
        // The same mark is no claim either: two who use it are two.
        let Taken::Before(before) = take(mark).await.unwrap() else {
            panic!("it was taken before");
        };
        assert_eq!(before.taken.as_deref(), Some(b"first".as_slice()));
        assert_eq!(before.sealed, b"extra");
    }
    let seen = store.peek_handle(HandleKind::Ticket, key).await.unwrap();
    assert_eq!(seen.unwrap().taken.as_deref(), Some(b"first".as_slice()));
}

pub(crate) async fn a_handle_to_no_session_leads_nowhere(store: Arc<dyn SessionStore>) {
    for (key, session) in [("none", None), ("unknown", Some(9))] {
        store
            .put_handle(handle(HandleKind::Grant, key, session))
            .await
            .unwrap();
        let (found, leads_to) = store
            .find(HandleKind::Grant, KeyHash::of(key), NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.session.is_some(), session.is_some());
        assert!(leads_to.is_none());
    }
}
