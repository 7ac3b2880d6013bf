//! The URL a browser is sent away with, and hostile responses (catalogue A07, B66-B73, E33).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    test_support::{FakeProvider, SeededRandom, Verdict, tried},
    types::Issuer,
};

async fn metadata() -> Metadata {
    let provider = FakeProvider::start().await;
    let mut metadata = Metadata::clone(&*provider.discovery().metadata().await.unwrap());
    metadata.issuer = Issuer::parse("https://tenant.test/").unwrap();
    metadata.authorization_endpoint = Url::parse("https://tenant.test/authorize").unwrap();
    metadata
}

async fn build(
    scope: &str,
    options: &[(&str, &str)],
) -> Result<PreparedAuthorizationRequest, AuthorizationRequestError> {
    let metadata = metadata().await;
    let redirect_uri = Url::parse("http://localhost:3001/api/auth/callback").unwrap();
    let options: Vec<_> = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    AuthorizationRequest::new(
        &metadata,
        &ClientId::new("client"),
        &redirect_uri,
        &Scope::parse(scope).unwrap(),
    )
    .audience(Some(&Audience::new("http://oe.streamlit.app/api")))
    .options(&options)
    .build(&SeededRandom::new())
}

#[tokio::test]
async fn request_carries_every_binding() {
    let prepared = build("openid profile", &[("prompt", "login")])
        .await
        .unwrap();
    assert_eq!(prepared.url.path(), "/authorize");
    let query: BTreeMap<_, _> = prepared.url.query_pairs().into_owned().collect();
    assert_eq!(query["state"], prepared.state.expose());
    assert_eq!(query["nonce"], prepared.nonce.expose());
    assert_eq!(
        query["code_challenge"],
        prepared.code_verifier.s256_challenge()
    );
    assert!(
        !prepared
            .url
            .as_str()
            .contains(prepared.code_verifier.expose())
    );
    let shown: Vec<_> = query
        .into_iter()
        .filter(|(name, _)| !["state", "nonce", "code_challenge"].contains(&name.as_str()))
        .collect();
    insta::assert_debug_snapshot!(shown, @r#"
    [
        (
            "audience",
            "http://oe.streamlit.app/api",
        ),
        (
            "client_id",
            "client",
        ),
        (
            "code_challenge_method",
            "S256",
        ),
        (
            "prompt",
            "login",
        ),
        (
            "redirect_uri",
            "http://localhost:3001/api/auth/callback",
        ),
        (
            "response_type",
            "code",
        ),
        (
            "scope",
            "openid profile",
        ),
    ]
    "#);
}

#[tokio::test]
async fn two_requests_share_no_secret() {
    let metadata = metadata().await;
    let redirect_uri = Url::parse("http://localhost:3001/api/auth/callback").unwrap();
    let (client_id, scope) = (ClientId::new("client"), Scope::parse("openid").unwrap());
    let random = SeededRandom::new();
    let request = || AuthorizationRequest::new(&metadata, &client_id, &redirect_uri, &scope);
    let first = request().build(&random).unwrap();
    let second = request()
        .response_mode(ResponseMode::FormPost)
        .build(&random)
        .unwrap();
    assert!(!first.state.matches(second.state.expose()));
    assert_ne!(first.nonce.expose(), second.nonce.expose());
    assert_ne!(first.code_verifier.expose(), second.code_verifier.expose());
    assert!(second.url.as_str().contains("response_mode=form_post"));
}

#[tokio::test]
async fn login_options_cannot_touch_the_protocol() {
    for name in PROTOCOL_PARAMETERS
        .into_iter()
        .chain(["State", "REDIRECT_URI"])
    {
        let error = build("openid", &[(name, "x")]).await.err();
        assert!(
            matches!(error, Some(AuthorizationRequestError::ProtocolParameter(_))),
            "{name}"
        );
    }
    let endless = "x".repeat(2000);
    for options in [
        &[("prompt", "a"), ("prompt", "b")][..],
        &[("", "x")],
        &[("prompt", &endless)],
    ] {
        let error = build("openid", options).await.err();
        assert!(
            matches!(error, Some(AuthorizationRequestError::MalformedOption(_))),
            "{options:?}"
        );
    }
}

#[tokio::test]
async fn without_openid_there_is_no_identity_to_ask_for() {
    assert_eq!(
        build("profile", &[]).await.err(),
        Some(AuthorizationRequestError::NotOpenId)
    );
}

fn granted(parameters: &str) -> GrantedResponse {
    match AuthorizationResponse::parse(parameters) {
        Ok(AuthorizationResponse::Granted(granted)) => granted,
        other => panic!("not granted: {other:?}"),
    }
}

#[tokio::test]
async fn a_grant_gives_its_code_to_the_right_issuer_only() {
    let mut metadata = metadata().await;
    let right = "code=abc&state=s&iss=https%3A%2F%2Ftenant.test%2F";
    assert_eq!(granted(right).into_code(&metadata).unwrap().expose(), "abc");
    assert_eq!(
        granted("code=abc").into_code(&metadata).unwrap().expose(),
        "abc"
    );
    let wrong = "code=abc&iss=https%3A%2F%2Fevil.test%2F";
    let refused =
        |parameters: &str, metadata: &Metadata| granted(parameters).into_code(metadata).err();
    assert_eq!(
        refused(wrong, &metadata),
        Some(AuthorizationResponseError::WrongIssuer)
    );
    assert_eq!(
        refused("code=abc&iss=", &metadata),
        Some(AuthorizationResponseError::WrongIssuer)
    );
    metadata.authorization_response_iss_parameter_supported = true;
    assert_eq!(
        refused("code=abc", &metadata),
        Some(AuthorizationResponseError::WrongIssuer)
    );
    assert!(granted(right).into_code(&metadata).is_ok());
    tried(
        "B66 D36",
        Verdict::Refused("wrong_issuer"),
        "iss of another provider, empty, or missing though advertised",
    );
}

#[test]
fn an_error_is_a_refusal_even_beside_a_code() {
    for parameters in [
        "error=access_denied&code=abc",
        "code=abc&error=access_denied",
        "error=access_denied",
    ] {
        match AuthorizationResponse::parse(parameters) {
            Ok(AuthorizationResponse::Refused { error, .. }) => {
                assert_eq!(error, OAuthErrorCode::AccessDenied);
            }
            other => panic!("{parameters}: {other:?}"),
        }
    }
}

#[test]
fn refusals_are_cleaned_text() {
    let response =
        AuthorizationResponse::parse("error=a%3Cb%3E&error_description=x%0D%0ASet-Cookie%3A+y");
    match response {
        Ok(AuthorizationResponse::Refused { error, description }) => {
            assert_eq!(error.as_str(), "(no code)");
            assert_eq!(description.as_deref(), Some("x  Set-Cookie: y"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn ambiguous_and_empty_responses_are_refused() {
    use AuthorizationResponseError::{Missing, Repeated, TooLarge};
    let endless = format!("code={}", "x".repeat(CODE_LIMIT + 1));
    let flood = "a=b&".repeat(5000);
    for (parameters, expected) in [
        ("code=a&code=b", Repeated("code")),
        ("code=a&code=a", Repeated("code")),
        ("code=a&state=x&state=y", Repeated("state")),
        ("error=a&error=b", Repeated("error")),
        ("code=a&iss=x&iss=y", Repeated("iss")),
        ("code=a&%63ode=b", Repeated("code")),
        ("", Missing("code")),
        ("state=x", Missing("code")),
        ("code=", Missing("code")),
        (&endless, TooLarge),
        (&flood, TooLarge),
    ] {
        assert_eq!(
            AuthorizationResponse::parse(parameters).err(),
            Some(expected),
            "{parameters:.20}"
        );
    }
    tried(
        "B67 B72",
        Verdict::Refused("repeated"),
        "code, state, error or iss twice",
    );
}

#[test]
fn state_is_one_bounded_value() {
    use AuthorizationResponseError::{Missing, Repeated, TooLarge};
    assert_eq!(returned_state("code=a&state=s%20t").as_deref(), Ok("s t"));
    assert_eq!(returned_state("error=x&state=s").as_deref(), Ok("s"));
    assert_eq!(returned_state("state=a&state=a"), Err(Repeated("state")));
    assert_eq!(returned_state("code=a"), Err(Missing("state")));
    assert_eq!(returned_state("state="), Err(Missing("state")));
    assert_eq!(
        returned_state(&format!("state={}", "x".repeat(513))),
        Err(TooLarge)
    );
    tried(
        "B72 B73",
        Verdict::Refused("repeated, too_large"),
        "state twice, or of 513 bytes",
    );
}

#[test]
fn nothing_of_a_response_shows_in_debug() {
    let shown = format!("{:?}", granted("code=canary"));
    assert!(!shown.contains("canary"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        let _ = AuthorizationResponse::parse(&text);
        let _ = returned_state(&text);
    }
}
