//! What the tests of this crate share: a clock that stands, seeded randomness, and a
//! provider that answers whatever it is told to and counts requests.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Bytes, extract::State, response::IntoResponse, routing::any};
use http::{HeaderMap, StatusCode, Uri};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{
    AllowedAlgorithms, ClientId, ClientSecret, Clock, ClockSkew, Discovery, HttpClient, Issuer,
    Provider, ProviderSettings, Random, SigningKeys, UnixTime, VerificationError,
    verification::TokenFault,
};

pub(crate) use test_tokens::{
    Key,
    catalogue::{Verdict, tried},
};

pub(crate) const NOW: UnixTime = UnixTime(1_790_000_000);
pub(crate) const CLIENT_ID: &str = "client-of-the-tests";
pub(crate) const CLIENT_SECRET: &str = "canary: secret & more";

pub(crate) struct FakeClock(AtomicI64);

impl FakeClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(1)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(bytes);
    }
}

/// What a path of the [`FakeProvider`] answers.
#[derive(Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        Self::text(200, "application/json", body.to_string())
    }

    pub(crate) fn text(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
        }
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            ..Self::json(&json!({"error": code, "error_description": "canary"}))
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One path.
pub(crate) struct Endpoint {
    answer: Mutex<Answer>,
    requests: AtomicUsize,
    last: Mutex<(HeaderMap, String)>,
}

impl Endpoint {
    fn new(answer: Answer) -> Self {
        Self {
            answer: Mutex::new(answer),
            requests: AtomicUsize::new(0),
            last: Mutex::default(),
        }
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Headers and body of the last request.
    pub(crate) fn last(&self) -> (HeaderMap, String) {
        self.last.lock().unwrap().clone()
    }
}

/// Paths and gate of the [`FakeProvider`].
pub(crate) struct Paths {
    pub(crate) metadata: Endpoint,
    pub(crate) jwks: Endpoint,
    pub(crate) token: Endpoint,
    pub(crate) revocation: Endpoint,
    /// Where a redirect would lead.
    pub(crate) elsewhere: Endpoint,
    /// Each answer takes a permit and gives it back: without one, requests wait.
    pub(crate) gate: Semaphore,
    pub(crate) arrivals: Semaphore,
}

/// A provider on a port of its own, with a clock beside it.
pub(crate) struct FakeProvider {
    pub(crate) issuer: String,
    pub(crate) paths: Arc<Paths>,
    pub(crate) clock: Arc<FakeClock>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeProvider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let nothing = || Endpoint::new(Answer::text(404, "text/plain", ""));
        let paths = Arc::new(Paths {
            metadata: Endpoint::new(Answer::json(&metadata_of(&issuer))),
            jwks: Endpoint::new(Answer::json(&json!({"keys": [Key::first().jwk()]}))),
            token: nothing(),
            revocation: nothing(),
            elsewhere: nothing(),
            gate: Semaphore::new(1),
            arrivals: Semaphore::new(0),
        });
        let router = Router::new()
            .fallback(any(serve))
            .with_state(Arc::clone(&paths));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            issuer,
            paths,
            clock: Arc::new(FakeClock(AtomicI64::new(NOW.0))),
            server,
        }
    }

    pub(crate) fn publish(&self, keys: &[Value]) {
        self.paths.jwks.answer(Answer::json(&json!({"keys": keys})));
    }

    pub(crate) fn metadata(&self) -> Value {
        metadata_of(&self.issuer)
    }

    pub(crate) fn discovery(&self) -> Discovery {
        Discovery::new(
            Issuer::parse(&self.issuer).unwrap(),
            http_client(),
            self.clock.clone(),
            Arc::new(SeededRandom::new()),
        )
    }

    pub(crate) fn signing_keys(&self) -> SigningKeys {
        SigningKeys::new(self.discovery())
    }

    pub(crate) fn provider(&self) -> Provider {
        self.provider_with(AllowedAlgorithms::rs256())
    }

    pub(crate) fn provider_with(&self, algorithms: AllowedAlgorithms) -> Provider {
        let settings = ProviderSettings {
            issuer: Issuer::parse(&self.issuer).unwrap(),
            client_id: ClientId::new(CLIENT_ID),
            client_secret: ClientSecret::new(CLIENT_SECRET.to_owned()),
            algorithms,
            clock_skew: ClockSkew::default(),
        };
        let random = Arc::new(SeededRandom::new());
        Provider::new(settings, http_client(), self.clock.clone(), random)
    }
}

/// One for all tests: reading the system's roots takes longer than most of them.
fn http_client() -> HttpClient {
    static CLIENT: OnceLock<HttpClient> = OnceLock::new();
    CLIENT.get_or_init(|| HttpClient::new().unwrap()).clone()
}

fn metadata_of(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "revocation_endpoint": format!("{issuer}/revocation"),
    })
}

async fn serve(
    State(paths): State<Arc<Paths>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let endpoint = match uri.path() {
        "/.well-known/openid-configuration" => &paths.metadata,
        "/jwks" => &paths.jwks,
        "/token" => &paths.token,
        "/revocation" => &paths.revocation,
        _ => &paths.elsewhere,
    };
    endpoint.requests.fetch_add(1, Ordering::SeqCst);
    *endpoint.last.lock().unwrap() = (headers, String::from_utf8_lossy(&body).into_owned());
    paths.arrivals.add_permits(1);
    let _permit = paths.gate.acquire().await.unwrap();
    let answer = endpoint.answer.lock().unwrap().clone();
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers {
        headers.insert(name, value.parse().unwrap());
    }
    (answer.status, headers, answer.body)
}

/// The fault of a refused token.
pub(crate) fn fault<T>(result: Result<T, VerificationError>) -> TokenFault {
    match result {
        Ok(_) => panic!("the token was believed"),
        Err(VerificationError::Invalid(fault)) => fault,
        Err(error) => panic!("the token was not judged: {error}"),
    }
}

/// Asserts that the token was refused with this fault, and says so.
pub(crate) fn refused<T>(
    numbers: &str,
    case: &str,
    result: Result<T, VerificationError>,
    expected: TokenFault,
) {
    match result {
        Ok(_) => panic!("{case}: the token was believed"),
        Err(VerificationError::Invalid(fault)) => assert_eq!(fault, expected, "{case}"),
        Err(error) => panic!("{case}: the token was not judged: {error}"),
    }
    tried(numbers, Verdict::Refused(expected.code()), case);
}

/// Asserts that the token was believed, and says so.
pub(crate) fn accepted<T>(numbers: &str, case: &str, result: Result<T, VerificationError>) -> T {
    let verified = result.unwrap_or_else(|error| panic!("{case}: {error}"));
    tried(numbers, Verdict::Accepted, case);
    verified
}

/// One test for each claim that is set to a value, or removed by `Value::Null`: `Fixture`
/// with `claims` and `verify` are the caller's. In front, its numbers in the catalogue.
macro_rules! rejects {
    ($($numbers:literal $name:ident: $claim:literal = $value:expr => $fault:expr;)+) => {$(
        #[tokio::test]
        async fn $name() {
            let fixture = Fixture::new().await;
            let mut claims = fixture.claims();
            match json!($value) {
                Value::Null => { claims.as_object_mut().unwrap().remove($claim).unwrap(); }
                value => claims[$claim] = value,
            }
            let result = fixture.verify(&claims).await;
            crate::test_support::refused($numbers, stringify!($name), result, $fault);
        }
    )+};
}
pub(crate) use rejects;
