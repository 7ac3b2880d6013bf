//! `/api/pong`: the remote API's answer, fetched with the session's token on the server.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use tokio::net::TcpListener;

use crate::harness::World;

/// A remote API that answers what it is told to, and remembers the tokens it saw.
#[derive(Clone)]
struct RemoteApi {
    base: String,
    answer: Arc<Mutex<(u16, String)>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl RemoteApi {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let api = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            answer: Arc::new(Mutex::new((200, r#"{"pong":"now"}"#.to_owned()))),
            seen: Arc::default(),
        };
        let handler = api.clone();
        let router =
            Router::new().fallback(async move |headers: HeaderMap| handler.answer(&headers));
        tokio::spawn(async move { axum::serve(listener, router).await });
        api
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let authorization = headers["authorization"].to_str().unwrap().to_owned();
        self.seen.lock().unwrap().push(authorization);
        let (status, body) = self.answer.lock().unwrap().clone();
        let redirect = [
            ("location", "http://127.0.0.1:1/elsewhere"),
            ("set-cookie", "a=b"),
        ];
        (StatusCode::from_u16(status).unwrap(), redirect, body).into_response()
    }
}

#[tokio::test]
async fn status_and_body_of_the_remote_api_are_passed_on() {
    let api = RemoteApi::start().await;
    let world = World::with(&[("REMOTE_API_BASE_URL", &api.base)]).await;
    let someone = world.signed_in("ada").await;
    for (status, body) in [
        (200, r#"{"pong":"now"}"#),
        (401, r#"{"code":"invalid_token"}"#),
        (403, r#"{"code":"insufficient_scope"}"#),
        (500, "<html>oops</html>"),
        // Not followed: a token goes nowhere but where it was sent.
        (302, ""),
    ] {
        *api.answer.lock().unwrap() = (status, body.to_owned());
        for answer in [
            someone.browser.page_get("/api/pong").await,
            someone.browser.frame_get("/api/pong").await,
        ] {
            assert_eq!(
                (answer.status.as_u16(), answer.body.as_str()),
                (status, body)
            );
            assert_eq!(answer.header("content-type"), "application/json");
            assert!(answer.set_cookies().is_empty());
            assert!(!answer.headers.contains_key("location"));
        }
    }
    let bearer = format!(
        "Bearer {}",
        someone.redeemed["access_token"].as_str().unwrap()
    );
    let seen = api.seen.lock().unwrap();
    assert_eq!(seen.len(), 10);
    assert!(seen.iter().all(|seen| *seen == bearer));
}

#[tokio::test]
async fn nobody_signed_in_means_no_call() {
    let api = RemoteApi::start().await;
    let world = World::with(&[("REMOTE_API_BASE_URL", &api.base)]).await;
    world
        .browser()
        .page_get("/api/pong")
        .await
        .assert(401, "not_authenticated");
    assert!(api.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_remote_api_or_with_one_that_is_away_the_answer_says_so() {
    let away = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", away.local_addr().unwrap());
    drop(away);
    for (changes, status, code) in [
        (vec![], 404, "not_found"),
        (
            vec![("REMOTE_API_BASE_URL", base.as_str())],
            502,
            "remote_api_unavailable",
        ),
    ] {
        let world = World::with(&changes).await;
        let browser = world.browser();
        browser.page_login("ada").await;
        browser.page_get("/api/pong").await.assert(status, code);
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let api = RemoteApi::start().await;
    *api.answer.lock().unwrap() = (200, "x".repeat(2 * 1024 * 1024));
    let world = World::with(&[("REMOTE_API_BASE_URL", &api.base)]).await;
    let browser = world.browser();
    browser.page_login("ada").await;
    browser
        .page_get("/api/pong")
        .await
        .assert(502, "remote_api_unavailable");
}
