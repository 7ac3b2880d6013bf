//! Back-Channel Logout 1.0: 200 for the good logout token, 400 for one with anything wrong,
//! and then nobody is signed out.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::passed;
use crate::backchannel::{EVENT, deliver, good_claims, signed, signed_in};
use crate::harness::{SignedIn, World};

async fn refused(world: &World, someone: &SignedIn, token: &str) {
    let answer = deliver(world, token).await;
    answer.assert(400, "invalid_request");
    assert_eq!(answer.header("cache-control"), "no-store");
    someone.host.session(someone.grant()).await.ok();
}

/// Refuses it with `patch`, and obeys it without: nothing else was wrong with it.
async fn refused_for(patch: Value) {
    let world = World::new().await;
    let someone = signed_in(&world, "ada").await;
    let mut claims = good_claims(&world, "jti-of-the-bad-one");
    for (name, value) in patch.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    refused(&world, &someone, &signed(&world, &claims)).await;
    let good = signed(&world, &good_claims(&world, "jti-of-the-good-one"));
    assert_eq!(deliver(&world, &good).await.status, StatusCode::OK);
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout() {
    let world = World::new().await;
    let someone = signed_in(&world, "ada").await;
    let elsewhere = world.signed_in("ada").await;
    let token = signed(&world, &good_claims(&world, "jti"));
    let answer = deliver(&world, &token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    let ended = someone.host.session(someone.grant()).await;
    ended.assert(401, "session_ended");
    assert_eq!(ended.json()["reason"], "provider_logout");
    let frame = someone.browser.ticket(&someone.host).await;
    frame.assert(401, "not_authenticated");
    assert_eq!(someone.browser.page_get("/api/auth/me").await.status, 401);
    // The token names one session of hers.
    elsewhere.host.session(elsewhere.grant()).await.ok();
    passed("oidcc_client_test_rp_backchannel_rpinitlogout", "");
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_alg_none() {
    let world = World::new().await;
    let someone = signed_in(&world, "ada").await;
    let header = Map::from_iter([("alg".to_owned(), json!("none"))]);
    let with_signature = world.tenant.sign_raw(&good_claims(&world, "jti"), &header);
    let (unsigned, _) = with_signature.rsplit_once('.').unwrap();
    refused(&world, &someone, &format!("{unsigned}.")).await;
    refused(&world, &someone, &with_signature).await;
    passed("oidcc_client_test_rp_backchannel_rpinitlogout_alg_none", "");
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_no_event() {
    refused_for(json!({"events": null})).await;
    passed("oidcc_client_test_rp_backchannel_rpinitlogout_no_event", "");
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_with_nonce() {
    refused_for(json!({"nonce": "n"})).await;
    passed(
        "oidcc_client_test_rp_backchannel_rpinitlogout_with_nonce",
        "",
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_alg() {
    let world = World::new().await;
    let someone = signed_in(&world, "ada").await;
    for algorithm in ["HS256", "ES256", "RS512"] {
        let header = Map::from_iter([("alg".to_owned(), json!(algorithm))]);
        let token = world.tenant.sign_raw(&good_claims(&world, "jti"), &header);
        refused(&world, &someone, &token).await;
    }
    passed(
        "oidcc_client_test_rp_backchannel_rpinitlogout_wrong_alg",
        "",
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_aud() {
    refused_for(json!({"aud": "another-client"})).await;
    passed(
        "oidcc_client_test_rp_backchannel_rpinitlogout_wrong_aud",
        "",
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_event() {
    refused_for(json!({"events": {"http://schemas.openid.net/event/other": {}}})).await;
    refused_for(json!({"events": {EVENT: true}})).await;
    passed(
        "oidcc_client_test_rp_backchannel_rpinitlogout_wrong_event",
        "",
    );
}

#[tokio::test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_iss() {
    refused_for(json!({"iss": "https://evil.test/"})).await;
    passed(
        "oidcc_client_test_rp_backchannel_rpinitlogout_wrong_iss",
        "",
    );
}
