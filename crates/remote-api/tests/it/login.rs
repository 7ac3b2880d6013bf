//! A person signs in at the dev tenant, over HTTP, as a browser and an application would.
//! What the companion does for people, done here in the plainest way.

use dev_tenant::{API_IDENTIFIER, APP_CLIENT_ID, APP_CLIENT_SECRET};
use reqwest::{Client, Response, header, redirect};
use serde_json::Value;
use url::Url;

const CALLBACK: &str = "http://localhost:3001/api/auth/callback";

pub(crate) struct Window {
    http: Client,
    issuer: Url,
}

impl Window {
    pub(crate) fn new(issuer: &str) -> Self {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy();
        Self {
            http: client.build().unwrap(),
            issuer: Url::parse(issuer).unwrap(),
        }
    }

    pub(crate) async fn access_token(&self, username: &str, scope: &str) -> String {
        let code = self.code(username, scope).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", APP_CLIENT_ID),
            ("client_secret", APP_CLIENT_SECRET),
            ("redirect_uri", CALLBACK),
            ("code", &code),
        ];
        let request = self.http.post(self.url("oauth/token")).form(&form);
        let tokens: Value = request.send().await.unwrap().json().await.unwrap();
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    async fn code(&self, username: &str, scope: &str) -> String {
        let mut authorize = self.url("authorize");
        authorize.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", APP_CLIENT_ID),
            ("redirect_uri", CALLBACK),
            ("audience", API_IDENTIFIER),
            ("scope", scope),
        ]);
        let page = self.http.get(authorize).send().await.unwrap();
        let form = [
            ("state", &*parameter(&self.location(&page), "state")),
            ("username", username),
            ("password", &format!("{username}-password")),
        ];
        let request = self
            .http
            .post(self.url("login"))
            .form(&form)
            .header(header::ORIGIN, self.issuer.origin().ascii_serialization());
        let answer = request.send().await.unwrap();
        parameter(&self.location(&answer), "code")
    }

    fn url(&self, path: &str) -> Url {
        self.issuer.join(path).unwrap()
    }

    fn location(&self, answer: &Response) -> Url {
        let location = answer.headers()[header::LOCATION].to_str().unwrap();
        self.issuer.join(location).unwrap()
    }
}

fn parameter(url: &Url, wanted: &str) -> String {
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(name, _)| name == wanted);
    found.unwrap().1.into_owned()
}
