//! C.5, second half: signatures that are none, and keys that must not be used.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use test_tokens::{Key, compact, forgeries};

use super::bench::{
    ALL_ALGORITHMS, Bench,
    Verdict::{self, Accepted, Invalid},
    case, sign,
};

const WRONG: Verdict = Invalid("wrong_signature");
/// A key that must not be used is as if it were not there.
const NO_KEY: Verdict = Invalid("unknown_key");

type Change = fn(Vec<u8>) -> Vec<u8>;

/// Good header and claims under any signature.
fn signed(bench: &Bench, key: &Key, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    compact(key.header().to_string(), bench.claims().to_string(), sign)
}

#[tokio::test]
async fn each_changed_byte_of_a_signature_is_noticed() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let key = Key::first();
    let good = |input: &[u8]| key.signature("RS256", input);
    let mut cases = Vec::new();
    for position in 0..256 {
        let token = signed(&bench, key, |input| {
            let mut signature = good(input);
            signature[position] ^= 1;
            signature
        });
        cases.push(case(
            "C57",
            format!("byte {position} flipped"),
            &token,
            WRONG,
        ));
    }
    let changes: [(&str, Change); 6] = [
        ("truncated", |signature| signature[..255].to_vec()),
        ("truncated in front", |signature| signature[1..].to_vec()),
        ("one byte", |signature| signature[..1].to_vec()),
        ("a byte more", |signature| [signature, vec![0]].concat()),
        ("a zero in front", |signature| [vec![0], signature].concat()),
        ("twice", |signature| [signature.clone(), signature].concat()),
    ];
    for (name, change) in changes {
        let token = signed(&bench, key, |input| change(good(input)));
        cases.push(case("C57", name, &token, WRONG));
    }
    let numbers = forgeries::numbers(key, &[1; 256]).len();
    for number in 0..numbers {
        let mut name = "";
        let token = signed(&bench, key, |input| {
            let (found, signature) = forgeries::numbers(key, &good(input)).swap_remove(number);
            name = found;
            signature
        });
        cases.push(case("C57", name, &token, WRONG));
    }
    bench.judge(&cases).await;
}

#[tokio::test]
async fn other_parts_under_a_good_signature_are_noticed() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let good = sign(&bench.claims());
    let parts: Vec<_> = good.split('.').collect();
    let mut richer = bench.claims();
    richer["sub"] = json!("admin");
    let payload = URL_SAFE_NO_PAD.encode(richer.to_string());
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"first","a":1}"#);
    let other = bench.with_claim("sub", json!("other"));
    let signature = other.rsplit('.').next().unwrap();
    bench
        .judge(&[
            case(
                "C57 B11",
                "other claims",
                &format!("{}.{payload}.{}", parts[0], parts[2]),
                WRONG,
            ),
            case(
                "C57 B11",
                "other header",
                &format!("{header}.{}.{}", parts[1], parts[2]),
                WRONG,
            ),
            case(
                "C57 B11",
                "signature of another token",
                &format!("{}.{}.{signature}", parts[0], parts[1]),
                WRONG,
            ),
        ])
        .await;
}

/// Each block is raised to the private exponent, so that only the check of the padding
/// stands between it and a valid signature; the good block shows that this works.
#[tokio::test]
async fn pkcs1_padding_is_checked_to_the_last_byte() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let key = Key::first();
    let control = signed(&bench, key, |input| {
        forgeries::sign_block(key, &forgeries::good_block(input))
    });
    let mut cases = vec![case("C58", "the good block", &control, Accepted)];
    for number in 0..forgeries::bad_blocks(b"").len() {
        let mut name = "";
        let token = signed(&bench, key, |input| {
            let (found, block) = forgeries::bad_blocks(input).swap_remove(number);
            name = found;
            forgeries::sign_block(key, &block)
        });
        cases.push(case("C58", name, &token, WRONG));
    }
    let pss = signed(&bench, key, |input| key.signature("PS256", input));
    cases.push(case("C58", "PSS under RS256", &pss, WRONG));
    bench.judge(&cases).await;
}

#[tokio::test]
async fn keys_that_must_not_be_used_are_skipped() {
    let modulus = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    let first = Key::first().modulus();
    let even = [&first[..255], &[first[255] & 0xfe]].concat();
    let mut huge = vec![0xff; 2049];
    huge[2048] = 1;
    for (name, member, value) in [
        ("RSA of 512 bits", "n", modulus(&first[..64])),
        ("RSA of 1024 bits", "n", modulus(&first[..128])),
        (
            "RSA of 2047 bits",
            "n",
            modulus(&[&[0x7f], &first[1..]].concat()),
        ),
        ("RSA of 16,392 bits", "n", modulus(&huge)),
        ("RSA with an even modulus", "n", modulus(&even)),
        (
            "RSA with the mark of ROCA",
            "n",
            modulus(&forgeries::roca_modulus()),
        ),
        ("exponent 1", "e", json!("AQ")),
        ("exponent 3", "e", json!("Aw")),
        ("exponent 65536", "e", json!("AQAA")),
        ("exponent 0", "e", json!("AA")),
        ("use enc", "use", json!("enc")),
        ("use in a list", "use", json!(["sig"])),
        ("key_ops without verify", "key_ops", json!(["sign"])),
        (
            "key_ops of encryption",
            "key_ops",
            json!(["encrypt", "wrapKey"]),
        ),
        ("key_ops in a string", "key_ops", json!("verify")),
        ("private exponent", "d", json!("AQAB")),
        ("private prime", "p", json!("AQAB")),
        ("symmetric value", "k", json!("AQAB")),
        ("alg of encryption", "alg", json!("RSA-OAEP")),
        ("alg HS256", "alg", json!("HS256")),
        ("alg none", "alg", json!("none")),
        ("kty oct", "kty", json!("oct")),
        ("kty EC", "kty", json!("EC")),
    ] {
        let mut jwk = Key::first().jwk();
        jwk[member] = value;
        // Beside a good one, or the whole set would be refused.
        let bench = Bench::with(&json!([jwk, Key::second().jwk()]), &[]).await;
        // With exponent 1 the padded block is its own signature: nobody's key is needed.
        let token = signed(&bench, Key::first(), |input| match name {
            "exponent 1" => forgeries::good_block(input),
            _ => Key::first().signature("RS256", input),
        });
        let good = Key::second().sign(&Key::second().header(), &bench.claims());
        bench
            .judge(&[
                case(
                    "C59 E21",
                    format!("{name}, beside a good key"),
                    &good,
                    Accepted,
                )
                .of_unknown_key(),
                case("C59", name, &token, NO_KEY).of_unknown_key(),
            ])
            .await;
    }
}

#[tokio::test]
async fn elliptic_keys_must_be_points_of_their_curve() {
    let key = Key::p256("elliptic");
    let good = key.jwk();
    let y = URL_SAFE_NO_PAD.decode(good["y"].as_str().unwrap()).unwrap();
    let off = [&y[..31], &[y[31] ^ 1]].concat();
    let coordinate = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    for (name, member, value) in [
        ("point off the curve", "y", coordinate(&off)),
        ("point at the origin", "x", coordinate(&[0; 32])),
        ("coordinate above the prime", "x", coordinate(&[0xff; 32])),
        ("short coordinate", "y", coordinate(&y[1..])),
        (
            "coordinate with a zero in front",
            "y",
            coordinate(&[&[0], &*y].concat()),
        ),
        ("name of P-384", "crv", json!("P-384")),
        ("name of secp256k1", "crv", json!("secp256k1")),
        ("name of P-521", "crv", json!("P-521")),
        ("type OKP", "kty", json!("OKP")),
        ("private scalar", "d", coordinate(&[1; 32])),
    ] {
        let mut jwk = good.clone();
        jwk[member] = value;
        let bench = Bench::with(&json!([jwk, Key::first().jwk()]), &[ALL_ALGORITHMS]).await;
        bench.warm_up().await;
        let token = key.sign(&key.header(), &bench.claims());
        bench
            .judge(&[case("C59", name, &token, NO_KEY).of_unknown_key()])
            .await;
    }
}

fn wide_keys(keys: &[&Key]) -> Value {
    keys.iter().map(|key| key.jwk()).collect()
}

#[tokio::test]
async fn ecdsa_signatures_are_two_numbers_of_full_length() {
    let (key, other, longer) = (
        Key::p256("elliptic"),
        Key::p256("elliptic"),
        Key::p384("longer"),
    );
    let bench = Bench::with(&wide_keys(&[&key, &longer]), &[ALL_ALGORITHMS]).await;
    bench
        .judge(&[case(
            "C60",
            "ES256",
            &key.sign(&key.header(), &bench.claims()),
            Accepted,
        )
        .of_unknown_key()])
        .await;
    let good = |input: &[u8]| key.signature("ES256", input);
    let mut cases = Vec::new();
    for number in 0..forgeries::psychic_signatures(&[1; 64]).len() {
        let mut name = "";
        let token = signed(&bench, &key, |input| {
            let (found, signature) =
                forgeries::psychic_signatures(&good(input)).swap_remove(number);
            name = found;
            signature
        });
        cases.push(case("C60 B13", name, &token, WRONG));
    }
    let der = signed(&bench, &key, |input| forgeries::in_der(&good(input)));
    cases.push(case("C60", "DER", &der, WRONG));
    let forged = other.sign(&key.header(), &bench.claims());
    cases.push(case("C60 B13", "somebody else's key", &forged, WRONG));
    // Whoever has seen a token can write it in this other way. It says the same and is as
    // good: nothing here takes a token's text for its identity.
    let mirrored = signed(&bench, &key, |input| forgeries::mirrored(&good(input)));
    cases.push(case("C60", "(r, n - s)", &mirrored, Accepted));
    let longer_token = longer.sign(&longer.header(), &bench.claims());
    cases.push(case("C60", "ES384", &longer_token, Accepted));
    let short = longer.sign(&json!({"alg": "ES384", "kid": "elliptic"}), &bench.claims());
    cases.push(case(
        "C60 C07",
        "ES384 by a key for ES256",
        &short,
        Invalid("key_not_for_algorithm"),
    ));
    bench.judge(&cases).await;
}

#[tokio::test]
async fn ed25519_signatures_have_one_form() {
    let (key, other) = (Key::ed25519("edwards"), Key::ed25519("edwards"));
    let bench = Bench::with(&wide_keys(&[&key]), &[ALL_ALGORITHMS]).await;
    bench
        .judge(&[case(
            "C61",
            "EdDSA",
            &key.sign(&key.header(), &bench.claims()),
            Accepted,
        )
        .of_unknown_key()])
        .await;
    let good = |input: &[u8]| key.signature("EdDSA", input);
    let mut cases = Vec::new();
    let more = signed(&bench, &key, |input| {
        forgeries::plus_group_order(&good(input))
    });
    cases.push(case("C61", "S + L", &more, WRONG));
    for point in forgeries::small_order_points() {
        let token = signed(&bench, &key, |_| [point, [0; 32]].concat());
        cases.push(case(
            "C61",
            format!("R of small order {:02x}, S = 0", point[0]),
            &token,
            WRONG,
        ));
        let token = signed(&bench, &key, |input| [&point, &good(input)[32..]].concat());
        cases.push(case(
            "C61",
            format!("R of small order {:02x}", point[0]),
            &token,
            WRONG,
        ));
    }
    cases.push(case(
        "C61",
        "zeros",
        &signed(&bench, &key, |_| vec![0; 64]),
        WRONG,
    ));
    cases.push(case(
        "C61",
        "short",
        &signed(&bench, &key, |input| good(input)[..63].to_vec()),
        WRONG,
    ));
    let forged = other.sign(&key.header(), &bench.claims());
    cases.push(case("C61", "somebody else's key", &forged, WRONG));
    bench.judge(&cases).await;
}

/// With such a key anybody can sign anything: R = 1, S = 0.
#[tokio::test]
async fn ed25519_keys_of_small_order_are_skipped() {
    let mut jwks = vec![Key::first().jwk()];
    for (number, point) in forgeries::small_order_points().into_iter().enumerate() {
        let mut jwk = Key::ed25519("edwards").jwk();
        jwk["kid"] = json!(format!("small-{number}"));
        jwk["x"] = json!(URL_SAFE_NO_PAD.encode(point));
        jwks.push(jwk);
    }
    let points = jwks.len() - 1;
    let bench = Bench::with(&Value::Array(jwks), &[ALL_ALGORITHMS]).await;
    bench.warm_up().await;
    let mut cases = Vec::new();
    for number in 0..points {
        let header = json!({"alg": "EdDSA", "kid": format!("small-{number}")}).to_string();
        let mut one = vec![0; 64];
        one[0] = 1;
        let token = compact(header, bench.claims().to_string(), |_| one);
        let what = format!("key of small order {number}");
        cases.push(case("C61", what, &token, NO_KEY).of_unknown_key());
    }
    bench.judge(&cases).await;
}

#[tokio::test]
async fn rsa_in_all_its_forms_is_believed_where_configured() {
    let mut jwk = Key::first().jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let bench = Bench::with(&json!([jwk]), &[ALL_ALGORITHMS]).await;
    let mut cases = Vec::new();
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        let header = json!({"alg": algorithm, "kid": "first"}).to_string();
        let claims = bench.claims().to_string();
        let good = compact(&header, &claims, |input| {
            Key::first().signature(algorithm, input)
        });
        cases.push(
            case(
                "C07",
                format!("{algorithm} of a key for any"),
                &good,
                Accepted,
            )
            .of_unknown_key(),
        );
        let forged = compact(&header, &claims, |input| {
            Key::second().signature(algorithm, input)
        });
        cases.push(case(
            "C57",
            format!("{algorithm} of another key"),
            &forged,
            WRONG,
        ));
        let other = if algorithm == "PS256" {
            "RS256"
        } else {
            "PS256"
        };
        let mixed = compact(&header, &claims, |input| {
            Key::first().signature(other, input)
        });
        cases.push(case(
            "C07",
            format!("{other} under {algorithm}"),
            &mixed,
            WRONG,
        ));
    }
    bench.judge(&cases).await;
}
