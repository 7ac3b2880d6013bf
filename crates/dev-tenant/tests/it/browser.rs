//! A browser and a relying party in one: keeps cookies, follows nothing by itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dev_tenant::{APP_CLIENT_ID, APP_CLIENT_SECRET, DevTenant, Settings, SigningKeyPem};
use http_body_util::BodyExt as _;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;
use url::Url;

pub(crate) const START: i64 = 1_800_000_000;
pub(crate) const CALLBACK: &str = "http://localhost:3001/api/auth/callback";
pub(crate) const HOME: &str = "http://localhost:3001/";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const SCOPE: &str = "openid profile email offline_access";

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> String {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.header(header::LOCATION).to_owned()
    }

    /// Query of the redirect to the relying party.
    pub(crate) fn reply(&self) -> BTreeMap<String, String> {
        let url = Url::parse(&self.location()).unwrap();
        assert!(url.as_str().starts_with(CALLBACK), "{url}");
        url.query_pairs().into_owned().collect()
    }
}

pub(crate) struct Browser {
    pub(crate) tenant: DevTenant,
    router: Router,
    clock: Arc<AtomicI64>,
    cookie: Option<String>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default().with_test_switches())
    }

    /// Settings without a key of their own share one: making one takes most of a test's time.
    pub(crate) fn with(mut settings: Settings) -> Self {
        static KEY: OnceLock<SigningKeyPem> = OnceLock::new();
        settings
            .signing_key
            .get_or_insert_with(|| KEY.get_or_init(SigningKeyPem::generate).clone());
        let clock = Arc::new(AtomicI64::new(START));
        let reading = Arc::clone(&clock);
        let tenant = DevTenant::new(settings, Arc::new(move || reading.load(Ordering::Relaxed)));
        Self {
            router: tenant.router(),
            tenant,
            clock,
            cookie: None,
        }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn forget_cookies(&mut self) {
        self.cookie = None;
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        if let Some(cookie) = &self.cookie {
            request
                .headers_mut()
                .insert(header::COOKIE, cookie.parse().unwrap());
        }
        let host = HeaderValue::from_static("localhost:3002");
        request.headers_mut().entry(header::HOST).or_insert(host);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        if let Some(set) = parts.headers.get(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = (!pair.ends_with('=')).then_some(pair);
        }
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_with(path, form, &[]).await
    }

    pub(crate) async fn post_with(
        &mut self,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = serde_urlencoded::to_string(form).unwrap();
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn json(&mut self, method: Method, path: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        self.send(request).await
    }

    /// The honest authorization request, with parameters replaced (empty removes).
    pub(crate) async fn authorize(&mut self, changes: &[(&str, &str)]) -> Answer {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()));
        let mut parameters = BTreeMap::from([
            ("client_id", APP_CLIENT_ID),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", SCOPE),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
        ]);
        parameters.extend(changes.iter().copied());
        parameters.retain(|_, value| !value.is_empty());
        let query = serde_urlencoded::to_string(&parameters).unwrap();
        self.get(&format!("/authorize?{query}")).await
    }

    /// Opens the login page; answers the transaction's id.
    pub(crate) async fn login_page(&mut self, changes: &[(&str, &str)]) -> String {
        let location = self.authorize(changes).await.location();
        location
            .strip_prefix("/login?state=")
            .unwrap_or_else(|| panic!("{location}"))
            .to_owned()
    }

    pub(crate) async fn submit(
        &mut self,
        transaction: &str,
        username: &str,
        password: &str,
    ) -> Answer {
        let form = [
            ("state", transaction),
            ("username", username),
            ("password", password),
        ];
        self.post("/login", &form).await
    }

    /// Signs `username` in; answers the authorization response.
    pub(crate) async fn sign_in(
        &mut self,
        username: &str,
        changes: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        let transaction = self.login_page(changes).await;
        let password = format!("{username}-password");
        self.submit(&transaction, username, &password).await.reply()
    }

    pub(crate) async fn redeem(&mut self, code: &str) -> Answer {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    /// Token request with `client_secret_basic`.
    pub(crate) async fn token(&mut self, form: &[(&str, &str)]) -> Answer {
        let credentials = STANDARD.encode(format!("{APP_CLIENT_ID}:{APP_CLIENT_SECRET}"));
        let headers = [("authorization", format!("Basic {credentials}"))];
        self.post_with("/oauth/token", form, &[(headers[0].0, &headers[0].1)])
            .await
    }

    pub(crate) async fn refresh(&mut self, refresh_token: &str) -> Answer {
        self.token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ])
        .await
    }

    /// The whole login; answers the token response.
    pub(crate) async fn tokens(&mut self, username: &str, changes: &[(&str, &str)]) -> Value {
        let reply = self.sign_in(username, changes).await;
        let answer = self.redeem(&reply["code"]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.json()
    }

    /// Verifies a JWS with another library, against the published keys.
    pub(crate) async fn verified(&mut self, jwt: &str) -> Result<Value, String> {
        let set: jsonwebtoken::jwk::JwkSet =
            serde_json::from_value(self.get("/.well-known/jwks.json").await.json()).unwrap();
        let kid = jsonwebtoken::decode_header(jwt)
            .map_err(|error| error.to_string())?
            .kid
            .ok_or("no kid")?;
        let key = DecodingKey::from_jwk(set.find(&kid).ok_or("unknown kid")?).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        jsonwebtoken::decode::<Value>(jwt, &key, &validation)
            .map(|token| token.claims)
            .map_err(|error| error.to_string())
    }
}

/// Claims without verification, for tokens that are spoilt on purpose.
pub(crate) fn unverified_claims(jwt: &str) -> Value {
    part(jwt, 1)
}

pub(crate) fn unverified_header(jwt: &str) -> Value {
    part(jwt, 0)
}

fn part(jwt: &str, index: usize) -> Value {
    let part = jwt.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
