//! `/api/auth/handoff`: who may claim a login, how often, and until when.

use futures::poll;
use http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::harness::{Answer, Browser, Call, Handoff, Host, World, claim_body, eventually};

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<_> = answers
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

#[tokio::test]
async fn a_waiting_frame_hears_of_its_login_at_once() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let mut waiting = Box::pin(browser.claim(&handoff, &host));
    assert!(poll!(&mut waiting).is_pending());
    browser.popup_login(&handoff, "ada").await;
    let claimed = waiting.await.ok();
    assert_eq!(
        claimed["user"],
        json!({
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "picture": format!("{}avatars/ada.svg", world.tenant.issuer()),
        })
    );
    assert_eq!(claimed["expires_at"], world.clock.seconds() + 86_400);
    assert_eq!(claimed["ticket"].as_str().unwrap().len(), 43);
    assert!(!claimed["ref"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn the_frames_cookie_goes_out_twice_on_plain_http_and_once_on_https() {
    for (base, expected) in [
        (
            "http://localhost:3001",
            vec![
                "component-auth0-frame=…; HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Max-Age=604800",
                "component-auth0-frame-lax=…; HttpOnly; SameSite=Lax; Path=/; Max-Age=604800",
            ],
        ),
        (
            "https://localhost:3001",
            vec![
                "__Host-component-auth0-frame=…; HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Max-Age=604800",
            ],
        ),
    ] {
        let world = World::with(&[("AUTH0_BASE_URL", base)]).await;
        let browser = world.browser();
        let (handoff, host) = (Handoff::new(&world), Host::new(&world));
        browser.popup_login(&handoff, "ada").await;
        let answer = browser.claim(&handoff, &host).await;
        assert_eq!(answer.set_cookie_lines(), expected);
        browser.ticket(&host).await.ok();
    }
}

// D21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_claims_exactly_one_succeeds() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    browser.popup_login(&handoff, "ada").await;
    let mut claims = JoinSet::new();
    for _ in 0..100 {
        let (browser, handoff, host) = (world.browser(), handoff.clone(), host.clone());
        claims.spawn(async move { browser.claim(&handoff, &host).await });
    }
    let answers = claims.join_all().await;
    assert_eq!(statuses(&answers), [200, 410]);
    let claimed = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(claimed.count(), 1);
    for answer in answers
        .iter()
        .filter(|answer| answer.status != StatusCode::OK)
    {
        answer.assert(410, "handoff_gone");
        assert!(answer.set_cookies().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_verifier_that_nobody_knows_is_pending_after_the_hold() {
    let world = World::new().await;
    let began = Instant::now();
    let answer = world
        .browser()
        .claim(&Handoff::new(&world), &Host::new(&world))
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json(), json!({ "status": "pending" }));
    assert_eq!(began.elapsed().as_secs(), 25);
    assert!(answer.set_cookies().is_empty());
}

// A frame that gave its poll up by hanging up could lose the login that comes just then.
#[tokio::test(start_paused = true)]
async fn the_companion_holds_a_poll_as_long_as_the_frame_wishes_and_no_longer_than_25_s() {
    let world = World::new().await;
    let browser = world.browser();
    for (hold, held) in [(0, 0), (1_500, 1_500), (25_000, 25_000), (u32::MAX, 25_000)] {
        let mut body = claim_body(&Handoff::new(&world), &Host::new(&world));
        body["hold"] = json!(hold);
        let began = Instant::now();
        let answer = browser.frame_post("/api/auth/handoff", &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.header("retry-after"), "");
        assert_eq!(began.elapsed().as_millis(), held, "{hold}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_waits_is_told_of_the_end_of_the_process() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let began = Instant::now();
    let mut waiting = Box::pin(browser.claim(&handoff, &host));
    assert!(poll!(&mut waiting).is_pending());
    world.state.closing().begin();
    let answer = waiting.await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(began.elapsed().as_secs(), 0);
}

#[tokio::test]
async fn the_newest_poll_supersedes_the_older_one_and_gets_the_login() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let mut older = Box::pin(browser.claim(&handoff, &host));
    assert!(poll!(&mut older).is_pending());
    let mut newer = Box::pin(browser.claim(&handoff, &host));
    assert!(poll!(&mut newer).is_pending());
    assert_eq!(older.await.status, StatusCode::ACCEPTED);
    browser.popup_login(&handoff, "ada").await;
    newer.await.ok();
}

// G05: the connection is cut while the frame waits; the login is there at the next poll.
#[tokio::test]
async fn a_login_survives_a_poll_that_was_cut() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let mut cut = Box::pin(browser.claim(&handoff, &host));
    assert!(poll!(&mut cut).is_pending());
    drop(cut);
    browser.popup_login(&handoff, "ada").await;
    browser.claim(&handoff, &host).await.ok();
}

#[tokio::test]
async fn a_refusal_is_told_for_a_minute_and_gone_after_it() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let authorize = browser.begin_popup(&handoff).await;
    let refused = browser.provider.decline(&authorize).await;
    browser.arrive_by(refused).await;
    browser
        .claim(&handoff, &host)
        .await
        .assert(409, "login_refused");
    world.clock.advance(59);
    browser
        .claim(&handoff, &host)
        .await
        .assert(409, "login_refused");
    world.clock.advance(1);
    browser
        .claim(&handoff, &host)
        .await
        .assert(410, "handoff_gone");
}

// G06: the laptop slept.
#[tokio::test]
async fn a_login_that_nobody_claims_lapses_after_two_minutes() {
    let world = World::new().await;
    for (seconds, status) in [(119, 200), (120, 410), (600, 410)] {
        let browser = world.browser();
        let (handoff, host) = (Handoff::new(&world), Host::new(&world));
        browser.popup_login(&handoff, "ada").await;
        world.clock.advance(seconds);
        let answer = browser.claim(&handoff, &host).await;
        assert_eq!(answer.status, status, "after {seconds} s");
    }
}

// D26, invariant 3.
#[tokio::test]
async fn a_claim_from_another_origin_is_refused_and_claims_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    browser.popup_login(&handoff, "ada").await;
    let call = || browser.frame_call("/api/auth/handoff", &claim_body(&handoff, &host));
    let cases = [
        (
            "the Streamlit page",
            call().replace("origin", "http://127.0.0.1:4010"),
        ),
        (
            "a look-alike",
            call().replace("origin", "http://localhost:3001.evil.test"),
        ),
        (
            "a prefix",
            call().replace("origin", "http://localhost:30010"),
        ),
        ("https", call().replace("origin", "https://localhost:3001")),
        (
            "upper case",
            call().replace("origin", "http://LOCALHOST:3001"),
        ),
        (
            "a trailing dot",
            call().replace("origin", "http://localhost.:3001"),
        ),
        ("a sandbox", call().replace("origin", "null")),
        ("nobody", call().without("origin")),
        (
            "another site without metadata",
            call()
                .replace("origin", "https://evil.test")
                .without("sec-fetch-site"),
        ),
        ("same site", call().replace("sec-fetch-site", "same-site")),
        ("cross site", call().replace("sec-fetch-site", "cross-site")),
    ];
    for (what, call) in cases {
        let answer = browser.send(call).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "forbidden_origin".into()),
            "{what}"
        );
        assert!(answer.set_cookies().is_empty(), "{what}");
    }
    browser
        .send(call().replace("content-type", "text/plain"))
        .await
        .assert(415, "unsupported_media_type");
    browser.claim(&handoff, &host).await.ok();
}

// G02: a page that may only frame the Streamlit page gets no ticket.
#[tokio::test]
async fn a_claim_for_a_page_that_is_no_streamlit_page_is_refused_and_claims_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    browser.popup_login(&handoff, "ada").await;
    for origin in [
        "https://portal.example.org",
        "https://evil.test",
        "null",
        "",
        "http://127.0.0.1:4010/",
    ] {
        let stranger = host.at(origin);
        browser
            .claim(&handoff, &stranger)
            .await
            .assert(403, "unknown_host_origin");
    }
    browser.claim(&handoff, &host).await.ok();
}

#[tokio::test]
async fn malformed_claims_are_refused() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let good = claim_body(&handoff, &host);
    for (name, value) in [
        ("verifier", json!("short")),
        ("verifier", json!(7)),
        ("verifier", json!(null)),
        ("challenge", json!("short")),
        ("challenge", json!(null)),
        ("host_origin", json!(null)),
        ("hold", json!("long")),
        ("hold", json!(-1)),
    ] {
        let mut body = good.clone();
        body[name] = value.clone();
        let answer = browser.frame_post("/api/auth/handoff", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name} = {value}");
        answer.assert(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_claim_without_a_host_signs_the_frame_in_and_mints_no_ticket() {
    let world = World::new().await;
    let browser = world.browser();
    let handoff = Handoff::new(&world);
    browser.popup_login(&handoff, "ada").await;
    let claimed = browser
        .frame_post(
            "/api/auth/handoff",
            &json!({ "verifier": handoff.verifier }),
        )
        .await
        .ok();
    assert_eq!(claimed["ticket"], json!(null));
    browser.ticket(&Host::new(&world)).await.ok();
}

// A08, A18
#[tokio::test]
async fn a_claim_ends_the_session_of_the_frame_cookie_that_it_replaces() {
    let world = World::new().await;
    let first = world.signed_in("ada").await;
    let thief = world.browser();
    thief.jar.copy_from(&first.browser.jar);
    let host = Host::new(&world);
    let second = first.browser.sign_in_frame(&world, &host, "ada").await;
    assert_ne!(first.frame["ref"], second["ref"]);
    thief.ticket(&host).await.assert(401, "not_authenticated");
    let ended = first.host.session(first.grant()).await;
    ended.assert(401, "session_ended");
    assert_eq!(ended.json()["reason"], "replaced");
    assert_eq!(
        first.browser.ticket(&host).await.ok()["user"]["name"],
        "Ada Lovelace"
    );
}

#[tokio::test]
async fn a_second_login_with_the_same_challenge_does_not_replace_the_first_result() {
    let world = World::new().await;
    let (victim, attacker) = (world.browser(), world.browser());
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    victim.popup_login(&handoff, "ada").await;
    attacker.popup_login(&handoff, "linus").await;
    assert_eq!(
        victim.claim(&handoff, &host).await.ok()["user"]["name"],
        "Ada Lovelace"
    );
    attacker
        .claim(&handoff, &host)
        .await
        .assert(410, "handoff_gone");
}

/// The answer to somebody for whom nothing lies ready: without the 25 s of the hold.
async fn claimed_by(browser: &Browser, handoff: &Handoff, host: &Host) -> Answer {
    let mut first = Box::pin(browser.claim(handoff, host));
    if let std::task::Poll::Ready(answer) = poll!(&mut first) {
        return answer;
    }
    let mut newer = Box::pin(browser.claim(handoff, host));
    assert!(poll!(&mut newer).is_pending());
    first.await
}

// Issue item 11, D22, RFC 10027: the link that carries the attacker's challenge.
#[tokio::test]
async fn a_link_with_an_attackers_challenge_binds_nothing_to_it() {
    let world = World::new().await;
    let (victim, attacker) = (world.browser(), world.browser());
    let (trap, host) = (Handoff::new(&world), Host::new(&world));
    // The victim's provider session is live: not even a password is asked for.
    victim.page_login("ada").await;
    let link = format!("/api/auth/login?handoff_challenge={}", trap.challenge());
    let authorize = victim.follow_foreign(&link).await.location();
    let callback = victim.authenticate(&authorize, "nobody").await;
    assert_eq!(
        victim.arrive(&callback).await.header("location"),
        "/signed-in"
    );
    let answer = claimed_by(&attacker, &trap, &host).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert!(answer.set_cookies().is_empty());
}

// The form that submits itself, from wherever: refused before anything begins.
#[tokio::test]
async fn a_form_with_an_attackers_challenge_begins_no_login() {
    let world = World::new().await;
    let (victim, attacker) = (world.browser(), world.browser());
    let (trap, host) = (Handoff::new(&world), Host::new(&world));
    for (origin, site) in [
        // Browsers without Fetch Metadata: the origin alone decides.
        ("https://evil.test", ""),
        ("null", ""),
        ("https://evil.test", "cross-site"),
        ("null", "cross-site"),
        ("http://localhost:4010", "same-site"),
    ] {
        let form = Call::form(
            "/api/auth/login",
            &[("handoff_challenge", &trap.challenge())],
        )
        .header("origin", origin)
        .header("sec-fetch-mode", "navigate");
        let form = match site {
            "" => form,
            site => form.header("sec-fetch-site", site),
        };
        let answer = victim.send(form).await;
        answer.assert_page(403, "forbidden_origin");
        assert!(victim.transactions().is_empty());
    }
    assert_eq!(
        claimed_by(&attacker, &trap, &host).await.status,
        StatusCode::ACCEPTED
    );
}

// D25: memory stays bounded whoever polls.
#[tokio::test]
async fn above_the_cap_of_one_client_polls_are_sent_away_at_once() {
    let world = World::new().await;
    let browser = world.browser();
    let host = Host::new(&world);
    let handoffs: Vec<_> = (0..256).map(|_| Handoff::new(&world)).collect();
    let mut waiting: Vec<_> = handoffs
        .iter()
        .map(|handoff| Box::pin(browser.claim(handoff, &host)))
        .collect();
    for poll in &mut waiting {
        assert!(poll!(poll).is_pending());
    }
    let one_more = Handoff::new(&world);
    let answer = browser.claim(&one_more, &host).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("retry-after"), "3");
    // Places are given back.
    drop(waiting);
    browser.popup_login(&one_more, "ada").await;
    browser.claim(&one_more, &host).await.ok();
}

#[tokio::test]
async fn the_login_of_one_replica_reaches_the_frame_that_asks_another() {
    let world = World::new().await;
    let replica = world.restarted(&[]);
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    browser.popup_login(&handoff, "ada").await;
    let there =
        async || browser.before(&replica).claim(&handoff, &host).await.status == StatusCode::OK;
    eventually(there).await;
}
