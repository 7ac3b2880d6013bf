//! Which keys are used, and when they are fetched (catalogue C.1, C59, E.2).

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    AllowedAlgorithms,
    test_support::{Answer, FakeProvider, Key, NOW, fault},
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

fn publish(provider: &FakeProvider, keys: &[&Key]) {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    provider
        .paths
        .jwks
        .answer(Answer::json(&json!({"keys": keys})));
}

#[tokio::test]
async fn rotation_right_after_a_fetch_is_followed() {
    let provider = FakeProvider::start().await;
    let keys = provider.signing_keys();
    verify(&keys, Key::first()).await.unwrap();
    publish(&provider, &[Key::second()]);
    verify(&keys, Key::second()).await.unwrap();
    // The old key was withdrawn: its tokens are refused from now on.
    assert_eq!(
        fault(verify(&keys, Key::first()).await),
        TokenFault::UnknownKey
    );
    assert_eq!(provider.paths.jwks.requests(), 2);
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
    publish(&provider, &[Key::first(), Key::second()]);
    verify(&keys, Key::second()).await.unwrap();
    assert_eq!(provider.paths.jwks.requests(), 3);
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
