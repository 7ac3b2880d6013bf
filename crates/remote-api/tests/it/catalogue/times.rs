//! C.3, the times: whole seconds, a bounded skew, plausible lifetimes.

use serde_json::json;
use test_tokens::Key;

use super::bench::{
    Bench, NOW,
    Verdict::{self, Accepted, Invalid},
    case, sign,
};

const MALFORMED: Verdict = Invalid("malformed_claim");
const MISSING: Verdict = Invalid("missing_claim");
const NO_OBJECT: Verdict = Invalid("not_a_json_object");

/// Good claims in which the text of one value is put in as it stands, JSON or not.
fn with_text(bench: &Bench, name: &str, text: &str) -> String {
    let mut claims = bench.claims();
    claims[name] = json!("@");
    let claims = claims.to_string().replace("\"@\"", text);
    Key::first().sign_text(&Key::first().header().to_string(), &claims)
}

/// A35: a claim of another type is malformed, not absent.
#[tokio::test]
async fn times_are_whole_seconds_that_hold_now() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let expired = Invalid("expired");
    let mut cases = Vec::new();
    for (number, claim, text, verdict) in [
        ("C31", "exp", "\"1999999999\"", MALFORMED),
        ("C31", "exp", "\"never\"", MALFORMED),
        ("C32", "exp", "1.9e9", MALFORMED),
        ("C32", "exp", "1999999999.0", MALFORMED),
        ("C32", "exp", "1e300", MALFORMED),
        ("C32", "exp", "1e309", NO_OBJECT),
        ("C32", "exp", "NaN", NO_OBJECT),
        ("C32", "exp", "Infinity", NO_OBJECT),
        ("C32", "exp", "-1", MALFORMED),
        ("C32", "exp", "0", expired),
        ("C32", "exp", "9007199254740992", Accepted),
        ("C32", "exp", "9007199254740993", MALFORMED),
        ("C32", "exp", "9223372036854775808", MALFORMED),
        ("C32", "exp", "18446744073709551616", MALFORMED),
        ("C32", "exp", &format!("1{}", "0".repeat(400)), NO_OBJECT),
        ("C33", "exp", "null", MALFORMED),
        ("C33", "exp", "{}", MALFORMED),
        ("C33", "exp", "[]", MALFORMED),
        ("C33", "exp", "[1999999999]", MALFORMED),
        ("C33", "exp", "true", MALFORMED),
        // "on or after" `exp` a token is refused (RFC 7519 §4.1.4); the skew is forgiven once.
        ("C34", "exp", &(NOW - 61).to_string(), expired),
        ("C34", "exp", &(NOW - 60).to_string(), expired),
        ("C34", "exp", &NOW.to_string(), Accepted),
        ("C35", "nbf", &(NOW + 60).to_string(), Accepted),
        (
            "C35",
            "nbf",
            &(NOW + 61).to_string(),
            Invalid("not_yet_valid"),
        ),
        // The token of CVE-2026-25537.
        ("C35", "nbf", "\"1999999999\"", MALFORMED),
        (
            "C36",
            "iat",
            &(NOW + 61).to_string(),
            Invalid("issued_in_the_future"),
        ),
        ("C36", "iat", "\"1\"", MALFORMED),
    ] {
        let what: String = format!("{claim} {text}");
        cases.push(case(number, what, &with_text(&bench, claim, text), verdict));
    }
    cases.push(case(
        "C30",
        "exp absent",
        &bench.without_claim("exp"),
        MISSING,
    ));
    // RFC 9068 requires it, others leave it out: without it only the lifetime is unknown.
    cases.push(case(
        "C36",
        "iat absent",
        &bench.without_claim("iat"),
        Accepted,
    ));
    bench.judge(&cases).await;
    // One second of life left in the skew.
    let mut claims = bench.claims();
    claims["iat"] = json!(NOW - 3600);
    claims["exp"] = json!(NOW - 59);
    bench
        .judge(&[case("C34", "exp 59 seconds ago", &sign(&claims), Accepted)])
        .await;
}

/// C34, E28: the forgiven difference is configured, and added once.
#[tokio::test]
async fn the_difference_of_clocks_is_the_configured_one() {
    let keys = json!([Key::first().jwk()]);
    let bench = Bench::with(&keys, &[("CLOCK_SKEW_SECONDS", "10")]).await;
    bench.warm_up().await;
    let mut cases = Vec::new();
    for (claim, seconds, verdict) in [
        ("exp", -9, Accepted),
        ("exp", -10, Invalid("expired")),
        ("nbf", 10, Accepted),
        ("nbf", 11, Invalid("not_yet_valid")),
        ("iat", 10, Accepted),
        ("iat", 11, Invalid("issued_in_the_future")),
    ] {
        let mut claims = bench.claims();
        claims["iat"] = json!(NOW - 60);
        claims[claim] = json!(NOW + seconds);
        let what = format!("{claim} {seconds} seconds from now, 10 forgiven");
        cases.push(case("C34 E28", what, &sign(&claims), verdict));
    }
    bench.judge(&cases).await;
}

#[tokio::test]
async fn lifetimes_are_plausible_and_can_be_capped() {
    let bench = Bench::start().await;
    let capped = Bench::with(
        &json!([Key::first().jwk()]),
        &[("MAX_TOKEN_LIFETIME_SECONDS", "3600")],
    )
    .await;
    let century = json!(NOW + 100 * 365 * 86_400);
    bench.warm_up().await;
    capped.warm_up().await;
    let implausible = Invalid("implausible_lifetime");
    let mut backwards = bench.claims();
    backwards["iat"] = json!(NOW + 20);
    backwards["exp"] = json!(NOW + 10);
    bench
        .judge(&[
            case("C37", "exp before iat", &sign(&backwards), implausible),
            case(
                "C37",
                "a century, uncapped",
                &bench.with_claim("exp", century.clone()),
                Accepted,
            ),
        ])
        .await;
    capped
        .judge(&[
            case(
                "C37",
                "a century, capped",
                &capped.with_claim("exp", century),
                implausible,
            ),
            case(
                "C37",
                "a second more than the cap",
                &capped.with_claim("exp", json!(NOW + 3601)),
                implausible,
            ),
            case(
                "C37",
                "the cap",
                &capped.with_claim("exp", json!(NOW + 3600)),
                Accepted,
            ),
            case(
                "C37",
                "capped, iat absent",
                &capped.without_claim("iat"),
                MISSING,
            ),
        ])
        .await;
}
