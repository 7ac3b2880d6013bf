//! For tests only: what `Debug` and `Display` show of each type that holds a token, a key or
//! a secret. A type that is added with one of them belongs in the list here.

use std::{error::Error, fmt::Debug};

use serde_json::json;
use url::Url;

use crate::{
    AccessToken, AllowedAlgorithms, AuthorizationCode, AuthorizationResponse, ClientCredentials,
    ClientId, ClientSecret, ClockSkew, CodeVerifier, Expectations, HttpClient, Issuer, Nonce,
    Occasion, PreparedAuthorizationRequest, ProviderSettings, RawIdToken, RefreshRequest,
    RefreshToken, RequestState, Scope, TokenRequestError, TokenSet, UnixTime, VerificationError,
    test_support::{Answer, FakeProvider, Key, NOW},
    token_response::TokenResponseBody,
};

/// Nothing honest looks like it.
const CANARY: &str = "canary-7d41c0";

fn canary() -> String {
    CANARY.to_owned()
}

fn assert_silent(what: &str, value: &dyn Debug) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!shown.contains(CANARY), "{what} shows {shown}");
        assert!(!shown.contains("eyJ"), "{what} shows {shown}");
    }
}

/// The whole chain, as a log would have it.
fn assert_error_silent(what: &str, error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        assert_silent(what, &error);
        let shown = error.to_string();
        assert!(!shown.contains(CANARY), "{what} says {shown}");
        assert!(!shown.contains("eyJ"), "{what} says {shown}");
        next = error.source();
    }
}

#[test]
fn each_secret_shows_its_name_alone() {
    macro_rules! assert_redacted {
        ($($name:ident)+) => {$(
            let shown = format!("{:?}", $name::new(canary()));
            assert_eq!(shown, concat!(stringify!($name), "([redacted])"));
        )+};
    }
    assert_redacted! {
        ClientSecret RequestState Nonce CodeVerifier AuthorizationCode RawIdToken AccessToken
        RefreshToken
    }
}

#[test]
fn what_holds_secrets_shows_none() {
    let client_secret = ClientSecret::new(canary());
    let settings = ProviderSettings {
        issuer: Issuer::parse("https://a.test/").unwrap(),
        client_id: ClientId::new("client"),
        client_secret: client_secret.clone(),
        algorithms: AllowedAlgorithms::rs256(),
        clock_skew: ClockSkew::default(),
    };
    assert_silent("settings", &settings);
    let credentials = ClientCredentials {
        client_id: ClientId::new("client"),
        client_secret,
    };
    assert_silent("credentials", &credentials);
    let (access_token, refresh_token) = (AccessToken::new(canary()), RefreshToken::new(canary()));
    let scope = Scope::default();
    let refresh = RefreshRequest {
        refresh_token: &refresh_token,
        granted_scope: &scope,
        scope: None,
        audience: None,
        time_limit: std::time::Duration::MAX,
    };
    assert_silent("refresh request", &refresh);
    let nonce = Nonce::new(canary());
    let expectations = Expectations {
        occasion: Occasion::Login { nonce: &nonce },
        max_age: None,
        acr_values: &[],
        access_token: Some(&access_token),
    };
    assert_silent("expectations", &expectations);
    let tokens = TokenSet {
        access_token,
        expires_at: UnixTime(0),
        scope: scope.clone(),
        refresh_token: Some(refresh_token),
        id_token: Some(RawIdToken::new(canary())),
    };
    assert_silent("tokens", &tokens);
    let prepared = PreparedAuthorizationRequest {
        url: Url::parse(&format!("https://a.test/?state={CANARY}")).unwrap(),
        state: RequestState::new(canary()),
        nonce,
        code_verifier: CodeVerifier::new(canary()),
    };
    assert_silent("authorization request", &prepared);
    assert_silent("HTTP client", &HttpClient::new().unwrap());
}

#[test]
fn what_the_provider_sends_shows_none_of_it() {
    let body = json!({
        "access_token": CANARY, "token_type": "Bearer", "refresh_token": CANARY, "id_token": CANARY,
    });
    let body: TokenResponseBody = serde_json::from_value(body).unwrap();
    assert_silent("token response", &body);
    for query in [
        format!("code={CANARY}&state={CANARY}"),
        format!("error=login_required&state={CANARY}&code={CANARY}"),
        format!("code={CANARY}&code={CANARY}"),
        CANARY.to_owned(),
    ] {
        assert_silent(
            "authorization response",
            &AuthorizationResponse::parse(&query),
        );
    }
}

/// Whatever comes back for a request that carried secrets.
#[tokio::test]
async fn errors_of_token_requests_show_neither_what_was_sent_nor_what_came() {
    let bodies = [
        json!({"access_token": CANARY, "token_type": CANARY}).to_string(),
        json!({"access_token": [CANARY], "token_type": "Bearer"}).to_string(),
        json!({"access_token": CANARY, "token_type": "Bearer", "expires_in": CANARY}).to_string(),
        json!({"access_token": CANARY, "token_type": "Bearer", "scope": format!("{CANARY}\"")})
            .to_string(),
        format!("{{\"access_token\": \"{CANARY}\""),
        format!("access_token={CANARY}"),
        CANARY.to_owned(),
    ];
    let errors = [400, 401, 403, 500, 302].map(|status| {
        let body = json!({"error": "invalid_grant", "error_description": CANARY}).to_string();
        (status, body)
    });
    for (status, body) in bodies.map(|body| (200, body)).into_iter().chain(errors) {
        let provider = FakeProvider::start().await;
        let answer = Answer::text(status, "application/json", body.clone());
        provider
            .paths
            .token
            .answer(answer.header("location", CANARY));
        let result: Result<TokenSet, TokenRequestError> = provider
            .provider()
            .request_token(
                AuthorizationCode::new(canary()),
                &CodeVerifier::new(canary()),
                &Url::parse("http://localhost:3001/api/auth/callback").unwrap(),
                &Scope::default(),
            )
            .await;
        let error = result.expect_err(&body);
        assert_error_silent(&body, &error);
    }
}

#[tokio::test]
async fn faults_of_tokens_show_nothing_of_the_token() {
    let provider = FakeProvider::start().await;
    let verifier = provider.provider().logout_token_verifier();
    let mut header = Key::first().header();
    let claims = json!({"iss": CANARY, "aud": CANARY, "sub": CANARY, "jti": CANARY, "sid": CANARY});
    let mut tokens = vec![CANARY.to_owned(), Key::first().sign(&header, &claims)];
    for (member, value) in [
        ("alg", json!(CANARY)),
        ("kid", json!(CANARY)),
        ("typ", json!(CANARY)),
        ("crit", json!([CANARY])),
        ("kid", json!({CANARY: CANARY})),
    ] {
        header[member] = value;
        tokens.push(Key::second().sign(&header, &claims));
        header = Key::first().header();
    }
    for token in tokens {
        let Err(error) = verifier.verify(&token, NOW).await else {
            panic!("{token} was believed");
        };
        assert!(matches!(error, VerificationError::Invalid(_)), "{error}");
        assert_error_silent("fault", &error);
    }
}
