//! Ends of sessions, beside a store that fails in the middle.

use std::time::Duration;

use http::StatusCode;

use super::ends_in_good_order;
use crate::backchannel::{deliver, good_claims, signed};
use crate::harness::{Answer, CapturedLog, SignedIn, World, eventually};

pub(super) async fn logout(someone: &SignedIn) -> Answer {
    let (path, body) = ("/api/auth/logout", serde_json::json!({}));
    someone.browser.frame_post(path, &body).await
}

pub(super) fn revocations(world: &World) -> u64 {
    world.tenant.journal().requests_to("revoke")
}

pub(super) fn ends_reported(log: &CapturedLog) -> usize {
    log.text().matches("a session ended").count()
}

// E60, cut in mid-write: the row holds no refresh token any more, and whoever tries again
// finds no session. Nobody else would ever revoke it.
#[tokio::test]
async fn a_logout_whose_answer_was_lost_revokes_the_refresh_token_all_the_same() {
    let log = CapturedLog::start();
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    faults.lose_answers("end_session", 0, 1);
    logout(&someone).await.assert(503, "store_unavailable");
    let over = someone.host.session(someone.grant()).await;
    over.assert(401, "session_ended");
    assert_eq!(over.json()["reason"], "signed_out");
    eventually(async || revocations(&world) == 1).await;
    logout(&someone).await.ok();
    assert_eq!((revocations(&world), ends_reported(&log)), (1, 1));
}

// The same by the host: it tries again, and its 204 says nothing then.
#[tokio::test]
async fn a_revocation_by_the_host_whose_answer_was_lost_reaches_the_provider() {
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    faults.lose_answers("end_session", 0, 1);
    let lost = someone.host.revoke(someone.grant()).await;
    lost.assert(503, "store_unavailable");
    let again = someone.host.revoke(someone.grant()).await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
    eventually(async || revocations(&world) == 1).await;
}

// Whose end it was decides: the second one revoked and reported already.
#[tokio::test]
async fn an_end_that_was_not_obeyed_claims_nothing_of_the_one_that_was() {
    let log = CapturedLog::start();
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    faults.fail("end_session", 0, 1);
    logout(&someone).await.assert(503, "store_unavailable");
    someone.host.session(someone.grant()).await.ok();
    logout(&someone).await.ok();
    // The first one looks once more, and sees the end of the session.
    let looked = faults.calls("load_session");
    eventually(async || faults.calls("load_session") > looked).await;
    ends_in_good_order(&world).await;
    assert_eq!((revocations(&world), ends_reported(&log)), (1, 1));
}

#[tokio::test]
async fn the_end_of_the_process_waits_for_a_logout_whose_answer_was_lost() {
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    faults.lose_answers("end_session", 0, 1);
    // The first look meets a fault as well; the next comes later than the listener closes.
    faults.fail("load_session", 1, 1);
    let lost = someone.host.revoke(someone.grant()).await;
    lost.assert(503, "store_unavailable");
    ends_in_good_order(&world).await;
    assert_eq!(revocations(&world), 1);
}

// A revocation that the provider takes its time for is no reason to end without it.
#[tokio::test]
async fn the_end_of_the_process_waits_for_a_revocation() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    let slow = |plan: &mut dev_tenant::FaultPlan| {
        plan.slow_ms.insert("revoke".into(), 1_000);
    };
    world.tenant.faults().set(slow);
    let began = std::time::Instant::now();
    logout(&someone).await.ok();
    ends_in_good_order(&world).await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(revocations(&world), 1);
}

#[tokio::test]
async fn the_end_of_the_process_waits_for_a_refresh_that_waits_for_the_store() {
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    faults.fail("update_session", 0, usize::MAX);
    let token = someone.host.token(someone.grant()).await.ok();
    let ending = ends_in_good_order(&world);
    tokio::pin!(ending);
    let tried = faults.calls("update_session");
    tokio::select! {
        () = &mut ending => panic!("the rotated refresh token is nowhere but here"),
        () = eventually(async || faults.calls("update_session") > tried + 5) => {}
    }
    faults.heal();
    ending.await;
    let next = world.restarted(&[]);
    let there = someone.host.before(&next);
    assert_eq!(there.token(someone.grant()).await.ok(), token);
}

// Compare-and-set: who always comes second gives the token out, stores nothing over the
// other's, and goes on later.
#[tokio::test]
async fn a_refresh_that_is_always_outrun_answers_after_a_moment_and_is_stored_later() {
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    faults.outrun("update_session");
    let began = std::time::Instant::now();
    let token = someone.host.token(someone.grant()).await.ok();
    assert_ne!(token["access_token"], someone.redeemed["access_token"]);
    assert!(began.elapsed() >= Duration::from_secs(1), "it tried again");
    faults.heal();
    assert_eq!(someone.host.token(someone.grant()).await.ok(), token);
    let there = someone.host.before(&world.restarted(&[]));
    assert_eq!(there.token(someone.grant()).await.ok(), token);
    let refreshes = world.tenant.journal().token_requests_of("refresh_token");
    assert_eq!(refreshes, 1);
}

// The mark is what stops a login under way: without it a 200 would be a lie.
#[tokio::test]
async fn a_logout_token_that_cannot_be_noted_is_no_success() {
    let (world, faults) = World::faulty().await;
    faults.outrun("put_handle");
    let token = signed(&world, &good_claims(&world, "jti-1"));
    let answer = deliver(&world, &token).await;
    answer.assert(503, "store_unavailable");
    faults.heal();
    let again = deliver(&world, &token).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
}

// Without it a replica beside would wait for a lease that nobody needs any more.
#[tokio::test]
async fn a_replica_refreshes_right_after_another() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    let there = someone.host.before(&world.restarted(&[]));
    let refreshes = || world.tenant.journal().token_requests_of("refresh_token");
    for (host, number) in [(&someone.host, 1), (&there, 2)] {
        world.clock.advance(2);
        let wish = serde_json::json!({"grant": someone.grant(), "min_ttl": 299});
        host.token_with(wish).await.ok();
        assert_eq!(refreshes(), number);
    }
}

// E37: it belongs to nobody who is signed in here.
#[tokio::test]
async fn what_a_refresh_brought_for_another_person_is_revoked() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(301);
    let claims = serde_json::Map::from_iter([("sub".to_owned(), "auth0|mallory".into())]);
    let set = |plan: &mut dev_tenant::FaultPlan| plan.id_token.claims = claims;
    world.tenant.faults().set(set);
    let refused = someone.host.token(someone.grant()).await;
    refused.assert(401, "session_ended");
    assert_eq!(revocations(&world), 1);
}
