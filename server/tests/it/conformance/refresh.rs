//! Refresh tokens (OpenID Connect Core §12): the ID token that comes with fresh tokens is of
//! the same person and provider, or the session ends.

use serde_json::{Value, json};

use super::{claims, passed};
use crate::harness::{Answer, SignedIn, World};

/// The access token is about to expire.
async fn expiring() -> (World, SignedIn) {
    let world = World::with_tenant(&[], |mut sheet| {
        sheet.apis[0].token_seconds = 300;
        sheet
    })
    .await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(290);
    (world, someone)
}

async fn refreshed_with(patch: Value) -> (World, SignedIn, Answer) {
    let (world, someone) = expiring().await;
    let faults = world.tenant.faults();
    faults.set(|plan| plan.id_token.claims = claims(&patch));
    let answer = someone.host.token(someone.grant()).await;
    (world, someone, answer)
}

async fn session_ended(patch: Value) {
    let (world, someone, answer) = refreshed_with(patch).await;
    answer.assert(401, "session_ended");
    assert!(!answer.body.contains("access_token"));
    let frame = someone.browser.ticket(&someone.host).await;
    frame.assert(401, "not_authenticated");
    assert_eq!(world.tenant.journal().requests_to("userinfo"), 0);
}

#[tokio::test]
async fn oidcc_client_test_refresh_token() {
    let (world, someone) = expiring().await;
    let fresh = someone.host.token(someone.grant()).await.ok();
    assert_ne!(fresh["access_token"], someone.redeemed["access_token"]);
    assert_eq!(fresh["expires_at"], world.clock.seconds() + 300);
    let refreshes = world.tenant.journal().token_requests_of("refresh_token");
    assert_eq!(refreshes, 1);
    passed("oidcc_client_test_refresh_token", "");
}

#[tokio::test]
async fn oidcc_client_test_refresh_token_invalid_issuer() {
    session_ended(json!({"iss": "https://evil.test/"})).await;
    passed("oidcc_client_test_refresh_token_invalid_issuer", "");
}

#[tokio::test]
async fn oidcc_client_test_refresh_token_invalid_sub() {
    session_ended(json!({"sub": "auth0|linus"})).await;
    passed("oidcc_client_test_refresh_token_invalid_sub", "");
}
