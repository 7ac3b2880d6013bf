//! `/api/auth/callback`: which responses finish a login, for whom, and how often.

use http::{Method, StatusCode};
use tokio::task::JoinSet;
use url::Url;

use crate::harness::{Browser, Call, Handoff, Host, World, eventually};

/// A login that has come back from the provider, and is not delivered yet.
async fn returning(browser: &Browser, username: &str) -> Url {
    let authorize = browser.begin_page().await;
    browser.authenticate(&authorize, username).await
}

fn code_requests(world: &World) -> u64 {
    world
        .tenant
        .journal()
        .token_requests_of("authorization_code")
}

async fn signed_in_as(browser: &Browser) -> Option<String> {
    let me = browser.open("/api/auth/me").await;
    (me.status == StatusCode::OK).then(|| me.json()["user"]["sub"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_login_ends_on_a_clean_page_with_a_session_of_one_cookie() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    let answer = browser.arrive(&callback).await;
    assert_eq!(answer.header("location"), "/signed-in");
    let lines = answer.set_cookie_lines();
    assert_eq!(
        lines[0],
        "component-auth0=…; HttpOnly; SameSite=Lax; Path=/; Max-Age=604800"
    );
    assert!(
        lines[1].contains("-login-")
            && lines[1].ends_with("=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0")
    );
    assert_eq!(lines.len(), 2);
    assert!(browser.transactions().is_empty());
    assert_eq!(signed_in_as(&browser).await.as_deref(), Some("auth0|ada"));
    assert_eq!(code_requests(&world), 1);
}

#[tokio::test]
async fn on_https_every_cookie_has_the_host_prefix_and_is_secure() {
    let world = World::with(&[("AUTH0_BASE_URL", "https://localhost:3001")]).await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    let lines = browser.arrive(&callback).await.set_cookie_lines();
    assert_eq!(
        lines[0],
        "__Host-component-auth0=…; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800"
    );
    assert!(lines[1].starts_with("__Host-component-auth0-login-"));
    assert!(lines[1].ends_with("=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"));
}

// D30: the attacker's own finished login, opened by the victim.
#[tokio::test]
async fn a_callback_link_of_another_browser_signs_nobody_in() {
    let world = World::new().await;
    let attacker = world.browser();
    let callback = returning(&attacker, "linus").await;
    for victim in [world.browser(), {
        let signed_in = world.browser();
        signed_in.page_login("ada").await;
        signed_in.begin_page().await;
        signed_in
    }] {
        let before = signed_in_as(&victim).await;
        let answer = victim.arrive(&callback).await;
        answer.assert_page(400, "invalid_transaction");
        assert!(!answer.sets_session_cookie());
        assert_eq!(signed_in_as(&victim).await, before);
    }
    assert_eq!(code_requests(&world), 1, "only the victim's own");
}

// D31, D32: each with one thing wrong.
#[tokio::test]
async fn a_state_that_is_unknown_changed_missing_or_huge_is_refused() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    let state = callback
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let flipped = if state.starts_with('A') { "B" } else { "A" };
    for other in [
        String::new(),
        "x".into(),
        format!("{flipped}{}", &state[1..]),
        state[1..].to_owned(),
        format!("{state}x"),
        // B73
        "x".repeat(10_000),
    ] {
        let mut spoilt = callback.clone();
        spoilt
            .query_pairs_mut()
            .clear()
            .append_pair("code", "c")
            .append_pair("state", &other);
        browser
            .arrive(&spoilt)
            .await
            .assert_page(400, "invalid_transaction");
    }
    let bare = browser.follow_foreign("/api/auth/callback").await;
    bare.assert_page(400, "invalid_transaction");
    assert_eq!(code_requests(&world), 0);
    // None of them spent the login.
    assert_eq!(
        browser.arrive(&callback).await.header("location"),
        "/signed-in"
    );
}

// E50: a cookie that was changed by one bit, cut, or taken from another login.
#[tokio::test]
async fn a_tampered_transaction_cookie_is_no_transaction() {
    let world = World::new().await;
    let spoil: [fn(&str) -> String; 4] = [
        |value| {
            let last = if value.ends_with('A') { "B" } else { "A" };
            format!("{}{last}", &value[..value.len() - 1])
        },
        |value| value[..value.len() / 2].to_owned(),
        |_| "AAAA".repeat(100),
        |_| String::from("not+base64url"),
    ];
    for (case, change) in spoil.iter().enumerate() {
        let browser = world.browser();
        let callback = returning(&browser, "ada").await;
        browser
            .jar
            .tamper(|name, value| name.contains("-login-").then(|| change(value)));
        let answer = browser.arrive(&callback).await;
        answer.assert_page(400, "invalid_transaction");
        assert!(!answer.sets_session_cookie(), "case {case}");
    }
    assert_eq!(code_requests(&world), 0);
}

#[tokio::test]
async fn a_transaction_sealed_for_another_login_does_not_open_under_its_name() {
    let world = World::new().await;
    let browser = world.browser();
    let other = world.browser();
    let foreign = returning(&other, "linus").await;
    let callback = returning(&browser, "ada").await;
    let sealed = other.cookies_of_window("-login-");
    browser
        .jar
        .tamper(|name, _| name.contains("-login-").then(|| sealed.clone()));
    browser
        .arrive(&callback)
        .await
        .assert_page(400, "invalid_transaction");
    browser
        .arrive(&foreign)
        .await
        .assert_page(400, "invalid_transaction");
}

// D49: somebody planted a second cookie of that name; the one that opens counts.
#[tokio::test]
async fn a_planted_twin_of_the_transaction_cookie_changes_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    let name = browser.transactions().remove(0);
    let path = &callback[url::Position::BeforePath..];
    let call = Call::navigation(path, "cross-site").header("cookie", format!("{name}=AAAA"));
    assert_eq!(browser.send(call).await.header("location"), "/signed-in");
}

#[tokio::test]
async fn a_login_that_took_longer_than_ten_minutes_begins_again() {
    let world = World::new().await;
    for (seconds, status) in [(599, 303), (600, 400)] {
        let browser = world.browser();
        // The code is fresh; only the transaction is old.
        let authorize = browser.begin_page().await;
        browser.jar.ignore_expiry();
        world.clock.advance(seconds);
        let callback = browser.authenticate(&authorize, "ada").await;
        let answer = browser.arrive(&callback).await;
        assert_eq!(answer.status, status, "after {seconds} s: {}", answer.body);
    }
}

// D32, E31: a reload of the popup, or a second delivery later.
#[tokio::test]
async fn a_replayed_response_shows_the_finished_page_to_its_own_browser_only() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    browser.arrive(&callback).await;
    let again = browser.arrive(&callback).await;
    assert_eq!(again.header("location"), "/signed-in");
    assert!(!again.sets_session_cookie());
    world
        .browser()
        .arrive(&callback)
        .await
        .assert_page(400, "invalid_transaction");
    browser.submit("/api/auth/logout", &[]).await;
    browser
        .arrive(&callback)
        .await
        .assert_page(400, "invalid_transaction");
    assert_eq!(code_requests(&world), 1);
}

#[tokio::test]
async fn a_transaction_cookie_that_is_kept_and_replayed_sends_no_second_code() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    let thief = world.browser();
    thief.jar.copy_from(&browser.jar);
    browser.arrive(&callback).await;
    let answer = thief.arrive(&callback).await;
    assert!(!answer.sets_session_cookie());
    assert_eq!(signed_in_as(&thief).await, None);
    assert_eq!(code_requests(&world), 1);
}

// G14: a double click, an impatient proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_deliveries_at_once_one_sends_the_code() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    let mut deliveries = JoinSet::new();
    for _ in 0..20 {
        // Each leaves with the cookies of the moment before the first answer.
        let (twin, callback) = (world.browser(), callback.clone());
        twin.jar.copy_from(&browser.jar);
        deliveries.spawn(async move { twin.arrive(&callback).await });
    }
    let answers = deliveries.join_all().await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.header("location") == "/signed-in")
    );
    let sessions = answers
        .iter()
        .filter(|answer| answer.sets_session_cookie())
        .count();
    assert_eq!((sessions, code_requests(&world)), (1, 1));
}

// G14: the second delivery must not be told "signed in" while the first one fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_delivery_of_a_login_that_fails_is_told_so() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".into(), 100);
        plan.token.error = Some("invalid_grant".into());
    });
    let mut deliveries = JoinSet::new();
    for _ in 0..10 {
        let (twin, callback) = (world.browser(), callback.clone());
        twin.jar.copy_from(&browser.jar);
        deliveries.spawn(async move { twin.arrive(&callback).await });
    }
    let answers = deliveries.join_all().await;
    for answer in &answers {
        assert!(answer.status.is_client_error() || answer.status.is_server_error());
        assert!(!answer.sets_session_cookie());
    }
    let of_others = answers.iter().filter(|answer| answer.status == 409);
    assert_eq!(of_others.count(), 9, "login_refused");
    assert_eq!(code_requests(&world), 1);
    // And later, from the browser's history.
    browser
        .arrive(&callback)
        .await
        .assert_page(409, "login_refused");
}

// D33: values of two tabs are never swapped.
#[tokio::test]
async fn two_logins_of_one_browser_finish_each_on_its_own() {
    let world = World::new().await;
    let browser = world.browser();
    let (first, second) = (Handoff::new(&world), Handoff::new(&world));
    let (host, other_host) = (Host::new(&world), Host::new(&world));
    let one = browser.begin_popup(&first).await;
    let two = browser.begin_popup(&second).await;
    let one = browser.authenticate(&one, "ada").await;
    let two = browser.authenticate(&two, "ada").await;
    assert_eq!(browser.transactions().len(), 2);
    assert_eq!(
        browser.arrive(&two).await.header("location"),
        "/signed-in?close"
    );
    assert_eq!(browser.transactions().len(), 1);
    assert_eq!(
        browser.arrive(&one).await.header("location"),
        "/signed-in?close"
    );
    let claimed = browser.claim(&first, &host).await.ok();
    let other = world.browser().claim(&second, &other_host).await.ok();
    assert_ne!(claimed["ref"], other["ref"]);
}

// A08: an id that was there before the login is not the session's id after it.
#[tokio::test]
async fn a_planted_session_id_is_not_taken_over() {
    let world = World::new().await;
    let browser = world.browser();
    let planted = world.random_256();
    let callback = returning(&browser, "ada").await;
    let path = &callback[url::Position::BeforePath..];
    let call =
        Call::navigation(path, "cross-site").header("cookie", format!("component-auth0={planted}"));
    let answer = browser.send(call).await;
    assert!(answer.sets_session_cookie());
    assert_ne!(answer.set_cookies()[0].value(), planted);
    let as_planted = Call::navigation("/api/auth/me", "none")
        .header("cookie", format!("component-auth0={planted}"));
    assert_eq!(world.browser().send(as_planted).await.status, 401);
}

// A18
#[tokio::test]
async fn signing_in_as_somebody_else_ends_the_former_session() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_login("ada").await;
    let thief = world.browser();
    thief.jar.copy_from(&browser.jar);
    browser.provider.forget();
    browser.page_login("grace").await;
    assert_eq!(signed_in_as(&browser).await.as_deref(), Some("auth0|grace"));
    assert_eq!(signed_in_as(&thief).await, None, "the old cookie is dead");
    // What it could still refresh with, the provider takes no more.
    eventually(async || world.tenant.journal().requests_to("revoke") == 1).await;
}

// A18: the same where the frame has the cookie, and the host the grant.
#[tokio::test]
async fn a_change_of_person_ends_the_former_session_in_page_frame_and_host() {
    let world = World::new().await;
    let former = world.signed_in("ada").await;
    let browser = &former.browser;
    browser.provider.forget();
    let host = Host::new(&world);
    let latter = browser.sign_in_frame(&world, &host, "grace").await;
    assert_eq!(latter["user"]["name"], "Grace Hopper");
    assert_eq!(signed_in_as(browser).await.as_deref(), Some("auth0|grace"));
    let ended = former.host.session(former.grant()).await;
    ended.assert(401, "session_ended");
    assert_eq!(ended.json()["reason"], "replaced");
    eventually(async || world.tenant.journal().requests_to("revoke") == 1).await;
    browser.ticket(&host).await.ok();
}

#[tokio::test]
async fn signing_in_to_a_second_app_does_not_sign_the_first_one_out() {
    let world = World::new().await;
    let first = world.signed_in("ada").await;
    let host = Host::new(&world);
    let second = Handoff::new(&world);
    first.browser.popup_login(&second, "ada").await;
    // The second app's frame: another partition, so it has no cookie of the first.
    world.browser().claim(&second, &host).await.ok();
    first.host.session(first.grant()).await.ok();
    first.browser.ticket(&first.host).await.ok();
}

// E33: link scanners and prefetchers must not use up a login.
#[tokio::test]
async fn head_options_and_prefetch_consume_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = returning(&browser, "ada").await;
    let path = &callback[url::Position::BeforePath..];
    for (method, status) in [
        (Method::HEAD, 405),
        (Method::OPTIONS, 405),
        (Method::PUT, 405),
    ] {
        let mut call = Call::navigation(path, "cross-site");
        call.method = method.clone();
        assert_eq!(browser.send(call).await.status, status, "{method}");
    }
    let prefetch = Call::navigation(path, "cross-site").header("sec-purpose", "prefetch");
    assert_eq!(browser.send(prefetch).await.status, StatusCode::NO_CONTENT);
    let posted = browser
        .submit("/api/auth/callback", &[("code", "c"), ("state", "s")])
        .await;
    posted.assert_page(405, "method_not_allowed");
    assert_eq!(browser.transactions().len(), 1);
    assert_eq!(
        browser.arrive(&callback).await.header("location"),
        "/signed-in"
    );
}

// A person closes or reloads the popup while the code is with the provider: the code is
// spent, so the login must be finished without them.
#[tokio::test]
async fn a_login_whose_popup_closes_in_the_middle_still_reaches_its_frame() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let authorize = browser.begin_popup(&handoff).await;
    let callback = browser.authenticate(&authorize, "ada").await;
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".into(), 50);
    });
    let mut delivery = Box::pin(browser.arrive(&callback));
    let under_way = async || world.tenant.journal().requests_to("token") == 1;
    tokio::select! {
        _ = &mut delivery => panic!("it was to be slow"),
        () = eventually(under_way) => {}
    }
    drop(delivery);
    let claimed = browser.claim(&handoff, &host).await.ok();
    assert_eq!(claimed["user"]["name"], "Ada Lovelace");
}
