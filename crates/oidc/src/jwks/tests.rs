//! Which keys are used, and when they are fetched (catalogue C.1, C59, E.2).

use std::{sync::Arc, time::Duration};

use serde_json::json;
use test_tokens::forgeries;

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

/// The key with one member changed is skipped: alone it makes no set, and beside a good
/// one it stops nobody.
fn assert_skipped(good: &Value, what: &str, member: &str, value: Value) {
    assert!(key_set(std::slice::from_ref(good)).is_ok());
    let mut key = good.clone();
    key[member] = value;
    assert!(key_set(std::slice::from_ref(&key)).is_err(), "{what}");
    let beside_a_good_one = [key, Key::second().jwk()];
    assert_eq!(choice(&beside_a_good_one, Some("second")), Ok(()), "{what}");
    tried("C59 E21", Verdict::Refused("unusable_key"), what);
}

fn base64url(bytes: &[u8]) -> Value {
    json!(URL_SAFE_NO_PAD.encode(bytes))
}

#[test]
fn keys_for_another_purpose_are_skipped() {
    let good = Key::first().jwk();
    for (what, member, value) in [
        ("symmetric", "kty", json!("oct")),
        ("of no type", "kty", Value::Null),
        ("for encryption", "use", json!("enc")),
        ("for two uses", "use", json!(["sig"])),
        ("not for verifying", "key_ops", json!(["encrypt"])),
        (
            "for signing, which is the owner's",
            "key_ops",
            json!(["sign"]),
        ),
        ("of another algorithm's type", "alg", json!("ES256")),
        ("for HMAC", "alg", json!("HS256")),
        ("for key transport", "alg", json!("RSA-OAEP")),
        ("for no algorithm", "alg", json!("none")),
        ("for a list of algorithms", "alg", json!(["RS256"])),
        ("with a numeric kid", "kid", json!(1)),
    ] {
        assert_skipped(&good, what, member, value);
    }
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        // Published, a private key is nobody's.
        assert_skipped(
            &good,
            &format!("with private {member}"),
            member,
            json!("AAAA"),
        );
    }
}

#[test]
fn rsa_keys_that_others_can_sign_for_are_skipped() {
    let (good, modulus) = (Key::first().jwk(), Key::first().modulus());
    let even = [&modulus[..255], &[modulus[255] & 0xfe]].concat();
    let zeros_in_front = [&[0; 128], &modulus[..128]].concat();
    let above = [vec![1], vec![0xff; 1024]].concat();
    for (what, member, value) in [
        ("of 1024 bits", "n", base64url(&modulus[..128])),
        ("of 1024 bits, filled up", "n", base64url(&zeros_in_front)),
        (
            "of 2047 bits",
            "n",
            base64url(&[&[0x7f], &modulus[1..]].concat()),
        ),
        ("of 8193 bits", "n", base64url(&above)),
        ("with an even modulus", "n", base64url(&even)),
        (
            "with the mark of ROCA",
            "n",
            base64url(&forgeries::roca_modulus()),
        ),
        ("without modulus", "n", Value::Null),
        ("with exponent 0", "e", json!("AA")),
        ("with exponent 1", "e", json!("AQ")),
        ("with exponent 3", "e", json!("Aw")),
        ("with exponent 65535", "e", json!("__8")),
        ("with exponent 65536", "e", json!("AQAA")),
        ("with an exponent of five bytes", "e", json!("AQAAAAE")),
        ("with padding", "e", json!("AQAB=")),
    ] {
        assert_skipped(&good, what, member, value);
    }
    let largest = base64url(&[0xff; 1024]);
    assert!(key_set(&[with(|key| key["n"] = largest)]).is_ok());
}

#[test]
fn elliptic_and_edwards_keys_are_points_of_their_curve() {
    let (elliptic, edwards) = (Key::p256("256").jwk(), Key::ed25519("ed").jwk());
    let y = bytes(elliptic.as_object().unwrap(), "y").unwrap();
    let off = [&y[..31], &[y[31] ^ 1]].concat();
    for (what, member, value) in [
        ("EC of another curve", "crv", json!("secp256k1")),
        ("EC with the name of P-384", "crv", json!("P-384")),
        ("EC with a short coordinate", "y", base64url(&y[1..])),
        (
            "EC with a long coordinate",
            "y",
            base64url(&[&[0], &*y].concat()),
        ),
        ("EC off the curve", "y", base64url(&off)),
        ("EC without y", "y", Value::Null),
    ] {
        assert_skipped(&elliptic, what, member, value);
    }
    // The same point, cut at another place: a second spelling of a key.
    let x = bytes(elliptic.as_object().unwrap(), "x").unwrap();
    let mut shifted = elliptic.clone();
    shifted["x"] = base64url(&x[..31]);
    let tail = base64url(&[&x[31..], &*y].concat());
    assert_skipped(&elliptic, "EC with y too long", "y", tail.clone());
    shifted["y"] = tail;
    assert!(key_set(&[shifted]).is_err());
    for (what, member, value) in [
        ("for key agreement", "crv", json!("X25519")),
        ("Ed448", "crv", json!("Ed448")),
        ("Ed25519 of 31 bytes", "x", base64url(&[1; 31])),
        ("Ed25519 of 33 bytes", "x", base64url(&[1; 33])),
    ] {
        assert_skipped(&edwards, what, member, value);
    }
    for point in forgeries::small_order_points() {
        assert_skipped(&edwards, "Ed25519 of small order", "x", base64url(&point));
    }
    assert!(key_set(&[Key::p384("384").jwk()]).is_ok());
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
    let elliptic = Key::p256("e").jwk();
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

/// E22 (A40).
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

/// E20 (A39): elsewhere one failed fetch emptied the cache, and nobody could sign in.
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

/// E24.
#[tokio::test]
async fn expiry_under_load_causes_one_fetch() {
    const REQUESTS: usize = 10_000;
    let provider = FakeProvider::start().await;
    let keys = provider.signing_keys();
    verify(&keys, Key::first()).await.unwrap();
    provider.clock.advance(601);
    let token: Arc<str> = Key::first().sign(&Key::first().header(), &json!({})).into();
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..REQUESTS {
        let (keys, token) = (keys.clone(), Arc::clone(&token));
        requests.spawn(async move {
            // What waits is the same for all; the arithmetic of some is enough.
            if number % 100 != 0 {
                return keys.ready().await.is_ok();
            }
            let jws = UnverifiedJws::parse(&token, &AllowedAlgorithms::rs256()).unwrap();
            keys.verify(&jws).await.is_ok()
        });
    }
    let served = requests.join_all().await;
    assert_eq!(served.iter().filter(|is_good| **is_good).count(), REQUESTS);
    assert_eq!(provider.paths.jwks.requests(), 2);
    tried(
        "E24",
        Verdict::Accepted,
        "10,000 requests at the expiry of the keys: one fetch",
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
        // Done at the first look, or somebody waits for the provider.
        let verified = tokio::time::timeout(Duration::ZERO, verify(&keys, Key::first()));
        verified.await.unwrap().unwrap();
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

/// E17 (A40).
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

/// E23: a cache by `kid` alone would let one tenant sign for another.
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
    let nested = format!(
        r#"{{"keys":[{{"a":{}1{}}}]}}"#,
        r#"{"a":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    let many = json!({"keys": vec![Key::first().jwk(); 101]}).to_string();
    let million = format!(r#"{{"keys":[{}{{}}]}}"#, "{},".repeat(1_000_000));
    let huge = format!(r#"{{"keys":[],"a":"{}"}}"#, "x".repeat(1024 * 1024));
    for (name, body) in [
        ("10,000 lists deep", deep),
        ("10,000 objects deep, closed", nested),
        ("101 keys", many),
        ("a million keys", million),
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
