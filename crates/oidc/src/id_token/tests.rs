//! Each rejection changes exactly one thing in a good token.

use serde_json::json;

use super::*;
use crate::test_support::{
    CLIENT_ID, FakeProvider, Key, NOW, Verdict, accepted, fault, refused, rejects, tried,
};

mod catalogue;

const NONCE: &str = "nonce-of-this-login";

struct Fixture {
    provider: FakeProvider,
    verifier: IdTokenVerifier,
}

impl Fixture {
    async fn new() -> Self {
        let provider = FakeProvider::start().await;
        let verifier = provider.provider().id_token_verifier();
        Self { provider, verifier }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.provider.issuer, "sub": "auth0|1", "aud": CLIENT_ID, "nonce": NONCE,
            "iat": NOW.0, "exp": NOW.0 + 600, "auth_time": NOW.0 - 30, "sid": "session-1",
        })
    }

    async fn verify(&self, claims: &Value) -> Result<VerifiedIdToken, VerificationError> {
        self.verify_raw(Key::first().sign(&Key::first().header(), claims))
            .await
    }

    async fn verify_raw(&self, token: String) -> Result<VerifiedIdToken, VerificationError> {
        let nonce = Nonce::new(NONCE.to_owned());
        self.verifier
            .verify(&RawIdToken::new(token), &login(&nonce), NOW)
            .await
    }
}

fn login(nonce: &Nonce) -> Expectations<'_> {
    Expectations {
        occasion: Occasion::Login { nonce },
        max_age: None,
        acr_values: &[],
        access_token: None,
    }
}

#[tokio::test]
async fn good_token_proves_who_signed_in() {
    let fixture = Fixture::new().await;
    let verified = fixture.verify(&fixture.claims()).await.unwrap();
    assert_eq!(verified.issuer().as_str(), fixture.provider.issuer);
    assert_eq!(verified.subject().as_str(), "auth0|1");
    assert_eq!(verified.session_id(), Some("session-1"));
    assert_eq!(verified.expires_at(), NOW.plus_seconds(600));
    assert_eq!(verified.auth_time(), Some(NOW.plus_seconds(-30)));
    assert_eq!(verified.claims()["sub"], "auth0|1");
}

rejects! {
    "C38" rejects_missing_issuer: "iss" = Value::Null => TokenFault::MissingClaim("iss");
    "B02 B31 C38" rejects_other_issuer: "iss" = "https://evil.test/" => TokenFault::WrongIssuer;
    "C38" rejects_issuer_that_is_a_list: "iss" = ["https://evil.test/"] => TokenFault::MalformedClaim("iss");
    "B03 C40" rejects_missing_subject: "sub" = Value::Null => TokenFault::MissingClaim("sub");
    "C40" rejects_empty_subject: "sub" = "" => TokenFault::MalformedClaim("sub");
    "C40" rejects_numeric_subject: "sub" = 1 => TokenFault::MalformedClaim("sub");
    "C40" rejects_subject_of_256_characters: "sub" = "x".repeat(256) => TokenFault::MalformedClaim("sub");
    "C40" rejects_subject_with_control_characters: "sub" = "a\r\nb" => TokenFault::MalformedClaim("sub");
    "B05 C39" rejects_missing_audience: "aud" = Value::Null => TokenFault::MissingClaim("aud");
    "B04 C39" rejects_other_audience: "aud" = "other" => TokenFault::WrongAudience;
    "C39" rejects_audience_that_only_contains_ours: "aud" = format!("{CLIENT_ID}2") => TokenFault::WrongAudience;
    "C39" rejects_empty_audience_list: "aud" = json!([]) => TokenFault::MalformedClaim("aud");
    "C39" rejects_numeric_audience: "aud" = 7 => TokenFault::MalformedClaim("aud");
    "C39" rejects_nested_audience: "aud" = [[CLIENT_ID]] => TokenFault::MalformedClaim("aud");
    "B64" rejects_several_audiences_without_authorized_party: "aud" = [CLIENT_ID, "other"] => TokenFault::MissingClaim("azp");
    "B65" rejects_authorized_party_of_another_client: "azp" = "other" => TokenFault::WrongAuthorizedParty;
    "C43" rejects_authorized_party_that_is_a_list: "azp" = [CLIENT_ID] => TokenFault::MalformedClaim("azp");
    "C30" rejects_missing_expiry: "exp" = Value::Null => TokenFault::MissingClaim("exp");
    "C31" rejects_expiry_in_a_string: "exp" = (NOW.0 + 600).to_string() => TokenFault::MalformedClaim("exp");
    "C32" rejects_fractional_expiry: "exp" = 1.9e12 => TokenFault::MalformedClaim("exp");
    "C32" rejects_negative_expiry: "exp" = -1 => TokenFault::MalformedClaim("exp");
    "C32" rejects_expiry_beyond_exact_integers: "exp" = (1_i64 << 53) + 1 => TokenFault::MalformedClaim("exp");
    "B60 C34" rejects_expiry_just_beyond_the_skew: "exp" = NOW.0 - 60 => TokenFault::Expired;
    "B06" rejects_missing_issue_time: "iat" = Value::Null => TokenFault::MissingClaim("iat");
    "C36" rejects_issue_time_in_a_string: "iat" = NOW.0.to_string() => TokenFault::MalformedClaim("iat");
    "B62 C36" rejects_issue_time_beyond_the_skew: "iat" = NOW.0 + 61 => TokenFault::IssuedInTheFuture;
    "C36" rejects_issue_time_of_the_day_before_yesterday: "iat" = NOW.0 - 2 * 86_400 => TokenFault::IssuedTooLongAgo;
    "B63 C35" rejects_not_before_beyond_the_skew: "nbf" = NOW.0 + 61 => TokenFault::NotYetValid;
    "C35" rejects_not_before_in_a_string: "nbf" = "0" => TokenFault::MalformedClaim("nbf");
    "B19" rejects_missing_nonce: "nonce" = Value::Null => TokenFault::MissingClaim("nonce");
    "B18" rejects_nonce_of_another_login: "nonce" = "other" => TokenFault::WrongNonce;
    "B19" rejects_numeric_nonce: "nonce" = 1 => TokenFault::MalformedClaim("nonce");
    "B70" rejects_authentication_time_in_a_string: "auth_time" = "1" => TokenFault::MalformedClaim("auth_time");
    "C49" rejects_logout_token_by_its_events: "events" = json!({}) => TokenFault::ForbiddenClaim("events");
    "B50" rejects_numeric_session_id: "sid" = 1 => TokenFault::MalformedClaim("sid");
}

#[tokio::test]
async fn clocks_may_differ_by_the_skew() {
    let fixture = Fixture::new().await;
    for (claim, time) in [
        ("exp", NOW.0 - 59),
        ("iat", NOW.0 + 60),
        ("nbf", NOW.0 + 60),
    ] {
        let mut claims = fixture.claims();
        claims[claim] = json!(time);
        assert!(fixture.verify(&claims).await.is_ok(), "{claim}");
    }
}

#[tokio::test]
async fn several_audiences_with_our_authorized_party_are_accepted() {
    let fixture = Fixture::new().await;
    let mut claims = fixture.claims();
    claims["aud"] = json!(["other", CLIENT_ID]);
    claims["azp"] = json!(CLIENT_ID);
    let result = fixture.verify(&claims).await;
    accepted("B64 B65", "several audiences, our azp", result);
}

#[tokio::test]
async fn issuer_with_another_slash_is_another_issuer() {
    let fixture = Fixture::new().await;
    let mut claims = fixture.claims();
    claims["iss"] = json!(format!("{}/", fixture.provider.issuer));
    let result = fixture.verify(&claims).await;
    refused(
        "C38",
        "iss with another slash",
        result,
        TokenFault::WrongIssuer,
    );
}

#[tokio::test]
async fn max_age_requires_a_recent_authentication() {
    let fixture = Fixture::new().await;
    let nonce = Nonce::new(NONCE.to_owned());
    let expectations = Expectations {
        max_age: Some(100),
        ..login(&nonce)
    };
    for (auth_time, expected) in [
        (json!(NOW.0 - 160), None),
        (json!(NOW.0 - 161), Some(TokenFault::AuthenticationTooOld)),
        (Value::Null, Some(TokenFault::MalformedClaim("auth_time"))),
    ] {
        let mut claims = fixture.claims();
        claims["auth_time"] = auth_time.clone();
        let token = RawIdToken::new(Key::first().sign(&Key::first().header(), &claims));
        let result = fixture.verifier.verify(&token, &expectations, NOW).await;
        assert_eq!(
            result.err().map(|error| fault::<()>(Err(error))),
            expected,
            "{auth_time}"
        );
    }
    let mut claims = fixture.claims();
    claims.as_object_mut().unwrap().remove("auth_time");
    let token = RawIdToken::new(Key::first().sign(&Key::first().header(), &claims));
    let result = fixture.verifier.verify(&token, &expectations, NOW).await;
    assert_eq!(fault(result), TokenFault::MissingClaim("auth_time"));
    tried(
        "B70",
        Verdict::Refused("authentication_too_old"),
        "auth_time older than max_age",
    );
}

#[tokio::test]
async fn requested_authentication_context_must_be_met() {
    let fixture = Fixture::new().await;
    let nonce = Nonce::new(NONCE.to_owned());
    let wanted = ["gold".to_owned(), "silver".to_owned()];
    let expectations = Expectations {
        acr_values: &wanted,
        ..login(&nonce)
    };
    for (context, expected) in [
        (Some("silver"), None),
        (Some("bronze"), Some(TokenFault::WrongAuthenticationContext)),
        (None, Some(TokenFault::MissingClaim("acr"))),
    ] {
        let mut claims = fixture.claims();
        if let Some(context) = context {
            claims["acr"] = json!(context);
        }
        let token = RawIdToken::new(Key::first().sign(&Key::first().header(), &claims));
        let result = fixture.verifier.verify(&token, &expectations, NOW).await;
        assert_eq!(
            result.err().map(|error| fault::<()>(Err(error))),
            expected,
            "{context:?}"
        );
    }
    tried(
        "B71",
        Verdict::Refused("wrong_authentication_context"),
        "acr missing or another",
    );
}

#[tokio::test]
async fn access_token_hash_is_checked_when_present() {
    let fixture = Fixture::new().await;
    let nonce = Nonce::new(NONCE.to_owned());
    // The example of OpenID Connect Core, appendix A.3.
    let access_token = AccessToken::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y".to_owned());
    let expectations = Expectations {
        access_token: Some(&access_token),
        ..login(&nonce)
    };
    for (hash, expected) in [
        ("77QmUPtjPfzWtF2AnpK9RQ", None),
        (
            "77QmUPtjPfzWtF2AnpK9RR",
            Some(TokenFault::WrongAccessTokenHash),
        ),
        ("", Some(TokenFault::WrongAccessTokenHash)),
    ] {
        let mut claims = fixture.claims();
        claims["at_hash"] = json!(hash);
        let token = RawIdToken::new(Key::first().sign(&Key::first().header(), &claims));
        let result = fixture.verifier.verify(&token, &expectations, NOW).await;
        assert_eq!(
            result.err().map(|error| fault::<()>(Err(error))),
            expected,
            "{hash}"
        );
    }
}

#[tokio::test]
async fn refreshed_token_needs_no_nonce_but_the_same_subject() {
    let fixture = Fixture::new().await;
    let mut claims = fixture.claims();
    claims.as_object_mut().unwrap().remove("nonce");
    let token = RawIdToken::new(Key::first().sign(&Key::first().header(), &claims));
    for (before, expected) in [
        ("auth0|1", None),
        ("auth0|2", Some(TokenFault::WrongSubject)),
    ] {
        let subject = Subject::new(before);
        let expectations = Expectations {
            occasion: Occasion::Refresh { subject: &subject },
            max_age: None,
            acr_values: &[],
            access_token: None,
        };
        let result = fixture.verifier.verify(&token, &expectations, NOW).await;
        assert_eq!(
            result.err().map(|error| fault::<()>(Err(error))),
            expected,
            "{before}"
        );
    }
    tried(
        "B32",
        Verdict::Refused("wrong_subject"),
        "refreshed token of another person",
    );
}

#[tokio::test]
async fn other_kinds_of_tokens_are_no_id_tokens() {
    let fixture = Fixture::new().await;
    for media_type in [
        "at+jwt",
        "application/at+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
    ] {
        let mut header = Key::first().header();
        header["typ"] = json!(media_type);
        let result = fixture
            .verify_raw(Key::first().sign(&header, &fixture.claims()))
            .await;
        refused("C24", media_type, result, TokenFault::WrongType);
    }
}

#[tokio::test]
async fn forged_signature_is_refused() {
    let fixture = Fixture::new().await;
    let token = Key::second().sign(&Key::first().header(), &fixture.claims());
    assert_eq!(
        fault(fixture.verify_raw(token).await),
        TokenFault::WrongSignature
    );
}

#[tokio::test]
async fn claims_with_a_repeated_member_are_refused() {
    let fixture = Fixture::new().await;
    let claims = fixture
        .claims()
        .to_string()
        .replacen('{', r#"{"sub":"admin","#, 1);
    let token = Key::first().sign_text(&Key::first().header().to_string(), &claims);
    let result = fixture.verify_raw(token).await;
    refused("C44", "sub twice", result, TokenFault::DuplicateMember);
}

#[tokio::test]
async fn without_keys_a_token_is_not_judged() {
    let fixture = Fixture::new().await;
    fixture
        .provider
        .paths
        .jwks
        .answer(crate::test_support::Answer::text(503, "text/plain", ""));
    let result = fixture.verify(&fixture.claims()).await;
    assert!(matches!(
        result.err(),
        Some(VerificationError::KeysUnavailable(_))
    ));
}
