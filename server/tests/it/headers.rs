//! What surrounds every answer: security headers, CORS, hosts, and errors in one form.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use futures::stream;
use http::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Call, Host, World};

#[tokio::test]
async fn on_https_every_answer_asks_for_https_for_good() {
    let world = World::with(&[("AUTH0_BASE_URL", "https://localhost:3001")]).await;
    for path in ["/", "/api/ping", "/static/pages.css", "/nowhere"] {
        let answer = world.browser().open(path).await;
        assert_eq!(
            answer.header("strict-transport-security"),
            "max-age=63072000",
            "{path}"
        );
    }
}

#[tokio::test]
async fn no_route_answers_a_cors_preflight() {
    let world = World::new().await;
    for path in [
        "/api/auth/ticket",
        "/api/auth/handoff",
        "/api/auth/redeem",
        "/api/auth/logout",
    ] {
        let call = Call::new(Method::OPTIONS, path)
            .header("origin", "http://127.0.0.1:4010")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "content-type,x-component-auth0",
            );
        let answer = world.browser().send(call).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        assert!(!answer.headers.contains_key("access-control-allow-headers"));
    }
}

// D47
#[tokio::test]
async fn a_host_that_is_not_ours_is_misdirected() {
    let world = World::with(&[("INTERNAL_HOSTS", "companion:3001")]).await;
    let browser = world.browser();
    let at = |host: &str| Call::new(Method::GET, "/api/ping").header("host", host);
    for ours in ["localhost:3001", "LOCALHOST:3001", "companion:3001"] {
        assert_eq!(
            browser.send(at(ours)).await.status,
            StatusCode::OK,
            "{ours}"
        );
    }
    for other in [
        "evil.test",
        "localhost",
        "localhost:3002",
        "127.0.0.1:3001",
        "localhost:3001.evil.test",
        "evil.test#localhost:3001",
        "companion",
        "",
    ] {
        browser
            .send(at(other))
            .await
            .assert(421, "misdirected_request");
    }
    let two = at("localhost:3001").header("host", "evil.test");
    browser.send(two).await.assert(421, "misdirected_request");
    let absolute =
        Call::new(Method::GET, "http://evil.test/api/ping").header("host", "localhost:3001");
    browser
        .send(absolute)
        .await
        .assert(421, "misdirected_request");
    // Probes come by address.
    let probe = Call::new(Method::GET, "/healthz").header("host", "10.0.0.7:3001");
    assert_eq!(browser.send(probe).await.status, StatusCode::OK);
}

// A14, A15, A20: no header of a client changes where a login goes, or what is public.
#[tokio::test]
async fn forwarded_headers_and_user_agents_change_nothing() {
    let world = World::new().await;
    let hostile = |call: Call| {
        call.header("x-forwarded-host", "evil.test")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-uri", "/healthz")
            .header("x-forwarded-prefix", "/evil")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-for", "10.0.0.1")
            .header("x-original-url", "/healthz")
            .header("x-rewrite-url", "/healthz")
            .header("x-http-method-override", "GET")
            .header("forwarded", "host=evil.test;proto=https")
            .header("user-agent", "kube-probe/1.30")
    };
    let browser = world.browser();
    let answer = browser
        .send(hostile(Call::navigation("/api/auth/login", "none")))
        .await;
    let redirect_uri = answer
        .location()
        .query_pairs()
        .find(|(name, _)| name == "redirect_uri")
        .unwrap()
        .1
        .into_owned();
    assert_eq!(redirect_uri, "http://localhost:3001/api/auth/callback");
    assert!(!answer.set_cookie_lines()[0].contains("Secure"));
    for path in ["/api/auth/me", "/api/auth/me?x=/healthz"] {
        let answer = browser.send(hostile(Call::new(Method::GET, path))).await;
        answer.assert(401, "not_authenticated");
    }
}

// A16
#[tokio::test]
async fn other_spellings_of_a_path_lead_nowhere() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_login("ada").await;
    for path in [
        "/api/auth/me/",
        "//api/auth/me",
        "/api//auth/me",
        "/api/auth/./me",
        "/api/auth/x/../me",
        "/api/auth/%6de",
        "/API/AUTH/ME",
        "/api/auth/me;x",
        "/api/auth/me%23",
        "/api/auth/me%00",
        "/api/auth/me%2f",
    ] {
        browser.page_get(path).await.assert(404, "not_found");
    }
}

#[tokio::test]
async fn errors_have_one_form_for_programs_and_a_page_for_people() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_get("/nowhere").await.assert(404, "not_found");
    browser
        .page_get("/static/nothing.js")
        .await
        .assert(404, "not_found");
    browser
        .page_get("/static/%ff")
        .await
        .assert(404, "not_found");
    browser.open("/nowhere").await.assert_page(404, "not_found");
    for (method, path, allow) in [
        (Method::GET, "/api/auth/ticket", "POST"),
        (Method::GET, "/api/auth/redeem", "POST"),
        (Method::POST, "/api/auth/me", "GET,HEAD"),
        (Method::DELETE, "/", "GET,HEAD"),
        (Method::PUT, "/streamlit", "GET,HEAD"),
    ] {
        let answer = browser.send(Call::new(method, path)).await;
        answer.assert(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
    let large = browser.frame_call(
        "/api/auth/ticket",
        &json!({ "challenge": "x".repeat(70_000) }),
    );
    browser.send(large).await.assert(413, "payload_too_large");
    let field = "x".repeat(70_000);
    let large = browser.own_form("/api/auth/login", &[("x", &field)]);
    browser
        .send(large)
        .await
        .assert_page(413, "payload_too_large");
}

#[tokio::test]
async fn a_form_post_response_that_is_too_large_is_refused() {
    let world = World::with(&[("AUTH0_RESPONSE_MODE", "form_post")]).await;
    let field = "x".repeat(70_000);
    let call = Call::form("/api/auth/callback", &[("state", &field)]);
    world
        .browser()
        .send(call)
        .await
        .assert_page(413, "payload_too_large");
}

// E40: a body that never ends costs its sender the request, and says so.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_in_time_is_a_408() {
    let world = World::new().await;
    let endless = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let json = [("content-type", "application/json")];
    let answer = Host::new(&world)
        .send("/api/auth/redeem", &json, endless)
        .await;
    answer.assert(408, "request_timeout");
}

// D40: whether somebody is signed in stays unknown to other sites.
#[tokio::test]
async fn a_foreign_page_cannot_tell_whether_somebody_is_signed_in() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let stranger = world.browser();
    for path in ["/api/auth/me", "/api/pong"] {
        for site in ["cross-site", "same-site"] {
            let probe = || {
                Call::new(Method::GET, path)
                    .header("sec-fetch-site", site)
                    .header("sec-fetch-mode", "no-cors")
                    .header("sec-fetch-dest", "script")
            };
            let known = someone.browser.send(probe()).await;
            let unknown = stranger.send(probe()).await;
            known.assert(401, "not_authenticated");
            assert_eq!(known.body, unknown.body);
            let mut names = [&known, &unknown].map(|answer| {
                let names: Vec<_> = answer
                    .headers
                    .keys()
                    .map(http::HeaderName::as_str)
                    .collect();
                names.join(",")
            });
            names.sort();
            assert_eq!(names[0], names[1]);
        }
    }
}

#[tokio::test]
async fn readiness_tells_a_provider_that_is_down_and_liveness_does_not_care() {
    let world = World::new().await;
    let browser = world.browser();
    world.tenant.faults().set(|plan| plan.down = true);
    let answer = browser.page_get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.json(),
        json!({ "provider": "unavailable", "store": "ready" })
    );
    browser.page_get("/healthz").await.ok();
    world.tenant.faults().reset();
    world.clock.advance(60);
    browser.page_get("/readyz").await.ok();
}

#[tokio::test]
async fn ping_tells_the_time() {
    let world = World::new().await;
    let ping = world.browser().page_get("/api/ping").await.ok();
    assert_eq!(ping, json!({ "ping": "2027-01-15T08:00:00Z" }));
}
