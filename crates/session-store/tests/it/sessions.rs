//! Cases of sessions.

use std::sync::Arc;

use session_store::{HandleKind, KeyHash, Notice, Purged, SessionId, SessionStore, Updated};

use crate::support::{NOW, by_sid, by_sub, create, handle, heard, session};

pub(crate) async fn a_created_session_is_found_through_its_handle(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn an_update_of_an_older_version_is_refused(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn an_ended_session_keeps_its_reason_and_loses_its_payload(
    store: Arc<dyn SessionStore>,
) {
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

pub(crate) async fn ending_a_session_twice_tells_the_second_caller(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn a_session_is_found_by_provider_session_and_by_subject_until_it_ends(
    store: Arc<dyn SessionStore>,
) {
    let (by_sid, by_sub) = (by_sid(), by_sub());
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

pub(crate) async fn touching_moves_the_expiry_only(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn live_sessions_are_counted_without_the_ended_and_the_expired(
    store: Arc<dyn SessionStore>,
) {
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

pub(crate) async fn purge_removes_only_what_nobody_needs(store: Arc<dyn SessionStore>) {
    store
        .create_session(
            session(1, NOW + 60),
            vec![handle(HandleKind::Ticket, "t", Some(1))],
        )
        .await
        .unwrap();
    assert_eq!(store.purge(NOW + 61).await.unwrap(), Purged::default());
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

pub(crate) async fn subscribers_hear_of_the_end_of_a_session(store: Arc<dyn SessionStore>) {
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

pub(crate) async fn any_bytes_come_back_as_they_were(store: Arc<dyn SessionStore>) {
    let all: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let mut wide = session(1, NOW + 60);
    wide.sealed.clone_from(&all);
    let mut empty = handle(HandleKind::Handoff, "empty", Some(1));
    empty.sealed.clear();
    let mut full = handle(HandleKind::Handoff, "full", Some(1));
    full.sealed.clone_from(&all);
    store.create_session(wide, vec![empty, full]).await.unwrap();
    let id = SessionId([1; 16]);
    assert_eq!(store.load_session(id).await.unwrap().unwrap().sealed, all);
    for (key, sealed) in [("empty", [].as_slice()), ("full", &all)] {
        let key = KeyHash::of(key);
        let found = store.peek_handle(HandleKind::Handoff, key).await.unwrap();
        assert_eq!(found.unwrap().sealed, sealed);
        let (found, leads_to) = store
            .find(HandleKind::Handoff, key, NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.sealed, sealed);
        assert_eq!(leads_to.unwrap().sealed, all);
    }
}

pub(crate) async fn an_id_that_is_taken_is_refused_and_its_session_stays(
    store: Arc<dyn SessionStore>,
) {
    create(&*store, 1).await.unwrap();
    let mut other = session(1, NOW + 90);
    other.sealed = b"other".to_vec();
    assert!(store.create_session(other, vec![]).await.is_err());
    let stays = store.load_session(SessionId([1; 16])).await.unwrap();
    assert_eq!(stays.unwrap().sealed, b"sealed");
}

pub(crate) async fn touching_revives_nothing(store: Arc<dyn SessionStore>) {
    let id = SessionId([1; 16]);
    store.touch_session(id, NOW + 600).await.unwrap();
    assert!(store.load_session(id).await.unwrap().is_none());
    create(&*store, 1).await.unwrap();
    store.end_session(id, "expired", NOW + 600).await.unwrap();
    store.touch_session(id, NOW + 900).await.unwrap();
    let ended = store.load_session(id).await.unwrap().unwrap();
    assert_eq!(ended.expires_at, NOW + 60);
    assert_eq!(ended.ended.as_deref(), Some("expired"));
    assert_eq!(store.count_live(NOW).await.unwrap(), 0);
    store.purge(NOW + 600).await.unwrap();
    assert!(store.load_session(id).await.unwrap().is_none());
}

pub(crate) async fn purge_is_bounded_and_leaves_nothing_to_be_found(store: Arc<dyn SessionStore>) {
    for number in 0..501_u16 {
        let mut many = session(0, NOW + 60);
        many.id.0[..2].copy_from_slice(&number.to_be_bytes());
        let cookie = handle(HandleKind::PageCookie, &number.to_string(), None);
        store.create_session(many, vec![cookie]).await.unwrap();
    }
    assert_eq!(
        store.sessions_of_subject(by_sub()).await.unwrap().len(),
        501
    );
    let later = NOW + 86_400;
    let first = store.purge(later).await.unwrap();
    assert_eq!((first.sessions, first.handles), (500, 500));
    let second = store.purge(later).await.unwrap();
    assert_eq!((second.sessions, second.handles), (1, 1));
    assert_eq!(store.purge(later).await.unwrap(), Purged::default());
    assert!(
        store
            .sessions_of_subject(by_sub())
            .await
            .unwrap()
            .is_empty()
    );
    let of_provider_session = store.sessions_of_provider_session(by_sid()).await.unwrap();
    assert!(of_provider_session.is_empty());
    assert_eq!(store.count_live(NOW).await.unwrap(), 0);
}

pub(crate) async fn a_purged_session_leaves_its_neighbours_in_the_indexes(
    store: Arc<dyn SessionStore>,
) {
    store
        .create_session(session(1, NOW + 60), vec![])
        .await
        .unwrap();
    store
        .create_session(session(2, NOW + 90_000), vec![])
        .await
        .unwrap();
    assert_eq!(store.purge(NOW + 86_400).await.unwrap().sessions, 1);
    let left = [SessionId([2; 16])];
    assert_eq!(store.sessions_of_subject(by_sub()).await.unwrap(), left);
    let of_provider_session = store.sessions_of_provider_session(by_sid()).await.unwrap();
    assert_eq!(of_provider_session, left);
}

pub(crate) async fn a_working_store_is_ready(store: Arc<dyn SessionStore>) {
    store.probe().await.unwrap();
}
