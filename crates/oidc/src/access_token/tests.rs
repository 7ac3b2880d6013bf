//! Each rejection changes exactly one thing in a good token.

use serde_json::json;

use super::*;
use crate::test_support::{FakeProvider, Key, NOW, accepted, fault, refused, rejects};

const AUDIENCE: &str = "http://oe.streamlit.app/api";

struct Fixture {
    provider: FakeProvider,
    verifier: AccessTokenVerifier,
}

impl Fixture {
    async fn new() -> Self {
        Self::with_longest_lifetime(None).await
    }

    async fn with_longest_lifetime(max_lifetime_seconds: Option<u32>) -> Self {
        Self::with_limits(max_lifetime_seconds, None).await
    }

    async fn with_limits(
        max_lifetime_seconds: Option<u32>,
        allowed_clients: Option<Vec<ClientId>>,
    ) -> Self {
        let provider = FakeProvider::start().await;
        let policy = AccessTokenPolicy {
            audience: Audience::new(AUDIENCE),
            algorithms: AllowedAlgorithms::rs256(),
            clock_skew: ClockSkew::default(),
            max_lifetime_seconds,
            allowed_clients,
        };
        let verifier = AccessTokenVerifier::new(provider.signing_keys(), policy);
        Self { provider, verifier }
    }

    /// As Auth0 issues it.
    fn claims(&self) -> Value {
        json!({
            "iss": self.provider.issuer, "sub": "auth0|1",
            "aud": [AUDIENCE, format!("{}/userinfo", self.provider.issuer)],
            "iat": NOW.0, "exp": NOW.0 + 7200, "azp": "client", "scope": "openid read:chart",
            "permissions": ["write:solve"],
        })
    }

    async fn verify(&self, claims: &Value) -> Result<VerifiedAccessToken, VerificationError> {
        let token = Key::first().sign(&Key::first().header(), claims);
        self.verifier.verify(&token, NOW).await
    }
}

#[tokio::test]
async fn good_token_opens_the_resource_server() {
    let fixture = Fixture::new().await;
    let verified = fixture.verify(&fixture.claims()).await.unwrap();
    assert_eq!(verified.subject().as_str(), "auth0|1");
    assert_eq!(verified.scope().to_string(), "openid read:chart");
    assert_eq!(verified.permissions(), ["write:solve"]);
    assert_eq!(verified.client_id(), Some("client"));
    assert_eq!(verified.expires_at(), NOW.plus_seconds(7200));
    assert_eq!(verified.issuer().as_str(), fixture.provider.issuer);
    assert_eq!(verified.claims()["azp"], "client");
}

rejects! {
    "C38" rejects_missing_issuer: "iss" = Value::Null => TokenFault::MissingClaim("iss");
    "C38" rejects_other_issuer: "iss" = "https://evil.test/" => TokenFault::WrongIssuer;
    "C39" rejects_missing_audience: "aud" = Value::Null => TokenFault::MissingClaim("aud");
    "C39" rejects_token_of_another_api: "aud" = "http://other/api" => TokenFault::WrongAudience;
    "C39" rejects_audience_that_only_begins_like_ours: "aud" = format!("{AUDIENCE}/v2") => TokenFault::WrongAudience;
    "C40" rejects_missing_subject: "sub" = Value::Null => TokenFault::MissingClaim("sub");
    "C40" rejects_numeric_subject: "sub" = 1 => TokenFault::MalformedClaim("sub");
    "C30" rejects_missing_expiry: "exp" = Value::Null => TokenFault::MissingClaim("exp");
    "C31" rejects_expiry_in_a_string: "exp" = "1999999999" => TokenFault::MalformedClaim("exp");
    "C32" rejects_fractional_expiry: "exp" = 1.9e9 => TokenFault::MalformedClaim("exp");
    "C34" rejects_expired_token: "exp" = NOW.0 - 60 => TokenFault::Expired;
    "C35" rejects_not_before_in_the_future: "nbf" = NOW.0 + 61 => TokenFault::NotYetValid;
    "C35" rejects_not_before_in_a_string: "nbf" = "1999999999" => TokenFault::MalformedClaim("nbf");
    "C36" rejects_issue_time_in_the_future: "iat" = NOW.0 + 61 => TokenFault::IssuedInTheFuture;
    "C36" rejects_issue_time_in_a_string: "iat" = "1" => TokenFault::MalformedClaim("iat");
    "C48" rejects_id_token_by_its_nonce: "nonce" = "n" => TokenFault::ForbiddenClaim("nonce");
    "C48" rejects_id_token_by_its_access_token_hash: "at_hash" = "h" => TokenFault::ForbiddenClaim("at_hash");
    "C49" rejects_logout_token_by_its_events: "events" = json!({}) => TokenFault::ForbiddenClaim("events");
    "C66" rejects_token_bound_to_a_key: "cnf" = json!({"jkt": "thumbprint"}) => TokenFault::ForbiddenClaim("cnf");
    "C41" rejects_scope_in_a_list: "scope" = ["read:chart"] => TokenFault::MalformedClaim("scope");
    "C41" rejects_scope_with_a_tab: "scope" = "openid\tread:chart" => TokenFault::MalformedClaim("scope");
    "C42" rejects_permissions_in_a_string: "permissions" = "write:solve" => TokenFault::MalformedClaim("permissions");
    "C42" rejects_permissions_that_are_no_strings: "permissions" = [1] => TokenFault::MalformedClaim("permissions");
    "C43" rejects_client_that_is_a_list: "azp" = ["client"] => TokenFault::MalformedClaim("azp");
}

#[tokio::test]
async fn token_that_ends_before_it_begins_is_refused() {
    let fixture = Fixture::new().await;
    let mut claims = fixture.claims();
    claims["iat"] = json!(NOW.0 + 20);
    claims["exp"] = json!(NOW.0 + 10);
    assert_eq!(
        fault(fixture.verify(&claims).await),
        TokenFault::ImplausibleLifetime
    );
}

#[tokio::test]
async fn configured_lifetime_cannot_be_exceeded_or_hidden() {
    let fixture = Fixture::with_longest_lifetime(Some(7200)).await;
    let mut claims = fixture.claims();
    assert!(fixture.verify(&claims).await.is_ok());
    claims["exp"] = json!(NOW.0 + 7201);
    assert_eq!(
        fault(fixture.verify(&claims).await),
        TokenFault::ImplausibleLifetime
    );
    claims.as_object_mut().unwrap().remove("iat");
    assert_eq!(
        fault(fixture.verify(&claims).await),
        TokenFault::MissingClaim("iat")
    );
}

#[tokio::test]
async fn only_access_token_types_pass() {
    let fixture = Fixture::new().await;
    for (media_type, passes) in [
        (json!("JWT"), true),
        (json!("at+jwt"), true),
        (json!("application/at+jwt"), true),
        (json!("AT+JWT"), true),
        (json!("logout+jwt"), false),
        (json!("dpop+jwt"), false),
        (json!("secevent+jwt"), false),
        (json!(1), false),
    ] {
        let mut header = Key::first().header();
        header["typ"] = media_type.clone();
        let token = Key::first().sign(&header, &fixture.claims());
        let result = fixture.verifier.verify(&token, NOW).await;
        assert_eq!(result.is_ok(), passes, "{media_type}");
    }
}

#[tokio::test]
async fn machine_to_machine_token_without_scope_permits_nothing() {
    let fixture = Fixture::new().await;
    let mut claims = fixture.claims();
    claims["sub"] = json!("client@clients");
    claims["gty"] = json!("client-credentials");
    for absent in ["scope", "permissions"] {
        claims.as_object_mut().unwrap().remove(absent);
    }
    let verified = fixture.verify(&claims).await.unwrap();
    assert!(verified.scope().is_empty());
    assert!(verified.permissions().is_empty());
}

#[tokio::test]
async fn where_clients_are_listed_one_of_them_must_be_named_without_doubt() {
    let clients = vec![ClientId::new("client"), ClientId::new("other")];
    let fixture = Fixture::with_limits(None, Some(clients)).await;
    for (name, client_id, azp, expected) in [
        ("azp of the list", None, Some("client"), None),
        ("client_id of the list", Some("other"), None, None),
        ("both, the same", Some("other"), Some("other"), None),
        (
            "stranger",
            None,
            Some("stranger"),
            Some(TokenFault::WrongClient),
        ),
        (
            "part of a name",
            None,
            Some("clien"),
            Some(TokenFault::WrongClient),
        ),
        (
            "stranger and azp",
            Some("stranger"),
            Some("client"),
            Some(TokenFault::WrongClient),
        ),
        (
            "two of the list",
            Some("client"),
            Some("other"),
            Some(TokenFault::WrongClient),
        ),
        ("nobody", None, None, Some(TokenFault::MissingClaim("azp"))),
    ] {
        let mut claims = fixture.claims();
        claims.as_object_mut().unwrap().remove("azp");
        for (claim, value) in [("client_id", client_id), ("azp", azp)] {
            if let Some(value) = value {
                claims[claim] = json!(value);
            }
        }
        let result = fixture.verify(&claims).await;
        match expected {
            None => drop(accepted("C43", name, result)),
            Some(fault) => refused("C43", name, result, fault),
        }
    }
}

/// C34: a signature is remembered, a judgement is not.
#[tokio::test]
async fn a_token_that_was_good_a_moment_ago_is_judged_anew() {
    let fixture = Fixture::new().await;
    let token = Key::first().sign(&Key::first().header(), &fixture.claims());
    for _ in 0..2 {
        assert!(fixture.verifier.verify(&token, NOW).await.is_ok());
    }
    let expired = fixture
        .verifier
        .verify(&token, NOW.plus_seconds(7_300))
        .await;
    refused("C34", "expired since", expired, TokenFault::Expired);
    assert!(
        !fixture
            .verifier
            .signed
            .knows(Fingerprint::of(&token).unwrap())
    );
}

/// E19: who was believed under a key is not believed longer than the key is.
#[tokio::test]
async fn a_withdrawn_key_ends_the_tokens_that_it_signed() {
    let fixture = Fixture::new().await;
    let token = Key::first().sign(&Key::first().header(), &fixture.claims());
    assert!(fixture.verifier.verify(&token, NOW).await.is_ok());
    fixture.provider.publish(&[Key::second().jwk()]);
    fixture.provider.clock.advance(601);
    let later = fixture.verifier.verify(&token, NOW).await;
    refused("E19", "its key is gone", later, TokenFault::UnknownKey);
}

#[tokio::test]
async fn only_the_very_same_token_is_recalled() {
    let fixture = Fixture::new().await;
    let token = Key::first().sign(&Key::first().header(), &fixture.claims());
    assert!(fixture.verifier.verify(&token, NOW).await.is_ok());
    let (signed, _) = token.rsplit_once('.').unwrap();
    let other = Key::second().sign(&Key::first().header(), &fixture.claims());
    let (_, signature) = other.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{signature}");
    for _ in 0..2 {
        let answer = fixture.verifier.verify(&forged, NOW).await;
        refused(
            "C20",
            "another signature",
            answer,
            TokenFault::WrongSignature,
        );
    }
}

/// What the memory is there for: else it would be one that nobody asks.
#[tokio::test]
async fn what_was_verified_is_not_verified_again() {
    let fixture = Fixture::new().await;
    let token = Key::first().sign(&Key::first().header(), &fixture.claims());
    let verified = fixture.verifier.verify(&token, NOW).await.unwrap();
    let keys = fixture.verifier.keys.current().await.unwrap();
    let nonsense = Fingerprint::of("nonsense").unwrap();
    fixture
        .verifier
        .signed
        .remember(nonsense, &keys, verified.claims);
    assert!(fixture.verifier.verify("nonsense", NOW).await.is_ok());
}

/// C59: not even where the keys are due to be fetched anew.
#[tokio::test]
async fn a_bad_token_causes_no_fetch_while_others_are_remembered() {
    let fixture = Fixture::new().await;
    fixture.verify(&fixture.claims()).await.unwrap();
    fixture.provider.clock.advance(601);
    let before = fixture.provider.paths.jwks.requests();
    let nonsense = fixture.verifier.verify("a.b.c", NOW).await;
    assert!(matches!(nonsense, Err(VerificationError::Invalid(_))));
    tokio::task::yield_now().await;
    assert_eq!(fixture.provider.paths.jwks.requests(), before);
}
