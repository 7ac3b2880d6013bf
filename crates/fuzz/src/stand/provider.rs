//! A provider that publishes what it is told to, and counts who asks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use serde_json::{Value, json};
use test_tokens::Key;
use tokio::net::TcpListener;

/// Cheap to clone; clones are one.
#[derive(Clone)]
pub(crate) struct Provider {
    issuer: String,
    published: Arc<Published>,
}

#[derive(Default)]
struct Published {
    metadata: Mutex<Vec<u8>>,
    keys: Mutex<Vec<u8>>,
    /// `None`: every code is refused.
    tokens: Mutex<Option<Vec<u8>>>,
    token_requests: AtomicUsize,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://{}/", listener.local_addr().unwrap());
        let published = Arc::new(Published::default());
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(keys))
            .route("/token", post(tokens))
            .with_state(Arc::clone(&published));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { issuer, published }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn publish_good(&self, key: &Key) {
        let good = self.good_metadata().to_string();
        self.publish_metadata(good.into_bytes());
        self.publish_keys(json!({"keys": [key.jwk()]}).to_string().into_bytes());
    }

    pub(crate) fn good_metadata(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}authorize"),
            "token_endpoint": format!("{issuer}token"),
            "jwks_uri": format!("{issuer}jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA", "RS256"],
            "authorization_response_iss_parameter_supported": false,
        })
    }

    pub(crate) fn publish_metadata(&self, document: Vec<u8>) {
        *self.published.metadata.lock().unwrap() = document;
    }

    pub(crate) fn publish_keys(&self, document: Vec<u8>) {
        *self.published.keys.lock().unwrap() = document;
    }

    pub(crate) fn answer_tokens(&self, answer: Option<&Value>) {
        let answer = answer.map(|answer| answer.to_string().into_bytes());
        *self.published.tokens.lock().unwrap() = answer;
    }

    /// How often somebody wanted tokens, since the last call.
    pub(crate) fn take_token_requests(&self) -> usize {
        self.published.token_requests.swap(0, Ordering::SeqCst)
    }
}

async fn metadata(State(published): State<Arc<Published>>) -> Response {
    document(&published.metadata)
}

async fn keys(State(published): State<Arc<Published>>) -> Response {
    document(&published.keys)
}

async fn tokens(State(published): State<Arc<Published>>) -> Response {
    published.token_requests.fetch_add(1, Ordering::SeqCst);
    let answer = published.tokens.lock().unwrap().clone();
    let status = if answer.is_some() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let body = answer.unwrap_or_else(|| br#"{"error":"invalid_grant"}"#.to_vec());
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body).into_response()
}

fn document(document: &Mutex<Vec<u8>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, document.lock().unwrap().clone()).into_response()
}
