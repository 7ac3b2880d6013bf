//! While `AUTH0_SECRET` is rotated over replicas (E66): one has the new secret already, the
//! other has not. What the one sealed the other cannot open, but must be able to end.

use http::StatusCode;
use serde_json::json;

use crate::harness::{SignedIn, World};

/// A companion with the new and the old secret, and one that has the old alone.
async fn replicas() -> [World; 2] {
    const NEW: &str = "the-next-session-secret-of-the-companion";
    let behind = World::new().await;
    let old = &behind.settings["AUTH0_SECRET"];
    let ahead = behind.restarted(&[("AUTH0_SECRET", &format!("{NEW},{old}"))]);
    [ahead, behind]
}

async fn assert_signed_out(someone: &SignedIn) {
    let ended = someone.host.session(someone.grant()).await;
    ended.assert(401, "session_ended");
    assert_eq!(ended.json()["reason"], "signed_out");
    let me = someone.browser.page_get("/api/auth/me").await;
    me.assert(401, "not_authenticated");
}

#[tokio::test]
async fn a_replica_that_cannot_open_a_session_tells_no_fault_and_ends_nothing_by_itself() {
    let [ahead, behind] = replicas().await;
    let someone = ahead.signed_in("ada").await;
    let there = someone.browser.before(&behind);
    there
        .page_get("/api/auth/me")
        .await
        .assert(401, "not_authenticated");
    let host = someone.host.before(&behind);
    for answer in [
        host.session(someone.grant()).await,
        host.token(someone.grant()).await,
    ] {
        answer.assert(401, "session_ended");
    }
    someone.host.session(someone.grant()).await.ok();
    someone.host.token(someone.grant()).await.ok();
}

#[tokio::test]
async fn a_logout_in_the_frame_holds_at_a_replica_that_cannot_open_the_session() {
    let [ahead, behind] = replicas().await;
    let someone = ahead.signed_in("ada").await;
    let frame = someone.browser.before(&behind);
    frame.frame_post("/api/auth/logout", &json!({})).await.ok();
    assert_signed_out(&someone).await;
}

#[tokio::test]
async fn a_logout_on_a_page_holds_at_a_replica_that_cannot_open_the_session() {
    let [ahead, behind] = replicas().await;
    let someone = ahead.signed_in("ada").await;
    let page = someone.browser.before(&behind);
    let answer = page.submit("/api/auth/logout", &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_signed_out(&someone).await;
}

#[tokio::test]
async fn a_sign_out_key_works_at_a_replica_that_cannot_open_the_session() {
    let [ahead, behind] = replicas().await;
    let someone = ahead.signed_in("ada").await;
    let key = json!({ "sign_out_key": someone.frame["sign_out_key"] });
    let cookieless = behind.browser();
    cookieless.frame_post("/api/auth/logout", &key).await.ok();
    assert_signed_out(&someone).await;
}

#[tokio::test]
async fn a_revocation_by_the_host_holds_at_a_replica_that_cannot_open_the_session() {
    let [ahead, behind] = replicas().await;
    let (someone, other) = (ahead.signed_in("ada").await, ahead.signed_in("ada").await);
    let revoked = someone.host.before(&behind).revoke(someone.grant()).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_signed_out(&someone).await;
    // A grant names one session, and ends no other.
    other.host.session(other.grant()).await.ok();
}
