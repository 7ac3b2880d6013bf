//! A provider that publishes whatever keys it is told to and counts requests, and an
//! attacker's host that must never see one.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What a host has seen.
pub(super) struct Host {
    /// Without a slash at its end.
    pub(super) url: String,
    keys: Mutex<Value>,
    requests: AtomicUsize,
    for_keys: AtomicUsize,
}

impl Host {
    /// A host on a port of its own. As a provider it publishes these keys.
    pub(super) async fn start(keys: Value) -> Arc<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let host = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: Mutex::new(json!({"keys": keys})),
            requests: AtomicUsize::new(0),
            for_keys: AtomicUsize::new(0),
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&host));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        host
    }

    pub(super) fn publish(&self, keys: &Value) {
        *self.keys.lock().unwrap() = json!({"keys": keys});
    }

    /// All requests.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Requests for the keys.
    pub(super) fn requests_for_keys(&self) -> usize {
        self.for_keys.load(Ordering::SeqCst)
    }
}

async fn serve(State(host): State<Arc<Host>>, uri: Uri) -> Response {
    host.requests.fetch_add(1, Ordering::SeqCst);
    let url = &host.url;
    match uri.path() {
        "/.well-known/openid-configuration" => Json(json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks"),
        }))
        .into_response(),
        "/jwks" => {
            host.for_keys.fetch_add(1, Ordering::SeqCst);
            Json(host.keys.lock().unwrap().clone()).into_response()
        }
        // An open redirect, for C13.
        "/redirect" => Redirect::to(uri.query().unwrap_or_default()).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
