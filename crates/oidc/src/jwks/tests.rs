//! Which keys are used, and when they are fetched (catalogue C.1, C59, E.2).

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    AllowedAlgorithms,
    test_support::{Answer, FakeProvider, Key, NOW, Verdict, accepted, fault, refused, tried},
};

fn key_set(keys: &[Value]) -> Result<KeySet, DiscoveryError> {
    let issuer = Issuer::parse("https://a.test/").unwrap();
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes(), issuer)
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut key = Key::first().jwk();
    change(&mut key);
    key
}

fn choice(keys: &[Value], key_id: Option<&str>) -> Result<(), TokenFault> {
    key_set(keys)
        .unwrap()
        .choose(key_id, Algorithm::RS256)
        .map(drop)
}

#[test]
fn unusable_keys_are_skipped() {
    let small = URL_SAFE_NO_PAD.encode(&Key::first().modulus()[..128]);
    for (what, key) in [
        (
            "symmetric",
            json!({"kty": "oct", "k": "AAAA", "alg": "HS256", "kid": "first"}),
        ),
        ("for encryption", with(|key| key["use"] = json!("enc"))),
        (
            "not for verifying",
            with(|key| key["key_ops"] = json!(["encrypt"])),
        ),
        ("private", with(|key| key["d"] = json!("AAAA"))),
        ("of 1024 bits", with(|key| key["n"] = json!(small))),
        ("with exponent 3", with(|key| key["e"] = json!("Aw"))),
        ("with exponent 1", with(|key| key["e"] = json!("AQ"))),
        (
            "of another algorithm's type",
            with(|key| key["alg"] = json!("ES256")),
        ),
        ("for HMAC", with(|key| key["alg"] = json!("HS256"))),
        (
            "for key transport",
            with(|key| key["alg"] = json!("RSA-OAEP")),
        ),
        ("with a numeric kid", with(|key| key["kid"] = json!(1))),
        ("with padding", with(|key| key["e"] = json!("AQAB="))),
        ("without modulus", with(|key| key["n"] = Value::Null)),
        (
            "on another curve",
            json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        ),
        (
            "with short coordinates",
            json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        ),
        (
            "of another kind",
            json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
        ),
    ] {
        assert!(key_set(std::slice::from_ref(&key)).is_err(), "{what}");
        let beside_a_good_one = [key, Key::second().jwk()];
        assert_eq!(choice(&beside_a_good_one, Some("second")), Ok(()), "{what}");
    }
}

#[test]
fn sets_that_are_none_are_refused() {
    let issuer = || Issuer::parse("https://a.test/").unwrap();
    for json in [
        "",
        "{}",
        "[]",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[1]}"#,
    ] {
        assert!(KeySet::parse(json.as_bytes(), issuer()).is_err(), "{json}");
    }
    assert!(key_set(&vec![Key::first().jwk(); 101]).is_err());
}

#[test]
fn a_named_key_must_be_the_only_one_of_its_name() {
    let other = with(|key| key["n"] = Key::second().jwk()["n"].clone());
    assert_eq!(
        choice(&[Key::first().jwk(), Key::second().jwk()], Some("first")),
        Ok(())
    );
    assert_eq!(
        choice(&[Key::first().jwk(), other], Some("first")),
        Err(TokenFault::AmbiguousKey)
    );
    assert_eq!(
        choice(&[Key::first().jwk()], Some("third")),
        Err(TokenFault::UnknownKey)
    );
    assert_eq!(
        choice(&[Key::first().jwk()], Some("")),
        Err(TokenFault::UnknownKey)
    );
}

#[test]
fn without_a_name_the_single_fitting_key_is_used_and_none_is_guessed() {
    let elliptic = json!({
        "kty": "EC", "crv": "P-256", "kid": "e",
        "x": URL_SAFE_NO_PAD.encode([1; 32]), "y": URL_SAFE_NO_PAD.encode([2; 32]),
    });
    assert_eq!(choice(&[Key::first().jwk(), elliptic], None), Ok(()));
    assert_eq!(
        choice(&[Key::first().jwk(), Key::second().jwk()], None),
        Err(TokenFault::AmbiguousKey)
    );
}

#[test]
fn header_and_key_must_agree_on_the_algorithm() {
    let keys = key_set(&[Key::first().jwk()]).unwrap();
    let result = keys.choose(Some("first"), Algorithm::RS512).map(drop);
    assert_eq!(result, Err(TokenFault::KeyNotForAlgorithm));
    let unbound = with(|key| drop(key.as_object_mut().unwrap().remove("alg")));
    let keys = key_set(&[unbound]).unwrap();
    assert!(keys.choose(Some("first"), Algorithm::RS512).is_ok());
    assert!(keys.choose(Some("first"), Algorithm::ES256).is_err());
}

async fn verify(keys: &SigningKeys, key: &Key) -> Result<(), VerificationError> {
    let token = key.sign(&key.header(), &json!({"iat": NOW}));
    let jws = UnverifiedJws::parse(&token, &AllowedAlgorithms::rs256())?;
    keys.verify(&jws).await.map(drop)
}

#[tokio::test]
async fn rotation_right_after_a_fetch_is_followed() {
    let provider = FakeProvider::start().await;
    let keys = provider.signing_keys();
    verify(&keys, Key::first()).await.unwrap();
    provider.publish(&[Key::second().jwk()]);
    verify(&keys, Key::second()).await.unwrap();
    // The old key was withdrawn: its tokens are refused from now on.
    let withdrawn = verify(&keys, Key::first()).await;
    refused("E18", "withdrawn key", withdrawn, TokenFault::UnknownKey);
    assert_eq!(provider.paths.jwks.requests(), 2);
    tried(
        "E15 E16",
        Verdict::Accepted,
        "key published after the last fetch",
    );
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_one_fetch_in_thirty_seconds() {
    let provider = FakeProvider::start().await;
    let keys = provider.signing_keys();
    verify(&keys, Key::first()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(
            fault(verify(&keys, Key::second()).await),
            TokenFault::UnknownKey
        );
    }
    assert_eq!(provider.paths.jwks.requests(), 2);
    provider.clock.advance(29);
    assert_eq!(
        fault(verify(&keys, Key::second()).await),
        TokenFault::UnknownKey
    );
    assert_eq!(provider.paths.jwks.requests(), 2);
    provider.clock.advance(1);
    provider.publish(&[Key::first().jwk(), Key::second().jwk()]);
    verify(&keys, Key::second()).await.unwrap();
    assert_eq!(provider.paths.jwks.requests(), 3);
    tried(
        "E22",
        Verdict::Refused("unknown_key"),
        "flood of unknown kids: one fetch in 30 s",
    );
}

#[tokio::test]
async fn a_failing_fetch_keeps_the_last_good_keys() {
    for bad in [
        Answer::text(500, "text/plain", ""),
        Answer::json(&json!({"keys": []})),
        Answer::json(&json!({"keys": [{"kty": "oct", "k": "AAAA"}]})),
        Answer::text(200, "text/html", "<html>"),
    ] {
        let provider = FakeProvider::start().await;
        let keys = provider.signing_keys();
        verify(&keys, Key::first()).await.unwrap();
        provider.paths.jwks.answer(bad);
        provider.clock.advance(601);
        verify(&keys, Key::first()).await.unwrap();
        assert_eq!(provider.paths.jwks.requests(), 2);
    }
    tried(
        "E20 E21",
        Verdict::Accepted,
        "known key while the provider answers 500, an empty or a useless set",
    );
}

#[tokio::test]
async fn expiry_under_load_causes_one_fetch() {
    let provider = FakeProvider::start().await;
    let keys = provider.signing_keys();
    verify(&keys, Key::first()).await.unwrap();
    provider.clock.advance(601);
    let token: Arc<str> = Key::first().sign(&Key::first().header(), &json!({})).into();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (keys, token) = (keys.clone(), Arc::clone(&token));
        requests.spawn(async move {
            let jws = UnverifiedJws::parse(&token, &AllowedAlgorithms::rs256()).unwrap();
            keys.verify(&jws).await.is_ok()
        });
    }
    assert_eq!(requests.join_all().await, [true; 100]);
    assert_eq!(provider.paths.jwks.requests(), 2);
    tried(
        "E24",
        Verdict::Accepted,
        "100 requests at the expiry of the keys: one fetch",
    );
}

#[tokio::test]
async fn malformed_and_disallowed_tokens_cause_no_request() {
    let provider = FakeProvider::start().await;
    let verifier = provider.provider().logout_token_verifier();
    let disallowed = Key::first().sign(&json!({"alg": "RS512", "kid": "x"}), &json!({}));
    for token in ["", "a.b.c", &disallowed] {
        assert!(verifier.verify(token, NOW).await.is_err());
    }
    assert_eq!(
        provider.paths.metadata.requests() + provider.paths.jwks.requests(),
        0
    );
}

/// Nobody waits while the keys are merely old: the fetch runs beside them.
#[tokio::test]
async fn keys_are_fetched_ahead_of_their_expiry_without_making_anybody_wait() {
    let provider = FakeProvider::start().await;
    let keys = provider.signing_keys();
    verify(&keys, Key::first()).await.unwrap();
    // From here on the provider takes requests and does not answer.
    let gate = provider.paths.gate.acquire().await.unwrap();
    provider.paths.arrivals.forget_permits(usize::MAX);
    provider.clock.advance(481);
    for _ in 0..20 {
        verify(&keys, Key::first()).await.unwrap();
    }
    let _arrived = provider.paths.arrivals.acquire().await.unwrap();
    verify(&keys, Key::first()).await.unwrap();
    assert_eq!(provider.paths.jwks.requests(), 2);
    drop(gate);
    tried(
        "E24",
        Verdict::Accepted,
        "tokens while the keys are fetched ahead of their expiry",
    );
}

#[tokio::test]
async fn keys_by_redirect_are_not_taken() {
    let provider = FakeProvider::start().await;
    let elsewhere = format!("{}/elsewhere", provider.issuer);
    for status in [301, 302, 303, 307, 308] {
        let redirect = Answer::text(status, "text/plain", "").header("location", &elsewhere);
        provider
            .paths
            .elsewhere
            .answer(Answer::json(&json!({"keys": [Key::first().jwk()]})));
        provider.paths.jwks.answer(redirect);
        let result = verify(&provider.signing_keys(), Key::first()).await;
        assert!(
            matches!(result, Err(VerificationError::KeysUnavailable(_))),
            "{status}"
        );
    }
    assert_eq!(provider.paths.elsewhere.requests(), 0);
    tried(
        "E08 E17",
        Verdict::Refused("keys_unavailable"),
        "keys by a redirect",
    );
}

/// A wrong signature under a known name causes no fetch, or anybody could cause them. New
/// material under an old name therefore counts from the next regular fetch on.
#[tokio::test]
async fn other_material_under_an_old_name_counts_from_the_next_fetch_on() {
    let provider = FakeProvider::start().await;
    let keys = provider.signing_keys();
    verify(&keys, Key::first()).await.unwrap();
    let mut renamed = Key::second().jwk();
    renamed["kid"] = json!("first");
    provider.publish(&[renamed]);
    let token = Key::second().sign(&Key::first().header(), &json!({}));
    let jws = UnverifiedJws::parse(&token, &AllowedAlgorithms::rs256())
        .ok()
        .unwrap();
    let early = keys.verify(&jws).await;
    refused(
        "E19",
        "new material, old name, same hour",
        early,
        TokenFault::WrongSignature,
    );
    assert_eq!(provider.paths.jwks.requests(), 1);
    provider.clock.advance(601);
    accepted(
        "E19",
        "new material, old name, next fetch",
        keys.verify(&jws).await,
    );
    let old = verify(&keys, Key::first()).await;
    refused(
        "E19",
        "old material after it",
        old,
        TokenFault::WrongSignature,
    );
    assert_eq!(provider.paths.jwks.requests(), 2);
}

#[tokio::test]
async fn two_issuers_may_name_different_keys_alike() {
    let (one, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let mut namesake = Key::second().jwk();
    namesake["kid"] = json!("first");
    other.publish(&[namesake]);
    let (keys, others_keys) = (one.signing_keys(), other.signing_keys());
    verify(&keys, Key::first()).await.unwrap();
    let result = verify(&others_keys, Key::first()).await;
    refused(
        "E23",
        "kid of another issuer",
        result,
        TokenFault::WrongSignature,
    );
    verify(&keys, Key::first()).await.unwrap();
}

#[tokio::test]
async fn sets_of_keys_without_measure_are_refused() {
    let provider = FakeProvider::start().await;
    let deep = format!(r#"{{"keys":[{}]}}"#, "[".repeat(10_000));
    let many = json!({"keys": vec![Key::first().jwk(); 101]}).to_string();
    let huge = format!(r#"{{"keys":[],"a":"{}"}}"#, "x".repeat(1024 * 1024));
    for (name, body) in [
        ("10,000 deep", deep),
        ("101 keys", many),
        ("above 1 MB", huge),
    ] {
        provider
            .paths
            .jwks
            .answer(Answer::text(200, "application/json", body));
        let result = verify(&provider.signing_keys(), Key::first()).await;
        assert!(
            matches!(result, Err(VerificationError::KeysUnavailable(_))),
            "{name}"
        );
        tried("E06 E07", Verdict::Refused("keys_unavailable"), name);
    }
}
