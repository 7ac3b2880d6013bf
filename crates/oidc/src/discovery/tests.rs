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

/// Also `file:` for the keys (A39), and an issuer that is not the one asked (B37).
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
        tried(
            "E09 A39 B37",
            Verdict::Refused("unacceptable"),
            &format!("{member} {value}"),
        );
    }
}

/// A document that turns bad later does not replace the good one; one that moves an endpoint
/// over https, also to another host, is the provider's own affair.
#[tokio::test]
async fn metadata_may_change_but_not_for_the_worse() {
    for (member, value, is_taken) in [
        ("issuer", json!("https://evil.test/"), false),
        ("jwks_uri", json!("http://a.test/jwks"), false),
        ("jwks_uri", Value::Null, false),
        ("token_endpoint", json!("https://tokens.test/token"), true),
    ] {
        let provider = FakeProvider::start().await;
        let discovery = provider.discovery();
        let before = discovery.metadata().await.unwrap();
        let mut metadata = provider.metadata();
        metadata[member] = value.clone();
        provider.paths.metadata.answer(Answer::json(&metadata));
        provider.clock.advance(601);
        let after = discovery.metadata().await.unwrap();
        assert_eq!(provider.paths.metadata.requests(), 2);
        assert_eq!(Arc::ptr_eq(&before, &after), !is_taken, "{member} {value}");
        if is_taken {
            assert_eq!(after.token_endpoint.as_str(), value);
        }
        let case = format!("later {member} {value}, taken: {is_taken}");
        tried("E09", Verdict::Accepted, &case);
    }
}

#[tokio::test]
async fn answers_that_are_no_metadata_are_refused() {
    let provider = FakeProvider::start().await;
    let good = provider.metadata().to_string();
    let inside = |filler: &str| good.replacen('{', &format!("{{{filler},"), 1);
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let members = (0..60_000).map(|number| format!("\"{number}\":0,"));
    for (name, body, complaint) in [
        ("nothing", String::new(), "not metadata"),
        ("HTML", "<html>".to_owned(), "not metadata"),
        ("a list", "[]".to_owned(), "not metadata"),
        (
            "broken off",
            good[..good.len() - 9].to_owned(),
            "not metadata",
        ),
        ("an empty object", "{}".to_owned(), "not metadata"),
        (
            "a byte order mark",
            format!("\u{feff}{good}"),
            "not metadata",
        ),
        ("UTF-16", utf_16(&good), "not metadata"),
        ("two documents", format!("{good}{good}"), "not metadata"),
        (
            "10,000 lists deep",
            inside(&format!("\"a\":{}", "[".repeat(10_000))),
            "not metadata",
        ),
        (
            "10,000 objects deep where a text belongs",
            inside(&format!("\"userinfo_endpoint\":{deep}")),
            "not metadata",
        ),
        ("more than 1 MB", " ".repeat(1024 * 1024 + 1), "too large"),
        (
            "a million members",
            format!("{{{}", members.collect::<String>().repeat(17)),
            "too large",
        ),
    ] {
        let answer = Answer::text(200, "text/html", body);
        provider.paths.metadata.answer(answer);
        let error = refusal(&provider).await;
        assert!(error.contains("unacceptable"), "{name}: {error}");
        assert!(error.contains(complaint), "{name}: {error}");
        assert!(error.len() < 300, "{name}: {error}");
        tried("E06 E07", Verdict::Refused("unacceptable"), name);
    }
    // What nobody reads is passed over without recursion, however deep it is.
    let unread = inside(&format!("\"unread\":{deep}"));
    let answer = Answer::text(200, "application/json", unread);
    provider.paths.metadata.answer(answer);
    assert!(provider.discovery().metadata().await.is_ok());
    tried("E07", Verdict::Accepted, "10,000 objects deep, unread");
}

/// Each character in two bytes, as text that happens to be UTF-8.
fn utf_16(text: &str) -> String {
    text.chars()
        .flat_map(|character| ['\0', character])
        .collect()
}

#[tokio::test]
async fn statuses_other_than_200_are_no_metadata_whatever_they_carry() {
    let provider = FakeProvider::start().await;
    for status in [201, 204, 400, 401, 403, 404, 429, 500, 502, 503] {
        let good = provider.metadata().to_string();
        let answer = Answer::text(status, "application/json", good);
        provider.paths.metadata.answer(answer);
        let error = provider.discovery().metadata().await.unwrap_err();
        assert!(
            matches!(error, DiscoveryError::Unavailable { .. }),
            "{status}: {error}"
        );
        let case = format!("metadata with status {status}");
        tried("E03", Verdict::Refused("unavailable"), &case);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let provider = FakeProvider::start().await;
    let (own, elsewhere) = (
        format!("{}/.well-known/openid-configuration", provider.issuer),
        format!("{}/elsewhere", provider.issuer),
    );
    let mut requests = 0;
    for status in [301, 302, 303, 307, 308] {
        for location in [
            elsewhere.as_str(),
            &own,
            "/elsewhere",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
        ] {
            let redirect = Answer::text(status, "text/plain", "").header("location", location);
            provider.paths.metadata.answer(redirect);
            assert!(refusal(&provider).await.contains("redirect"), "{status}");
            requests += 1;
            // A loop would ask the same address again.
            assert_eq!(provider.paths.metadata.requests(), requests, "{location}");
            let case = format!("metadata by a redirect {status} to {location}");
            tried("E08", Verdict::Refused("unacceptable"), &case);
        }
    }
    assert_eq!(provider.paths.elsewhere.requests(), 0);
}

/// E02, E04.
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

/// E03, E11: a failure, a name that does not resolve among them, is not remembered for long.
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

/// E03.
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

/// E02, E03.
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

/// E02, E04.
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

/// E26: the age of a document is of the monotonic clock.
#[tokio::test]
async fn a_clock_that_jumps_back_does_not_freeze_the_cache() {
    let provider = FakeProvider::start().await;
    let discovery = provider.discovery();
    assert!(discovery.metadata().await.is_ok());
    provider.clock.advance(-86_400);
    assert!(discovery.metadata().await.is_ok());
    assert_eq!(provider.paths.metadata.requests(), 1);
}

/// E01, E02.
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
