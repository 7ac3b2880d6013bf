//! C.3: the claims, and what a scope opens.

use serde_json::{Value, json};
use test_tokens::Key;

use super::bench::{
    AUDIENCE, Bench,
    Verdict::{Accepted, Forbidden, Invalid},
    case, sign,
};

const MALFORMED: super::bench::Verdict = Invalid("malformed_claim");
const MISSING: super::bench::Verdict = Invalid("missing_claim");

#[tokio::test]
async fn issuer_and_audience_are_exact() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let right = bench.provider.url.clone();
    let (issuer, audience) = (Invalid("wrong_issuer"), Invalid("wrong_audience"));
    let mut cases = Vec::new();
    for value in [
        "https://evil.test/".to_owned(),
        format!("{right}/"),
        right.replace("http:", "https:"),
        right.to_uppercase(),
        right[..right.len() - 1].to_owned(),
        format!("{right}.evil.test"),
        format!("https://evil.test/{right}"),
        right.replace("127.0.0.1", "localhost"),
        format!(" {right}"),
        String::new(),
    ] {
        let token = bench.with_claim("iss", json!(value));
        cases.push(case("C38 A37", format!("iss {value:?}"), &token, issuer));
    }
    for value in [json!([right]), Value::Null, json!(1), json!({"iss": right})] {
        let token = bench.with_claim("iss", value.clone());
        cases.push(case("C38 A37", format!("iss {value}"), &token, MALFORMED));
    }
    cases.push(case(
        "C38",
        "iss absent",
        &bench.without_claim("iss"),
        MISSING,
    ));
    for (value, verdict) in [
        (json!(AUDIENCE), Accepted),
        (json!([AUDIENCE]), Accepted),
        (json!(["https://other.test", AUDIENCE]), Accepted),
        (json!("https://other.test"), audience),
        (json!(["https://other.test"]), audience),
        (json!(format!("{AUDIENCE}/v2")), audience),
        (json!(format!("https://other.test {AUDIENCE}")), audience),
        (json!(AUDIENCE.to_uppercase()), audience),
        (json!(&AUDIENCE[..AUDIENCE.len() - 1]), audience),
        (json!([]), MALFORMED),
        (json!(7), MALFORMED),
        (json!([AUDIENCE, 7]), MALFORMED),
        (json!([[AUDIENCE]]), MALFORMED),
        (json!({"aud": AUDIENCE}), MALFORMED),
        (Value::Null, MALFORMED),
    ] {
        let token = bench.with_claim("aud", value.clone());
        cases.push(case("C39", format!("aud {value}"), &token, verdict));
    }
    cases.push(case(
        "C39",
        "aud absent",
        &bench.without_claim("aud"),
        MISSING,
    ));
    bench.judge(&cases).await;
}

#[tokio::test]
async fn subjects_are_short_names() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let mut cases = vec![case(
        "C40",
        "sub absent",
        &bench.without_claim("sub"),
        MISSING,
    )];
    for (value, verdict) in [
        (json!("x".repeat(255)), Accepted),
        (json!("x".repeat(256)), MALFORMED),
        (json!("x".repeat(10_000)), MALFORMED),
        (json!(""), MALFORMED),
        (json!(7), MALFORMED),
        (json!(["auth0|ada"]), MALFORMED),
        (Value::Null, MALFORMED),
        (json!("a\r\nX-Injected: b"), MALFORMED),
        (json!("a\0b"), MALFORMED),
        (json!("a\u{1b}[2Jb"), MALFORMED),
    ] {
        let token = bench.with_claim("sub", value.clone());
        cases.push(case("C40", format!("sub {value}"), &token, verdict));
    }
    bench.judge(&cases).await;
}

/// A right counts when `scope` or, with Auth0's RBAC, `permissions` names it, as a whole
/// word. `scp` is not read: two claims with one meaning invite a token in which they differ.
#[tokio::test]
async fn rights_are_whole_words_of_scope_or_permissions() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    // As many as a token of the largest size can hold.
    let many = |count: usize| vec!["s"; count].join(" ");
    let mut cases = Vec::new();
    for (number, scope, permissions, verdict) in [
        ("C41", json!("openid read:messages"), json!([]), Accepted),
        ("C41", json!("openid  read:messages"), json!([]), Accepted),
        ("C41", json!(""), json!([]), Forbidden),
        ("C41", json!("openid"), json!([]), Forbidden),
        ("C41", json!("READ:MESSAGES"), json!([]), Forbidden),
        ("C41", json!("read:messages2"), json!([]), Forbidden),
        ("C41", json!("xread:messages"), json!([]), Forbidden),
        ("C41", json!("read"), json!([]), Forbidden),
        ("C41", json!("read:messages,openid"), json!([]), Forbidden),
        ("C41", json!(many(5000)), json!([]), Forbidden),
        (
            "C41",
            json!(many(5000) + " read:messages"),
            json!([]),
            Accepted,
        ),
        ("C41", json!("openid\tread:messages"), json!([]), MALFORMED),
        ("C41", json!("openid\nread:messages"), json!([]), MALFORMED),
        ("C41", json!(["read:messages"]), json!([]), MALFORMED),
        ("C41", json!(7), json!([]), MALFORMED),
        ("C42", json!("openid"), json!(["read:messages"]), Accepted),
        ("C42", json!("openid"), json!(["read:messages2"]), Forbidden),
        (
            "C42",
            json!("openid"),
            json!(["read:messages openid"]),
            Forbidden,
        ),
        ("C42", json!("openid"), json!("read:messages"), MALFORMED),
        (
            "C42",
            json!("read:messages"),
            json!("read:messages"),
            MALFORMED,
        ),
        ("C42", json!("openid"), json!([7]), MALFORMED),
        (
            "C42",
            json!("openid"),
            json!({"read:messages": true}),
            MALFORMED,
        ),
    ] {
        let mut claims = bench.claims();
        claims["scope"] = scope.clone();
        claims["permissions"] = permissions.clone();
        let what = format!("permissions {permissions}, scope {scope}");
        cases.push(case(number, what, &sign(&claims), verdict));
    }
    let mut claims = bench.claims();
    claims.as_object_mut().unwrap().remove("scope");
    cases.push(case("C41", "scope absent", &sign(&claims), Forbidden));
    for value in [json!("read:messages"), json!(["read:messages"])] {
        claims["scp"] = value;
        cases.push(case("C41", "scp for scope", &sign(&claims), Forbidden));
    }
    bench.judge(&cases).await;
}

#[tokio::test]
async fn only_listed_clients_pass_where_there_is_a_list() {
    let open = Bench::start().await;
    let listed = Bench::with(
        &json!([Key::first().jwk()]),
        &[("ALLOWED_CLIENT_IDS", "client, other")],
    )
    .await;
    open.warm_up().await;
    listed.warm_up().await;
    let stranger = open.with_claim("azp", json!("stranger"));
    open.judge(&[case(
        "C43",
        "any client without a list",
        &stranger,
        Accepted,
    )])
    .await;
    let wrong = Invalid("wrong_client");
    let with_both = |client_id: &str| {
        let mut claims = listed.claims();
        claims["client_id"] = json!(client_id);
        sign(&claims)
    };
    listed
        .judge(&[
            case(
                "C43",
                "azp of the list",
                &listed.with_claim("azp", json!("other")),
                Accepted,
            ),
            case(
                "C43",
                "azp of a stranger",
                &listed.with_claim("azp", json!("stranger")),
                wrong,
            ),
            case(
                "C43",
                "azp in another case",
                &listed.with_claim("azp", json!("Client")),
                wrong,
            ),
            case(
                "C43",
                "azp that is a list",
                &listed.with_claim("azp", json!(["client"])),
                MALFORMED,
            ),
            case(
                "C43",
                "no client named",
                &listed.without_claim("azp"),
                MISSING,
            ),
            case(
                "C43",
                "client_id of a stranger beside a good azp",
                &with_both("stranger"),
                wrong,
            ),
            case(
                "C43",
                "client_id and azp agree",
                &with_both("client"),
                Accepted,
            ),
            // Both from the list, but which was it?
            case(
                "C43",
                "client_id and azp differ",
                &with_both("other"),
                wrong,
            ),
        ])
        .await;
}
