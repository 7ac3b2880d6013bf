//! C.2: the header.

use serde_json::{Value, json};
use test_tokens::{Key, compact};

use super::bench::{
    Bench,
    Verdict::{Accepted, Invalid},
    case,
};

/// A header as bytes, over good claims and under a good signature.
fn with_bytes(bench: &Bench, header: &[u8]) -> String {
    compact(header, bench.claims().to_string(), |input| {
        Key::first().signature("RS256", input)
    })
}

/// A38, A39 (`b64`), A42.
#[tokio::test]
async fn headers_that_ask_for_more_are_refused() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let unsupported = Invalid("unsupported_header");
    let mut cases = Vec::new();
    for (number, name, value) in [
        ("C20", "crit", json!(["x-custom-policy"])),
        ("C21", "crit", json!([])),
        ("C21", "crit", json!("exp")),
        ("C21", "crit", json!(["alg"])),
        ("C21", "crit", json!(["absent"])),
        ("C21", "crit", Value::Null),
        ("C22", "crit", json!(["exp", "exp"])),
        ("C23", "b64", json!(false)),
        ("C23", "b64", json!(true)),
        ("C25", "cty", json!("JWT")),
        ("C25", "cty", json!("jwt")),
        ("C26", "zip", json!("DEF")),
    ] {
        let what = format!("{name}: {value}");
        cases.push(case(
            number,
            what,
            &bench.with_header(name, value),
            unsupported,
        ));
    }
    let header = json!({"alg": "RS256", "kid": "first", "b64": false, "crit": ["b64"]});
    let token = Key::first().sign(&header, &bench.claims());
    cases.push(case("C23", "b64 with crit", &token, unsupported));
    let twice = br#"{"alg":"RS256","crit":["a"],"crit":["b"]}"#;
    let token = with_bytes(&bench, twice);
    cases.push(case(
        "C22",
        "crit twice",
        &token,
        Invalid("duplicate_member"),
    ));
    bench.judge(&cases).await;
}

/// RFC 9068 wants `at+jwt`; Auth0 sends `JWT`, and some providers nothing. Any other type is
/// another kind of token. Compared without case, `application/` being optional (RFC 7515
/// §4.1.9).
#[tokio::test]
async fn only_types_of_access_tokens_pass() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let wrong = Invalid("wrong_type");
    let mut cases = Vec::new();
    for (value, verdict) in [
        (json!("JWT"), Accepted),
        (json!("jwt"), Accepted),
        (json!("application/jwt"), Accepted),
        (json!("at+jwt"), Accepted),
        (json!("AT+JWT"), Accepted),
        (json!("application/at+jwt"), Accepted),
        (json!("Application/AT+JWT"), Accepted),
        (json!("logout+jwt"), wrong),
        (json!("dpop+jwt"), wrong),
        (json!("application/dpop+jwt"), wrong),
        (json!("secevent+jwt"), wrong),
        (json!("id_token+jwt"), wrong),
        (json!("text/at+jwt"), wrong),
        (json!("at+jwt "), wrong),
        (json!(""), wrong),
        (json!(1), Invalid("malformed_header")),
        (Value::Null, Invalid("malformed_header")),
    ] {
        let what = format!("typ {value}");
        cases.push(case("C24", what, &bench.with_header("typ", value), verdict));
    }
    bench.judge(&cases).await;
}

#[tokio::test]
async fn headers_that_can_be_read_in_two_ways_are_refused() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let (malformed, no_object) = (Invalid("malformed_header"), Invalid("not_a_json_object"));
    let utf_16: Vec<u8> = r#"{"alg":"RS256"}"#.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut cases = Vec::new();
    for (number, header, verdict) in [
        ("C27", &b"[]"[..], no_object),
        ("C27", b"\"x\"", no_object),
        ("C27", b"null", no_object),
        ("C27", br#"["RS256"]"#, no_object),
        ("C27", b"{}", malformed),
        ("C27", br#"{"kid":"first"}"#, malformed),
        ("C27", br#"{"alg":256}"#, malformed),
        ("C27", br#"{"alg":["RS256"]}"#, malformed),
        ("C27", br#"{"alg":null}"#, malformed),
        (
            "C28",
            br#"{"alg":"RS256","alg":"none"}"#,
            Invalid("duplicate_member"),
        ),
        (
            "C28",
            br#"{"alg":"RS256","\u0061lg":"RS256"}"#,
            Invalid("duplicate_member"),
        ),
        ("C28", br#"{"alg":"RS256","ALG":"none"}"#, malformed),
        ("C28", br#"{"Alg":"RS256"}"#, malformed),
        ("C29", b"\xef\xbb\xbf{\"alg\":\"RS256\"}", no_object),
        ("C29", &utf_16, no_object),
        ("C29", b"{\"alg\":\"RS256\",\"kid\":\"\xff\"}", no_object),
        ("C29", br#"{"alg":"RS256","kid":"\ud800"}"#, no_object),
        ("C29", br#"{"alg":"RS256",}"#, no_object),
        ("C29", br#"{"alg":"RS256"} x"#, no_object),
    ] {
        let what = String::from_utf8_lossy(header).into_owned();
        cases.push(case(number, what, &with_bytes(&bench, header), verdict));
    }
    bench.judge(&cases).await;
}
