//! Metadata against a provider that answers anything (catalogue E.1).

use serde_json::{Value, json};

use super::*;
use crate::test_support::{Answer, FakeProvider, Verdict, tried};

async fn refusal(provider: &FakeProvider) -> String {
    provider
        .discovery()
        .metadata()
        .await
        .unwrap_err()
        .to_string()
}

#[tokio::test]
async fn good_metadata_is_read_once_in_ten_minutes() {
    let provider = FakeProvider::start().await;
    let discovery = provider.discovery();
    for _ in 0..3 {
        let metadata = discovery.metadata().await.unwrap();
        assert_eq!(metadata.issuer.as_str(), provider.issuer);
        assert_eq!(metadata.jwks_uri.path(), "/jwks");
    }
    assert_eq!(provider.paths.metadata.requests(), 1);
}

#[tokio::test]
async fn issuer_may_be_configured_with_or_without_its_slash_and_is_exact_afterwards() {
    let provider = FakeProvider::start().await;
    let mut metadata = provider.metadata();
    metadata["issuer"] = json!(format!("{}/", provider.issuer));
    provider.paths.metadata.answer(Answer::json(&metadata));
    let discovery = provider.discovery();
    let found = discovery.metadata().await.unwrap();
    assert_eq!(found.issuer.as_str(), format!("{}/", provider.issuer));
    // The other form is another provider from now on.
    provider
        .paths
        .metadata
        .answer(Answer::json(&provider.metadata()));
    provider.clock.advance(601);
    let kept = discovery.metadata().await.unwrap();
    assert_eq!(kept.issuer, found.issuer);
    assert_eq!(provider.paths.metadata.requests(), 2);
}

#[tokio::test]
async fn metadata_that_weakens_anything_is_refused() {
    let provider = FakeProvider::start().await;
    for (member, value) in [
        ("issuer", json!("https://evil.test/")),
        ("issuer", json!(format!("{}/tenant", provider.issuer))),
        ("issuer", Value::Null),
        ("jwks_uri", Value::Null),
        ("jwks_uri", json!("http://a.test/jwks")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("token_endpoint", json!("http://169.254.169.254/token")),
        ("token_endpoint", json!("https://user@a.test/token")),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("end_session_endpoint", json!("http://a.test/logout")),
        ("revocation_endpoint", json!("data:,")),
        ("userinfo_endpoint", json!(7)),
    ] {
        let mut metadata = provider.metadata();
        metadata[member] = value.clone();
        provider.paths.metadata.answer(Answer::json(&metadata));
        let error = provider.discovery().metadata().await.unwrap_err();
        assert!(
            matches!(error, DiscoveryError::Unacceptable(_)),
            "{member} {value}: {error}"
        );
    }
}

#[tokio::test]
async fn answers_that_are_no_metadata_are_refused() {
    let provider = FakeProvider::start().await;
    for body in ["", "<html>", "[]", "{", "{}", "\u{feff}{}"] {
        provider
            .paths
            .metadata
            .answer(Answer::text(200, "text/html", body));
        assert!(refusal(&provider).await.contains("unacceptable"), "{body}");
    }
    provider.paths.metadata.answer(Answer::text(
        200,
        "application/json",
        " ".repeat(1024 * 1024 + 1),
    ));
    assert!(refusal(&provider).await.contains("too large"));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let provider = FakeProvider::start().await;
    let elsewhere = format!("{}/elsewhere", provider.issuer);
    provider
        .paths
        .metadata
        .answer(Answer::text(302, "text/plain", "").header("location", elsewhere));
    assert!(refusal(&provider).await.contains("redirect"));
    assert_eq!(provider.paths.elsewhere.requests(), 0);
    tried(
        "E08",
        Verdict::Refused("unacceptable"),
        "metadata by a redirect",
    );
}

#[tokio::test]
async fn waiting_callers_share_one_fetch() {
    let provider = FakeProvider::start().await;
    let discovery = provider.discovery();
    let closed = provider.paths.gate.acquire().await.unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let discovery = discovery.clone();
        callers.spawn(async move { discovery.metadata().await.is_ok() });
    }
    provider.paths.arrivals.acquire().await.unwrap().forget();
    drop(closed);
    assert_eq!(callers.join_all().await, [true; 50]);
    assert_eq!(provider.paths.metadata.requests(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_cancel_the_fetch() {
    let provider = FakeProvider::start().await;
    let discovery = provider.discovery();
    let closed = provider.paths.gate.acquire().await.unwrap();
    let leaving = tokio::spawn({
        let discovery = discovery.clone();
        async move { discovery.metadata().await.is_ok() }
    });
    provider.paths.arrivals.acquire().await.unwrap().forget();
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    drop(closed);
    assert!(discovery.metadata().await.is_ok());
    assert_eq!(provider.paths.metadata.requests(), 1);
}

#[tokio::test]
async fn a_failure_pauses_the_next_attempts_and_is_forgotten_afterwards() {
    let provider = FakeProvider::start().await;
    provider
        .paths
        .metadata
        .answer(Answer::text(500, "text/plain", ""));
    let discovery = provider.discovery();
    for _ in 0..5 {
        assert!(discovery.metadata().await.is_err());
    }
    assert_eq!(provider.paths.metadata.requests(), 1);
    provider
        .paths
        .metadata
        .answer(Answer::json(&provider.metadata()));
    // The first pause is a second, with at most a quarter of jitter.
    provider.clock.advance(2);
    assert!(discovery.metadata().await.is_ok());
    assert_eq!(provider.paths.metadata.requests(), 2);
}

#[tokio::test]
async fn retry_after_of_the_provider_is_honoured() {
    let provider = FakeProvider::start().await;
    provider
        .paths
        .metadata
        .answer(Answer::text(429, "text/plain", "").header("retry-after", "40"));
    let discovery = provider.discovery();
    assert!(discovery.metadata().await.is_err());
    provider.clock.advance(39);
    assert!(discovery.metadata().await.is_err());
    assert_eq!(provider.paths.metadata.requests(), 1);
    provider.clock.advance(12);
    assert!(discovery.metadata().await.is_err());
    assert_eq!(provider.paths.metadata.requests(), 2);
}

#[tokio::test]
async fn last_good_metadata_outlives_a_failing_provider_for_a_day() {
    let provider = FakeProvider::start().await;
    let discovery = provider.discovery();
    assert!(discovery.metadata().await.is_ok());
    provider
        .paths
        .metadata
        .answer(Answer::text(502, "text/html", "<html>"));
    provider.clock.advance(3600);
    assert!(discovery.metadata().await.is_ok());
    assert_eq!(provider.paths.metadata.requests(), 2);
    provider.clock.advance(24 * 3600);
    assert!(discovery.metadata().await.is_err());
    assert!(discovery.known_metadata().is_some());
}

#[tokio::test]
async fn metadata_is_refreshed_ahead_without_making_anybody_wait() {
    let provider = FakeProvider::start().await;
    let discovery = provider.discovery();
    assert!(discovery.metadata().await.is_ok());
    provider.paths.arrivals.acquire().await.unwrap().forget();
    let closed = provider.paths.gate.acquire().await.unwrap();
    provider.clock.advance(500);
    // Answered although the provider does not answer.
    assert!(discovery.metadata().await.is_ok());
    provider.paths.arrivals.acquire().await.unwrap().forget();
    assert_eq!(provider.paths.metadata.requests(), 2);
    drop(closed);
}

#[tokio::test]
async fn a_clock_that_jumps_back_does_not_freeze_the_cache() {
    let provider = FakeProvider::start().await;
    let discovery = provider.discovery();
    assert!(discovery.metadata().await.is_ok());
    provider.clock.advance(-86_400);
    assert!(discovery.metadata().await.is_ok());
    assert_eq!(provider.paths.metadata.requests(), 1);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unavailable() {
    let provider = FakeProvider::start().await;
    let discovery = provider.discovery();
    drop(provider);
    let error = discovery.metadata().await.unwrap_err();
    assert!(
        matches!(error, DiscoveryError::Unavailable { .. }),
        "{error}"
    );
}
