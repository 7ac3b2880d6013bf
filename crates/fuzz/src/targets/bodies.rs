//! JSON bodies of frames and hosts (A30, A31, D20, D21, D25, E33, G01): nobody is signed in
//! by guessing, nothing breaks, and no answer has a secret in it.

use std::time::Duration;

use http::{HeaderValue, Request, StatusCode, header};
use serde_json::{Value, json};

use super::filled_in;
use crate::stand::{
    Answer, CHALLENGE, STREAMLIT_ORIGIN, STREAMLIT_SECRET, Stand, VERIFIER, as_frame, post,
    with_stand,
};

/// A handoff that is held is as good as refused here.
const PATIENCE: Duration = Duration::from_millis(30);
const HOST_ROUTES: [&str; 4] = [
    "/api/auth/redeem",
    "/api/auth/token",
    "/api/auth/session",
    "/api/auth/revoke",
];
const FRAME_ROUTES: [&str; 3] = ["/api/auth/handoff", "/api/auth/ticket", "/api/auth/watch"];

/// The first byte chooses the route. `{ticket}`, `{verifier}`, `{challenge}` and `{origin}`
/// stand for what a real frame and its host would send.
pub(crate) fn run(input: &[u8]) {
    let Some((&kind, body)) = input.split_first() else {
        return;
    };
    let kind = usize::from(kind);
    with_stand(|stand| {
        if kind.is_multiple_of(2) {
            to_host_route(stand, HOST_ROUTES[kind / 2 % HOST_ROUTES.len()], body);
        } else {
            to_frame_route(stand, FRAME_ROUTES[kind / 2 % FRAME_ROUTES.len()], body);
        }
    });
}

fn to_host_route(stand: &Stand, path: &str, body: &[u8]) {
    let wants_ticket = path == "/api/auth/redeem" && contains(body, "{ticket}");
    let ticket = if wants_ticket {
        ticket(stand)
    } else {
        String::new()
    };
    let body = filled(body, &ticket);
    let answer = stand.send(host_request(path, body.clone(), true));
    let may_succeed = wants_ticket && says_the_truth(&body, &ticket);
    // Revoking what does not exist (any more) is done already.
    let is_void = path == "/api/auth/revoke" && answer.status == StatusCode::NO_CONTENT;
    assert!(
        answer.status.is_client_error() || is_void || may_succeed,
        "{path} {answer:?}"
    );
    if answer.status == StatusCode::OK {
        // It is the right host, which may see the person's access token.
        assert!(answer.contains(crate::stand::ACCESS_TOKEN));
    } else {
        answer.check();
    }
    // Without the credential nothing is even looked at.
    let answer = stand.send(host_request(path, body, false));
    answer.check();
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {answer:?}");
}

/// Read by another parser than the companion's; a body that says a thing twice says nothing.
fn says_the_truth(body: &[u8], ticket: &str) -> bool {
    let Ok(said) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let origins = &said["origin"];
    let many = |list: &Vec<Value>| list.iter().any(|origin| origin == STREAMLIT_ORIGIN);
    let names_host = origins == STREAMLIT_ORIGIN || origins.as_array().is_some_and(many);
    said["ticket"] == ticket && said["verifier"] == VERIFIER && names_host
}

fn host_request(path: &str, body: Vec<u8>, has_credential: bool) -> Request<Vec<u8>> {
    let mut request = post(path, "application/json", body);
    if has_credential {
        let credential = format!("Bearer {STREAMLIT_SECRET}").parse().unwrap();
        request
            .headers_mut()
            .insert(header::AUTHORIZATION, credential);
    }
    request
}

fn to_frame_route(stand: &Stand, path: &str, body: &[u8]) {
    let body = filled(body, "");
    // No cookie: there is nobody to be told of.
    if let Some(answer) = send_patiently(stand, frame_request(path, body.clone())) {
        answer.check();
        assert!(answer.status != StatusCode::OK, "{path} {answer:?}");
        assert_eq!(answer.session_cookie(), None, "{path} {answer:?}");
    }
    let mut request = frame_request(path, body);
    let foreign = HeaderValue::from_static("https://evil.test");
    request.headers_mut().insert(header::ORIGIN, foreign);
    let answer = stand.send(request);
    answer.check();
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {answer:?}");
}

fn frame_request(path: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    as_frame(post(path, "application/json", body))
}

/// `None`: the answer is held.
fn send_patiently(stand: &Stand, request: Request<Vec<u8>>) -> Option<Answer> {
    let answer = stand.answer(request);
    stand.block_on(async { tokio::time::timeout(PATIENCE, answer).await.ok() })
}

/// A ticket of the person, for the stand's Streamlit session and origin.
fn ticket(stand: &Stand) -> String {
    let body = json!({"challenge": CHALLENGE, "host_origin": STREAMLIT_ORIGIN}).to_string();
    let mut request = frame_request("/api/auth/ticket", body.into_bytes());
    // By the first of the two names that it has on plain http.
    let cookie = format!("component-auth0-frame={}", stand.frame);
    let cookie = cookie.parse().unwrap();
    request.headers_mut().insert(header::COOKIE, cookie);
    let answer = stand.send(request);
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let ticket = said["ticket"].as_str().map(str::to_owned);
    ticket.unwrap_or_else(|| panic!("no ticket: {answer:?}"))
}

fn contains(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

/// Bytes that are no text stay as they are.
fn filled(body: &[u8], ticket: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(body) else {
        return body.to_vec();
    };
    let values = [
        ("ticket", ticket),
        ("verifier", VERIFIER),
        ("challenge", CHALLENGE),
        ("origin", STREAMLIT_ORIGIN),
    ];
    filled_in(text, &values).into_bytes()
}
