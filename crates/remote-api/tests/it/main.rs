//! The resource server over real HTTP, against tokens of the dev tenant.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees no test in the fixtures of an integration test"
)]

mod fixture;
mod hostile_tokens;

use serde_json::json;

use crate::fixture::{Fixture, SCOPED};

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
    let allowed = fixture.preflight("http://localhost:4010").await;
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "http://localhost:4010"
    );
    assert!(
        allowed
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    for origin in [
        "null",
        "http://localhost:4011",
        "https://localhost:4010",
        "http://localhost:4010.evil.test",
    ] {
        let refused = fixture.preflight(origin).await;
        assert!(
            !refused.headers.contains_key("access-control-allow-origin"),
            "{origin}"
        );
    }
    assert!(
        !allowed
            .headers
            .contains_key("access-control-allow-credentials")
    );
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
