//! Requests to the token endpoint, and every bad answer (catalogue E30, E35, E36, B69).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{
    revocation::RevocationError,
    test_support::{Answer, CLIENT_ID, CLIENT_SECRET, FakeProvider, NOW, Verdict, tried},
};

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn good() -> Value {
    json!({
        "access_token": "access-canary", "token_type": "Bearer", "expires_in": 7200,
        "refresh_token": "refresh-canary", "id_token": "id-canary", "scope": "openid",
    })
}

async fn redeem(provider: &FakeProvider) -> Result<TokenSet, TokenRequestError> {
    let redirect_uri = Url::parse("http://localhost:3001/api/auth/callback").unwrap();
    let code = AuthorizationCode::new("the-code".to_owned());
    let verifier = CodeVerifier::new("the-verifier".to_owned());
    provider
        .provider()
        .request_token(code, &verifier, &redirect_uri, &scope("openid profile"))
        .await
}

async fn redeem_with(change: impl FnOnce(&mut Value)) -> Result<TokenSet, TokenRequestError> {
    let provider = FakeProvider::start().await;
    let mut body = good();
    change(&mut body);
    provider.paths.token.answer(Answer::json(&body));
    redeem(&provider).await
}

async fn refresh(provider: &FakeProvider) -> Result<TokenSet, RefreshError> {
    let request = RefreshRequest {
        refresh_token: &RefreshToken::new("the-token".to_owned()),
        granted_scope: &scope("openid offline_access"),
        scope: None,
        audience: None,
        time_limit: Duration::MAX,
    };
    provider.provider().refresh(request).await
}

fn form(body: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn code_is_redeemed_with_its_verifier_and_client_authentication() {
    let provider = FakeProvider::start().await;
    provider.paths.token.answer(Answer::json(&good()));
    let tokens = redeem(&provider).await.unwrap();
    assert_eq!(tokens.access_token.expose(), "access-canary");
    assert_eq!(tokens.refresh_token.unwrap().expose(), "refresh-canary");
    assert_eq!(tokens.id_token.unwrap().expose(), "id-canary");
    assert_eq!(tokens.expires_at, NOW.plus_seconds(7200));
    assert_eq!(tokens.scope, scope("openid"));
    let (headers, body) = provider.paths.token.last();
    let mut sent = form(&body);
    sent.sort();
    let expected = [
        pair("code", "the-code"),
        pair("code_verifier", "the-verifier"),
        pair("grant_type", "authorization_code"),
        pair("redirect_uri", "http://localhost:3001/api/auth/callback"),
    ];
    assert_eq!(sent, expected);
    // RFC 6749 §2.3.1: encoded as a form before it is encoded as Basic.
    let basic = STANDARD.encode(format!("{CLIENT_ID}:canary%3A+secret+%26+more"));
    assert_eq!(headers["authorization"], format!("Basic {basic}"));
}

#[tokio::test]
async fn client_authenticates_the_way_the_provider_offers() {
    let provider = FakeProvider::start().await;
    provider.paths.token.answer(Answer::json(&good()));
    let methods = "token_endpoint_auth_methods_supported";
    let mut metadata = provider.metadata();
    metadata[methods] = json!(["private_key_jwt", "client_secret_post"]);
    provider.paths.metadata.answer(Answer::json(&metadata));
    redeem(&provider).await.unwrap();
    let (headers, body) = provider.paths.token.last();
    assert!(!headers.contains_key("authorization"));
    assert!(form(&body).contains(&pair("client_secret", CLIENT_SECRET)));
    metadata[methods] = json!(["private_key_jwt"]);
    provider.paths.metadata.answer(Answer::json(&metadata));
    assert!(matches!(
        redeem(&provider).await,
        Err(TokenRequestError::Unacceptable(_))
    ));
    assert_eq!(provider.paths.token.requests(), 1);
}

#[tokio::test]
async fn a_failed_code_request_is_never_repeated() {
    for (status, expected) in [
        (500, "unavailable"),
        (502, "unavailable"),
        (429, "unavailable"),
        (302, "unacceptable"),
    ] {
        let provider = FakeProvider::start().await;
        let elsewhere = format!("{}/elsewhere", provider.issuer);
        provider
            .paths
            .token
            .answer(Answer::text(status, "text/html", "<html>").header("location", elsewhere));
        let error = redeem(&provider).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{status}: {error}");
        assert_eq!(provider.paths.token.requests(), 1);
        assert_eq!(provider.paths.elsewhere.requests(), 0);
    }
}

#[tokio::test]
async fn a_response_without_scope_grants_what_was_asked_for() {
    let tokens = redeem_with(|body| body["scope"] = Value::Null)
        .await
        .unwrap();
    assert_eq!(tokens.scope, scope("openid profile"));
}

#[tokio::test]
async fn token_type_is_bearer_in_any_case_and_nothing_else() {
    for good in ["Bearer", "bearer", "BEARER"] {
        assert!(
            redeem_with(|body| body["token_type"] = json!(good))
                .await
                .is_ok(),
            "{good}"
        );
    }
    for bad in [
        json!("mac"),
        json!("DPoP"),
        json!(""),
        json!(1),
        Value::Null,
    ] {
        let result = redeem_with(|body| body["token_type"] = bad.clone()).await;
        assert!(
            matches!(result, Err(TokenRequestError::Unacceptable(_))),
            "{bad}"
        );
    }
    tried(
        "B69",
        Verdict::Refused("unacceptable"),
        "token_type other than bearer in any case",
    );
}

#[tokio::test]
async fn lifetimes_are_read_leniently_and_bounded() {
    for (expires_in, seconds) in [
        (json!(3600), 3600),
        (json!("3600"), 3600),
        (json!(3600.9), 3600),
        (json!(0), 0),
        (json!(null), 300),
        (json!(1e12), 30 * 86_400),
        (json!(u64::MAX), 30 * 86_400),
    ] {
        let tokens = redeem_with(|body| body["expires_in"] = expires_in.clone())
            .await
            .unwrap();
        assert_eq!(tokens.expires_at, NOW.plus_seconds(seconds), "{expires_in}");
    }
    for bad in [json!(-1), json!("soon"), json!([]), json!(true)] {
        let result = redeem_with(|body| body["expires_in"] = bad.clone()).await;
        assert!(
            matches!(result, Err(TokenRequestError::Unacceptable(_))),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn malformed_responses_are_unacceptable_and_show_nothing_of_themselves() {
    let provider = FakeProvider::start().await;
    for answer in [
        Answer::text(200, "text/html", "<html>canary"),
        Answer::text(200, "application/json", ""),
        Answer::text(200, "application/json", "[\"canary\"]"),
        Answer::text(200, "application/json", "{\"access_token\":{\"canary\":1}}"),
        Answer::text(
            200,
            "application/json",
            "{\"access_token\":\"a canary\",\"token_type\":\"bearer\"}",
        ),
        Answer::text(
            200,
            "application/json",
            "{\"access_token\":\"\",\"token_type\":\"bearer\"}",
        ),
        Answer::text(400, "text/html", "canary"),
        Answer::text(404, "text/plain", ""),
    ] {
        provider.paths.token.answer(answer);
        let error = redeem(&provider).await.unwrap_err();
        assert!(
            matches!(error, TokenRequestError::Unacceptable(_)),
            "{error}"
        );
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn tokens_do_not_show_in_debug() {
    let tokens = redeem_with(|_| ()).await.unwrap();
    assert!(!format!("{tokens:?}").contains("canary"));
}

#[tokio::test]
async fn refusals_of_a_code_are_sorted_by_what_comes_next() {
    let provider = FakeProvider::start().await;
    for (status, code, expected) in [
        (400, "invalid_grant", "refused"),
        (403, "invalid_grant", "refused"),
        (401, "invalid_client", "configuration"),
        (400, "unauthorized_client", "configuration"),
        (400, "temporarily_unavailable", "unavailable"),
        (503, "invalid_grant", "unavailable"),
    ] {
        provider.paths.token.answer(Answer::error(status, code));
        let error = redeem(&provider).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{status} {code}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn only_a_definite_refusal_ends_the_session() {
    let provider = FakeProvider::start().await;
    for (status, code, ends) in [
        (400, "invalid_grant", true),
        (403, "invalid_grant", true),
        (403, "access_denied", false),
        (401, "invalid_client", false),
        (400, "unauthorized_client", false),
        (400, "invalid_scope", false),
        (400, "invalid_request", false),
        (400, "something_new", false),
        (403, "mfa_required", false),
        (500, "invalid_grant", false),
        (429, "invalid_grant", false),
    ] {
        provider.paths.token.answer(Answer::error(status, code));
        let error = refresh(&provider).await.unwrap_err();
        assert_eq!(
            matches!(error, RefreshError::SessionOver),
            ends,
            "{status} {code}: {error}"
        );
    }
    provider
        .paths
        .token
        .answer(Answer::text(200, "text/html", "<html>"));
    assert!(matches!(
        refresh(&provider).await,
        Err(RefreshError::Unacceptable(_))
    ));
}

#[tokio::test]
async fn a_provider_that_is_gone_does_not_end_the_session() {
    let provider = FakeProvider::start().await;
    let relying_party = provider.provider();
    relying_party.metadata().await.unwrap();
    drop(provider);
    let request = RefreshRequest {
        refresh_token: &RefreshToken::new("the-token".to_owned()),
        granted_scope: &Scope::default(),
        scope: None,
        audience: None,
        time_limit: Duration::MAX,
    };
    let error = relying_party.refresh(request).await.unwrap_err();
    assert!(matches!(error, RefreshError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn refresh_asks_for_what_it_was_told_to() {
    let provider = FakeProvider::start().await;
    let mut body = good();
    body.as_object_mut()
        .unwrap()
        .retain(|name, _| name == "access_token" || name == "token_type");
    provider.paths.token.answer(Answer::json(&body));
    let tokens = refresh(&provider).await.unwrap();
    assert_eq!(tokens.scope, scope("openid offline_access"));
    assert!(tokens.refresh_token.is_none() && tokens.id_token.is_none());
    let narrower = RefreshRequest {
        refresh_token: &RefreshToken::new("the-token".to_owned()),
        granted_scope: &scope("openid read:chart"),
        scope: Some(&scope("read:chart")),
        audience: Some(&Audience::new("http://other/api")),
        time_limit: Duration::MAX,
    };
    let tokens = provider.provider().refresh(narrower).await.unwrap();
    assert_eq!(tokens.scope, scope("read:chart"));
    let mut sent = form(&provider.paths.token.last().1);
    sent.sort();
    let expected = [
        pair("audience", "http://other/api"),
        pair("grant_type", "refresh_token"),
        pair("refresh_token", "the-token"),
        pair("scope", "read:chart"),
    ];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn machines_obtain_access_tokens_with_their_own_credentials() {
    let provider = FakeProvider::start().await;
    provider.paths.token.answer(Answer::json(&good()));
    let credentials = ClientCredentials {
        client_id: ClientId::new("machine"),
        client_secret: ClientSecret::new("password".to_owned()),
    };
    let audience = Audience::new("http://oe.streamlit.app/api");
    let relying_party = provider.provider();
    let tokens = relying_party
        .client_credentials(&credentials, &audience, None)
        .await
        .unwrap();
    assert_eq!(tokens.access_token.expose(), "access-canary");
    assert!(tokens.refresh_token.is_none());
    let (headers, body) = provider.paths.token.last();
    assert_eq!(
        headers["authorization"],
        format!("Basic {}", STANDARD.encode("machine:password"))
    );
    assert!(form(&body).contains(&pair("grant_type", "client_credentials")));
    assert!(form(&body).contains(&pair("audience", "http://oe.streamlit.app/api")));
}

#[tokio::test]
async fn refresh_tokens_are_revoked() {
    let provider = FakeProvider::start().await;
    let token = RefreshToken::new("the-token".to_owned());
    provider
        .paths
        .revocation
        .answer(Answer::text(200, "text/plain", ""));
    provider.provider().revoke(&token).await.unwrap();
    let (headers, body) = provider.paths.revocation.last();
    assert!(headers.contains_key("authorization"));
    assert_eq!(
        form(&body),
        [
            pair("token", "the-token"),
            pair("token_type_hint", "refresh_token")
        ]
    );
    provider
        .paths
        .revocation
        .answer(Answer::error(401, "invalid_client"));
    let refused = provider.provider().revoke(&token).await.unwrap_err();
    assert!(matches!(
        refused,
        RevocationError::Refused(OAuthErrorCode::InvalidClient)
    ));
    provider
        .paths
        .revocation
        .answer(Answer::text(503, "text/plain", ""));
    let down = provider.provider().revoke(&token).await.unwrap_err();
    assert!(matches!(down, RevocationError::Unavailable(_)));
}

#[tokio::test]
async fn a_provider_without_revocation_says_so() {
    let provider = FakeProvider::start().await;
    let mut metadata = provider.metadata();
    metadata["revocation_endpoint"] = Value::Null;
    provider.paths.metadata.answer(Answer::json(&metadata));
    let result = provider
        .provider()
        .revoke(&RefreshToken::new("t".to_owned()))
        .await;
    assert!(matches!(result, Err(RevocationError::Unsupported)));
}

#[tokio::test]
async fn readiness_needs_metadata_and_keys() {
    let provider = FakeProvider::start().await;
    assert!(provider.provider().ready().await.is_ok());
    provider
        .paths
        .jwks
        .answer(Answer::text(503, "text/plain", ""));
    assert!(provider.provider().ready().await.is_err());
}
