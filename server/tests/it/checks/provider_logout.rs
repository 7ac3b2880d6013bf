//! Whom a logout at the provider means, and for how long it is remembered.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::backchannel::{SESSION_ID, deliver, good_claims, signed};
use crate::harness::{Browser, World};

/// A provider that gives every session this name.
async fn world() -> World {
    let world = World::new().await;
    let claims = Map::from_iter([("sid".to_owned(), json!(SESSION_ID))]);
    let set = |plan: &mut dev_tenant::FaultPlan| plan.id_token.claims = claims;
    world.tenant.faults().set(set);
    world
}

async fn logged_out(world: &World, claims: &Value) {
    let answer = deliver(world, &signed(world, claims)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

async fn assert_signs_in(browser: &Browser) {
    let answer = browser.page_login("ada").await;
    assert_eq!(answer.header("location"), "/signed-in", "{}", answer.body);
}

// Some providers give their new session the old one's name.
#[tokio::test]
async fn who_proves_afterwards_who_they_are_is_not_meant() {
    let world = world().await;
    logged_out(&world, &good_claims(&world, "jti-1")).await;
    world.clock.advance(5);
    assert_signs_in(&world.browser()).await;
}

// All sessions of the person end, those of before: the provider's own session goes on.
#[tokio::test]
async fn a_later_login_without_a_new_proof_is_not_meant_by_the_end_of_all_former_sessions() {
    let world = world().await;
    let browser = world.browser();
    assert_signs_in(&browser).await;
    world.clock.advance(5);
    let mut claims = good_claims(&world, "jti-1");
    claims.as_object_mut().unwrap().remove("sid");
    claims["sub"] = json!("auth0|ada");
    logged_out(&world, &claims).await;
    world.clock.advance(5);
    assert_signs_in(&browser).await;
}

#[tokio::test]
async fn a_logout_is_remembered_as_long_as_a_login_may_take_and_no_longer() {
    let world = world().await;
    let browser = world.browser();
    assert_signs_in(&browser).await;
    world.clock.advance(5);
    logged_out(&world, &good_claims(&world, "jti-1")).await;
    world.clock.advance(590);
    let refused = browser.page_login("ada").await;
    refused.assert_page(409, "login_refused");
    world.clock.advance(10);
    assert_signs_in(&browser).await;
}

// Clocks may differ: a token is believed for a minute after its end, and counts once all the
// same.
#[tokio::test]
async fn a_logout_token_that_ends_soon_counts_once_as_well() {
    let world = world().await;
    let mut claims = good_claims(&world, "jti-1");
    claims["exp"] = json!(world.clock.seconds() + 10);
    logged_out(&world, &claims).await;
    world.clock.advance(40);
    let store = world.state.sessions().store();
    store.purge(world.clock.seconds()).await.unwrap();
    let again = deliver(&world, &signed(&world, &claims)).await;
    again.assert(400, "invalid_request");
}
