//! Each fault does what it says, and the tenant is honest again afterwards.

use std::future::Future;
use std::task::Poll;

use axum::http::{HeaderName, StatusCode, header};
use dev_tenant::{API_IDENTIFIER, FaultPlan};
use serde_json::{Value, json};

use crate::browser::{Browser, unverified_claims, unverified_header};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/.well-known/jwks.json";

fn with(change: impl FnOnce(&mut FaultPlan)) -> Browser {
    let browser = Browser::new();
    browser.tenant.faults().set(change);
    browser
}

async fn id_token(browser: &mut Browser) -> String {
    browser.tokens("ada", &[]).await["id_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn discovery_can_fail_lie_and_break_off() {
    let mut browser = with(|plan| plan.discovery.status = Some(500));
    assert_eq!(
        browser.get(DISCOVERY).await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    let mut browser = with(|plan| plan.discovery.wrong_issuer = true);
    assert_ne!(
        browser.get(DISCOVERY).await.json()["issuer"],
        "http://localhost:3002/"
    );
    let mut browser = with(|plan| plan.discovery.malformed = true);
    assert!(serde_json::from_str::<Value>(&browser.get(DISCOVERY).await.body).is_err());
    let mut browser = with(|plan| {
        plan.discovery
            .body
            .insert("jwks_uri".to_owned(), Value::Null);
    });
    assert!(
        browser
            .get(DISCOVERY)
            .await
            .json()
            .get("jwks_uri")
            .is_none()
    );
}

#[tokio::test]
async fn the_key_set_can_fail_once_and_be_empty() {
    let mut browser = with(|plan| {
        plan.jwks.status = Some(502);
        plan.jwks.times = Some(1);
    });
    assert_eq!(browser.get(JWKS).await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(browser.get(JWKS).await.status, StatusCode::OK);
    let mut browser = with(|plan| plan.jwks.empty = true);
    assert_eq!(browser.get(JWKS).await.json(), json!({"keys": []}));
}

#[tokio::test]
async fn the_token_endpoint_can_refuse_and_answer_nonsense() {
    let mut browser = with(|plan| {
        plan.token.error = Some("temporarily_unavailable".to_owned());
        plan.token.status = Some(429);
        plan.token.retry_after = Some(7);
    });
    let code = browser.sign_in("ada", &[]).await["code"].clone();
    let refused = browser.redeem(&code).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header(header::RETRY_AFTER), "7");
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
    browser.tenant.faults().set(|plan| {
        plan.token = dev_tenant::TokenFault {
            html: true,
            ..Default::default()
        };
    });
    assert!(browser.redeem(&code).await.body.contains("Be right back"));
    browser.tenant.faults().reset();
    assert_eq!(
        browser.redeem(&code).await.status,
        StatusCode::OK,
        "a fault spends no code"
    );
}

#[tokio::test]
async fn members_of_the_token_answer_can_be_left_out_or_replaced() {
    let mut browser = with(|plan| {
        plan.token.omit_id_token = true;
        plan.token.omit_refresh_token = true;
        plan.token.token_type = Some("mac".to_owned());
        plan.token.expires_in = Some(json!("soon"));
        plan.token.body.insert("scope".to_owned(), Value::Null);
    });
    let tokens = browser.tokens("ada", &[]).await;
    assert_eq!(tokens.as_object().unwrap().len(), 3, "{tokens}");
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("mac"), &json!("soon"))
    );
}

#[tokio::test]
async fn the_token_endpoint_can_hang() {
    let mut browser = with(|plan| plan.token.hang = true);
    let request = browser.redeem("any");
    let mut request = std::pin::pin!(request);
    for _ in 0..10 {
        let pending = std::future::poll_fn(|context| {
            Poll::Ready(request.as_mut().poll(context).is_pending())
        });
        assert!(pending.await);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_can_be_slow() {
    let mut browser = with(|plan| {
        plan.slow_ms.insert("jwks".to_owned(), 5_000);
    });
    let before = tokio::time::Instant::now();
    browser.get(JWKS).await;
    assert_eq!(before.elapsed().as_secs(), 5);
    browser.get(DISCOVERY).await;
    assert_eq!(before.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn claims_and_headers_of_id_tokens_can_be_patched() {
    let mut browser = with(|plan| {
        plan.id_token.claims = json!({"nonce": null, "aud": ["a", "b"]})
            .as_object()
            .cloned()
            .unwrap();
        plan.id_token.header = json!({"kid": null, "typ": "at+jwt"})
            .as_object()
            .cloned()
            .unwrap();
    });
    let token = id_token(&mut browser).await;
    let claims = unverified_claims(&token);
    assert!(claims.get("nonce").is_none());
    assert_eq!(claims["aud"], json!(["a", "b"]));
    assert_eq!(
        unverified_header(&token),
        json!({"alg": "RS256", "typ": "at+jwt"})
    );
}

#[tokio::test]
async fn signatures_can_be_wrong_in_three_ways() {
    let mut browser = with(|plan| plan.id_token.bad_signature = true);
    let token = id_token(&mut browser).await;
    assert!(browser.verified(&token).await.is_err());
    let mut browser = with(|plan| plan.id_token.wrong_key = true);
    let token = id_token(&mut browser).await;
    assert_eq!(
        browser.verified(&token).await.unwrap_err(),
        "InvalidSignature"
    );
    let mut browser = with(|plan| plan.id_token.alg_none = true);
    let token = id_token(&mut browser).await;
    assert!(token.ends_with('.'));
    assert_eq!(unverified_header(&token)["alg"], "none");
}

#[tokio::test]
async fn tokens_can_be_signed_with_other_algorithms() {
    let mut browser = with(|plan| plan.id_token.hs256_secret = Some("secret".to_owned()));
    let token = id_token(&mut browser).await;
    assert_eq!(unverified_header(&token)["alg"], "HS256");
    assert!(browser.verified(&token).await.is_err());
    let mut browser = with(|plan| plan.id_token.es256 = true);
    let token = id_token(&mut browser).await;
    assert_eq!(unverified_header(&token)["alg"], "ES256");
    assert!(browser.verified(&token).await.is_err());
}

#[tokio::test]
async fn the_nonce_can_be_wrong_and_access_tokens_can_be_patched() {
    let mut browser = with(|plan| {
        plan.id_token.wrong_nonce = true;
        plan.access_token
            .claims
            .insert("aud".to_owned(), json!("http://another.example"));
    });
    let tokens = browser.tokens("ada", &[("audience", API_IDENTIFIER)]).await;
    assert_ne!(
        unverified_claims(tokens["id_token"].as_str().unwrap())["nonce"],
        "the-nonce"
    );
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(
        browser.verified(access_token).await.unwrap()["aud"],
        "http://another.example"
    );
}

#[tokio::test]
async fn the_authorization_response_can_be_an_error_or_lie() {
    let mut browser = with(|plan| plan.authorize.error = Some("access_denied".to_owned()));
    assert_eq!(
        browser.authorize(&[]).await.reply()["error"],
        "access_denied"
    );
    let mut browser = with(|plan| plan.authorize.omit_iss = true);
    assert!(!browser.sign_in("ada", &[]).await.contains_key("iss"));
    let mut browser = with(|plan| {
        plan.authorize.wrong_iss = Some("http://evil.test/".to_owned());
        plan.authorize.wrong_state = Some("another".to_owned());
        plan.authorize.times = Some(1);
    });
    let reply = browser.sign_in("ada", &[]).await;
    assert_eq!(
        (reply["iss"].as_str(), reply["state"].as_str()),
        ("http://evil.test/", "another")
    );
    assert_eq!(browser.authorize(&[]).await.reply()["state"], "the-state");
}

#[tokio::test]
async fn pages_can_sever_their_opener_everywhere_or_at_one_hop() {
    let coop = HeaderName::from_static("cross-origin-opener-policy");
    let mut browser = with(|plan| plan.pages.coop = Some("same-origin".to_owned()));
    let first = browser.authorize(&[]).await;
    assert_eq!(first.header(coop.clone()), "same-origin");
    assert_eq!(
        browser.get(&first.location()).await.header(coop.clone()),
        "same-origin"
    );
    browser
        .tenant
        .faults()
        .set(|plan| plan.pages.coop_one_hop = true);
    let first = browser.authorize(&[]).await;
    assert_eq!(first.header(coop.clone()), "same-origin");
    assert_eq!(browser.get(&first.location()).await.header(coop), "");
}

#[tokio::test]
async fn userinfo_and_revocation_can_fail() {
    let mut browser = with(|plan| {
        plan.userinfo.status = Some(500);
        plan.revoke.status = Some(503);
    });
    assert_eq!(
        browser.get("/userinfo").await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(
        browser.post("/oauth/revoke", &[]).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn any_token_can_be_signed_for_tests_of_verifiers() {
    let mut browser = Browser::new();
    let header = json!({"typ": "at+jwt"});
    let token = browser
        .tenant
        .sign_raw(&json!({"sub": "x"}), header.as_object().unwrap());
    assert_eq!(browser.verified(&token).await.unwrap(), json!({"sub": "x"}));
    assert_eq!(unverified_header(&token)["typ"], "at+jwt");
}
