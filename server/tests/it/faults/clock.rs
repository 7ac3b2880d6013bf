//! Clocks (E25 to E28): the provider's is not ours, ours may be set, and time goes on after 2038.

use dev_tenant::FaultPlan;
use serde_json::{Map, Value, json};

use crate::harness::{Answer, World};

const DAY: i64 = 86_400;

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A login at a provider whose clock is ahead by so many seconds.
async fn login_at_a_provider_ahead(seconds: i64) -> (World, Answer) {
    let world = World::new().await;
    let its_now = world.clock.seconds() + seconds;
    let times = members(&json!({ "iat": its_now, "auth_time": its_now, "exp": its_now + 600 }));
    world.tenant.faults().set(|plan| {
        plan.id_token.claims.clone_from(&times);
        plan.access_token.claims = times;
    });
    let answer = world.browser().page_login("ada").await;
    (world, answer)
}

// E25
#[tokio::test]
async fn a_provider_whose_clock_is_off_by_more_than_a_minute_is_not_believed() {
    for (seconds, is_believed) in [
        (30, true),
        (-30, true),
        (60, true),
        (61, false),
        (300, false),
        (DAY, false),
        // An old token is believed to its end, and a minute longer.
        (-300, true),
        (-659, true),
        (-660, false),
        (-DAY, false),
    ] {
        let (_world, answer) = login_at_a_provider_ahead(seconds).await;
        if is_believed {
            assert_eq!(
                answer.header("location"),
                "/signed-in",
                "{seconds}: {}",
                answer.body
            );
        } else {
            assert_eq!(answer.status, 502, "{seconds}");
            answer.assert_page(502, "provider_error");
            assert!(!answer.sets_session_cookie(), "{seconds}");
        }
    }
}

// E28: once, not at both ends of a comparison; and never more than a minute.
#[tokio::test]
async fn the_configured_skew_is_allowed_once() {
    let rows: [(&str, i64); 3] = [("0", 0), ("10", 10), ("60", 60)];
    for (setting, skew) in rows {
        for (beyond, is_believed) in [(0, true), (1, false)] {
            let world = World::with(&[("CLOCK_SKEW_SECONDS", setting)]).await;
            let (now, late) = (world.clock.seconds(), skew + beyond);
            let spoilt: [Value; 3] = [
                json!({ "iat": now + late }),
                json!({ "nbf": now + late }),
                // "On or after" its end it is over.
                json!({ "exp": now - late + 1 }),
            ];
            for claims in spoilt {
                let patch = members(&claims);
                let spoil = |plan: &mut FaultPlan| plan.id_token.claims = patch;
                world.tenant.faults().set(spoil);
                let answer = world.browser().page_login("ada").await;
                let is_in = answer.header("location") == "/signed-in";
                assert_eq!(is_in, is_believed, "{setting} {claims}: {}", answer.body);
            }
        }
    }
}

// E26
#[tokio::test]
async fn a_clock_that_is_set_signs_nobody_in_or_out_by_itself() {
    for jump in [-1, -3600, -DAY, -365 * DAY] {
        let world = World::new().await;
        let someone = world.signed_in("ada").await;
        let gone = world.signed_in("linus").await;
        gone.host.revoke(gone.grant()).await;
        let login = world.browser();
        let authorize = login.begin_page().await;
        let callback = login.authenticate(&authorize, "grace").await;
        login.arrive(&callback).await;
        world.clock.advance(jump);
        someone.host.session(someone.grant()).await.ok();
        someone.browser.page_get("/api/auth/me").await.ok();
        let ticket = someone.browser.ticket(&someone.host).await.ok();
        someone
            .host
            .redeem(ticket["ticket"].as_str().unwrap())
            .await
            .ok();
        gone.host
            .session(gone.grant())
            .await
            .assert(401, "session_ended");
        // What was spent stays spent.
        let thief = world.browser();
        thief.jar.copy_from(&login.jar);
        assert!(
            !thief.arrive(&callback).await.sets_session_cookie(),
            "{jump}"
        );
        let spent = someone.frame["ticket"].as_str().unwrap();
        someone
            .host
            .redeem(spent)
            .await
            .assert(400, "invalid_ticket");
        world.browser().page_get("/readyz").await.ok();
        world.signed_in("grace").await;
        // And back again, as when the time service has found out.
        world.clock.advance(-jump);
        someone.browser.page_get("/api/auth/me").await.ok();
        world.signed_in("ada").await;
    }
}

// E26: forward, all is over that would have been over by then, and the next login works.
#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_what_has_an_end() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let minted = someone.browser.ticket(&someone.host).await.ok();
    someone.browser.jar.ignore_expiry();
    world.clock.advance(10 * 365 * DAY);
    let ticket = minted["ticket"].as_str().unwrap();
    someone
        .host
        .redeem(ticket)
        .await
        .assert(400, "invalid_ticket");
    someone
        .host
        .session(someone.grant())
        .await
        .assert(401, "session_ended");
    let me = someone.browser.page_get("/api/auth/me").await;
    me.assert(401, "not_authenticated");
    world.signed_in("ada").await;
}

// E27: seconds are counted in 64 bits, in memory, in cookies and in the store.
#[tokio::test]
async fn sessions_live_across_the_end_of_32_bits() {
    let world = World::with_tenant(&[], |mut sheet| {
        sheet.apis[0].token_seconds = 300;
        sheet
    })
    .await;
    let last = i64::from(i32::MAX);
    world.clock.advance(last - 30 - world.clock.seconds());
    let someone = world.signed_in("ada").await;
    let ends_at = someone.redeemed["session_expires_at"].as_i64().unwrap();
    assert!(ends_at > last);
    let login = world.browser();
    let authorize = login.begin_page().await;
    for seconds in [29, 1, 1, 3600, 82_000] {
        world.clock.advance(seconds);
        someone.host.session(someone.grant()).await.ok();
        let token = someone.host.token(someone.grant()).await.ok();
        assert!(token["expires_at"].as_i64().unwrap() > world.clock.seconds());
        someone.browser.page_get("/api/auth/me").await.ok();
        let restarted = world.restarted(&[]);
        let me = someone
            .browser
            .before(&restarted)
            .page_get("/api/auth/me")
            .await;
        me.ok();
        if seconds == 1 {
            // Begun before, finished after.
            let callback = login.authenticate(&authorize, "grace").await;
            login.arrive(&callback).await;
            login.page_get("/api/auth/me").await.ok();
        }
    }
    assert!(world.clock.seconds() > last);
}
