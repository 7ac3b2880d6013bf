//! Bad tokens (catalogue C): 401 `invalid_token`, and no request to the provider because
//! of the token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::fixture::{Answer, Fixture, start_tenant};

fn assert_invalid(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.body);
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer error="invalid_token""#,
        "{what}"
    );
    assert_eq!(answer.body["code"], "invalid_token", "{what}");
}

#[tokio::test]
async fn claims_that_are_not_believed() {
    let fixture = Fixture::start().await;
    let now = fixture.now();
    for (claim, value) in [
        ("iss", json!("https://evil.test/")),
        ("iss", json!(fixture.tenant.issuer().trim_end_matches('/'))),
        ("iss", json!([fixture.tenant.issuer()])),
        ("iss", Value::Null),
        ("aud", json!("http://other/api")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("exp", json!(now - 61)),
        ("exp", json!("1999999999")),
        ("exp", json!(1e300)),
        ("exp", Value::Null),
        ("nbf", json!(now + 120)),
        ("iat", json!(now + 120)),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("scope", json!(["read:messages"])),
        ("nonce", json!("an ID token has one")),
    ] {
        let mut claims = fixture.claims();
        claims[claim] = value.clone();
        let answer = fixture.call_with("/api/pong", &fixture.sign(&claims)).await;
        assert_invalid(&answer, &format!("{claim} {value}"));
    }
}

#[tokio::test]
async fn headers_that_are_not_believed() {
    let fixture = Fixture::start().await;
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS512")),
        ("alg", json!(["RS256"])),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("' UNION SELECT 'x'--")),
        ("kid", json!(7)),
        ("kid", json!("x".repeat(5000))),
        ("typ", json!("logout+jwt")),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
    ] {
        let header = Map::from_iter([(name.to_owned(), value.clone())]);
        let token = fixture.tenant.sign_raw(&fixture.claims(), &header);
        let answer = fixture.call_with("/api/pong", &token).await;
        assert_invalid(&answer, &format!("{name} {value}"));
    }
}

#[tokio::test]
async fn token_of_another_tenant_is_not_believed() {
    let fixture = Fixture::start().await;
    let other = start_tenant().await;
    let token = other.sign_raw(&fixture.claims(), &Map::new());
    assert_invalid(
        &fixture.call_with("/api/pong", &token).await,
        "other tenant",
    );
}

#[tokio::test]
async fn unsigned_and_resigned_tokens_are_not_believed() {
    let fixture = Fixture::start().await;
    let good = fixture.sign(&fixture.claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
    let payload = input.split_once('.').unwrap().1;
    for token in [
        format!("{input}."),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{input}.{}", URL_SAFE_NO_PAD.encode([0; 256])),
        format!("{input}.{}", &signature[..signature.len() - 4]),
        format!("{good}="),
        format!("{good}.x"),
        "x".to_owned(),
        "....".to_owned(),
        "x".repeat(17_000),
    ] {
        let answer = fixture.call_with("/api/pong", &token).await;
        assert_invalid(&answer, &token.chars().take(40).collect::<String>());
    }
    assert_eq!(fixture.call_with("/api/pong", &good).await.status, 200);
}

#[tokio::test]
async fn tokens_are_taken_from_one_header_only() {
    let fixture = Fixture::start().await;
    let good = fixture.sign(&fixture.claims());
    let bearer = format!("Bearer {good}");
    let twice = [
        ("authorization", bearer.as_str()),
        ("authorization", bearer.as_str()),
    ];
    assert_invalid(&fixture.call("/api/pong", &twice).await, "two headers");
    let list = format!("Bearer {good}, Bearer {good}");
    assert_invalid(
        &fixture.call("/api/pong", &[("authorization", &list)]).await,
        "a list",
    );
    let query = format!("/api/pong?access_token={good}");
    assert_invalid(&fixture.call(&query, &[]).await, "in the query");
    assert_invalid(&fixture.call_with(&query, &good).await, "in the query, too");
    let cookie = format!("access_token={good}");
    assert_eq!(
        fixture
            .call("/api/pong", &[("cookie", &cookie)])
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn malformed_tokens_cause_no_request_to_the_provider() {
    let fixture = Fixture::start().await;
    fixture.tenant.reset_journal();
    fixture.tenant.faults().set(|faults| faults.down = true);
    // With the provider down, a token that needed a key would be a 503.
    for token in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.eA"] {
        assert_invalid(&fixture.call_with("/api/pong", token).await, token);
    }
}
