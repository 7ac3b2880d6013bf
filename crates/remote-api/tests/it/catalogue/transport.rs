//! C.6: how a token travels.

use reqwest::Method;
use serde_json::json;

use super::bench::{
    Bench, SCOPED,
    Verdict::{Accepted, Invalid, Missing},
    case, client, not_applicable, request, sign,
};
use test_tokens::catalogue;

/// RFC 9110 §11.1: the scheme's case does not matter, and one space separates it.
#[tokio::test]
async fn one_header_with_one_token() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let good = sign(&bench.claims());
    let malformed = Invalid("malformed_authorization_header");
    let several = Invalid("several_authorization_headers");
    let header = |number, name, value: String, verdict| {
        request(number, name, verdict).header("authorization", value)
    };
    bench
        .judge(&[
            header("C63", "lower case", format!("bearer {good}"), Accepted),
            header("C63", "upper case", format!("BEARER {good}"), Accepted),
            header("C62", "two spaces", format!("Bearer  {good}"), malformed),
            header("C62", "tab", format!("Bearer\t{good}"), Missing),
            header("C62", "no space", format!("Bearer{good}"), Missing),
            header("C62", "scheme alone", "Bearer".to_owned(), malformed),
            header("C62", "token alone", good.clone(), Missing),
            header(
                "C62",
                "two tokens",
                format!("Bearer {good} {good}"),
                malformed,
            ),
            header(
                "C62",
                "two tokens with a comma",
                format!("Bearer {good},{good}"),
                malformed,
            ),
            header(
                "C62",
                "two schemes with a comma",
                format!("Bearer {good}, Basic YTpi"),
                malformed,
            ),
            header(
                "C62",
                "quoted",
                format!("Bearer \"{good}\""),
                Invalid("not_compact_jws"),
            ),
            header(
                "C62",
                "as a parameter",
                format!("Bearer token={good}"),
                Invalid("not_compact_jws"),
            ),
            header("C62", "Basic", format!("Basic {good}"), Missing),
            header("C62", "Digest", format!("Digest {good}"), Missing),
            header("C62", "empty", String::new(), Missing),
            header(
                "C62",
                "not ASCII",
                format!("Bearer {good}\u{e9}"),
                malformed,
            ),
            header("C62", "two headers", format!("Bearer {good}"), several)
                .header("authorization", format!("Bearer {good}")),
            header("C62", "Basic and Bearer", "Basic YTpi".to_owned(), several)
                .header("authorization", format!("Bearer {good}")),
            request("C62", "no header", Missing),
        ])
        .await;
}

/// A token in an address ends in logs and histories: refused, even beside a good header.
#[tokio::test]
async fn tokens_elsewhere_are_not_taken() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let good = sign(&bench.claims());
    let in_query = Invalid("token_in_query");
    let bearer = format!("Bearer {good}");
    let form = "application/x-www-form-urlencoded";
    bench
        .judge(&[
            request("C62", "query", in_query)
                .at(Method::GET, format!("{SCOPED}?access_token={good}")),
            request("C62", "query, another case", in_query)
                .at(Method::GET, format!("{SCOPED}?a=b&Access_Token={good}")),
            request("C62", "query beside a header", in_query)
                .at(Method::GET, format!("{SCOPED}?access_token={good}"))
                .header("authorization", bearer.clone()),
            request("C62", "query, percent-encoded name", Missing)
                .at(Method::GET, format!("{SCOPED}?access%5Ftoken={good}")),
            request("C62", "form body", Missing)
                .at(Method::POST, "/api/model/solve")
                .header("content-type", form)
                .body("access_token=x"),
            request("C62", "cookie", Missing).header("cookie", format!("access_token={good}")),
            request("C62", "X-Access-Token", Missing).header("x-access-token", good.clone()),
            request("C62", "Proxy-Authorization", Missing)
                .header("proxy-authorization", bearer.clone()),
            request("C62", "X-Forwarded-Authorization", Missing)
                .header("x-forwarded-authorization", bearer.clone()),
            request("C62 A15", "a health checker's name", Missing)
                .header("user-agent", "kube-probe/1.30"),
            request("C62 A14", "a public address in X-Original-URL", Missing)
                .header("x-original-url", "/api/ping")
                .header("x-forwarded-uri", "/api/ping"),
            request("C62 A20", "a public address in the query", Missing)
                .at(Method::GET, format!("{SCOPED}?x=/api/ping")),
        ])
        .await;
}

#[tokio::test]
async fn methods_other_than_get_are_guarded_too() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let good = sign(&bench.claims());
    let bad = bench.with_claim("exp", json!(0));
    bench
        .judge(&[
            request("C65", "HEAD without a token", Missing).at(Method::HEAD, SCOPED),
            case("C65", "HEAD with a bad token", &bad, Invalid("expired")).at(Method::HEAD, SCOPED),
            case("C65", "HEAD with a good token", &good, Accepted).at(Method::HEAD, SCOPED),
        ])
        .await;
    let client = client();
    let url = format!("{}{SCOPED}", bench.url);
    // OPTIONS is CORS's: it tells of methods, and nothing about the resource.
    let plain = client.request(Method::OPTIONS, &url).send().await.unwrap();
    assert_eq!(plain.status(), 204);
    assert!(!plain.headers().contains_key("access-control-allow-origin"));
    catalogue::tried(
        "C65",
        catalogue::Verdict::Accepted,
        "OPTIONS without a token: 204",
    );
    for (origin, allowed) in [
        ("http://localhost:4010", true),
        ("http://localhost:4011", false),
        ("null", false),
    ] {
        let answer = client
            .request(Method::OPTIONS, &url)
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 204, "{origin}");
        let named = answer.headers().get("access-control-allow-origin");
        assert_eq!(
            named.map(|value| value.to_str().unwrap()),
            allowed.then_some(origin)
        );
        catalogue::tried(
            "C64",
            catalogue::Verdict::Accepted,
            &format!("preflight of {origin}: 204, named: {allowed}"),
        );
    }
}

/// `DPoP` is not offered. A token that is bound to a key must then not pass for a bearer
/// token: the binding is what its holder relies on, and nobody would check it here.
#[tokio::test]
async fn tokens_that_are_bound_to_a_key_are_no_bearer_tokens() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let good = sign(&bench.claims());
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let bound = Invalid("forbidden_claim");
    bench
        .judge(&[
            request("C66", "DPoP scheme", Missing).header("authorization", format!("DPoP {good}")),
            case(
                "C66",
                "downgrade to Bearer",
                &bench.with_claim("cnf", json!({"jkt": thumbprint})),
                bound,
            ),
            case(
                "C66",
                "bound to a certificate",
                &bench.with_claim("cnf", json!({"x5t#S256": thumbprint})),
                bound,
            ),
            case(
                "C66",
                "empty binding",
                &bench.with_claim("cnf", json!({})),
                bound,
            ),
            case("C66", "a DPoP header nobody asked for", &good, Accepted).header("dpop", "x.y.z"),
        ])
        .await;
    not_applicable(
        "C66",
        "DPoP proofs (htm, htu, ath, jti, iat, nonce, jwk): not offered, so no proof is ever read",
    );
}
