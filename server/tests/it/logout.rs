//! `/api/auth/logout`: what ends a session, what may not, and what is left behind.

use http::{Method, StatusCode};
use serde_json::json;
use url::Url;

use crate::harness::{
    Answer, Browser, Call, Handoff, Host, SignedIn, StoreFaults, World, eventually,
};

async fn by_frame(browser: &Browser) -> Answer {
    browser.frame_post("/api/auth/logout", &json!({})).await
}

async fn is_signed_in(someone: &SignedIn) -> [bool; 3] {
    [
        someone.browser.page_get("/api/auth/me").await.status == StatusCode::OK,
        someone.browser.ticket(&someone.host).await.status == StatusCode::OK,
        someone.host.session(someone.grant()).await.status == StatusCode::OK,
    ]
}

// G03: page and frame have cookies of their own; both are signed out.
#[tokio::test]
async fn a_logout_in_the_frame_ends_the_session_in_page_frame_and_host() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    assert_eq!(is_signed_in(&someone).await, [true; 3]);
    let answer = by_frame(&someone.browser).await;
    assert!(answer.ok()["logout_url"].is_string());
    assert_eq!(
        answer.set_cookie_lines(),
        [
            "component-auth0-frame=; HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Max-Age=0",
            "component-auth0-frame-lax=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0",
        ]
    );
    assert_eq!(is_signed_in(&someone).await, [false; 3]);
    let ended = someone.host.token(someone.grant()).await;
    ended.assert(401, "session_ended");
    assert_eq!(ended.json()["reason"], "signed_out");
}

#[tokio::test]
async fn a_logout_on_a_page_ends_the_session_everywhere_and_leads_to_the_provider() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let answer = someone.browser.submit("/api/auth/logout", &[]).await;
    assert!(
        answer
            .location()
            .as_str()
            .starts_with(world.tenant.issuer())
    );
    assert_eq!(
        answer.set_cookie_lines(),
        ["component-auth0=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"]
    );
    assert_eq!(is_signed_in(&someone).await, [false; 3]);
}

// E54: a cookie that was copied before is worth nothing after.
#[tokio::test]
async fn a_cookie_replayed_after_logout_signs_nobody_in() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let thief = world.browser();
    thief.jar.copy_from(&someone.browser.jar);
    by_frame(&someone.browser).await;
    assert_eq!(
        thief.open("/api/auth/me").await.status,
        StatusCode::UNAUTHORIZED
    );
    thief
        .ticket(&someone.host)
        .await
        .assert(401, "not_authenticated");
}

// D35: links, images, prefetches and foreign forms sign nobody out.
#[tokio::test]
async fn a_get_or_a_foreign_post_ends_nothing() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let browser = &someone.browser;
    let page = browser.follow_foreign("/api/auth/logout").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("method=\"post\""));
    let form = || browser.own_form("/api/auth/logout", &[]);
    let fetch = || browser.frame_call("/api/auth/logout", &json!({}));
    for call in [
        form().replace("origin", "https://evil.test"),
        form().replace("origin", "null"),
        form().without("origin"),
        form().replace("sec-fetch-site", "cross-site"),
        fetch().replace("origin", "http://127.0.0.1:4010"),
        fetch().without("origin"),
    ] {
        let answer = browser.send(call).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("forbidden_origin"));
        assert!(answer.set_cookies().is_empty());
    }
    for method in [Method::HEAD, Method::PUT, Method::DELETE] {
        let mut call = form();
        call.method = method;
        browser.send(call).await;
    }
    assert_eq!(is_signed_in(&someone).await, [true; 3]);
}

#[tokio::test]
async fn the_logout_url_names_client_session_and_return_and_holds_no_id_token() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let answer = by_frame(&someone.browser).await.ok();
    let url = Url::parse(answer["logout_url"].as_str().unwrap()).unwrap();
    assert!(
        url.as_str()
            .starts_with(&format!("{}oidc/logout?", world.tenant.issuer()))
    );
    let names: Vec<_> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(
        names,
        [
            "client_id",
            "logout_hint",
            "post_logout_redirect_uri",
            "state"
        ]
    );
    let parameter = |wanted: &str| {
        let found = url.query_pairs().find(|(name, _)| name == wanted);
        found.unwrap().1.into_owned()
    };
    assert_eq!(parameter("client_id"), dev_tenant::APP_CLIENT_ID);
    assert_eq!(
        parameter("post_logout_redirect_uri"),
        "http://localhost:3001/"
    );
    assert!(!parameter("logout_hint").is_empty());
    // The hint names the provider's session: it ends without asking.
    let back = someone.browser.provider.open(&url).await;
    assert!(
        back.location()
            .as_str()
            .starts_with("http://localhost:3001/?state=")
    );
}

// B46, B47: `state` chooses words, and no more.
#[tokio::test]
async fn the_way_back_from_the_provider_acts_on_no_state() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    for path in ["/?state=foreign", "/?state=", "/"] {
        let page = someone.browser.follow_foreign(path).await;
        assert!(
            page.body.contains("Ada Lovelace"),
            "{path} signed nobody out"
        );
        let stranger = world.browser().follow_foreign(path).await;
        assert_eq!(stranger.status, StatusCode::OK);
        assert!(stranger.set_cookies().is_empty());
    }
}

#[tokio::test]
async fn with_the_hint_setting_the_id_token_travels_in_the_popups_redirect_only() {
    let world = World::with(&[("LOGOUT_ID_TOKEN_HINT", "true")]).await;
    let someone = world.signed_in("ada").await;
    let other = world.signed_in("grace").await;
    let fetched = by_frame(&someone.browser).await.ok();
    assert!(
        !fetched["logout_url"]
            .as_str()
            .unwrap()
            .contains("id_token_hint")
    );
    let redirected = other
        .browser
        .submit("/api/auth/logout", &[])
        .await
        .location();
    assert!(
        redirected
            .query_pairs()
            .any(|(name, _)| name == "id_token_hint")
    );
}

#[tokio::test]
async fn a_logout_while_nobody_is_signed_in_is_fine() {
    let world = World::new().await;
    let browser = world.browser();
    assert_eq!(by_frame(&browser).await.ok(), json!({ "logout_url": null }));
    let answer = browser.submit("/api/auth/logout", &[]).await;
    assert_eq!(answer.header("location"), "/signed-out");
}

#[tokio::test]
async fn the_refresh_token_is_revoked_at_the_provider() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    by_frame(&someone.browser).await;
    eventually(async || world.tenant.journal().requests_to("revoke") == 1).await;
    assert!(world.tenant.journal().token_errors.is_empty());
}

// The session here ends first: a provider in trouble keeps nobody signed in.
#[tokio::test]
async fn a_logout_works_while_the_provider_is_down() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    world.tenant.faults().set(|plan| plan.down = true);
    by_frame(&someone.browser).await.ok();
    assert_eq!(is_signed_in(&someone).await, [false; 3]);
}

/// Signs in to a second app in the same browser: same provider session, other session here.
async fn second_app(world: &World, someone: &SignedIn) -> (Browser, Host) {
    let handoff = Handoff::new(world);
    someone.browser.popup_login(&handoff, "ada").await;
    let frame = world.browser();
    let host = Host::new(world).at("http://localhost:4010");
    frame.claim(&handoff, &host).await.ok();
    (frame, host)
}

#[tokio::test]
async fn a_logout_ends_all_sessions_of_that_provider_session_and_no_other() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let elsewhere = world.signed_in("ada").await;
    let (frame, host) = second_app(&world, &someone).await;
    frame.ticket(&host).await.ok();
    by_frame(&someone.browser).await.ok();
    frame.ticket(&host).await.assert(401, "not_authenticated");
    assert_eq!(
        is_signed_in(&elsewhere).await,
        [true; 3],
        "another provider session"
    );
}

#[tokio::test]
async fn without_federated_logout_only_this_session_ends() {
    let world = World::with(&[("FEDERATED_LOGOUT", "false")]).await;
    let someone = world.signed_in("ada").await;
    let (frame, host) = second_app(&world, &someone).await;
    let answer = by_frame(&someone.browser).await.ok();
    assert_eq!(answer["logout_url"], json!(null));
    frame.ticket(&host).await.ok();
    someone
        .host
        .session(someone.grant())
        .await
        .assert(401, "session_ended");
}

#[tokio::test]
async fn a_logout_judged_by_the_frames_cookie_is_not_that_of_the_page() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_login("ada").await;
    // The frame has no cookie: nobody is signed in there.
    assert_eq!(by_frame(&browser).await.ok(), json!({ "logout_url": null }));
    browser.page_get("/api/auth/me").await.ok();
}

#[tokio::test]
async fn after_a_logout_the_next_login_makes_another_session() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    by_frame(&someone.browser).await;
    let host = Host::new(&world);
    let again = someone.browser.sign_in_frame(&world, &host, "ada").await;
    assert_ne!(again["ref"], someone.frame["ref"]);
    someone
        .host
        .session(someone.grant())
        .await
        .assert(401, "session_ended");
}

#[tokio::test]
async fn a_page_form_needs_no_body() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_login("ada").await;
    let call = Call::new(Method::POST, "/api/auth/logout")
        .header("origin", browser.base())
        .header("sec-fetch-site", "same-origin");
    assert_eq!(browser.send(call).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        browser.page_get("/api/auth/me").await.status,
        StatusCode::UNAUTHORIZED
    );
}

// Invariant 5: where the browser refuses every cookie in the frame, its logout is a logout.
#[tokio::test]
async fn a_frame_without_cookies_ends_its_session_with_its_sign_out_key() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let cookieless = world.browser();
    let key = &someone.frame["sign_out_key"];
    let answer = cookieless
        .frame_post("/api/auth/logout", &json!({ "sign_out_key": key }))
        .await;
    assert!(answer.ok()["logout_url"].is_string());
    assert_eq!(is_signed_in(&someone).await, [false; 3]);
}

#[tokio::test]
async fn a_sign_out_key_opens_nothing_and_a_made_up_one_ends_nothing() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let key = someone.frame["sign_out_key"].as_str().unwrap();
    someone.host.session(key).await.assert(401, "session_ended");
    someone.host.redeem(key).await.assert(400, "invalid_ticket");
    let stranger = world.browser();
    for made_up in [json!("A".repeat(43)), json!(7), json!(""), json!(null)] {
        stranger
            .frame_post("/api/auth/logout", &json!({ "sign_out_key": made_up }))
            .await
            .ok();
    }
    assert_eq!(is_signed_in(&someone).await, [true; 3]);
}

// Design §3.14: the provider's session outlives Python's logout, so the next login must not
// slip the same person in again, even after a reload of the app.
#[tokio::test]
async fn a_login_after_the_hosts_logout_asks_for_the_person_anew() {
    let prompt = |url: &Url| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(name, _)| name == "prompt")
            .map(|(_, value)| value.into_owned())
    };
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    someone.host.revoke(someone.grant()).await;
    let authorize = someone.browser.begin_popup(&Handoff::new(&world)).await;
    assert_eq!(prompt(&authorize).as_deref(), Some("login"));

    let someone = world.signed_in("ada").await;
    by_frame(&someone.browser).await;
    let authorize = someone.browser.begin_popup(&Handoff::new(&world)).await;
    assert_eq!(prompt(&authorize), None, "the provider's session was ended");
}

// Siblings first: as long as the own session lives, whoever signed out can try again.
#[tokio::test]
async fn a_logout_that_fails_half_way_can_be_tried_again_and_then_ends_all() {
    let world = World::new().await;
    let faults = StoreFaults::default();
    let world = world.behind(|store| faults.before(store));
    let someone = world.signed_in("ada").await;
    let (frame, host) = second_app(&world, &someone).await;
    for passing in [0, 1] {
        faults.fail("end_session", passing, 1);
        let answer = by_frame(&someone.browser).await;
        answer.assert(503, "store_unavailable");
        assert!(answer.set_cookies().is_empty(), "the person keeps the key");
        someone.host.session(someone.grant()).await.ok();
    }
    by_frame(&someone.browser).await.ok();
    assert_eq!(is_signed_in(&someone).await, [false; 3]);
    frame.ticket(&host).await.assert(401, "not_authenticated");
}

#[tokio::test]
async fn nothing_that_led_to_a_session_leads_anywhere_after_its_end() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let ticket = async || {
        let minted = someone.browser.ticket(&someone.host).await.ok();
        minted["ticket"].as_str().unwrap().to_owned()
    };
    let second = someone.host.redeem(&ticket().await).await.ok();
    let unspent = ticket().await;
    by_frame(&someone.browser).await.ok();
    for grant in [someone.grant(), second["grant"].as_str().unwrap()] {
        for answer in [
            someone.host.session(grant).await,
            someone.host.token(grant).await,
        ] {
            answer.assert(401, "session_ended");
            assert_eq!(answer.json()["reason"], "signed_out");
        }
    }
    someone
        .host
        .redeem(&unspent)
        .await
        .assert(400, "invalid_ticket");
    let revoked = || world.tenant.journal().requests_to("revoke");
    eventually(async || revoked() == 1).await;
    let key = &someone.frame["sign_out_key"];
    let again = world
        .browser()
        .frame_post("/api/auth/logout", &json!({ "sign_out_key": key }))
        .await;
    assert_eq!(again.ok()["logout_url"], json!(null));
    assert_eq!(revoked(), 1);
}
