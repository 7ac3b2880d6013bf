//! Two companions on one Redis behave as one: whatever step of a login, refresh or logout
//! comes to which of them, and whichever of them is stopped or killed (E34, E62, E65).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::FromRef as _;
use dev_tenant::APP_CLIENT_ID;
use http::StatusCode;
use serde_json::{Map, Value, json};
use server::state;
use session_store::{KeyHash, RedisStore, SessionStore as _};
use test_redis::RedisServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::harness::{
    Answer, App, Handoff, Host, Member, StoreFaults, World, crowd, eventually, unverified_claims,
};

/// Access tokens of five minutes, so that they are refreshed within a session.
struct Replicas {
    a: World,
    b: World,
    redis: RedisServer,
}

impl Replicas {
    async fn start() -> Self {
        let redis = RedisServer::start();
        let a = World::with_tenant(&[("SESSION_STORE", &redis.url())], |mut sheet| {
            sheet.apis[0].token_seconds = 300;
            sheet
        })
        .await;
        let b = a.restarted(&[]);
        Self { a, b, redis }
    }

    /// Round robin, as a balancer that knows nothing of sessions.
    fn at(&self, number: usize) -> &World {
        if number.is_multiple_of(2) {
            &self.a
        } else {
            &self.b
        }
    }

    fn refreshes(&self) -> u64 {
        self.a.tenant.journal().token_requests_of("refresh_token")
    }

    /// The provider takes its time with tokens.
    fn slow_tokens(&self, milliseconds: u64) {
        self.a.tenant.faults().set(|plan| {
            plan.slow_ms.insert("token".into(), milliseconds);
        });
    }
}

/// A replica that can be killed: its tasks end where they stand, its connections are cut.
struct Doomed {
    world: World,
    runtime: Option<Runtime>,
}

impl Doomed {
    fn start(from: impl FnOnce() -> World) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let world = from();
        drop(entered);
        Self {
            world,
            runtime: Some(runtime),
        }
    }

    /// Sends a request there.
    fn send<F>(&self, request: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.as_ref().unwrap().spawn(request)
    }

    fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        self.end();
    }
}

async fn frame_is_waiting(world: &World) {
    let handoff = state::Handoff::from_ref(&world.state);
    eventually(async || handoff.waiting.count() == 1).await;
}

// E65: no step needs the replica of the step before.
#[tokio::test]
async fn a_login_goes_from_one_replica_to_the_other_at_every_step() {
    let Replicas {
        a,
        b,
        redis: _redis,
    } = &Replicas::start().await;
    let browser = a.browser();
    let (handoff, host) = (Handoff::new(a), Host::new(a));
    let authorize = browser.begin_popup(&handoff).await;
    let (frame, waiting, app) = (browser.clone(), handoff.clone(), host.clone());
    let claim = tokio::spawn(async move { frame.claim(&waiting, &app).await });
    frame_is_waiting(a).await;
    let callback = browser.authenticate(&authorize, "ada").await;
    let answer = browser.before(b).arrive(&callback).await;
    assert_eq!(answer.header("location"), "/signed-in?close");
    // The notice goes through the Redis: the poll at A does not wait for its end.
    let claimed = claim.await.unwrap().ok();

    let ticket = browser.before(b).ticket(&host).await.ok();
    let redeemed = host.redeem(ticket["ticket"].as_str().unwrap()).await.ok();
    let grant = redeemed["grant"].as_str().unwrap();
    assert_eq!(redeemed["ref"], claimed["ref"]);
    let token = host.before(b).token(grant).await.ok();
    assert_eq!(token["access_token"], redeemed["access_token"]);
    host.session(grant).await.ok();

    let left = browser.frame_post("/api/auth/logout", &json!({})).await;
    assert!(left.ok()["logout_url"].is_string());
    let ended = host.before(b).session(grant).await;
    ended.assert(401, "session_ended");
    assert_eq!(ended.json()["reason"], "signed_out");
    let at_b = browser.before(b);
    at_b.ticket(&host).await.assert(401, "not_authenticated");
    at_b.page_get("/api/auth/me")
        .await
        .assert(401, "not_authenticated");
}

// G14, E31: twenty deliveries, two replicas, one code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_deliveries_at_both_replicas_one_sends_the_code_and_all_see_the_outcome() {
    let replicas = Replicas::start().await;
    let browser = replicas.a.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    replicas.slow_tokens(30);
    let mut deliveries = JoinSet::new();
    for number in 0..20 {
        let (twin, callback) = (replicas.at(number).browser(), callback.clone());
        twin.jar.copy_from(&browser.jar);
        deliveries.spawn(async move { twin.arrive(&callback).await });
    }
    let answers = deliveries.join_all().await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.header("location") == "/signed-in")
    );
    let journal = replicas.a.tenant.journal();
    assert_eq!(journal.token_requests_of("authorization_code"), 1);
}

// E34
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_refreshes_at_once_over_both_make_one_request() {
    let replicas = Replicas::start().await;
    let someone = replicas.a.signed_in("ada").await;
    replicas.a.clock.advance(250);
    replicas.slow_tokens(50);
    let mut requests = JoinSet::new();
    for number in 0..100 {
        let host = someone.host.before(replicas.at(number));
        let grant = someone.grant().to_owned();
        requests.spawn(async move { host.token(&grant).await });
    }
    let tokens: Vec<_> = requests.join_all().await.iter().map(Answer::ok).collect();
    assert_eq!(tokens.len(), 100);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_ne!(tokens[0]["access_token"], someone.redeemed["access_token"]);
    assert_eq!(replicas.refreshes(), 1);
}

// A02, A03: no two people can ever share a result.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_refreshes_of_many_people_at_both_never_mix() {
    let replicas = Replicas::start().await;
    let mut people = Vec::new();
    for (number, username) in ["ada", "grace", "linus", "ada", "grace"].iter().enumerate() {
        people.push((username, replicas.at(number).signed_in(username).await));
    }
    replicas.a.clock.advance(290);
    replicas.slow_tokens(30);
    let mut requests = JoinSet::new();
    for number in 0..20 {
        for (username, someone) in &people {
            let host = someone.host.before(replicas.at(number));
            let grant = someone.grant().to_owned();
            let subject = format!("auth0|{username}");
            requests.spawn(async move { (subject, host.token(&grant).await.ok()) });
        }
    }
    for (subject, token) in requests.join_all().await {
        assert_eq!(unverified_claims(&token)["sub"], subject.as_str());
    }
    assert_eq!(replicas.refreshes(), 5, "one for each session");
}

// D21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_redeems_of_a_ticket_over_both_exactly_one_succeeds() {
    let replicas = Replicas::start().await;
    let someone = replicas.a.signed_in("ada").await;
    let ticket = someone.browser.ticket(&someone.host).await.ok();
    let ticket = ticket["ticket"].as_str().unwrap();
    let mut redeems = JoinSet::new();
    for number in 0..100 {
        let host = someone.host.before(replicas.at(number));
        let ticket = ticket.to_owned();
        redeems.spawn(async move { host.redeem(&ticket).await });
    }
    assert_eq!(one_of(&redeems.join_all().await, 400), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_claims_of_a_handoff_over_both_exactly_one_succeeds() {
    let replicas = Replicas::start().await;
    let browser = replicas.a.browser();
    let (handoff, host) = (Handoff::new(&replicas.a), Host::new(&replicas.a));
    browser.popup_login(&handoff, "ada").await;
    let mut claims = JoinSet::new();
    for number in 0..100 {
        let frame = replicas.at(number).browser();
        let (handoff, host) = (handoff.clone(), host.clone());
        claims.spawn(async move { frame.claim(&handoff, &host).await });
    }
    // The others hear that it is gone, or that they were superseded by a newer poll.
    let answers = claims.join_all().await;
    let (claimed, others): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(claimed.len(), 1);
    for answer in others {
        assert!(
            [202, 410].contains(&answer.status.as_u16()),
            "{}",
            answer.body
        );
        assert!(answer.set_cookies().is_empty());
    }
}

/// Of these exactly one is good, and all others were refused with `status`.
#[track_caller]
fn one_of(answers: &[Answer], status: u16) -> usize {
    let good = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(good.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    }
    answers.len()
}

// E34: nobody is there any more to give the lease back.
#[tokio::test]
async fn a_lease_of_a_holder_that_died_is_waited_for_and_then_taken() {
    let replicas = Replicas::start().await;
    let someone = replicas.a.signed_in("ada").await;
    replicas.a.clock.advance(250);
    let store = RedisStore::new(&replicas.redis.url()).unwrap();
    let lease = KeyHash::of_parts(&["refresh", someone.frame["ref"].as_str().unwrap()]);
    let now = replicas.a.clock.seconds();
    let died = Instant::now();
    let taken = store.acquire_lease(lease, b"a holder that died", now, now + 2);
    assert!(taken.await.unwrap());

    let host = someone.host.before(&replicas.b);
    host.token(someone.grant()).await.ok();
    // By the Redis' own clock: not before the lease was over, and not long after it.
    let waited = died.elapsed();
    assert!(waited >= Duration::from_millis(1_900), "{waited:?}");
    assert!(waited <= Duration::from_secs(10), "{waited:?}");
    assert_eq!(replicas.refreshes(), 1);
}

// A provider that takes longer than a lease lasts: the holder renews it all the while.
#[tokio::test]
async fn a_lease_is_kept_as_long_as_its_holder_works() {
    let replicas = Replicas::start().await;
    let someone = replicas.a.signed_in("ada").await;
    replicas.a.clock.advance(301);
    replicas.slow_tokens(7_000);
    let at_both = [&replicas.a, &replicas.b].map(|world| someone.host.before(world));
    let (one, other) = tokio::join!(
        at_both[0].token(someone.grant()),
        at_both[1].token(someone.grant())
    );
    assert_eq!(one.ok(), other.ok());
    assert_eq!(replicas.refreshes(), 1);
}

// E34, E35: the provider has rotated, and nobody has stored what it gave.
#[tokio::test]
async fn a_holder_that_is_killed_in_mid_refresh_costs_nobody_the_session() {
    let replicas = Replicas::start().await;
    let someone = replicas.a.signed_in("ada").await;
    replicas.a.clock.advance(250);
    let faults = StoreFaults::default();
    let doomed = Doomed::start(|| replicas.a.behind(|store| faults.before(store)));
    faults.hang("update_session");
    let (host, grant) = (
        someone.host.before(&doomed.world),
        someone.grant().to_owned(),
    );
    let lost = doomed.send(async move { host.token(&grant).await });
    eventually(async || faults.calls("update_session") == 1).await;
    assert_eq!(replicas.refreshes(), 1);
    doomed.kill();
    assert!(lost.await.is_err_and(|end| end.is_cancelled()));

    let token = someone
        .host
        .before(&replicas.b)
        .token(someone.grant())
        .await;
    assert_eq!(token.ok()["expires_at"], replicas.a.clock.seconds() + 300);
    assert_eq!(replicas.refreshes(), 2);
    someone.host.session(someone.grant()).await.ok();
}

// E62, E65
#[tokio::test]
async fn a_replica_that_is_killed_in_mid_login_leaves_it_to_the_other() {
    let replicas = Replicas::start().await;
    let doomed = Doomed::start(|| replicas.a.restarted(&[]));
    let browser = doomed.world.browser();
    let (handoff, host) = (Handoff::new(&doomed.world), Host::new(&doomed.world));
    let authorize = browser.begin_popup(&handoff).await;
    let (frame, waiting, app) = (browser.clone(), handoff.clone(), host.clone());
    let poll = doomed.send(async move { frame.claim(&waiting, &app).await });
    frame_is_waiting(&doomed.world).await;
    doomed.kill();
    assert!(
        poll.await.is_err_and(|end| end.is_cancelled()),
        "the poll was cut"
    );

    let callback = browser.authenticate(&authorize, "ada").await;
    let browser = browser.before(&replicas.b);
    let answer = browser.arrive(&callback).await;
    assert_eq!(answer.header("location"), "/signed-in?close");
    let claimed = browser.claim(&handoff, &host).await.ok();
    let ticket = claimed["ticket"].as_str().unwrap();
    host.before(&replicas.b).redeem(ticket).await.ok();
}

// A replay of the provider's word at the other door.
#[tokio::test]
async fn a_logout_token_counts_once_over_both_replicas() {
    let Replicas {
        a,
        b,
        redis: _redis,
    } = &Replicas::start().await;
    let someone = a.signed_in("ada").await;
    let now = a.clock.seconds();
    let claims = json!({
        "iss": a.tenant.issuer(), "aud": APP_CLIENT_ID, "iat": now, "exp": now + 120,
        "jti": "one and the same", "sub": "auth0|ada",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let header = Map::from_iter([("typ".to_owned(), Value::from("logout+jwt"))]);
    let token = a.tenant.sign_raw(&claims, &header);
    let body = serde_urlencoded::to_string([("logout_token", token)]).unwrap();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let provider = Host::new(a).showing(vec![]);
    let path = "/api/auth/backchannel-logout";
    let first = provider.send(path, &form, body.clone()).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let ended = someone.host.before(b).session(someone.grant()).await;
    assert_eq!(ended.json()["reason"], "provider_logout");
    provider
        .before(b)
        .send(path, &form, body)
        .await
        .assert(400, "invalid_request");
}

/// What a balancer sends requests to now.
type Upstreams = Arc<Mutex<[App; 2]>>;

/// Everybody asks again and again, until told to stop; answers how many asked, and the
/// first that was not who they are.
async fn traffic(
    upstreams: Upstreams,
    members: Vec<Member>,
    stop: tokio_util::sync::CancellationToken,
) -> (usize, Option<Answer>) {
    let mut asked = 0;
    loop {
        for (number, member) in members.iter().enumerate() {
            if stop.is_cancelled() {
                return (asked, None);
            }
            let app = upstreams.lock().unwrap()[number % 2].clone();
            let answer = member.me(&app).await;
            asked += 1;
            if !member.is_in(&answer) {
                return (asked, Some(answer));
            }
        }
    }
}

// E63, E64
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_with_a_thousand_live_sessions_loses_none() {
    let Replicas {
        a,
        b,
        redis: _redis,
    } = Replicas::start().await;
    let members = crowd(a.state.sessions(), "member", 1_000).await;
    let upstreams: Upstreams = Arc::new(Mutex::new([a.app.clone(), b.app.clone()]));
    let stop = tokio_util::sync::CancellationToken::new();
    let asking = traffic(Arc::clone(&upstreams), members.clone(), stop.clone());
    let asking = tokio::spawn(asking);
    let next = a.restarted(&[]);
    for (place, old) in [(0, a), (1, b)] {
        let both = { upstreams.lock().unwrap()[1 - place].clone() };
        *upstreams.lock().unwrap() = [both.clone(), both];
        old.state.closing().begin();
        drop(old);
        let started = next.restarted(&[]);
        upstreams.lock().unwrap()[place] = started.app.clone();
    }
    let apps = { upstreams.lock().unwrap().clone() };
    for (number, member) in members.iter().enumerate() {
        let answer = member.me(&apps[number % 2]).await;
        assert!(member.is_in(&answer), "{}: {}", member.subject, answer.body);
    }
    stop.cancel();
    let (asked, lost) = asking.await.unwrap();
    assert!(lost.is_none(), "{:?}", lost.map(|answer| answer.body));
    assert!(asked > 0);
}
