//! Requests that are over before their work is: a peer hangs up, or a time limit strikes. What
//! was begun is done to its end all the same.

use std::future::Future;

use http::StatusCode;
use serde_json::json;
use server::sessions::Standing;
use session_store::SessionId;

use super::endings::{ends_reported, logout, revocations};
use super::ends_in_good_order;
use crate::backchannel::{self, deliver, good_claims, signed};
use crate::harness::{Answer, CapturedLog, Handoff, SignedIn, StoreFaults, World, eventually};

/// Hangs up when the store has done `operation` and its answer is still on the way; then the
/// process ends, which waits for what it still has to do.
async fn cut_in(
    operation: &'static str,
    request: impl Future<Output = Answer>,
    (world, faults): (&World, &StoreFaults),
) {
    faults.hold_answers(operation);
    let before = faults.calls(operation);
    let mut request = Box::pin(request);
    tokio::select! {
        biased;
        () = eventually(async || faults.calls(operation) > before) => {}
        answer = &mut request => panic!("it was to be cut: {}", answer.body),
    }
    drop(request);
    faults.heal();
    ends_in_good_order(world).await;
}

/// Which of them live, by the host, before a companion that was started afterwards.
async fn alive(world: &World, people: &[SignedIn]) -> Vec<bool> {
    let next = world.restarted(&[]);
    let mut alive = Vec::new();
    for someone in people {
        let answer = someone.host.before(&next).session(someone.grant()).await;
        alive.push(answer.status == StatusCode::OK);
    }
    alive
}

async fn id_of(world: &World, someone: &SignedIn) -> SessionId {
    let standing = world.state.sessions().by_grant(someone.grant()).await;
    let Standing::Live(live) = standing.unwrap() else {
        panic!("it lives")
    };
    live.id
}

/// Three sessions of one person; first the one that the store, too, names first.
async fn three_of_one_person(world: &World) -> Vec<SignedIn> {
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(world.signed_in("ada").await);
    }
    let standing = world.state.sessions().by_grant(sessions[0].grant()).await;
    let Standing::Live(live) = standing.unwrap() else {
        panic!("it lives")
    };
    let named = world.state.sessions().of_same_subject(&live.session).await;
    let first = named.unwrap()[0];
    for place in 0..sessions.len() {
        if id_of(world, &sessions[place]).await == first {
            sessions.swap(0, place);
        }
    }
    sessions
}

async fn revoke_everywhere(someone: &SignedIn) -> Answer {
    let body = json!({ "grant": someone.grant(), "everywhere": true });
    someone.host.post("/api/auth/revoke", &body).await
}

// Else a refresh token lives on at the provider that nobody here knows any more, and the audit
// log knows nothing of the logout.
#[tokio::test]
async fn a_logout_whose_browser_hung_up_ends_all_and_reaches_the_provider() {
    let log = CapturedLog::start();
    let (world, faults) = World::faulty().await;
    let one = backchannel::signed_in(&world, "ada").await;
    let people = [one, backchannel::signed_in(&world, "ada").await];
    cut_in("end_session", logout(&people[0]), (&world, &faults)).await;
    assert_eq!((revocations(&world), ends_reported(&log)), (2, 2));
    assert_eq!(alive(&world, &people).await, [false; 2]);
}

#[tokio::test]
async fn a_revocation_whose_host_hung_up_reaches_the_provider() {
    let log = CapturedLog::start();
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    let revoking = someone.host.revoke(someone.grant());
    cut_in("end_session", revoking, (&world, &faults)).await;
    assert_eq!((revocations(&world), ends_reported(&log)), (1, 1));
}

#[tokio::test]
async fn a_logout_token_whose_provider_hung_up_is_obeyed_to_the_end_and_counted() {
    let (world, faults) = World::faulty().await;
    let one = backchannel::signed_in(&world, "ada").await;
    let people = [one, backchannel::signed_in(&world, "ada").await];
    let token = signed(&world, &good_claims(&world, "jti-1"));
    cut_in("end_session", deliver(&world, &token), (&world, &faults)).await;
    assert_eq!(revocations(&world), 2);
    assert_eq!(alive(&world, &people).await, [false; 2]);
    let again = deliver(&world.restarted(&[]), &token).await;
    again.assert(400, "invalid_request");
}

#[tokio::test]
async fn a_sign_out_everywhere_whose_host_hung_up_is_one_everywhere() {
    let (world, faults) = World::faulty().await;
    let sessions = three_of_one_person(&world).await;
    let revoking = revoke_everywhere(&sessions[0]);
    cut_in("end_session", revoking, (&world, &faults)).await;
    assert_eq!(alive(&world, &sessions).await, [false; 3]);
    assert_eq!(revocations(&world), 3);
}

// The caller's own session leads to the others: ended before them, the second attempt would
// find nothing, and say that all is well.
#[tokio::test]
async fn a_sign_out_everywhere_that_failed_half_way_succeeds_the_next_time() {
    for ended_before in 0..3 {
        let (world, faults) = World::faulty().await;
        let sessions = three_of_one_person(&world).await;
        faults.fail("end_session", ended_before, 1);
        let failed = revoke_everywhere(&sessions[0]).await;
        failed.assert(503, "store_unavailable");
        faults.heal();
        let again = revoke_everywhere(&sessions[0]).await;
        assert_eq!(again.status, StatusCode::NO_CONTENT);
        let alive = alive(&world, &sessions).await;
        assert_eq!(alive, [false; 3], "after {ended_before} had ended");
    }
}

// A08, A18: the old login would live on unseen, behind a cookie that is overwritten.
#[tokio::test]
async fn a_claim_whose_frame_hung_up_ends_the_session_that_it_replaces() {
    let (world, faults) = World::faulty().await;
    let former = world.signed_in("ada").await;
    let handoff = Handoff::new(&world);
    world.browser().popup_login(&handoff, "grace").await;
    let claiming = former.browser.claim(&handoff, &former.host);
    cut_in("take_handle", claiming, (&world, &faults)).await;
    assert_eq!(revocations(&world), 1);
    assert_eq!(alive(&world, &[former]).await, [false]);
}

// Before it is taken nothing is lost: the frame asks again, and what was made for it is gone.
#[tokio::test]
async fn a_claim_whose_frame_hung_up_early_takes_nothing() {
    let (world, faults) = World::faulty().await;
    let former = world.signed_in("ada").await;
    let handoff = Handoff::new(&world);
    world.browser().popup_login(&handoff, "grace").await;
    let removed = faults.calls("remove_handle");
    let taken = faults.calls("take_handle");
    let claiming = former.browser.claim(&handoff, &former.host);
    cut_in("put_handle", claiming, (&world, &faults)).await;
    assert_eq!(faults.calls("remove_handle") - removed, 3);
    assert_eq!(faults.calls("take_handle"), taken);
    let next = world.restarted(&[]);
    let again = former.browser.before(&next);
    let claimed = again.claim(&handoff, &former.host).await.ok();
    assert_eq!(claimed["user"]["name"], "Grace Hopper");
}
