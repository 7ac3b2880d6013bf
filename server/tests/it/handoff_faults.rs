//! `/api/auth/handoff` beside a store that fails: a fault costs a poll, not a login.

use futures::poll;
use http::StatusCode;
use session_store::Notice;
use tokio::task::yield_now;

use crate::harness::{Browser, Handoff, Host, StoreFaults, World, eventually};

async fn faulty() -> (World, StoreFaults) {
    let faults = StoreFaults::default();
    let world = World::new().await.behind(|store| faults.before(store));
    (world, faults)
}

async fn is_signed_in(browser: &Browser, host: &Host) -> bool {
    browser.ticket(host).await.status == StatusCode::OK
}

#[tokio::test]
async fn a_claim_that_meets_a_fault_of_the_store_succeeds_the_next_time() {
    for (operation, passing) in [
        ("peek_handle", 0),
        ("load_session", 0),
        ("put_handle", 0),
        ("put_handle", 1),
        ("put_handle", 2),
        ("take_handle", 0),
    ] {
        let (world, faults) = faulty().await;
        let (browser, host) = (world.browser(), Host::new(&world));
        let handoff = Handoff::new(&world);
        browser.popup_login(&handoff, "ada").await;
        faults.fail(operation, passing, 1);
        let answer = browser.claim(&handoff, &host).await;
        answer.assert(503, "store_unavailable");
        assert!(answer.set_cookies().is_empty());
        let claimed = browser.claim(&handoff, &host).await;
        assert_eq!(claimed.status, StatusCode::OK, "{operation} {passing}");
        assert!(is_signed_in(&browser, &host).await);
        let again = browser.claim(&handoff, &host).await;
        again.assert(410, "handoff_gone");
    }
}

// A08, A18: not before the claim succeeded, and then in any case.
#[tokio::test]
async fn the_replaced_session_ends_with_the_claim_that_succeeds() {
    let (world, faults) = faulty().await;
    let former = world.signed_in("ada").await;
    let (browser, host) = (&former.browser, &former.host);
    let handoff = Handoff::new(&world);
    // In a window of its own: the page's session of before is none of this.
    let popup = world.browser();
    popup.popup_login(&handoff, "grace").await;
    faults.fail("take_handle", 0, 1);
    let answer = browser.claim(&handoff, host).await;
    answer.assert(503, "store_unavailable");
    host.session(former.grant()).await.ok();
    faults.fail("end_session", 0, 2);
    browser.claim(&handoff, host).await.ok();
    let ended = async || host.session(former.grant()).await.status == StatusCode::UNAUTHORIZED;
    eventually(ended).await;
}

// A Redis whose ACL forbids the channel: frames find their login with their next poll.
#[tokio::test]
async fn a_login_whose_frame_cannot_be_woken_succeeds() {
    let (world, faults) = faulty().await;
    let (browser, host) = (world.browser(), Host::new(&world));
    let handoff = Handoff::new(&world);
    faults.fail("notify", 0, usize::MAX);
    browser.popup_login(&handoff, "ada").await;
    browser.claim(&handoff, &host).await.ok();
    assert!(is_signed_in(&browser, &host).await);
}

// After each lost connection to Redis.
#[tokio::test]
async fn when_notices_were_missed_few_frames_look_at_a_time() {
    const FRAMES: usize = 60;
    const AT_ONCE: usize = 16;
    let (world, faults) = faulty().await;
    let (browser, host) = (world.browser(), Host::new(&world));
    let handoffs: Vec<_> = (0..FRAMES).map(|_| Handoff::new(&world)).collect();
    let polls: Vec<_> = handoffs
        .iter()
        .map(|handoff| Box::pin(browser.claim(handoff, &host)))
        .collect();
    let mut polls = futures::future::join_all(polls);
    let looks = || faults.calls("peek_handle");
    while looks() < FRAMES {
        assert!(poll!(&mut polls).is_pending());
        yield_now().await;
    }
    faults.hang("peek_handle");
    let store = world.state.sessions().store();
    store.notify(Notice::Missed).await.unwrap();
    while looks() < FRAMES + AT_ONCE {
        assert!(poll!(&mut polls).is_pending());
        yield_now().await;
    }
    for _ in 0..1_000 {
        assert!(poll!(&mut polls).is_pending());
        yield_now().await;
    }
    assert_eq!(looks(), FRAMES + AT_ONCE);
}
