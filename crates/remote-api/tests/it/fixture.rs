//! A dev tenant and a resource server, each on a port of its own, and a clock for the latter.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::{catalogue, login};
use dev_tenant::{API_IDENTIFIER, DevTenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET, Settings};
use oidc::{Clock, HttpClient, SystemClock, SystemRandom, UnixTime};
use remote_api::{AppState, Config};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

pub(crate) const SCOPED: &str = "/api/pong-scoped";
/// What the demo's application asks for; the tenant leaves out what a person may not have.
const ALL_SCOPES: &str = "openid read:messages read:chart read:export write:import write:solve";

/// The machine's clock at the start, moved by hand afterwards.
pub(crate) struct MovableClock(AtomicI64);

impl MovableClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) struct Fixture {
    pub(crate) tenant: DevTenant,
    pub(crate) clock: Arc<MovableClock>,
    url: String,
    http: reqwest::Client,
    shutdown: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        catalogue::prepare_log();
        let tenant = start_tenant().await;
        // Without the slash that the tenant's issuer has: both forms are the same provider.
        let issuer = tenant.issuer().trim_end_matches('/').to_owned();
        let config = Config::from_lookup(|name| match name {
            "AUTH0_ISSUER_BASE_URL" => Some(issuer.clone()),
            "API_AUDIENCE" => Some(API_IDENTIFIER.to_owned()),
            "CORS_ORIGINS" => Some("http://localhost:4010".to_owned()),
            "PORT" => Some("0".to_owned()),
            _ => None,
        })
        .unwrap();
        let clock = Arc::new(MovableClock(AtomicI64::new(SystemClock.now().seconds())));
        let http = HttpClient::new().unwrap();
        let state = AppState::new(&config, http, clock.clone(), Arc::new(SystemRandom));
        let listener = TcpListener::bind(config.address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (shutdown, until) = oneshot::channel();
        let router = remote_api::router(state, &config);
        let server = tokio::spawn(remote_api::serve(listener, router, async {
            let _ = until.await;
        }));
        Self {
            tenant,
            clock,
            url,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            shutdown,
            server,
        }
    }

    pub(crate) async fn call(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, None).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.json().await.unwrap_or_default(),
        }
    }

    /// A JSON body and a token.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        let headers = [
            ("authorization", &*format!("Bearer {token}")),
            ("content-type", "application/json"),
        ];
        self.send(Method::POST, path, &headers, Some(body.to_string()))
            .await
    }

    pub(crate) async fn call_with(&self, path: &str, token: &str) -> Answer {
        self.call(path, &[("authorization", &format!("Bearer {token}"))])
            .await
    }

    pub(crate) async fn preflight(&self, path: &str, method: &str, origin: &str) -> Answer {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", method),
            (
                "access-control-request-headers",
                "authorization,content-type",
            ),
        ];
        self.send(Method::OPTIONS, path, &headers, None).await
    }

    /// A token as the tenant issues it to a machine.
    pub(crate) async fn machine_token(&self, scope: &str) -> String {
        let response = self
            .http
            .post(format!("{}oauth/token", self.tenant.issuer()))
            .form(&[
                ("grant_type", "client_credentials"),
                ("client_id", M2M_CLIENT_ID),
                ("client_secret", M2M_CLIENT_SECRET),
                ("audience", API_IDENTIFIER),
                ("scope", scope),
            ])
            .send()
            .await
            .unwrap();
        let body: Value = response.json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// A token as the tenant issues it to an application after a person's login there.
    pub(crate) async fn personal_token(&self, username: &str) -> String {
        let browser = login::Window::new(self.tenant.issuer());
        browser.access_token(username, ALL_SCOPES).await
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().seconds()
    }

    /// Claims of a good token of a person.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.tenant.issuer(), "sub": "auth0|ada", "aud": [API_IDENTIFIER],
            "iat": self.now(), "exp": self.now() + 60, "azp": "client",
            "scope": "openid read:messages", "permissions": [],
        })
    }

    /// Signed with the tenant's key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.tenant.sign_raw(claims, &Map::new())
    }

    pub(crate) async fn shut_down(self) {
        self.shutdown.send(()).unwrap();
        self.server.await.unwrap();
        assert!(
            self.http
                .get(format!("{}/healthz", self.url))
                .send()
                .await
                .is_err()
        );
    }
}

pub(crate) async fn start_tenant() -> DevTenant {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let settings = Settings {
        issuer: format!("http://{}/", listener.local_addr().unwrap()),
        ..Settings::default()
    };
    let tenant = DevTenant::new(settings, Arc::new(dev_tenant::SystemClock));
    let router = tenant.router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    tenant
}
