//! Many people who are signed in, made without a login each: for tests of numbers.

use crate::harness::App;
use axum::body::Body;
use futures::{StreamExt as _, stream};
use http::{Request, StatusCode, header};
use serde_json::{Map, Value, json};
use server::cookies::Caller;
use server::sessions::{Session, Sessions};
use tower::ServiceExt as _;

use super::answer::Answer;
use super::world::BASE;

/// A store is asked by many at once, too.
const AT_ONCE: usize = 32;

/// One of them.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) subject: String,
    /// Value of the page cookie.
    pub(crate) cookie: String,
}

/// Begins so many sessions, of people whose names begin so.
pub(crate) async fn crowd(sessions: &Sessions, names: &str, size: usize) -> Vec<Member> {
    let beginning = (0..size).map(async |number| {
        let subject = format!("auth0|{names}-{number}");
        let session = session(&subject, sessions.absolute_expiry());
        // A machine that is busy with other tests may be slow to write: that is not the test.
        let mut tries = 0..20;
        let (_, cookie) = loop {
            match sessions.create(&session, Caller::Page).await {
                Ok(begun) => break begun,
                Err(error) => assert!(tries.next().is_some(), "{error}"),
            }
        };
        Member { subject, cookie }
    });
    stream::iter(beginning).buffered(AT_ONCE).collect().await
}

fn session(subject: &str, absolute_expiry: i64) -> Session {
    Session {
        issuer: "https://provider.test/".to_owned(),
        subject: subject.to_owned(),
        provider_session: Some(format!("sid of {subject}")),
        claims: Map::from_iter([("name".to_owned(), json!(subject))]),
        id_token: None,
        refresh_token: Some(format!("refresh token of {subject}")),
        is_refresh_token_rotated: false,
        granted_scope: "openid".to_owned(),
        access_tokens: Vec::new(),
        absolute_expiry,
    }
}

impl Member {
    /// Asks this companion who is signed in.
    pub(crate) async fn me(&self, app: &App) -> Answer {
        let request = Request::get("/api/auth/me")
            .header(header::HOST, BASE.trim_start_matches("http://"))
            .header(header::COOKIE, format!("component-auth0={}", self.cookie))
            .body(Body::empty())
            .unwrap();
        Answer::read(app.clone().oneshot(request).await.unwrap()).await
    }

    /// Whether that is this person.
    pub(crate) fn is_in(&self, answer: &Answer) -> bool {
        let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        answer.status == StatusCode::OK && told["user"]["sub"] == self.subject.as_str()
    }
}
