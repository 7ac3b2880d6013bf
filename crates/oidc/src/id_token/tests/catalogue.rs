//! Rows of the security catalogue on ID tokens that are no single claim: algorithms, keys,
//! signatures, other kinds of tokens, rotation (B07 to B13, B41, B42, C.1, C.4, C.5).

use sha2::Digest as _;
use test_tokens::{
    compact,
    encodings::{hs256, public_forms},
    forgeries,
};

use super::*;
use crate::{
    AllowedAlgorithms,
    test_support::{CLIENT_SECRET, accepted, refused},
};

const ALL: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// Every algorithm allowed, and these keys published.
async fn wide(keys: &[Value]) -> Fixture {
    let provider = FakeProvider::start().await;
    provider.publish(keys);
    let algorithms = AllowedAlgorithms::parse(ALL).unwrap();
    let verifier = provider.provider_with(algorithms).id_token_verifier();
    Fixture { provider, verifier }
}

fn without(mut jwk: Value, member: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(member).unwrap();
    jwk
}

#[tokio::test]
async fn each_algorithm_believes_good_signatures_only() {
    let (p256, p384, edwards) = (Key::p256("256"), Key::p384("384"), Key::ed25519("ed"));
    let (other256, other384, other_ed) = (Key::p256("256"), Key::p384("384"), Key::ed25519("ed"));
    let any_rsa = without(Key::first().jwk(), "alg");
    let fixture = wide(&[any_rsa, p256.jwk(), p384.jwk(), edwards.jwk()]).await;
    for algorithm in ALL {
        let (key, other) = match algorithm {
            "ES256" => (&p256, &other256),
            "ES384" => (&p384, &other384),
            "EdDSA" => (&edwards, &other_ed),
            _ => (Key::first(), Key::second()),
        };
        let numbers = match algorithm {
            "RS256" => ("B09", "B11 C57"),
            "ES256" => ("C60", "B13 C60"),
            "EdDSA" => ("C61", "C61"),
            _ => ("C07", "C57"),
        };
        let header = json!({"alg": algorithm, "kid": key.id()}).to_string();
        let claims = fixture.claims().to_string();
        let token = |sign: &dyn Fn(&[u8]) -> Vec<u8>| compact(&header, &claims, sign);
        let good = token(&|input| key.signature(algorithm, input));
        accepted(numbers.0, algorithm, fixture.verify_raw(good).await);
        let forged = token(&|input| other.signature(algorithm, input));
        let flipped = token(&|input| {
            let mut signature = key.signature(algorithm, input);
            signature[9] ^= 1;
            signature
        });
        for (what, bad) in [("another key", forged), ("a flipped bit", flipped)] {
            let what = format!("{algorithm} with {what}");
            let result = fixture.verify_raw(bad).await;
            refused(numbers.1, &what, result, TokenFault::WrongSignature);
        }
    }
}

#[tokio::test]
async fn configuration_and_key_decide_the_algorithm() {
    let narrow = Fixture::new().await;
    let wide = wide(&[Key::first().jwk()]).await;
    for algorithm in ALL.into_iter().filter(|algorithm| *algorithm != "RS256") {
        let header = json!({"alg": algorithm, "kid": "first"}).to_string();
        for (fixture, fault) in [
            (&narrow, TokenFault::AlgorithmNotAllowed),
            (&wide, TokenFault::KeyNotForAlgorithm),
        ] {
            let token = compact(&header, fixture.claims().to_string(), |input| {
                Key::first().signature(algorithm, input)
            });
            refused("C07", algorithm, fixture.verify_raw(token).await, fault);
        }
    }
}

/// OpenID Connect lets a client register for HS256 with its secret; ours never is.
#[tokio::test]
async fn hmac_and_unsecured_tokens_are_refused_whatever_the_secret() {
    let fixture = Fixture::new().await;
    let mut secrets = public_forms(Key::first());
    secrets.push(("client secret", CLIENT_SECRET.as_bytes().to_vec()));
    secrets.push(("empty secret", Vec::new()));
    for (form, secret) in secrets {
        let header = json!({"alg": "HS256", "kid": "first"}).to_string();
        let token = compact(header, fixture.claims().to_string(), |input| {
            hs256(&secret, input)
        });
        let result = fixture.verify_raw(token).await;
        refused("B12 C03 C05", form, result, TokenFault::AlgorithmNotAllowed);
    }
    for algorithm in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": algorithm}).to_string();
        let claims = fixture.claims().to_string();
        let unsigned = compact(&header, &claims, |_| Vec::new());
        let result = fixture.verify_raw(unsigned).await;
        refused("B10 C01", algorithm, result, TokenFault::NotCompactJws);
        let signed = compact(&header, &claims, |input| {
            Key::first().signature("RS256", input)
        });
        let result = fixture.verify_raw(signed).await;
        refused(
            "B10 C02",
            algorithm,
            result,
            TokenFault::AlgorithmNotAllowed,
        );
    }
}

/// Metadata tells which algorithms the provider uses, and decides nothing: what is believed is
/// configured (A36, A42).
#[tokio::test]
async fn algorithms_that_the_provider_advertises_are_not_believed_for_that() {
    for advertised in [json!(["HS256", "none"]), json!(["none"]), json!([])] {
        let fixture = Fixture::new().await;
        let mut metadata = fixture.provider.metadata();
        metadata["id_token_signing_alg_values_supported"] = advertised.clone();
        let metadata = crate::test_support::Answer::json(&metadata);
        fixture.provider.paths.metadata.answer(metadata);
        let claims = fixture.claims().to_string();
        for (algorithm, secret, fault) in [
            ("HS256", CLIENT_SECRET, TokenFault::AlgorithmNotAllowed),
            ("none", "", TokenFault::AlgorithmNotAllowed),
        ] {
            let header = json!({"alg": algorithm}).to_string();
            let token = compact(header, &claims, |input| hs256(secret.as_bytes(), input));
            let what = format!("{algorithm}, advertised {advertised}");
            refused("E10 B12", &what, fixture.verify_raw(token).await, fault);
        }
        let what = format!("RS256, advertised {advertised}");
        accepted("E10", &what, fixture.verify(&fixture.claims()).await);
    }
}

#[tokio::test]
async fn without_a_kid_one_fitting_key_is_used() {
    let (first, second) = (Key::first().jwk(), Key::second().jwk());
    let header = json!({"alg": "RS256"});
    let fixture = wide(&[first.clone(), Key::p256("256").jwk()]).await;
    let token = Key::first().sign(&header, &fixture.claims());
    accepted(
        "B07 C17",
        "no kid, one RSA key",
        fixture.verify_raw(token).await,
    );
    // RS256 was asked for by name: a token of another algorithm finds no key.
    let pss = compact(
        json!({"alg": "PS256"}).to_string(),
        fixture.claims().to_string(),
        |input| Key::first().signature("PS256", input),
    );
    let result = fixture.verify_raw(pss).await;
    refused(
        "C17",
        "no kid, no key for PS256",
        result,
        TokenFault::UnknownKey,
    );
    let fixture = wide(&[first.clone(), second]).await;
    let token = Key::first().sign(&header, &fixture.claims());
    let result = fixture.verify_raw(token).await;
    refused(
        "B08 C18",
        "no kid, two RSA keys",
        result,
        TokenFault::AmbiguousKey,
    );
    let fixture = wide(&[first.clone(), first]).await;
    let result = fixture.verify(&fixture.claims()).await;
    refused(
        "C19",
        "the same kid twice",
        result,
        TokenFault::AmbiguousKey,
    );
}

#[tokio::test]
async fn forged_signatures_of_every_family_are_refused() {
    let (p256, edwards) = (Key::p256("256"), Key::ed25519("ed"));
    let fixture = wide(&[Key::first().jwk(), p256.jwk(), edwards.jwk()]).await;
    let claims = fixture.claims().to_string();
    let mut forged = Vec::new();
    let signed = |key: &Key, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        compact(key.header().to_string(), &claims, sign)
    };
    // All shapes are tried over HTTP at the remote API; each costs a slow exponentiation.
    for number in 0..3 {
        let token = signed(Key::first(), &|input| {
            let (_, block) = forgeries::bad_blocks(input).swap_remove(number);
            forgeries::sign_block(Key::first(), &block)
        });
        forged.push(("C58", forgeries::bad_blocks(b"")[number].0, token));
    }
    for number in 0..forgeries::psychic_signatures(&[1; 64]).len() {
        let token = signed(&p256, &|input| {
            let good = p256.signature("ES256", input);
            forgeries::psychic_signatures(&good).swap_remove(number).1
        });
        forged.push((
            "C60",
            forgeries::psychic_signatures(&[1; 64])[number].0,
            token,
        ));
    }
    let der = signed(&p256, &|input| {
        forgeries::in_der(&p256.signature("ES256", input))
    });
    let more = signed(&edwards, &|input| {
        forgeries::plus_group_order(&edwards.signature("EdDSA", input))
    });
    forged.extend([("C60", "DER", der), ("C61", "S + L", more)]);
    for (number, name, token) in forged {
        let result = fixture.verify_raw(token).await;
        refused(number, name, result, TokenFault::WrongSignature);
    }
}

#[tokio::test]
async fn other_tokens_of_the_same_provider_are_no_identity() {
    let fixture = Fixture::new().await;
    let issuer = &fixture.provider.issuer;
    let access_token = json!({
        "iss": issuer, "sub": "auth0|1", "aud": ["https://api.test", format!("{issuer}/userinfo")],
        "azp": CLIENT_ID, "iat": NOW, "exp": NOW.0 + 7200, "scope": "openid",
    });
    let mut for_us = access_token.clone();
    for_us["aud"] = json!(CLIENT_ID);
    let mut machine = for_us.clone();
    machine["sub"] = json!(format!("{CLIENT_ID}@clients"));
    let userinfo = json!({"iss": issuer, "sub": "auth0|1", "aud": CLIENT_ID, "name": "Ada"});
    let assertion = json!({
        "iss": CLIENT_ID, "sub": CLIENT_ID, "aud": issuer, "iat": NOW, "exp": NOW.0 + 60,
    });
    for (name, claims, fault) in [
        ("access token", access_token, TokenFault::WrongAudience),
        (
            "access token for the client",
            for_us,
            TokenFault::MissingClaim("nonce"),
        ),
        (
            "machine's token",
            machine,
            TokenFault::MissingClaim("nonce"),
        ),
        ("userinfo JWT", userinfo, TokenFault::MissingClaim("exp")),
        ("client assertion", assertion, TokenFault::WrongIssuer),
    ] {
        refused("C49", name, fixture.verify(&claims).await, fault);
    }
    for (name, token) in [("opaque token", "v1.MRjcQEwTh0u"), ("JWE", "a.b.c.d.e")] {
        let result = fixture.verify_raw(token.to_owned()).await;
        refused("C47 C49", name, result, TokenFault::NotCompactJws);
    }
}

#[tokio::test]
async fn keys_may_rotate_between_logins_and_just_before_signing() {
    let fixture = Fixture::new().await;
    accepted(
        "B41 E15",
        "first login",
        fixture.verify(&fixture.claims()).await,
    );
    fixture.provider.publish(&[Key::second().jwk()]);
    let token = || Key::second().sign(&Key::second().header(), &fixture.claims());
    let rotated = fixture.verify_raw(token()).await;
    accepted("B41 B42 E16", "login by the key published since", rotated);
    let old = fixture.verify(&fixture.claims()).await;
    refused(
        "E18",
        "login by the withdrawn key",
        old,
        TokenFault::UnknownKey,
    );
}

/// The hash is the one of the signature's algorithm (OpenID Connect Core §3.1.3.6).
#[tokio::test]
async fn access_token_hash_follows_the_algorithm() {
    let (p384, edwards) = (Key::p384("384"), Key::ed25519("ed"));
    let any_rsa = without(Key::first().jwk(), "alg");
    let fixture = wide(&[any_rsa, p384.jwk(), edwards.jwk()]).await;
    let access_token = AccessToken::new("the-access-token".to_owned());
    let text = access_token.expose();
    let half = |hash: &[u8]| URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2]);
    let (short, middle, long) = (
        half(&Sha256::digest(text)),
        half(&Sha384::digest(text)),
        half(&Sha512::digest(text)),
    );
    let nonce = Nonce::new(NONCE.to_owned());
    let expectations = Expectations {
        access_token: Some(&access_token),
        ..login(&nonce)
    };
    for (algorithm, key, right) in [
        ("RS256", Key::first(), &short),
        ("PS256", Key::first(), &short),
        ("RS384", Key::first(), &middle),
        ("PS384", Key::first(), &middle),
        ("ES384", &p384, &middle),
        ("RS512", Key::first(), &long),
        ("PS512", Key::first(), &long),
        ("EdDSA", &edwards, &long),
    ] {
        for hash in [&short, &middle, &long] {
            let mut claims = fixture.claims();
            claims["at_hash"] = json!(hash);
            let header = json!({"alg": algorithm, "kid": key.id()}).to_string();
            let token = compact(header, claims.to_string(), |input| {
                key.signature(algorithm, input)
            });
            let token = RawIdToken::new(token);
            let result = fixture.verifier.verify(&token, &expectations, NOW).await;
            if hash == right {
                accepted("B74", algorithm, result);
            } else {
                let what = format!("{algorithm} with the hash of another");
                refused("B23 B74", &what, result, TokenFault::WrongAccessTokenHash);
            }
        }
    }
}

/// The edges of each time, to the second.
#[tokio::test]
async fn times_have_exact_edges() {
    let fixture = Fixture::new().await;
    for (numbers, claim, seconds, fault) in [
        ("B61 C34", "exp", -59, None),
        ("B60 C34", "exp", -60, Some(TokenFault::Expired)),
        ("C36", "iat", 60, None),
        ("B62 C36", "iat", 61, Some(TokenFault::IssuedInTheFuture)),
        ("C36", "iat", -86_400, None),
        ("C36", "iat", -86_401, Some(TokenFault::IssuedTooLongAgo)),
        ("C35", "nbf", 60, None),
        ("B63 C35", "nbf", 61, Some(TokenFault::NotYetValid)),
    ] {
        let mut claims = fixture.claims();
        claims[claim] = json!(NOW.0 + seconds);
        let what = format!("{claim} {seconds} seconds from now");
        let result = fixture.verify(&claims).await;
        match fault {
            None => drop(accepted(numbers, &what, result)),
            Some(fault) => refused(numbers, &what, result, fault),
        }
    }
}
