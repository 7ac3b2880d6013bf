//! Each rejection changes exactly one thing in a good token (B50 to B57).

use serde_json::{Value, json};

use super::*;
use crate::test_support::{CLIENT_ID, FakeProvider, Key, NOW, fault, rejects};

mod catalogue;

struct Fixture {
    provider: FakeProvider,
    verifier: LogoutTokenVerifier,
}

impl Fixture {
    async fn new() -> Self {
        let provider = FakeProvider::start().await;
        let verifier = provider.provider().logout_token_verifier();
        Self { provider, verifier }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.provider.issuer, "aud": CLIENT_ID, "iat": NOW.0, "exp": NOW.0 + 120,
            "jti": "jti-1", "sid": "session-1", "sub": "auth0|1",
            "events": {LOGOUT_EVENT: {}},
        })
    }

    async fn verify(&self, claims: &Value) -> Result<VerifiedLogoutToken, VerificationError> {
        let mut header = Key::first().header();
        header["typ"] = json!("logout+jwt");
        self.verifier
            .verify(&Key::first().sign(&header, claims), NOW)
            .await
    }
}

#[tokio::test]
async fn good_token_names_the_session_that_ended() {
    let fixture = Fixture::new().await;
    let verified = fixture.verify(&fixture.claims()).await.unwrap();
    let subject = Subject::new("auth0|1");
    let session_id = "session-1".to_owned();
    assert_eq!(verified.issuer().as_str(), fixture.provider.issuer);
    assert_eq!(verified.token_id(), "jti-1");
    assert_eq!(verified.expires_at(), NOW.plus_seconds(120));
    let expected = Ended::Session {
        session_id,
        subject: Some(subject),
    };
    assert_eq!(verified.ended(), &expected);
}

#[tokio::test]
async fn without_session_all_sessions_of_the_person_ended() {
    let fixture = Fixture::new().await;
    let mut claims = fixture.claims();
    claims.as_object_mut().unwrap().remove("sid");
    let verified = fixture.verify(&claims).await.unwrap();
    assert_eq!(
        verified.ended(),
        &Ended::AllSessionsOf(Subject::new("auth0|1"))
    );
    claims.as_object_mut().unwrap().remove("sub");
    assert_eq!(
        fault(fixture.verify(&claims).await),
        TokenFault::MissingClaim("sid")
    );
}

#[tokio::test]
async fn without_expiry_a_token_lives_ten_minutes() {
    let fixture = Fixture::new().await;
    let mut claims = fixture.claims();
    claims.as_object_mut().unwrap().remove("exp");
    let verified = fixture.verify(&claims).await.unwrap();
    assert_eq!(verified.expires_at(), NOW.plus_seconds(600));
    // Nor does a long `exp` keep its `jti` in the store for longer.
    claims["exp"] = json!(NOW.0 + 365 * 86_400);
    let verified = fixture.verify(&claims).await.unwrap();
    assert_eq!(verified.expires_at(), NOW.plus_seconds(600));
}

rejects! {
    "B52" rejects_missing_event: "events" = Value::Null => TokenFault::WrongEvent;
    "B56" rejects_other_event: "events" = json!({"http://schemas.openid.net/event/other": {}}) => TokenFault::WrongEvent;
    "B56" rejects_event_that_is_no_object: "events" = json!({LOGOUT_EVENT: true}) => TokenFault::WrongEvent;
    "B56" rejects_events_in_a_list: "events" = [LOGOUT_EVENT] => TokenFault::WrongEvent;
    "B53" rejects_nonce: "nonce" = "n" => TokenFault::ForbiddenClaim("nonce");
    "B55" rejects_other_audience: "aud" = "other" => TokenFault::WrongAudience;
    "B57" rejects_other_issuer: "iss" = "https://evil.test/" => TokenFault::WrongIssuer;
    "B50" rejects_missing_issue_time: "iat" = Value::Null => TokenFault::MissingClaim("iat");
    "B50" rejects_issue_time_of_eleven_minutes_ago: "iat" = NOW.0 - 660 => TokenFault::IssuedTooLongAgo;
    "B50" rejects_issue_time_in_the_future: "iat" = NOW.0 + 61 => TokenFault::IssuedInTheFuture;
    "B50" rejects_expired_token: "exp" = NOW.0 - 60 => TokenFault::Expired;
    "B50 C35" rejects_not_before_in_the_future: "nbf" = NOW.0 + 61 => TokenFault::NotYetValid;
    "B50" rejects_missing_identifier: "jti" = Value::Null => TokenFault::MissingClaim("jti");
    "B50" rejects_endless_identifier: "jti" = "x".repeat(256) => TokenFault::MalformedClaim("jti");
    "B50" rejects_empty_session: "sid" = "" => TokenFault::MalformedClaim("sid");
    "B50" rejects_empty_subject: "sub" = "" => TokenFault::MalformedClaim("sub");
}

#[tokio::test]
async fn id_token_is_no_logout_token() {
    let fixture = Fixture::new().await;
    let mut header = Key::first().header();
    header["typ"] = json!("at+jwt");
    let token = Key::first().sign(&header, &fixture.claims());
    assert_eq!(
        fault(fixture.verifier.verify(&token, NOW).await),
        TokenFault::WrongType
    );
}
