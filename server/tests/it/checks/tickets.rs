//! Tickets: what is refused unseen, and how long a spent one is remembered.

use crate::harness::{CapturedLog, SignedIn, World};

async fn a_ticket(someone: &SignedIn) -> String {
    let minted = someone.browser.ticket(&someone.host).await.ok();
    minted["ticket"].as_str().unwrap().to_owned()
}

// A flood of them costs the store nothing.
#[tokio::test]
async fn what_can_be_no_ticket_or_verifier_is_refused_before_the_store_is_asked() {
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    let ticket = a_ticket(&someone).await;
    let endless = someone.host.knowing(&"v".repeat(257));
    let looks = faults.calls("peek_handle");
    for bad in ["", "short", &"=".repeat(43), &ticket[1..]] {
        let answer = someone.host.redeem(bad).await;
        answer.assert(400, "invalid_ticket");
    }
    endless.redeem(&ticket).await.assert(400, "invalid_ticket");
    assert_eq!(faults.calls("peek_handle"), looks);
    someone.host.redeem(&ticket).await.ok();
}

// D21: also where the thief takes his time, and the store was purged meanwhile.
#[tokio::test]
async fn a_ticket_that_comes_again_after_an_hour_less_a_minute_still_voids_the_first_grant() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let ticket = a_ticket(&someone).await;
    let first = someone.host.redeem(&ticket).await.ok();
    let grant = first["grant"].as_str().unwrap();
    world.clock.advance(3_540);
    let store = world.state.sessions().store();
    store.purge(world.clock.seconds()).await.unwrap();
    someone.host.session(grant).await.ok();
    let again = someone.host.redeem(&ticket).await;
    again.assert(400, "invalid_ticket");
    let void = someone.host.session(grant).await;
    void.assert(401, "session_ended");
}

// D21: both of them looked before either took it.
#[tokio::test]
async fn a_ticket_that_another_takes_in_between_gives_neither_a_grant() {
    let log = CapturedLog::start();
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    let ticket = a_ticket(&someone).await;
    let removed = faults.calls("remove_handle");
    faults.outrun("take_handle");
    let late = someone.host.redeem(&ticket).await;
    late.assert(400, "invalid_ticket");
    assert_eq!(faults.calls("remove_handle") - removed, 2);
    assert!(log.text().contains("ticket_reuse"), "{}", log.text());
}

// A lapsed ticket must not make the provider work: anybody who ever had one could go on.
#[tokio::test]
async fn a_lapsed_ticket_refreshes_nothing() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(190);
    let ticket = a_ticket(&someone).await;
    // The access token is due, and the ticket is over.
    world.clock.advance(61);
    let late = someone.host.redeem(&ticket).await;
    late.assert(400, "invalid_ticket");
    let refreshes = || world.tenant.journal().token_requests_of("refresh_token");
    assert_eq!(refreshes(), 0);
    someone.host.token(someone.grant()).await.ok();
    assert_eq!(refreshes(), 1);
}
