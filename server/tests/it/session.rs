//! `/api/auth/session` and `/api/auth/revoke`: is this login alive, and its end from Python.

use http::StatusCode;
use serde_json::json;

use crate::harness::{Host, World, eventually};

#[tokio::test]
async fn the_session_answer_has_what_the_contract_names_and_no_token() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    world.tenant.reset_journal();
    let session = someone.host.session(someone.grant()).await.ok();
    let names: Vec<_> = session.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "permissions",
            "roles",
            "scope",
            "session_expires_at",
            "user"
        ]
    );
    assert_eq!(session["user"], someone.redeemed["user"]);
    assert!(world.tenant.journal().requests.is_empty(), "it is cheap");
}

#[tokio::test]
async fn a_grant_that_nobody_knows_is_an_ended_session() {
    let world = World::new().await;
    let host = Host::new(&world);
    for grant in [
        world.random_256(),
        String::new(),
        "x".repeat(10_000),
        "../etc".into(),
    ] {
        let answer = host.session(&grant).await;
        answer.assert(401, "session_ended");
        assert_eq!(answer.json()["reason"], "unknown");
        host.token(&grant).await.assert(401, "session_ended");
        assert_eq!(host.revoke(&grant).await.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn revoke_ends_the_session_everywhere_it_is_seen_and_may_be_repeated() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    for _ in 0..2 {
        let answer = someone.host.revoke(someone.grant()).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::NO_CONTENT, "")
        );
    }
    let ended = someone.host.session(someone.grant()).await;
    ended.assert(401, "session_ended");
    assert_eq!(ended.json()["reason"], "signed_out");
    someone
        .browser
        .ticket(&someone.host)
        .await
        .assert(401, "not_authenticated");
    assert_eq!(
        someone.browser.open("/api/auth/me").await.status,
        StatusCode::UNAUTHORIZED
    );
    eventually(async || world.tenant.journal().requests_to("revoke") == 1).await;
}

#[tokio::test]
async fn revoke_ends_one_session_and_everywhere_all_of_that_person() {
    let world = World::new().await;
    let one = world.signed_in("ada").await;
    let two = world.signed_in("ada").await;
    let three = world.signed_in("ada").await;
    let other = world.signed_in("grace").await;
    one.host.revoke(one.grant()).await;
    two.host.session(two.grant()).await.ok();
    let body = json!({ "grant": two.grant(), "everywhere": true });
    let answer = two.host.post("/api/auth/revoke", &body).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    two.host
        .session(two.grant())
        .await
        .assert(401, "session_ended");
    three
        .host
        .session(three.grant())
        .await
        .assert(401, "session_ended");
    other.host.session(other.grant()).await.ok();
}

// Invariant 6: the provider's policy about another scope says nothing about the person.
#[tokio::test]
async fn a_denied_wish_for_less_scope_ends_nobodys_session() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    world
        .tenant
        .faults()
        .set(|plan| plan.token.error = Some("access_denied".into()));
    let wish = json!({"grant": someone.grant(), "scope": "openid"});
    let answer = someone.host.token_with(wish).await;
    answer.assert(400, "audience_not_allowed");
    someone.host.session(someone.grant()).await.ok();
}
