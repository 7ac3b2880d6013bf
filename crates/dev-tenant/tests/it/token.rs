//! The token endpoint, userinfo and revocation.

use axum::http::{StatusCode, header};
use dev_tenant::{
    API_IDENTIFIER, APP_CLIENT_ID, APP_CLIENT_SECRET, M2M_CLIENT_ID, M2M_CLIENT_SECRET,
    ROLES_CLAIM, Settings, SigningKeyPem,
};
use serde_json::{Value, json};

use crate::browser::{Browser, CALLBACK, START, VERIFIER};

const API_SCOPE: &str =
    "openid profile email offline_access read:chart write:solve read:messages invented";

pub(crate) fn for_api() -> [(&'static str, &'static str); 2] {
    [("audience", API_IDENTIFIER), ("scope", API_SCOPE)]
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} missing in {value}"))
}

pub(crate) async fn error_of(browser: &mut Browser, form: &[(&str, &str)]) -> (StatusCode, String) {
    let answer = browser.token(form).await;
    (answer.status, text(&answer.json(), "error").to_owned())
}

#[tokio::test]
async fn the_id_token_says_who_when_and_for_whom() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &[]).await;
    let claims = browser.verified(text(&tokens, "id_token")).await.unwrap();
    assert_eq!(claims["iss"], "http://localhost:3002/");
    assert_eq!(claims["aud"], APP_CLIENT_ID);
    assert_eq!(claims["sub"], "auth0|ada");
    assert_eq!(claims["nonce"], "the-nonce");
    assert_eq!(
        (claims["iat"].as_i64(), claims["exp"].as_i64()),
        (Some(START), Some(START + 600))
    );
    assert_eq!(claims["auth_time"], START);
    assert_eq!(claims["name"], "Ada Lovelace");
    assert_eq!(claims["email"], "ada@example.com");
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims["picture"], "http://localhost:3002/avatars/ada.svg");
    assert_eq!(claims[ROLES_CLAIM], json!(["admin", "analyst"]));
    assert!(!text(&claims, "sid").is_empty());
}

#[tokio::test]
async fn scopes_release_claims() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &[("scope", "openid")]).await;
    let claims = browser.verified(text(&tokens, "id_token")).await.unwrap();
    assert!(claims.get("name").is_none() && claims.get("email").is_none());
    assert!(
        tokens.get("refresh_token").is_none(),
        "offline_access was not asked for"
    );
    browser.forget_cookies();
    let tokens = browser.tokens("ada", &[("scope", "profile")]).await;
    assert!(tokens.get("id_token").is_none(), "openid was not asked for");
}

#[tokio::test]
async fn without_an_audience_the_access_token_is_opaque_and_opens_userinfo() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("grace", &[]).await;
    let access_token = text(&tokens, "access_token").to_owned();
    assert!(!access_token.contains('.'));
    let bearer = format!("Bearer {access_token}");
    let userinfo = browser
        .post_with("/userinfo", &[], &[("authorization", &bearer)])
        .await;
    assert_eq!(userinfo.json()["sub"], "auth0|grace");
    assert_eq!(userinfo.json()["email"], "grace@example.com");
    let refused = browser.get("/userinfo").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(
        refused
            .header(header::WWW_AUTHENTICATE)
            .contains("invalid_token")
    );
}

#[tokio::test]
async fn an_audience_makes_a_jwt_with_the_persons_scopes_permissions_and_roles() {
    let mut browser = Browser::new();
    let expected = [
        (
            "ada",
            "openid profile email offline_access read:chart write:solve read:messages",
            5,
        ),
        ("grace", "openid profile email offline_access read:chart", 1),
        ("linus", "openid profile email offline_access", 0),
    ];
    for (username, scope, permissions) in expected {
        browser.forget_cookies();
        let tokens = browser.tokens(username, &for_api()).await;
        assert_eq!(tokens["scope"], scope);
        assert_eq!(tokens["expires_in"], 86_400);
        let claims = browser
            .verified(text(&tokens, "access_token"))
            .await
            .unwrap();
        assert_eq!(claims["scope"], scope);
        assert_eq!(
            claims["aud"],
            json!([API_IDENTIFIER, "http://localhost:3002/userinfo"])
        );
        assert_eq!(claims["azp"], APP_CLIENT_ID);
        assert_eq!(claims["exp"], START + 86_400);
        assert_eq!(
            claims["permissions"].as_array().unwrap().len(),
            permissions,
            "{username}"
        );
        assert!(claims[ROLES_CLAIM].is_array());
    }
}

#[tokio::test]
async fn a_browser_application_gets_the_short_lifetime_and_must_use_pkce() {
    let mut settings = Settings::default();
    settings.clients[0].kind = dev_tenant::ClientKind::SinglePage;
    settings.clients[0].client_secret = None;
    let mut browser = Browser::with(settings);
    let refused = browser
        .authorize(&[("code_challenge", ""), ("code_challenge_method", "")])
        .await
        .reply();
    assert_eq!(refused["error"], "invalid_request");
    let code = browser.sign_in("ada", &for_api()).await["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", APP_CLIENT_ID),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(
        browser.post("/oauth/token", &form).await.json()["expires_in"],
        7_200
    );
}

#[tokio::test]
async fn pkce_must_match_in_both_directions() {
    let mut browser = Browser::new();
    let redeem = |code: String, verifier: &'static str| {
        move || {
            [
                ("grant_type", "authorization_code".to_owned()),
                ("code", code.clone()),
                ("redirect_uri", CALLBACK.to_owned()),
                ("code_verifier", verifier.to_owned()),
            ]
        }
    };
    for (changes, verifier) in [
        (vec![], "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong"),
        (vec![], ""),
        (
            vec![("code_challenge", ""), ("code_challenge_method", "")],
            VERIFIER,
        ),
    ] {
        browser.forget_cookies();
        let code = browser.sign_in("ada", &changes).await["code"].clone();
        let form = redeem(code, verifier)();
        let form: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(
            error_of(&mut browser, &form).await,
            (StatusCode::FORBIDDEN, "invalid_grant".to_owned())
        );
    }
}

#[tokio::test]
async fn a_code_works_once_and_its_reuse_revokes_what_it_obtained() {
    let mut browser = Browser::new();
    let code = browser.sign_in("ada", &[]).await["code"].clone();
    let tokens = browser.redeem(&code).await.json();
    assert_eq!(browser.redeem(&code).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        browser.refresh(text(&tokens, "refresh_token")).await.json()["error"],
        "invalid_grant"
    );
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let userinfo = browser
        .post_with("/userinfo", &[], &[("authorization", &bearer)])
        .await;
    assert_eq!(userinfo.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_code_lapses_and_is_bound_to_its_redirect_uri_and_client() {
    let mut browser = Browser::new();
    let code = browser.sign_in("ada", &[]).await["code"].clone();
    browser.advance(60);
    assert_eq!(browser.redeem(&code).await.json()["error"], "invalid_grant");

    let code = browser.sign_in("ada", &[("prompt", "login")]).await["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://localhost:3000/api/auth/callback"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(error_of(&mut browser, &form).await.1, "invalid_grant");
}

#[tokio::test]
async fn another_client_can_neither_use_nor_spend_a_code() {
    let mut settings = Settings::default();
    let mut other = settings.clients[0].clone();
    other.client_id = "other".to_owned();
    settings.clients.push(other);
    let mut browser = Browser::with(settings);
    let code = browser.sign_in("ada", &[]).await["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "other"),
        ("client_secret", APP_CLIENT_SECRET),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(
        browser.post("/oauth/token", &form).await.json()["error"],
        "invalid_grant"
    );
    assert_eq!(browser.redeem(&code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn client_credentials_are_checked_in_both_forms() {
    let mut browser = Browser::new();
    let code = browser.sign_in("ada", &[]).await["code"].clone();
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", APP_CLIENT_ID),
    ];
    let without = browser.post("/oauth/token", &form).await;
    assert_eq!(without.status, StatusCode::UNAUTHORIZED);
    assert!(
        without
            .header(header::WWW_AUTHENTICATE)
            .starts_with("Basic")
    );
    form.push(("client_secret", "wrong"));
    assert_eq!(
        browser.post("/oauth/token", &form).await.json()["error"],
        "invalid_client"
    );
    form.pop();
    form.push(("client_secret", APP_CLIENT_SECRET));
    assert_eq!(
        browser.post("/oauth/token", &form).await.status,
        StatusCode::OK
    );
    assert_eq!(
        browser
            .tenant
            .journal()
            .last_client_authentication
            .as_deref(),
        Some("client_secret_post")
    );
}

#[tokio::test]
async fn revocation_ends_the_family_and_unknown_tokens_are_fine() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &[]).await;
    let refresh_token = text(&tokens, "refresh_token");
    let credentials = [
        ("client_id", APP_CLIENT_ID),
        ("client_secret", APP_CLIENT_SECRET),
    ];
    for token in [refresh_token, "unknown"] {
        let form = [credentials[0], credentials[1], ("token", token)];
        assert_eq!(
            browser.post("/oauth/revoke", &form).await.status,
            StatusCode::OK
        );
    }
    assert_eq!(
        browser.refresh(refresh_token).await.json()["error"],
        "invalid_grant"
    );
    let form = [("client_id", APP_CLIENT_ID), ("token", refresh_token)];
    assert_eq!(
        browser.post("/oauth/revoke", &form).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_machine_is_refused_at_an_api_that_it_is_not_authorised_for() {
    let mut settings = Settings::default();
    settings.clients[1].client_grants.clear();
    let mut browser = Browser::with(settings);
    for (audience, hint) in [
        (API_IDENTIFIER, "is not authorized to access"),
        ("http://nowhere", "Service not enabled within domain"),
    ] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", M2M_CLIENT_ID),
            ("client_secret", M2M_CLIENT_SECRET),
            ("audience", audience),
        ];
        let answer = browser.post("/oauth/token", &form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{audience}");
        let refusal = answer.json();
        assert_eq!(refusal["error"], "access_denied", "{audience}");
        let description = text(&refusal, "error_description");
        assert!(description.contains(hint), "{description}");
    }
}

#[tokio::test]
async fn machines_get_only_what_they_were_granted() {
    let mut settings = Settings::default();
    settings.clients[1]
        .client_grants
        .insert(API_IDENTIFIER.to_owned(), vec!["read:chart".to_owned()]);
    let mut browser = Browser::with(settings);
    let base = [
        ("grant_type", "client_credentials"),
        ("client_id", M2M_CLIENT_ID),
        ("client_secret", M2M_CLIENT_SECRET),
        ("audience", API_IDENTIFIER),
    ];
    let tokens = browser.post("/oauth/token", &base).await.json();
    assert!(tokens.get("refresh_token").is_none());
    let claims = browser
        .verified(text(&tokens, "access_token"))
        .await
        .unwrap();
    assert_eq!(claims["gty"], "client-credentials");
    assert_eq!(claims["sub"], format!("{M2M_CLIENT_ID}@clients"));
    assert_eq!(
        (&claims["scope"], &claims["aud"]),
        (&json!("read:chart"), &json!(API_IDENTIFIER))
    );
    let mut wider = base.to_vec();
    wider.push(("scope", "read:chart write:solve"));
    assert_eq!(
        browser.post("/oauth/token", &wider).await.json()["error"],
        "access_denied"
    );
    let app = [
        ("grant_type", "client_credentials"),
        ("audience", API_IDENTIFIER),
    ];
    assert_eq!(error_of(&mut browser, &app).await.1, "unauthorized_client");
}

#[tokio::test]
async fn only_registered_origins_may_read_token_answers() {
    let mut browser = Browser::new();
    for (origin, allowed) in [
        ("http://localhost:3001", true),
        ("http://localhost:3001.evil.test", false),
        ("null", false),
    ] {
        let answer = browser
            .post_with("/oauth/token", &[], &[("origin", origin)])
            .await;
        assert_eq!(
            answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN) == origin,
            allowed,
            "{origin}"
        );
    }
}

#[tokio::test]
async fn a_configured_key_keeps_tokens_valid_over_a_restart() {
    let settings = Settings {
        signing_key: Some(SigningKeyPem::generate()),
        ..Settings::default()
    };
    let tokens = Browser::with(settings.clone()).tokens("ada", &[]).await;
    let mut restarted = Browser::with(settings);
    assert!(restarted.verified(text(&tokens, "id_token")).await.is_ok());
    assert!(
        Browser::new()
            .verified(text(&tokens, "id_token"))
            .await
            .is_err()
    );
}
