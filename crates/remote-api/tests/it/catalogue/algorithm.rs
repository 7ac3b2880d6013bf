//! C.1: which algorithm, and which key.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use test_tokens::{
    Key, compact,
    encodings::{certificate, hs256, public_forms},
};

use super::bench::{
    ALL_ALGORITHMS, Bench, Case,
    Verdict::{Accepted, Invalid},
    case, sign,
};

const NOT_ALLOWED: super::bench::Verdict = Invalid("algorithm_not_allowed");

/// Signed by an attacker's key under any header.
fn forged(bench: &Bench, header: &Value) -> String {
    Key::second().sign(header, &bench.claims())
}

fn hmac(bench: &Bench, header: &Value, secret: &[u8]) -> String {
    compact(header.to_string(), bench.claims().to_string(), |input| {
        hs256(secret, input)
    })
}

/// A12.
#[tokio::test]
async fn tokens_without_a_signature_are_refused() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let mut cases = Vec::new();
    for name in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": name, "kid": "first"}).to_string();
        let claims = bench.claims().to_string();
        // An empty third part is no compact JWS, whatever its `alg`.
        let empty = compact(&header, &claims, |_| Vec::new());
        cases.push(case("C01", name, &empty, Invalid("not_compact_jws")));
        let two_parts = empty.trim_end_matches('.');
        let what = format!("{name} in two parts");
        cases.push(case("C01", what, two_parts, Invalid("not_compact_jws")));
        let old = compact(&header, &claims, |input| {
            Key::first().signature("RS256", input)
        });
        cases.push(case("C02", name, &old, NOT_ALLOWED));
    }
    bench.judge(&cases).await;
}

/// A36, A39, A40, A41, A42: no other mistake was made by as many libraries.
#[tokio::test]
async fn public_keys_are_no_hmac_secrets() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let mut cases = Vec::new();
    for (form, secret) in public_forms(Key::first()) {
        let number = match form {
            _ if form.starts_with("SPKI PEM") => "C03",
            _ if form.ends_with("PEM") && !form.contains("base64") => "C04",
            _ if form.contains("modulus") || form.contains("name") => "C06",
            _ => "C05",
        };
        for algorithm in ["HS256", "hs256"] {
            let header = json!({"alg": algorithm, "typ": "JWT", "kid": "first"});
            let token = hmac(&bench, &header, &secret);
            let what = format!("{algorithm} with the {form}");
            cases.push(case(number, what, &token, NOT_ALLOWED));
        }
    }
    for secret in [
        "",
        "\0",
        "a",
        "secret",
        "password",
        "changeme",
        "your-256-bit-secret",
    ] {
        let token = hmac(&bench, &json!({"alg": "HS256"}), secret.as_bytes());
        cases.push(case(
            "C08",
            format!("secret {secret:?}"),
            &token,
            NOT_ALLOWED,
        ));
    }
    bench.judge(&cases).await;
}

/// Whether or not configuration allows the algorithm, the key was published for RS256.
///
/// A39.
#[tokio::test]
async fn header_configuration_and_key_must_agree_on_the_algorithm() {
    let narrow = Bench::start().await;
    let wide = Bench::with(&json!([Key::first().jwk()]), &[ALL_ALGORITHMS]).await;
    for (bench, reason) in [
        (narrow, NOT_ALLOWED),
        (wide, Invalid("key_not_for_algorithm")),
    ] {
        bench.warm_up().await;
        let mut cases = Vec::new();
        for algorithm in [
            "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
        ] {
            let header = json!({"alg": algorithm, "kid": "first"}).to_string();
            // Really signed so, where an RSA key can.
            let token = compact(header, bench.claims().to_string(), |input| {
                Key::first().signature(algorithm, input)
            });
            cases.push(case("C07 B54", algorithm, &token, reason));
        }
        for algorithm in ["rs256", "RS256 ", "RS-256", "ES512", "ES256K", "RS1", "dir"] {
            let token = bench.with_header("alg", json!(algorithm));
            cases.push(case("C07", algorithm, &token, NOT_ALLOWED));
        }
        bench.judge(&cases).await;
    }
}

/// A42.
#[tokio::test]
async fn keys_that_a_token_brings_are_ignored() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let jwk = Key::second().jwk();
    let wrong = Invalid("wrong_signature");
    let own = |member: &str, value: Value| {
        let header = json!({"alg": "RS256", "kid": "first", member: value});
        forged(&bench, &header)
    };
    let nameless = forged(&bench, &json!({"alg": "RS256", "jwk": jwk}));
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"});
    let header = json!({"alg": "HS256", "jwk": symmetric});
    let chain = json!([STANDARD.encode(certificate(Key::second()))]);
    bench
        .judge(&[
            case("C09", "jwk beside a known kid", &own("jwk", jwk), wrong),
            case("C09", "jwk without kid", &nameless, wrong),
            case("C10", "symmetric jwk", &own("jwk", symmetric), wrong),
            case(
                "C10",
                "HS256 by its symmetric jwk",
                &hmac(&bench, &header, b"secret"),
                NOT_ALLOWED,
            ),
            case("C11", "x5c", &own("x5c", chain), wrong),
            case("C11", "x5t", &own("x5t#S256", json!("AAAA")), wrong),
        ])
        .await;
}

/// That nothing else can be asked holds by construction: the only address that is ever
/// fetched is `jwks_uri` of the configured issuer.
#[tokio::test]
async fn addresses_in_a_token_are_never_fetched() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let attacker = &bench.attacker.url;
    let redirect = format!("{}/redirect?{attacker}/jwks", bench.provider.url);
    let mut cases = Vec::new();
    for (number, address) in [
        ("C12", format!("{attacker}/jwks")),
        ("C13", redirect),
        ("C14", "file:///etc/passwd".to_owned()),
        ("C14", "data:application/json,{}".to_owned()),
        ("C14", "http://169.254.169.254/latest/meta-data".to_owned()),
        ("C14", "http://[::1]:1/".to_owned()),
        ("C14", attacker.replace("127.0.0.1", "localhost")),
    ] {
        for member in ["jku", "x5u"] {
            let known = forged(
                &bench,
                &json!({"alg": "RS256", "kid": "first", member: address}),
            );
            let what = format!("{member} {address}");
            cases.push(case(number, what, &known, Invalid("wrong_signature")));
        }
        let header = json!({"alg": "RS256", "kid": "second", "jku": address});
        let unknown = case(
            number,
            format!("unknown kid, jku {address}"),
            &forged(&bench, &header),
            Invalid("unknown_key"),
        );
        cases.push(unknown.of_unknown_key());
        let mut claims = bench.claims();
        claims["iss"] = json!(address);
        let token = Key::second().sign(&Key::first().header(), &claims);
        cases.push(case(
            number,
            format!("iss {address}"),
            &token,
            Invalid("wrong_signature"),
        ));
    }
    bench.judge(&cases).await;
    // The clock stands still: of all these tokens, one asked for the keys.
    assert_eq!(bench.provider.requests_for_keys(), 2);
}

#[tokio::test]
async fn key_names_are_names_and_nothing_more() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let mut cases = Vec::new();
    for name in [
        "../../../../dev/null",
        "/dev/null",
        "' UNION SELECT 'x'--",
        "|sleep 10",
        "$(sleep 10)",
        "first\r\nSet-Cookie: a=b",
        "first\0",
        "First",
        "first ",
        "",
        "\u{fb01}rst",
        "constructor",
    ] {
        let token = bench.with_header("kid", json!(name));
        let unknown = case(
            "C15",
            format!("kid {name:?}"),
            &token,
            Invalid("unknown_key"),
        );
        cases.push(unknown.of_unknown_key());
        let header = json!({"alg": "HS256", "kid": name});
        let token = hmac(&bench, &header, b"");
        cases.push(case(
            "C15",
            format!("kid {name:?} and an empty secret"),
            &token,
            NOT_ALLOWED,
        ));
    }
    for name in [
        json!("x".repeat(5000)),
        json!(7),
        json!(null),
        json!(["first"]),
        json!({"a": 1}),
    ] {
        let shown = name.to_string();
        let token = bench.with_header("kid", name);
        cases.push(case(
            "C15",
            format!("kid {shown}"),
            &token,
            Invalid("malformed_header"),
        ));
    }
    bench.judge(&cases).await;
    assert_eq!(bench.provider.requests_for_keys(), 2);
}

/// A40.
#[tokio::test]
async fn an_unknown_key_is_looked_for_once_in_thirty_seconds() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let unknown = |number: usize| -> Case {
        let header = json!({"alg": "RS256", "kid": format!("random-{number}")});
        let token = forged(&bench, &header);
        case(
            "C16 E22",
            format!("unknown kid {number}"),
            &token,
            Invalid("unknown_key"),
        )
        .of_unknown_key()
    };
    let flood: Vec<_> = (0..30).map(unknown).collect();
    bench.judge(&flood).await;
    assert_eq!(bench.provider.requests_for_keys(), 2);
    bench.advance(30);
    bench.judge(&flood).await;
    assert_eq!(bench.provider.requests_for_keys(), 3);
    // Good tokens are served all the while, without a request.
    let good = sign(&bench.claims());
    bench
        .judge(&[case("E22", "good token in a flood", &good, Accepted)])
        .await;
    // A key that was added is found by the next token that names it (B42).
    bench.advance(30);
    bench
        .provider
        .publish(&json!([Key::first().jwk(), Key::second().jwk()]));
    let token = forged(&bench, &Key::second().header());
    let rotated = case("C16 B42 E16", "a key added since", &token, Accepted);
    bench.judge(&[rotated.of_unknown_key()]).await;
}

#[tokio::test]
async fn without_a_name_only_a_single_fitting_key_is_used() {
    let (first, second) = (Key::first().jwk(), Key::second().jwk());
    let elliptic = Key::p256("elliptic").jwk();
    let mut twin = second.clone();
    twin["kid"] = json!("first");
    let ambiguous = Invalid("ambiguous_key");
    for (number, name, keys, named, verdict) in [
        (
            "C17 B07",
            "no kid, one key",
            json!([first]),
            false,
            Accepted,
        ),
        (
            "C17",
            "no kid, one key of the type",
            json!([elliptic, first]),
            false,
            Accepted,
        ),
        (
            "C18 B08",
            "no kid, two keys",
            json!([first, second]),
            false,
            ambiguous,
        ),
        (
            "C19",
            "two keys of one kid",
            json!([first, twin]),
            true,
            ambiguous,
        ),
        (
            "C19",
            "the same key twice",
            json!([first, first]),
            true,
            ambiguous,
        ),
    ] {
        let bench = Bench::with(&keys, &[]).await;
        let mut header = Key::first().header();
        if !named {
            header.as_object_mut().unwrap().remove("kid");
        }
        let token = Key::first().sign(&header, &bench.claims());
        bench
            .judge(&[case(number, name, &token, verdict).of_unknown_key()])
            .await;
    }
}
