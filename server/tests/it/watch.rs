//! `/api/auth/watch`: an open frame hears of its session's end, whoever ends it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::FromRef as _;
use futures::poll;
use http::StatusCode;
use serde_json::{Map, Value, json};
use server::auth::watch::Watching;
use tokio::time::Instant;

use crate::harness::{Answer, Browser, Call, Host, SignedIn, StoreFaults, World};

const PATH: &str = "/api/auth/watch";

const SOON: Duration = Duration::from_secs(10);

/// A frame that watches the session of `someone`, as long as it is polled.
type Frame<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

fn watch<'a>(browser: &'a Browser, body: &Value) -> Frame<'a> {
    let body = body.clone();
    Box::pin(async move { browser.frame_post(PATH, &body).await })
}

fn body(someone: &SignedIn) -> Value {
    json!({ "ref": someone.frame["ref"] })
}

/// The same once the companion has let it sit down.
async fn held<'a>(world: &World, someone: &'a SignedIn) -> Frame<'a> {
    seated(world, watch(&someone.browser, &body(someone))).await
}

async fn seated<'a>(world: &World, mut frame: Frame<'a>) -> Frame<'a> {
    let watching = Watching::from_ref(&world.state);
    let before = watching.count();
    let sits_down = async {
        while watching.count() == before {
            assert!(poll!(&mut frame).is_pending());
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, sits_down).await.unwrap();
    frame
}

/// An answer that ended in time; its white space is none of the JSON. A frame that sat down
/// just before the end may hear of it by its first look, as a refusal: that is the same.
async fn told(frame: Frame<'_>) -> Value {
    let answer = tokio::time::timeout(SOON, frame).await;
    let answer = answer.expect("the frame hears of it at once");
    if answer.status == 401 {
        let refusal = answer.json();
        assert_eq!(refusal["code"], "session_ended");
        return json!({ "state": "ended", "reason": refusal["reason"] });
    }
    answer.ok()
}

fn ended(reason: &str) -> Value {
    json!({ "state": "ended", "reason": reason })
}

#[tokio::test]
async fn a_logout_is_heard_by_the_other_tab_of_that_session() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    let nothing = json!({});
    let logout = someone.browser.frame_post("/api/auth/logout", &nothing);
    logout.await.ok();
    assert_eq!(told(frame).await, ended("signed_out"));
}

#[tokio::test]
async fn a_logout_by_the_host_is_heard() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    let revoked = someone.host.revoke(someone.grant()).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(told(frame).await, ended("signed_out"));
}

#[tokio::test]
async fn a_login_that_takes_the_sessions_place_is_heard() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    let host = Host::new(&world);
    someone.browser.sign_in_frame(&world, &host, "linus").await;
    assert_eq!(told(frame).await, ended("replaced"));
}

#[tokio::test]
async fn a_refused_refresh_is_heard() {
    let world = World::with_tenant(&[], |mut sheet| {
        sheet.apis[0].token_seconds = 300;
        sheet
    })
    .await;
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    world.clock.advance(301);
    world.tenant.faults().set(|plan| {
        plan.token.error = Some("invalid_grant".to_owned());
    });
    let refused = someone.host.token(someone.grant()).await;
    refused.assert(401, "session_ended");
    assert_eq!(told(frame).await, ended("refresh_refused"));
}

#[tokio::test]
async fn a_logout_at_the_provider_is_heard() {
    let world = World::new().await;
    let claims = Map::from_iter([("sid".to_owned(), json!("the-session"))]);
    world
        .tenant
        .faults()
        .set(|plan| plan.id_token.claims = claims);
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    let now = world.clock.seconds();
    let token = json!({
        "iss": world.tenant.issuer(),
        "aud": dev_tenant::APP_CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": "once",
        "sid": "the-session",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let header = Map::from_iter([("typ".to_owned(), json!("logout+jwt"))]);
    let token = world.tenant.sign_raw(&token, &header);
    let form = Call::form("/api/auth/backchannel-logout", &[("logout_token", &token)]);
    let delivered = world.browser().send(form).await;
    assert_eq!(delivered.status, StatusCode::OK, "{}", delivered.body);
    assert_eq!(told(frame).await, ended("provider_logout"));
}

/// The frame's answer, and the seconds until it came; the companion's clock goes on with
/// the timers', and `at_400` happens then.
async fn passing(world: &World, frame: Frame<'_>, at_400: impl AsyncFn()) -> (Answer, u64) {
    let began = Instant::now();
    let time_passes = async {
        for second in 1.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.clock.advance(1);
            if second == 400 {
                at_400().await;
            }
        }
    };
    tokio::select! {
        answer = frame => (answer, began.elapsed().as_secs()),
        () = time_passes => unreachable!("time goes on"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiry_is_heard_when_its_time_has_come() {
    let world = World::with(&[("SESSION_ROLLING_SECONDS", "600")]).await;
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    let (answer, seconds) = passing(&world, frame, async || {}).await;
    assert_eq!(answer.ok(), ended("expired"));
    assert!((600..=601).contains(&seconds), "{seconds}");
    // One byte every 20 s, against proxies that cut what is silent.
    let white = answer.body.find('{').unwrap();
    assert!((30..=31).contains(&white), "{white}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_used_is_watched_beyond_its_first_expiry() {
    let world = World::with(&[("SESSION_ROLLING_SECONDS", "600")]).await;
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    let another_tab = async || {
        someone.browser.ticket(&Host::new(&world)).await.ok();
    };
    let (answer, seconds) = passing(&world, frame, another_tab).await;
    assert_eq!(answer.ok(), ended("expired"));
    assert!((1_000..=1_001).contains(&seconds), "{seconds}");
}

// E60: trouble with the store ends nobody's session, and makes no end unheard.
#[tokio::test(start_paused = true)]
async fn a_look_that_the_store_does_not_answer_is_made_up_for_later() {
    let faults = StoreFaults::default();
    let world = World::new().await.behind(|store| faults.before(store));
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    let began = Instant::now();
    let looks = faults.calls("load_session");
    // The revocation's own look, the frame's at the notice, and three of its beats. The first
    // of these may be near: the clock runs on whenever only the store's threads are at work.
    faults.fail("load_session", 0, 5);
    someone.host.revoke(someone.grant()).await;
    assert_eq!(frame.await.ok(), ended("signed_out"));
    assert_eq!(faults.calls("load_session") - looks, 6);
    let seconds = began.elapsed().as_secs();
    assert!(
        (60..=120).contains(&seconds),
        "with the beats, not at once: {seconds}"
    );
}

#[tokio::test]
async fn a_store_that_does_not_answer_the_first_look_is_no_401() {
    let faults = StoreFaults::default();
    let world = World::new().await.behind(|store| faults.before(store));
    let someone = world.signed_in("ada").await;
    for operation in ["find", "load_session"] {
        faults.fail(operation, 0, 1);
        let answer = watch(&someone.browser, &body(&someone)).await;
        answer.assert(503, "store_unavailable");
        assert_eq!(Watching::from_ref(&world.state).count(), 0);
    }
    drop(held(&world, &someone).await);
}

#[tokio::test]
async fn an_end_before_the_question_is_told_at_once() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    someone.host.revoke(someone.grant()).await;
    let answer = watch(&someone.browser, &body(&someone)).await;
    answer.assert(401, "session_ended");
    assert_eq!(answer.json()["reason"], "signed_out");
}

#[tokio::test]
async fn only_who_holds_the_session_may_watch_it() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let other = world.signed_in("linus").await;
    let nobody = world.browser();
    let answer = watch(&nobody, &body(&someone)).await;
    answer.assert(401, "not_authenticated");
    let answer = watch(&other.browser, &body(&someone)).await;
    answer.assert(401, "session_ended");
    assert_eq!(answer.json()["reason"], "replaced");
    // A grant or a ticket is no key to it.
    for key in [
        someone.grant(),
        someone.frame["ticket"].as_str().unwrap(),
        "short",
    ] {
        let mut body = body(&someone);
        body["sign_out_key"] = json!(key);
        let answer = watch(&nobody, &body).await;
        answer.assert(401, "not_authenticated");
    }
    assert_eq!(Watching::from_ref(&world.state).count(), 0);
}

#[tokio::test]
async fn a_frame_without_cookies_watches_by_its_sign_out_key() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let cookieless = world.browser();
    let mut body = body(&someone);
    body["sign_out_key"] = someone.frame["sign_out_key"].clone();
    let frame = seated(&world, watch(&cookieless, &body)).await;
    someone.host.revoke(someone.grant()).await;
    assert_eq!(told(frame).await, ended("signed_out"));
}

#[tokio::test]
async fn a_watch_from_anywhere_else_or_of_another_kind_is_refused() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let browser = &someone.browser;
    let call = || browser.frame_call(PATH, &body(&someone));
    for (status, code, call) in [
        (
            403,
            "forbidden_origin",
            call().replace("origin", "http://127.0.0.1:4010"),
        ),
        (403, "forbidden_origin", call().replace("origin", "null")),
        (403, "forbidden_origin", call().without("origin")),
        (
            403,
            "forbidden_origin",
            call().replace("sec-fetch-site", "same-site"),
        ),
        (
            415,
            "unsupported_media_type",
            call().replace("content-type", "text/plain"),
        ),
        (400, "invalid_request", browser.frame_call(PATH, &json!({}))),
    ] {
        browser.send(call).await.assert(status, code);
    }
}

#[tokio::test]
async fn watching_is_no_use_of_the_session() {
    let world = World::with(&[("SESSION_ROLLING_SECONDS", "600")]).await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(599);
    drop(held(&world, &someone).await);
    world.clock.advance(1);
    let ticket = someone.browser.ticket(&Host::new(&world)).await;
    ticket.assert(401, "not_authenticated");
}

// D25: as with polls, memory stays bounded.
#[tokio::test]
async fn above_the_cap_of_one_session_frames_are_sent_away_until_a_place_is_free() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let mut frames = Vec::new();
    for _ in 0..64 {
        frames.push(held(&world, &someone).await);
    }
    let answer = watch(&someone.browser, &body(&someone)).await;
    assert_eq!(answer.ok(), json!({ "state": "again" }));
    assert_eq!(answer.header("retry-after"), "120");
    frames.pop();
    let last = held(&world, &someone).await;
    someone.host.revoke(someone.grant()).await;
    // All at once: few look at a time, and who is not polled would keep the others from it.
    let told = frames.into_iter().chain([last]).map(told);
    for last_word in futures::future::join_all(told).await {
        assert_eq!(last_word, ended("signed_out"));
    }
    assert_eq!(Watching::from_ref(&world.state).count(), 0);
}

#[tokio::test]
async fn the_end_of_the_process_is_no_end_of_the_session() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let frame = held(&world, &someone).await;
    world.state.closing().begin();
    assert_eq!(told(frame).await, json!({ "state": "again" }));
    let late = watch(&someone.browser, &body(&someone));
    assert_eq!(told(late).await, json!({ "state": "again" }));
    let replica = world.restarted(&[]);
    someone
        .browser
        .before(&replica)
        .ticket(&someone.host)
        .await
        .ok();
}

#[tokio::test]
async fn a_frame_that_goes_away_gives_its_place_back() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let watching = Watching::from_ref(&world.state);
    let frame = held(&world, &someone).await;
    assert_eq!(watching.count(), 1);
    drop(frame);
    assert_eq!(watching.count(), 0);
}
