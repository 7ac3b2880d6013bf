//! The resource server over real HTTP, against tokens of the dev tenant.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees no test in the fixtures of an integration test"
)]

mod catalogue;
mod fixture;
mod login;
mod model;
mod openapi;

use serde_json::json;

use crate::fixture::{Answer, Fixture, SCOPED};

const ORIGIN: &str = "http://localhost:4010";

#[tokio::test]
async fn ping_is_public_and_tells_the_time() {
    let fixture = Fixture::start().await;
    let answer = fixture.call("/api/ping", &[]).await;
    assert_eq!(answer.status, 200);
    let time = answer.body["ping"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn token_from_the_tenant_opens_the_protected_endpoints() {
    let fixture = Fixture::start().await;
    let token = fixture.machine_token("read:messages").await;
    for path in ["/api/pong", SCOPED] {
        let answer = fixture.call_with(path, &token).await;
        assert_eq!(answer.status, 200, "{path} {}", answer.body);
        assert_eq!(answer.body["scope"], "read:messages");
        assert!(answer.body["sub"].as_str().unwrap().ends_with("@clients"));
    }
}

#[tokio::test]
async fn without_credentials_the_challenge_names_no_error() {
    let fixture = Fixture::start().await;
    for headers in [&[][..], &[("authorization", "Basic YTpi")]] {
        let answer = fixture.call("/api/pong", headers).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.body["code"], "missing_token");
    }
}

#[tokio::test]
async fn valid_token_without_the_scope_is_forbidden() {
    let fixture = Fixture::start().await;
    let token = fixture.machine_token("read:chart").await;
    assert_eq!(fixture.call_with("/api/pong", &token).await.status, 200);
    let answer = fixture.call_with(SCOPED, &token).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer error="insufficient_scope", scope="read:messages""#
    );
    assert_eq!(answer.body["code"], "insufficient_scope");
}

#[tokio::test]
async fn scope_is_met_by_whole_tokens_of_scope_or_permissions() {
    let fixture = Fixture::start().await;
    for (scope, permissions, status) in [
        ("openid read:messages", json!([]), 200),
        ("openid", json!(["read:messages"]), 200),
        ("openid  read:messages", json!([]), 200),
        ("read:messages2", json!(["read:messages2"]), 403),
        ("READ:MESSAGES", json!([]), 403),
        ("", json!([]), 403),
        ("read:messages", json!("read:messages"), 401),
        ("openid\tread:messages", json!([]), 401),
    ] {
        let mut claims = fixture.claims();
        claims["scope"] = json!(scope);
        claims["permissions"] = permissions.clone();
        let answer = fixture.call_with(SCOPED, &fixture.sign(&claims)).await;
        assert_eq!(answer.status, status, "{scope:?} {permissions}");
    }
}

#[tokio::test]
async fn start_needs_no_provider_and_recovers_with_it() {
    let fixture = Fixture::start().await;
    let token = fixture.machine_token("read:chart").await;
    fixture.tenant.faults().set(|faults| faults.down = true);
    let answer = fixture.call_with("/api/pong", &token).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.body["code"], "provider_unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    assert!(!answer.headers.contains_key("www-authenticate"));
    assert_eq!(fixture.call("/healthz", &[]).await.status, 200);
    assert_eq!(fixture.call("/api/ping", &[]).await.status, 200);
    fixture.tenant.faults().reset();
    fixture.clock.advance(2);
    assert_eq!(fixture.call_with("/api/pong", &token).await.status, 200);
}

#[tokio::test]
async fn known_keys_outlive_the_provider_and_rotation_is_followed() {
    let fixture = Fixture::start().await;
    let token = fixture.sign(&fixture.claims());
    assert_eq!(fixture.call_with("/api/pong", &token).await.status, 200);
    fixture.tenant.replace_keys();
    let newer = fixture.sign(&fixture.claims());
    assert_eq!(fixture.call_with("/api/pong", &newer).await.status, 200);
    assert_eq!(fixture.call_with("/api/pong", &token).await.status, 401);
    fixture.tenant.faults().set(|faults| faults.down = true);
    fixture.clock.advance(3600);
    let mut claims = fixture.claims();
    claims["exp"] = json!(fixture.now() + 60);
    let later = fixture.sign(&claims);
    assert_eq!(fixture.call_with("/api/pong", &later).await.status, 200);
}

#[tokio::test]
async fn only_configured_origins_may_call_from_pages() {
    let fixture = Fixture::start().await;
    for (path, method) in [("/api/pong", "GET"), ("/api/model/solve", "POST")] {
        let allowed = fixture.preflight(path, method, ORIGIN).await;
        assert_eq!(allowed.status, 204, "{path}");
        assert_eq!(allowed.header("access-control-allow-origin"), ORIGIN);
        assert_eq!(allowed.header("access-control-allow-methods"), "GET,POST");
        assert_eq!(
            allowed.header("access-control-allow-headers"),
            "authorization,content-type"
        );
        assert!(varies_by_origin(&allowed), "{:?}", allowed.headers);
        assert_eq!(allowed.header("access-control-max-age"), "600");
        let credentials = "access-control-allow-credentials";
        assert!(!allowed.headers.contains_key(credentials), "{path}");
    }
    for origin in [
        "null",
        "http://localhost:4011",
        "https://localhost:4010",
        "http://localhost:4010.evil.test",
    ] {
        let refused = fixture.preflight("/api/pong", "GET", origin).await;
        assert!(
            !refused.headers.contains_key("access-control-allow-origin"),
            "{origin}"
        );
        assert!(varies_by_origin(&refused), "{origin}");
    }
}

#[tokio::test]
async fn answers_refusals_included_are_readable_by_configured_origins_only() {
    let fixture = Fixture::start().await;
    for path in ["/api/ping", "/api/pong", "/nowhere"] {
        let own = fixture.call(path, &[("origin", ORIGIN)]).await;
        assert_eq!(own.header("access-control-allow-origin"), ORIGIN, "{path}");
        let exposed = own.header("access-control-expose-headers");
        assert_eq!(exposed, "www-authenticate", "{path}");
        assert!(varies_by_origin(&own), "{path}");
        let other = fixture.call(path, &[("origin", "https://evil.test")]).await;
        assert!(!other.headers.contains_key("access-control-allow-origin"));
        assert!(varies_by_origin(&other), "{path}");
    }
}

#[tokio::test]
async fn no_answer_may_be_stored_or_taken_for_another_type() {
    let fixture = Fixture::start().await;
    for path in [
        "/api/ping",
        "/api/pong",
        "/healthz",
        "/openapi.json",
        "/nowhere",
        "/api/model/solve",
    ] {
        let answer = fixture.call(path, &[]).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}

/// Or a cache would hand the answer for one origin to another.
fn varies_by_origin(answer: &Answer) -> bool {
    let names = answer.headers.get_all("vary").iter();
    names
        .filter_map(|names| names.to_str().ok())
        .flat_map(|names| names.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("origin"))
}

#[tokio::test]
async fn another_method_is_refused_in_json_and_the_right_one_named() {
    let fixture = Fixture::start().await;
    let answer = fixture.call("/api/model/solve", &[]).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    assert_eq!(answer.body["code"], "method_not_allowed");
}

#[tokio::test]
async fn unknown_addresses_answer_in_json() {
    let fixture = Fixture::start().await;
    for path in ["/", "/api", "/api/pong/", "/api/ping/../pong%00"] {
        let answer = fixture.call(path, &[]).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body["code"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn shutdown_ends_the_server() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.call("/healthz", &[]).await.status, 200);
    fixture.shut_down().await;
}
