//! One refresh at a time, and what is left when provider, store or another replica fail in
//! the middle of one.

use dev_tenant::FaultPlan;
use server::sessions::{CachedAccessToken, Standing};
use session_store::Updated;
use tokio::task::JoinSet;

use crate::harness::{Answer, CapturedLog, Host, SignedIn, StoreFaults, World, eventually};

/// Access tokens live five minutes; the companion's store fails where a test wants it.
async fn world() -> (World, StoreFaults) {
    let world = World::with_tenant(&[], |mut sheet| {
        sheet.apis[0].token_seconds = 300;
        sheet
    })
    .await;
    let faults = StoreFaults::default();
    let world = world.behind(|store| faults.before(store));
    (world, faults)
}

fn refreshes(world: &World) -> u64 {
    world.tenant.journal().token_requests_of("refresh_token")
}

fn slow(milliseconds: u64) -> impl FnOnce(&mut FaultPlan) {
    move |plan| {
        plan.slow_ms.insert("token".into(), milliseconds);
    }
}

fn asking(someone: &SignedIn) -> impl Future<Output = Answer> + Send + use<> {
    let (host, grant): (Host, String) = (someone.host.clone(), someone.grant().to_owned());
    async move { host.token(&grant).await }
}

// A provider that hangs must not be asked by each of those that wait, one time-out after
// the other.
#[tokio::test]
async fn those_who_waited_for_a_refresh_without_an_answer_do_not_ask_again_each() {
    let (world, _) = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(301);
    world.tenant.faults().set(slow(500));
    world
        .tenant
        .faults()
        .set(|plan| plan.token.status = Some(502));
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        requests.spawn(asking(&someone));
    }
    for answer in requests.join_all().await {
        answer.assert(503, "provider_unavailable");
    }
    assert_eq!(refreshes(&world), 2, "once, and once more");
    world.tenant.faults().reset();
    someone.host.token(someone.grant()).await.ok();
}

// E34: a busy store costs nobody the token that the provider will not give twice.
#[tokio::test]
async fn a_refreshed_token_is_stored_though_the_store_was_busy_for_a_moment() {
    let (world, faults) = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    faults.fail("update_session", 0, 3);
    let token = asking(&someone).await.ok();
    assert_ne!(token["access_token"], someone.redeemed["access_token"]);
    assert_eq!(asking(&someone).await.ok(), token);
    let replica = world.restarted(&[]);
    let there = someone.host.before(&replica);
    assert_eq!(there.token(someone.grant()).await.ok(), token);
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test]
async fn a_refreshed_token_outlasts_an_outage_of_the_store() {
    let (world, faults) = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    faults.fail("update_session", 0, usize::MAX);
    let token = asking(&someone).await.ok();
    assert_ne!(token["access_token"], someone.redeemed["access_token"]);
    // Who asks now waits: the stored refresh token is spent.
    let waiting = tokio::spawn(asking(&someone));
    let tried = faults.calls("update_session");
    eventually(async || faults.calls("update_session") > tried).await;
    assert!(!waiting.is_finished());
    faults.heal();
    assert_eq!(waiting.await.unwrap().ok(), token);
    let replica = world.restarted(&[]);
    let there = someone.host.before(&replica);
    assert_eq!(there.token(someone.grant()).await.ok(), token);
    assert_eq!(refreshes(&world), 1);
    // Rotation goes on from what was stored at last.
    world.clock.advance(290);
    asking(&someone).await.ok();
    assert!(world.tenant.journal().token_errors.is_empty());
}

// A process that stood still lost its lease, and sends a token that another has replaced: a
// refusal of that one is no word about the session.
#[tokio::test]
async fn a_refusal_of_a_token_that_was_replaced_meanwhile_ends_nothing() {
    let (world, _) = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    world.tenant.faults().set(slow(1_000));
    world.tenant.faults().set(|plan| {
        plan.token.error = Some("invalid_grant".into());
        plan.token.times = Some(1);
    });
    let refused = tokio::spawn(asking(&someone));
    eventually(async || world.tenant.journal().requests_to("token") == 2).await;
    let sessions = world.state.sessions();
    let Standing::Live(live) = sessions.by_grant(someone.grant()).await.unwrap() else {
        panic!("it lives");
    };
    let mut elsewhere = live.session.clone();
    elsewhere.refresh_token = Some("the one that the other replica got".into());
    elsewhere.access_tokens = vec![CachedAccessToken {
        token: "the other replica's".into(),
        expires_at: world.clock.seconds() + 300,
        ..live.session.access_tokens[0].clone()
    }];
    let updated = sessions.update(&live, &elsewhere).await.unwrap();
    assert_eq!(updated, Updated::Done);
    let token = refused.await.unwrap().ok();
    assert_eq!(token["access_token"], "the other replica's");
    someone.host.session(someone.grant()).await.ok();
}

// G12: nobody is signed out by it, so somebody has to be told.
#[tokio::test]
async fn a_mistake_in_our_own_credentials_raises_an_alarm_and_ends_nothing() {
    let log = CapturedLog::start();
    let (world, _) = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    world
        .tenant
        .faults()
        .set(|plan| plan.token.error = Some("invalid_client".into()));
    let token = asking(&someone).await.ok();
    assert_eq!(token["access_token"], someone.redeemed["access_token"]);
    assert!(log.text().contains("refresh_alarm"), "{}", log.text());
    world.clock.advance(50);
    asking(&someone).await.assert(502, "provider_error");
    someone.host.session(someone.grant()).await.ok();
}

// A sign-out must not wait for a refresh, nor a refresh undo it (E38), though the store was
// away when the refresh came back.
#[tokio::test]
async fn a_sign_out_during_an_outage_wins_over_the_refresh_that_waits_for_its_end() {
    let (world, faults) = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    faults.fail("update_session", 0, usize::MAX);
    asking(&someone).await.ok();
    someone.host.revoke(someone.grant()).await;
    faults.heal();
    // The refresh token of the session as it was, and the one that came too late.
    eventually(async || world.tenant.journal().requests_to("revoke") == 2).await;
    asking(&someone).await.assert(401, "session_ended");
}

// One lease a session: two people's refreshes do not wait for each other.
#[tokio::test]
async fn a_refresh_that_hangs_delays_nobody_else() {
    let (world, _) = world().await;
    let (one, other) = (world.signed_in("ada").await, world.signed_in("grace").await);
    world.clock.advance(250);
    world.tenant.faults().set(|plan| {
        plan.token.hang = true;
        plan.token.times = Some(1);
    });
    let hanging = tokio::spawn(asking(&one));
    eventually(async || refreshes(&world) == 1).await;
    asking(&other).await.ok();
    assert!(!hanging.is_finished());
    hanging.abort();
}
