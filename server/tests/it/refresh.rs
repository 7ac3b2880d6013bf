//! One refresh at a time, and what is left when provider, store or another replica fail in
//! the middle of one.

use std::time::Duration;

use dev_tenant::FaultPlan;
use serde_json::json;
use server::sessions::{CachedAccessToken, LiveSession, Standing};
use session_store::Updated;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::harness::{Answer, CapturedLog, Host, SignedIn, StoreFaults, World, eventually};

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
    let (world, _) = World::faulty().await;
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
    let (world, faults) = World::faulty().await;
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
    let (world, faults) = World::faulty().await;
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

// A store that says "wrong password" is as much away as one that says nothing.
#[tokio::test]
async fn a_refreshed_token_outlasts_a_store_that_refuses_us() {
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    faults.refuse("update_session");
    let token = asking(&someone).await.ok();
    faults.heal();
    assert_eq!(asking(&someone).await.ok(), token);
    let replica = world.restarted(&[]);
    let there = someone.host.before(&replica);
    assert_eq!(there.token(someone.grant()).await.ok(), token);
    assert_eq!(refreshes(&world), 1);
}

// A replica that refreshed while the stored token is spent would be taken for a thief.
#[tokio::test]
async fn other_replicas_wait_for_a_refresh_that_waits_for_the_store() {
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    let seen = StoreFaults::default();
    let replica = world.restarted(&[]).behind(|store| seen.before(store));
    world.clock.advance(250);
    faults.fail("update_session", 0, usize::MAX);
    let token = asking(&someone).await.ok();
    let (there, grant) = (someone.host.before(&replica), someone.grant().to_owned());
    let waiting = tokio::spawn(async move { there.token(&grant).await });
    eventually(async || seen.calls("acquire_lease") > 1 || waiting.is_finished()).await;
    assert!(!waiting.is_finished());
    faults.heal();
    assert_eq!(waiting.await.unwrap().ok(), token);
    assert_eq!(refreshes(&world), 1);
}

// The lease may be lost all the same: what another replica refreshed later is in force.
#[tokio::test]
async fn a_refresh_that_is_stored_late_does_not_replace_a_later_one() {
    let (world, faults) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(250);
    faults.fail("update_session", 0, usize::MAX);
    asking(&someone).await.ok();
    let replica = world.restarted(&[]);
    let sessions = replica.state.sessions();
    let later = stored(&replica, &someone).await;
    let mut session = later.session.clone();
    session.refresh_token = Some("the later one".into());
    let updated = sessions.update(&later, &session).await.unwrap();
    assert_eq!(updated, Updated::Done);
    faults.heal();
    // The turn is given back when the late one is done.
    world.clock.advance(50);
    world
        .tenant
        .faults()
        .set(|plan| plan.token.status = Some(502));
    asking(&someone).await.assert(503, "provider_unavailable");
    let present = stored(&replica, &someone).await;
    assert_eq!(
        present.session.refresh_token.as_deref(),
        Some("the later one")
    );
    assert_eq!(world.tenant.journal().requests_to("revoke"), 0);
}

async fn stored(world: &World, someone: &SignedIn) -> LiveSession {
    let sessions = world.state.sessions();
    match sessions.by_grant(someone.grant()).await.unwrap() {
        Standing::Live(live) => *live,
        Standing::Ended(_) => panic!("it lives"),
    }
}

// E66: a session that another replica sealed with a newer secret lives on there.
#[tokio::test]
async fn what_was_refreshed_for_a_session_that_does_not_open_here_is_not_revoked() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    let old = &world.settings["AUTH0_SECRET"];
    let secrets = format!("a-newer-secret-that-only-one-replica-has,{old}");
    let newer = world.restarted(&[("AUTH0_SECRET", &secrets)]);
    world.clock.advance(250);
    world.tenant.faults().set(slow(500));
    let refreshing = tokio::spawn(asking(&someone));
    eventually(async || world.tenant.journal().requests_to("token") == 2).await;
    let there = someone.host.before(&newer);
    there.session(someone.grant()).await.ok();
    refreshing.await.unwrap().assert(401, "session_ended");
    assert_eq!(world.tenant.journal().requests_to("revoke"), 0);
    there.session(someone.grant()).await.ok();
}

// E35: the provider refreshed, and no word of it came. It shows as a time-out only.
#[tokio::test]
async fn a_refresh_without_a_reply_is_tried_again_while_the_provider_still_takes_the_token() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(301);
    world.tenant.faults().set(|plan| {
        plan.token.hang = true;
        plan.token.times = Some(1);
    });
    let waiting = tokio::spawn(asking(&someone));
    eventually(async || refreshes(&world) == 1).await;
    let lost = Instant::now();
    pass(Duration::from_secs(8)).await;
    waiting.await.unwrap().ok();
    // Auth0's reuse interval.
    assert!(lost.elapsed() < Duration::from_secs(10));
    assert_eq!(refreshes(&world), 2);
}

// What the provider will not give twice does not wait for its keys.
#[tokio::test]
async fn a_refreshed_token_is_stored_though_the_keys_do_not_come() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    let replica = world.restarted(&[]);
    world.clock.advance(250);
    world.tenant.faults().set(|plan| plan.jwks.hang = true);
    let asked = world.tenant.journal().requests_to("jwks");
    let (there, grant) = (someone.host.before(&replica), someone.grant().to_owned());
    let waiting = tokio::spawn(async move { there.token(&grant).await });
    eventually(async || world.tenant.journal().requests_to("jwks") > asked).await;
    let verifying = Instant::now();
    pass(Duration::from_secs(2)).await;
    let token = waiting.await.unwrap().ok();
    assert!(verifying.elapsed() < Duration::from_secs(8));
    // Claims and permissions stay as they were.
    assert_eq!(token["permissions"], someone.redeemed["permissions"]);
    assert_eq!(asking(&someone).await.ok(), token);
    assert_eq!(refreshes(&world), 1);
}

/// So much time passes at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

// E34, where the provider gives tokens that live no longer than the host wants them to.
#[tokio::test]
async fn those_who_waited_share_a_short_token_too() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(301);
    world.tenant.faults().set(slow(20));
    world
        .tenant
        .faults()
        .set(|plan| plan.token.expires_in = Some(json!(40)));
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        requests.spawn(asking(&someone));
    }
    for answer in requests.join_all().await {
        answer.ok();
    }
    assert_eq!(refreshes(&world), 1);
    world.clock.advance(20);
    asking(&someone).await.ok();
    assert_eq!(refreshes(&world), 1);
    // In the second half of its life it is renewed.
    world.clock.advance(1);
    asking(&someone).await.ok();
    assert_eq!(refreshes(&world), 2);
}

// A process that stood still lost its lease, and sends a token that another has replaced: a
// refusal of that one is no word about the session.
#[tokio::test]
async fn a_refusal_of_a_token_that_was_replaced_meanwhile_ends_nothing() {
    let (world, _) = World::faulty().await;
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
    let live = stored(&world, &someone).await;
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
    let (world, _) = World::faulty().await;
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
    let (world, faults) = World::faulty().await;
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
    let (world, _) = World::faulty().await;
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
