//! What the targets run against: one companion with its real router and store, a provider
//! that publishes what it is told to, and a person who is signed in.

mod provider;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use oidc::{Clock, Random, UnixTime};
use serde_json::json;
use server::app::App;
use server::assets::Assets;
use server::config::{Lookup, Settings};
use server::state::{AppState, Outside};
use server::values::s256;
use session_store::SqliteStore;
use tempfile::TempDir;
use test_tokens::Key;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

pub(crate) use self::provider::Provider;

pub(crate) const BASE: &str = "http://localhost:3001";
pub(crate) const STREAMLIT_ORIGIN: &str = "http://127.0.0.1:4010";
pub(crate) const STREAMLIT_SECRET: &str = "the-credential-of-the-streamlit-hosts-of-the-fuzzer";
pub(crate) const CLIENT_ID: &str = "client-of-the-fuzzer";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret-of-the-fuzzer";
pub(crate) const NOW: i64 = 1_800_000_000;
/// What no answer may contain.
pub(crate) const ACCESS_TOKEN: &str = "canary-access-token-of-the-person";
pub(crate) const CODE: &str = "the-code-of-the-person";
/// Verifier of the person's frame, and of the Streamlit session.
const FRAME_VERIFIER: &str = "the-verifier-of-the-frame-of-the-fuzzer-0-0";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The world of a run.
pub(crate) struct Stand {
    runtime: Runtime,
    pub(crate) provider: Provider,
    pub(crate) key: Key,
    pub(crate) settings: Settings,
    pub(crate) random: Arc<Counting>,
    app: App,
    /// Value of the signed-in person's page cookie.
    pub(crate) session: String,
    /// And of the frame's, by which tickets are given.
    pub(crate) frame: String,
    _directory: TempDir,
}

/// A login under way.
pub(crate) struct LoginUnderWay {
    pub(crate) state: String,
    pub(crate) nonce: String,
    /// `name=value` of the transaction cookie.
    pub(crate) cookie: String,
}

/// What a request led to.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

thread_local! {
    static STAND: OnceCell<Stand> = const { OnceCell::new() };
}

/// Does something with this thread's stand, which is set up at the first call.
pub(crate) fn with_stand<T>(work: impl FnOnce(&Stand) -> T) -> T {
    STAND.with(|stand| work(stand.get_or_init(Stand::new)))
}

impl Stand {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        // Ed25519: quick to sign and to verify.
        let key = Key::ed25519("first");
        let provider = runtime.block_on(Provider::start());
        provider.publish_good(&key);
        let directory = tempfile::tempdir().unwrap();
        let random = Arc::new(Counting::default());
        let outside = Outside {
            clock: Arc::new(Fixed),
            random: Arc::clone(&random) as Arc<dyn Random>,
            store: Arc::new(SqliteStore::open(&directory.path().join("sessions.db")).unwrap()),
            assets: Assets::without_frontend(),
        };
        let state = {
            let _entered = runtime.enter();
            AppState::new(settings(provider.issuer()), outside).unwrap()
        };
        let app = {
            let _entered = runtime.enter();
            server::app(state)
        };
        let mut stand = Self {
            runtime,
            settings: settings(provider.issuer()),
            provider,
            key,
            random,
            app,
            session: String::new(),
            frame: String::new(),
            _directory: directory,
        };
        (stand.session, stand.frame) = stand.sign_in();
        stand
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Sends a request with the `Host` that the companion has.
    pub(crate) fn send(&self, request: Request<Vec<u8>>) -> Answer {
        self.block_on(self.answer(request))
    }

    pub(crate) async fn answer(&self, request: Request<Vec<u8>>) -> Answer {
        let mut request = request.map(Body::from);
        let host = HeaderValue::from_static("localhost:3001");
        request.headers_mut().insert(header::HOST, host);
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    /// Begins a login as a person's navigation does.
    pub(crate) fn begin_login(&self) -> LoginUnderWay {
        under_way(&self.send(get("/api/auth/login")))
    }

    /// Signs the person in through a frame; the ids of the page's cookie and of the frame's.
    fn sign_in(&self) -> (String, String) {
        let form = format!("handoff_challenge={}", s256(FRAME_VERIFIER));
        let kind = "application/x-www-form-urlencoded";
        let login = under_way(&self.send(post("/api/auth/login", kind, form.into_bytes())));
        let claims = json!({
            "iss": self.provider.issuer(), "aud": CLIENT_ID, "sub": "the-person",
            "nonce": login.nonce, "iat": NOW, "exp": NOW + 600, "sid": "the-session",
        });
        self.provider.answer_tokens(Some(&json!({
            "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600,
            "scope": "openid profile",
            "id_token": self.key.sign(&self.key.header(), &claims),
        })));
        let query = format!("/api/auth/callback?state={}&code={CODE}", login.state);
        let mut request = get(&query);
        let cookie = login.cookie.parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
        let answer = self.send(request);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        // From now on nobody signs in: whatever makes a session has made it without tokens.
        self.provider.answer_tokens(None);
        let body = json!({"verifier": FRAME_VERIFIER}).to_string();
        let claimed = self.send(as_frame(post(
            "/api/auth/handoff",
            "application/json",
            body.into_bytes(),
        )));
        let frame = claimed.session_cookie().expect("a frame's cookie");
        (answer.session_cookie().expect("a page's cookie"), frame)
    }

    /// Whether the person is signed in still.
    pub(crate) fn is_signed_in(&self) -> bool {
        let mut request = get("/api/auth/me");
        let cookie = format!("component-auth0={}", self.session).parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
        self.send(request).status == StatusCode::OK
    }
}

impl Answer {
    /// `name=value` of each cookie that is set.
    fn cookies(&self) -> Vec<String> {
        let values = self.headers.get_all(header::SET_COOKIE).iter();
        let text = values.map(|value| value.to_str().unwrap());
        text.map(|text| text.split(';').next().unwrap_or_default().to_owned())
            .collect()
    }

    /// The session that it gives, if any.
    pub(crate) fn session_cookie(&self) -> Option<String> {
        self.cookies().into_iter().find_map(|cookie| {
            let (name, value) = cookie.split_once('=')?;
            let is_session = !name.contains("-login-") && !value.is_empty();
            is_session.then(|| value.to_owned())
        })
    }

    /// What holds for every answer: no fault of ours, and no secret in it.
    pub(crate) fn check(&self) {
        let is_ours = self.status.is_server_error() && self.status != StatusCode::BAD_GATEWAY;
        assert!(!is_ours, "{self:?}");
        for secret in [ACCESS_TOKEN, CLIENT_SECRET, STREAMLIT_SECRET] {
            assert!(!self.contains(secret), "{self:?}");
        }
        for value in self.headers.values() {
            let is_clean = value.as_bytes().iter().all(|byte| (32..127).contains(byte));
            assert!(is_clean, "{self:?}");
        }
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        let in_headers = self
            .headers
            .values()
            .any(|value| String::from_utf8_lossy(value.as_bytes()).contains(text));
        in_headers || String::from_utf8_lossy(&self.body).contains(text)
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(formatter, "{} {:?} {body}", self.status, self.headers)
    }
}

fn under_way(answer: &Answer) -> LoginUnderWay {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let location = answer.headers[header::LOCATION].to_str().unwrap();
    let location = url::Url::parse(location).unwrap();
    let parameter = |name: &str| {
        let mut pairs = location.query_pairs();
        let pair = pairs.find(|(known, _)| known == name);
        pair.expect("a parameter").1.into_owned()
    };
    LoginUnderWay {
        state: parameter("state"),
        nonce: parameter("nonce"),
        cookie: answer.cookies().pop().expect("a transaction cookie"),
    }
}

/// A navigation of a person.
pub(crate) fn get(path: &str) -> Request<Vec<u8>> {
    Request::get(path).body(Vec::new()).unwrap()
}

/// A POST as our own pages send it.
pub(crate) fn post(path: &str, content_type: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", content_type)
        .header("origin", BASE)
        .body(body)
        .unwrap()
}

/// The same from the component's frame.
pub(crate) fn as_frame(mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
    let frame = HeaderValue::from_static(shared::routes::FRAME);
    request.headers_mut().insert("x-component-auth0", frame);
    request
}

fn settings(issuer: &str) -> Settings {
    let values = [
        ("AUTH0_BASE_URL", BASE),
        ("AUTH0_ISSUER_BASE_URL", issuer),
        ("AUTH0_CLIENT_ID", CLIENT_ID),
        ("AUTH0_CLIENT_SECRET", CLIENT_SECRET),
        (
            "AUTH0_SECRET",
            "the-session-secret-of-the-companion-of-the-fuzzer",
        ),
        ("AUTH0_ALGORITHMS", "EdDSA,RS256,ES256"),
        ("AUTH0_SCOPE", "openid profile"),
        ("STREAMLIT_SECRET", STREAMLIT_SECRET),
        ("STREAMLIT_ORIGINS", STREAMLIT_ORIGIN),
        ("RATE_LIMIT_PER_MINUTE", "off"),
        ("AUDIT_LOG", "off"),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Settings::parse(&Lookup::of(BTreeMap::from(values)))
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// It stands still: what is valid stays valid.
pub(crate) struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> UnixTime {
        UnixTime(NOW)
    }
}

/// Values that differ, and are the same ones at each run.
#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            chunk.copy_from_slice(&mixed[..chunk.len()]);
        }
    }
}
