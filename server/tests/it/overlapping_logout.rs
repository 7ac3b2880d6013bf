//! A logout at the provider that overlaps a login: its logout token comes while the login is
//! under way, when there is no session yet that it could end.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::backchannel::{SESSION_ID, deliver, good_claims, signed};
use crate::harness::{Answer, Browser, Handoff, Host, StoreFaults, World, eventually};

fn provider_session(world: &World, session_id: &str) {
    let claims = Map::from_iter([("sid".to_owned(), json!(session_id))]);
    let set = |plan: &mut dev_tenant::FaultPlan| plan.id_token.claims = claims;
    world.tenant.faults().set(set);
}

/// The provider says that all sessions of the person have ended.
fn of_subject(world: &World, token_id: &str) -> Value {
    let mut claims = good_claims(world, token_id);
    claims.as_object_mut().unwrap().remove("sid");
    claims["sub"] = json!("auth0|ada");
    claims
}

async fn logged_out(world: &World, claims: &Value) {
    let answer = deliver(world, &signed(world, claims)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

fn assert_refused(answer: &Answer) {
    answer.assert_page(409, "login_refused");
    assert!(answer.body.contains("try again"), "{}", answer.body);
    assert!(!answer.sets_session_cookie());
}

async fn page_login(browser: &Browser) -> Answer {
    browser.provider.forget();
    browser.page_login("ada").await
}

#[tokio::test]
async fn a_login_whose_provider_session_ends_in_the_middle_is_refused() {
    let world = World::new().await;
    provider_session(&world, SESSION_ID);
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let authorize = browser.begin_popup(&handoff).await;
    let callback = browser.authenticate(&authorize, "ada").await;
    logged_out(&world, &good_claims(&world, "jti-1")).await;
    assert_refused(&browser.arrive(&callback).await);
    // The frame hears of it, and nothing lives on.
    let claimed = browser.claim(&handoff, &host).await;
    claimed.assert(409, "login_refused");
    let me = browser.page_get("/api/auth/me").await;
    me.assert(401, "not_authenticated");
    // The provider's next session is another one.
    provider_session(&world, "the next one");
    let again = page_login(&browser).await;
    assert_eq!(again.header("location"), "/signed-in", "{}", again.body);
}

// The very moments: the code is exchanged, the session is not stored yet.
#[tokio::test]
async fn a_logout_token_that_comes_while_the_code_is_exchanged_holds() {
    let world = World::new().await;
    provider_session(&world, SESSION_ID);
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    let held = |plan: &mut dev_tenant::FaultPlan| {
        plan.slow_ms.insert("token".into(), 1_000);
    };
    world.tenant.faults().set(held);
    let logging_out = async {
        let exchanging = async || world.tenant.journal().requests_to("token") == 1;
        eventually(exchanging).await;
        logged_out(&world, &good_claims(&world, "jti-1")).await;
    };
    tokio::join!(browser.arrive(&callback), logging_out);
    let me = browser.page_get("/api/auth/me").await;
    me.assert(401, "not_authenticated");
}

#[tokio::test]
async fn a_login_of_a_person_whose_sessions_all_end_in_the_middle_is_refused_and_a_later_one_is_not()
 {
    let world = World::new().await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    logged_out(&world, &of_subject(&world, "jti-1")).await;
    assert_refused(&browser.arrive(&callback).await);
    let other = world.browser().page_login("grace").await;
    assert_eq!(other.header("location"), "/signed-in", "{}", other.body);
    world.clock.advance(1);
    let again = page_login(&browser).await;
    assert_eq!(again.header("location"), "/signed-in", "{}", again.body);
    // A second logout counts like the first.
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    logged_out(&world, &of_subject(&world, "jti-2")).await;
    assert_refused(&browser.arrive(&callback).await);
}

#[tokio::test]
async fn a_login_for_which_the_store_cannot_say_whether_it_ended_is_none() {
    let faults = StoreFaults::default();
    let world = World::new().await.behind(|store| faults.before(store));
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    faults.fail("peek_handle", 0, usize::MAX);
    let answer = browser.arrive(&callback).await;
    answer.assert_page(503, "store_unavailable");
    assert!(!answer.sets_session_cookie());
}
