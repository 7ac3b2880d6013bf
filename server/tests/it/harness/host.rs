//! A Streamlit host: the Python side of one Streamlit session, over the back channel.

use std::sync::{Arc, Mutex};

use crate::harness::App;
use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::answer::Answer;
use super::world::{BASE, Exchange, STREAMLIT_ORIGIN, STREAMLIT_SECRET, World, s256};

/// Host of one Streamlit session, with that session's verifier.
#[derive(Clone)]
pub(crate) struct Host {
    app: App,
    /// `Authorization` headers: one, in an honest host.
    pub(crate) authorization: Vec<String>,
    pub(crate) origin: String,
    pub(crate) verifier: String,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Host {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            app: world.app.clone(),
            authorization: vec![format!("Bearer {STREAMLIT_SECRET}")],
            origin: STREAMLIT_ORIGIN.to_owned(),
            verifier: world.random_256(),
            exchanges: Arc::clone(&world.exchanges),
        }
    }

    /// The same host, in front of a companion that was started again.
    pub(crate) fn before(&self, world: &World) -> Self {
        Self {
            app: world.app.clone(),
            ..self.clone()
        }
    }

    /// Another app: the same in all but its origin.
    pub(crate) fn at(&self, origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            ..self.clone()
        }
    }

    /// Another Streamlit session, or a thief: the same in all but its verifier.
    pub(crate) fn knowing(&self, verifier: &str) -> Self {
        Self {
            verifier: verifier.to_owned(),
            ..self.clone()
        }
    }

    /// The same with these `Authorization` headers.
    pub(crate) fn showing(&self, authorization: Vec<String>) -> Self {
        Self {
            authorization,
            ..self.clone()
        }
    }

    /// The challenge in the component's args.
    pub(crate) fn challenge(&self) -> String {
        s256(&self.verifier)
    }

    pub(crate) async fn redeem(&self, ticket: &str) -> Answer {
        let body = json!({ "ticket": ticket, "verifier": self.verifier, "origin": self.origin });
        self.post("/api/auth/redeem", &body).await
    }

    pub(crate) async fn token(&self, grant: &str) -> Answer {
        self.token_with(json!({ "grant": grant })).await
    }

    pub(crate) async fn token_with(&self, body: Value) -> Answer {
        self.post("/api/auth/token", &body).await
    }

    pub(crate) async fn session(&self, grant: &str) -> Answer {
        self.post("/api/auth/session", &json!({ "grant": grant }))
            .await
    }

    pub(crate) async fn revoke(&self, grant: &str) -> Answer {
        self.post("/api/auth/revoke", &json!({ "grant": grant }))
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(path, &headers, body.to_string()).await
    }

    /// A request with a body of any kind.
    pub(crate) async fn send(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request =
            Request::post(path).header(header::HOST, BASE.trim_start_matches("http://"));
        for value in &self.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let answer = Answer::read(self.app.clone().oneshot(request).await.unwrap()).await;
        self.exchanges.lock().unwrap().push(Exchange {
            to_browser: false,
            path: path.to_owned(),
            answer: answer.clone(),
        });
        answer
    }
}
