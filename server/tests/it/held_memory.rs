//! What a frame costs while it waits: thousands do.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRef as _, Request};
use http::{HeaderValue, header};
use server::auth::waiting::Waiting;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::harness::{Handoff, World, eventually};

/// A part of a connection's buffer, which stays whole while one part of it is held.
struct Part {
    text: String,
    _buffer: Arc<()>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[tokio::test]
async fn a_frame_that_waits_keeps_nothing_of_its_request() {
    let world = World::new().await;
    let buffer = Arc::new(());
    let part = |text: String| {
        Bytes::from_owner(Part {
            text,
            _buffer: Arc::clone(&buffer),
        })
    };
    let value = |text: &str| HeaderValue::from_maybe_shared(part(text.into())).unwrap();
    let body = format!(r#"{{"verifier":"{}"}}"#, Handoff::new(&world).verifier);
    let request = Request::post("/api/auth/handoff")
        .header(header::HOST, value("localhost:3001"))
        .header(header::ORIGIN, value(&world.base))
        .header(header::CONTENT_TYPE, value("application/json"))
        .header(header::COOKIE, value("a=b"))
        .body(Body::from(part(body)))
        .unwrap();
    assert_eq!(Arc::strong_count(&buffer), 6);
    let mut frames = JoinSet::new();
    frames.spawn(world.app.clone().oneshot(request));
    let waiting = Waiting::from_ref(&world.state);
    eventually(async || waiting.count() == 1).await;
    assert_eq!(Arc::strong_count(&buffer), 1);
}
