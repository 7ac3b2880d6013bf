//! C.5, first half: one way to write a token.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::bench::{
    Bench, Case,
    Verdict::{Accepted, Invalid},
    case, sign,
};

const NO_JWS: super::bench::Verdict = Invalid("not_compact_jws");
const MALFORMED: super::bench::Verdict = Invalid("malformed_authorization_header");

struct Parts {
    header: String,
    payload: String,
    signature: String,
    whole: String,
}

impl Parts {
    fn of(bench: &Bench) -> Self {
        let whole = sign(&bench.claims());
        let parts: Vec<_> = whole.split('.').map(str::to_owned).collect();
        let [header, payload, signature] = parts.try_into().unwrap();
        Self {
            header,
            payload,
            signature,
            whole,
        }
    }
}

/// Padding is refused: RFC 7515 §2 has none, and a second spelling of a token dodges lists
/// of spent or revoked ones. (One load balancer is known to pad; it is not supported.)
///
/// A40.
#[tokio::test]
async fn other_alphabets_and_padding_are_refused() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let Parts {
        header,
        payload,
        signature,
        whole,
    } = Parts::of(&bench);
    // 254 and 255 are `-` and `_` there, `+` and `/` here.
    let bytes = URL_SAFE_NO_PAD.decode(&signature).unwrap();
    let standard = STANDARD_NO_PAD.encode(&bytes);
    assert_ne!(
        standard, signature,
        "try another key: this signature has neither - nor _"
    );
    bench
        .judge(&[
            case("C50", "signature padded", &format!("{whole}="), NO_JWS),
            case(
                "C50",
                "signature padded twice",
                &format!("{whole}=="),
                NO_JWS,
            ),
            case(
                "C50",
                "payload padded",
                &format!("{header}.{payload}=.{signature}"),
                NO_JWS,
            ),
            case(
                "C50",
                "header padded",
                &format!("{header}=.{payload}.{signature}"),
                NO_JWS,
            ),
            case(
                "C51",
                "signature in base64",
                &format!("{header}.{payload}.{standard}"),
                NO_JWS,
            ),
            case(
                "C51",
                "a plus in the payload",
                &format!("{header}.{payload}+.{signature}"),
                NO_JWS,
            ),
        ])
        .await;
}

#[tokio::test]
async fn white_space_in_a_token_is_refused() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let Parts {
        header,
        payload,
        signature,
        whole,
    } = Parts::of(&bench);
    let mut cases = Vec::new();
    for (name, space) in [("space", " "), ("tab", "\t")] {
        let inside = format!("{header}.{space}{payload}.{signature}");
        cases.push(case("C52", format!("{name} inside"), &inside, MALFORMED));
        let before = format!("{space}{whole}");
        cases.push(case("C52", format!("{name} before"), &before, MALFORMED));
        // HTTP takes white space off both ends of a field's value: it never was in the token.
        let after = format!("{whole}{space}");
        cases.push(case(
            "C52",
            format!("{name} at the end of the field"),
            &after,
            Accepted,
        ));
    }
    bench.judge(&cases).await;
    for (name, bytes) in [("CR LF", "\r\n"), ("NUL", "\0"), ("bare CR", "\r")] {
        let request = format!(
            "GET /api/pong HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {header}.{bytes}{payload}.{signature}\r\n\r\n"
        );
        let answer = bench.send_raw(request.as_bytes(), b"", 0).await;
        assert_eq!(answer, "HTTP/1.1 400 Bad Request", "{name}");
        tried("C52", &format!("{name} inside"));
    }
    // A line feed alone ends the field for many parsers, so for ours it is no part of it.
    let request = format!(
        "GET /api/pong HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {header}.\n{payload}.{signature}\r\n\r\n"
    );
    let answer = bench.send_raw(request.as_bytes(), b"", 0).await;
    assert_eq!(answer, "HTTP/1.1 400 Bad Request");
    tried("C52", "bare LF inside");
}

fn tried(number: &str, what: &str) {
    use test_tokens::catalogue::{Verdict, tried};
    tried(number, Verdict::Refused("400"), what);
}

#[tokio::test]
async fn unused_bits_must_be_zero() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let Parts {
        header,
        payload,
        signature,
        ..
    } = Parts::of(&bench);
    // 256 bytes end in a character of which two bits count.
    let spelt = respelt(&signature);
    let mut cases = vec![case(
        "C53",
        "signature",
        &format!("{header}.{payload}.{spelt}"),
        NO_JWS,
    )];
    // The signer itself may have spelt the others so.
    let key = test_tokens::Key::first();
    let claims = (0..3)
        .map(|spaces| format!("{}{}", bench.claims(), " ".repeat(spaces)))
        .find(|claims| claims.len() % 3 != 0)
        .unwrap();
    let payload = respelt(&URL_SAFE_NO_PAD.encode(claims));
    let token = key.sign_input(&format!("{header}.{payload}"));
    cases.push(case("C53", "payload", &token, NO_JWS));
    bench.judge(&cases).await;
}

/// The same bytes to a lenient decoder: the last character's lowest bit is not used.
fn respelt(part: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(part.len() % 4, 0, "all bits are used");
    let (rest, last) = part.split_at(part.len() - 1);
    let value = ALPHABET
        .iter()
        .position(|letter| *letter == last.as_bytes()[0]);
    format!("{rest}{}", char::from(ALPHABET[value.unwrap() | 1]))
}

#[tokio::test]
async fn a_token_has_three_parts() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let Parts {
        header,
        payload,
        signature,
        whole,
    } = Parts::of(&bench);
    let refused = |number, what: &str, token: &str| -> Case { case(number, what, token, NO_JWS) };
    let flattened = json!({"payload": payload, "protected": header, "signature": signature});
    let general =
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]});
    // Commas and spaces make it no `b64token`, before anybody looks for JSON.
    bench
        .judge(&[
            case("C55", "flattened JSON", &flattened.to_string(), MALFORMED),
            case("C55", "general JSON", &general.to_string(), MALFORMED),
            refused(
                "C55",
                "JSON in base64",
                &URL_SAFE_NO_PAD.encode(flattened.to_string()),
            ),
            refused("C55", "JSON without commas", r#"{"payload":"x"}"#),
            refused("C54", "one part", &header),
            refused("C54", "two parts", &format!("{header}.{payload}")),
            refused("C54", "four parts", &format!("{whole}.{signature}")),
            refused(
                "C54",
                "five parts",
                &format!("{whole}.{payload}.{signature}"),
            ),
            refused("C54", "no header", &format!(".{payload}.{signature}")),
            refused("C54", "no payload", &format!("{header}..{signature}")),
            refused("C54", "no signature", &format!("{header}.{payload}.")),
            refused("C54", "leading dot", &format!(".{whole}")),
            refused("C54", "trailing dot", &format!("{whole}.")),
            refused("C54", "dots alone", ".."),
            refused("C56", "percent-encoded dots", &whole.replace('.', "%2e")),
            case(
                "C56",
                "full-width dots",
                &whole.replace('.', "\u{ff0e}"),
                MALFORMED,
            ),
            case(
                "C56",
                "ideographic dots",
                &whole.replace('.', "\u{3002}"),
                MALFORMED,
            ),
        ])
        .await;
}

/// Encrypted tokens have five parts. Nothing is decompressed or derived from a password.
///
/// A41.
#[tokio::test]
async fn encrypted_tokens_are_refused_unread() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let header = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let zipped = header(json!({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}));
    let password =
        json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_147_483_647, "p2s": "AAAA"});
    let in_three_parts = test_tokens::Key::first().sign(&password, &bench.claims());
    bench
        .judge(&[
            case(
                "C47",
                "JWE",
                &format!("{zipped}.a2V5.aXY.{}.dGFn", "A".repeat(8000)),
                NO_JWS,
            ),
            case(
                "C47",
                "JWE without key part",
                &format!("{zipped}..aXY.AAAA.dGFn"),
                NO_JWS,
            ),
            case(
                "C47",
                "PBES2",
                &format!("{}.a2V5.aXY.AAAA.dGFn", header(password)),
                NO_JWS,
            ),
            case(
                "C47",
                "PBES2 in three parts",
                &in_three_parts,
                Invalid("algorithm_not_allowed"),
            ),
        ])
        .await;
}
