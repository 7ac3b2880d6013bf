//! A resource server, its provider and an attacker's host; a case, and its judgement.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use oidc::{Clock, HttpClient, SystemRandom, UnixTime};
use remote_api::{AppState, Config};
use reqwest::{Method, header::HeaderMap};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use test_tokens::{Key, catalogue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{log, provider::Host};

pub(super) const NOW: i64 = 1_790_000_000;
pub(super) const AUDIENCE: &str = "http://oe.streamlit.app/api";
/// Requires a token with the scope `read:messages`.
pub(super) const SCOPED: &str = "/api/pong-scoped";
/// Every algorithm that can be configured, so that only the key can refuse one.
pub(super) const ALL_ALGORITHMS: (&str, &str) = (
    "AUTH0_ALGORITHMS",
    "RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,EdDSA",
);
/// Of processor time, for a refusal without a request: client, server and log together, since
/// all of them run on the thread of the test. Not of the clock on the wall, which other
/// processes move.
const COST_LIMIT: Duration = Duration::from_millis(5);
/// One that was dear by chance is sent again.
const ATTEMPTS: usize = 5;
/// In each good token, to be looked for in the log.
const CANARY: &str = "canary-9b1f6f0e";

struct StandingClock(AtomicI64);

impl Clock for StandingClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

/// How a request is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 200.
    Accepted,
    /// 401 `invalid_token`, with this reason in the log.
    Invalid(&'static str),
    /// 403 `insufficient_scope`.
    Forbidden,
    /// 401 without an error: there are no bearer credentials.
    Missing,
}

/// One request of the catalogue.
pub(super) struct Case {
    /// Empty for what stands in no row.
    number: &'static str,
    name: String,
    method: Method,
    path: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: &'static str,
    verdict: Verdict,
    may_fetch: bool,
}

/// A bearer token in the one header.
pub(super) fn case(
    number: &'static str,
    name: impl Into<String>,
    token: &str,
    verdict: Verdict,
) -> Case {
    let headers = vec![("authorization", format!("Bearer {token}").into_bytes())];
    Case {
        headers,
        ..request(number, name, verdict)
    }
}

/// No credentials yet.
pub(super) fn request(number: &'static str, name: impl Into<String>, verdict: Verdict) -> Case {
    Case {
        number,
        name: name.into(),
        method: Method::GET,
        path: SCOPED.to_owned(),
        headers: Vec::new(),
        body: "",
        verdict,
        may_fetch: false,
    }
}

/// Signed with the first key, under its good header.
pub(super) fn sign(claims: &Value) -> String {
    Key::first().sign(&Key::first().header(), claims)
}

/// A row that cannot happen here, and why.
pub(super) fn not_applicable(number: &str, reason: &str) {
    catalogue::tried(number, catalogue::Verdict::NotApplicable, reason);
}

impl Case {
    /// It names a key that the server does not know: one request for the keys is allowed.
    pub(super) fn of_unknown_key(mut self) -> Self {
        self.may_fetch = true;
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn at(mut self, method: Method, path: impl Into<String>) -> Self {
        self.method = method;
        self.path = path.into();
        self
    }

    pub(super) fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    /// What must not be in the log: long parts of whatever was sent.
    fn secrets(&self) -> Vec<String> {
        let sent = self
            .headers
            .iter()
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .chain([self.path.clone()]);
        let parts: Vec<_> = sent
            .flat_map(|text| {
                text.split(['.', ' ', ',', '='])
                    .map(|part| part.chars().take(64).collect::<String>())
                    .collect::<Vec<_>>()
            })
            .filter(|part| part.len() > 24)
            .collect();
        [vec![CANARY.to_owned()], parts].concat()
    }
}

pub(super) struct Bench {
    pub(super) provider: Arc<Host>,
    pub(super) attacker: Arc<Host>,
    pub(super) url: String,
    clock: Arc<StandingClock>,
    http: reqwest::Client,
}

impl Bench {
    /// Publishes the first key; believes RS256 alone.
    pub(super) async fn start() -> Self {
        Self::with(&json!([Key::first().jwk()]), &[]).await
    }

    /// Publishes these keys; has these settings beside the required ones.
    pub(super) async fn with(keys: &Value, settings: &[(&str, &str)]) -> Self {
        log::prepare();
        let provider = Host::start(keys.clone()).await;
        let attacker = Host::start(json!([Key::second().jwk()])).await;
        let config = Config::from_lookup(|name| match name {
            "AUTH0_ISSUER_BASE_URL" => Some(provider.url.clone()),
            "API_AUDIENCE" => Some(AUDIENCE.to_owned()),
            "PORT" => Some("0".to_owned()),
            "CORS_ORIGINS" => Some("http://localhost:4010".to_owned()),
            _ => settings
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned()),
        });
        let config = config.unwrap();
        let clock = Arc::new(StandingClock(AtomicI64::new(NOW)));
        let state = AppState::new(
            &config,
            oidc_client(),
            clock.clone(),
            Arc::new(SystemRandom),
        );
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = remote_api::router(state, &config);
        tokio::spawn(remote_api::serve(listener, router, std::future::pending()));
        let http = client();
        Self {
            provider,
            attacker,
            url,
            clock,
            http,
        }
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Claims of a token that opens everything used here.
    pub(super) fn claims(&self) -> Value {
        json!({
            "iss": self.provider.url, "sub": "auth0|ada", "aud": [AUDIENCE, "https://other.test"],
            "iat": NOW, "exp": NOW + 3600, "azp": "client", "canary": CANARY,
            "scope": "openid read:messages", "permissions": [],
        })
    }

    /// Good but for one claim.
    pub(super) fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[name] = value;
        sign(&claims)
    }

    /// Good but for one claim that is absent.
    pub(super) fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        sign(&claims)
    }

    /// Good but for one header member.
    pub(super) fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = Key::first().header();
        header[name] = value;
        Key::first().sign(&header, &self.claims())
    }

    /// Fetches the keys by way of a good token: from now on requests are the cases' doing.
    pub(super) async fn warm_up(&self) {
        let token = sign(&self.claims());
        self.judge(&[case("", "good token", &token, Verdict::Accepted).of_unknown_key()])
            .await;
    }

    /// Sends the requests of the cases and checks all that is said in the module's head.
    pub(super) async fn judge(&self, cases: &[Case]) {
        assert!(!cases.is_empty());
        for case in cases {
            let before = (self.provider.requests(), self.provider.requests_for_keys());
            let what = format!("{} {}", case.number, case.name);
            let response = self.send_cheaply(case, &what).await;
            assert_answer(case.verdict, &response, &what);
            assert_log(case, &log::take(), &what);
            let requests = self.provider.requests() - before.0;
            let for_keys = self.provider.requests_for_keys() - before.1;
            if case.may_fetch {
                // Beside it the metadata, at the very first.
                assert!(
                    for_keys <= 1 && requests <= 2,
                    "{what}: {requests} requests"
                );
            } else {
                assert_eq!(requests, 0, "{what}: the provider was asked");
            }
            assert_eq!(
                self.attacker.requests(),
                0,
                "{what}: the attacker was asked"
            );
            let verdict = match case.verdict {
                Verdict::Accepted => catalogue::Verdict::Accepted,
                Verdict::Invalid(reason) => catalogue::Verdict::Refused(reason),
                Verdict::Forbidden => catalogue::Verdict::Refused("insufficient_scope"),
                Verdict::Missing => catalogue::Verdict::Refused("missing_token"),
            };
            if !case.number.is_empty() {
                catalogue::tried(case.number, verdict, &case.name);
            }
        }
    }

    /// A refusal must not be worth an attacker's while.
    async fn send_cheaply(&self, case: &Case, what: &str) -> Answer {
        let mut costs = Vec::new();
        loop {
            log::take();
            let before = processor_time();
            let answer = self.send(case).await;
            let cost = processor_time().saturating_sub(before);
            if cost < COST_LIMIT || case.may_fetch || case.verdict == Verdict::Accepted {
                return answer;
            }
            costs.push(cost);
            assert!(costs.len() < ATTEMPTS, "{what} costs {costs:?}");
        }
    }

    async fn send(&self, case: &Case) -> Answer {
        let url = format!("{}{}", self.url, case.path);
        let mut request = self.http.request(case.method.clone(), url);
        for (name, value) in &case.headers {
            request = request.header(*name, value.as_slice());
        }
        if !case.body.is_empty() {
            request = request.body(case.body);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
            has_body: case.method != Method::HEAD,
        }
    }

    /// Sends the beginning of a request on a connection of its own.
    pub(super) async fn begin_raw(&self, begun: &[u8]) -> TcpStream {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        stream
    }

    /// Sends bytes that no client library would, `repeated` many times over, until the
    /// server has had enough; the answer's first line.
    pub(super) async fn send_raw(&self, head: &[u8], filler: &[u8], repeated: usize) -> String {
        let address = self.url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let (head, filler) = (head.to_vec(), filler.to_vec());
        let writing = tokio::spawn(async move {
            let mut has_room = writer.write_all(&head).await.is_ok();
            for _ in 0..repeated {
                has_room = has_room && writer.write_all(&filler).await.is_ok();
            }
            writer
        });
        let mut answer = Vec::new();
        // A reset after the answer is the server's good right: more was coming.
        let _ = reader.read_to_end(&mut answer).await;
        writing.abort();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

/// Of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

/// Built once: setting up TLS takes longer than most cases.
fn oidc_client() -> HttpClient {
    static CLIENT: OnceLock<HttpClient> = OnceLock::new();
    CLIENT.get_or_init(|| HttpClient::new().unwrap()).clone()
}

pub(super) fn client() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let build = || reqwest::Client::builder().no_proxy().build().unwrap();
    CLIENT.get_or_init(build).clone()
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
    has_body: bool,
}

fn assert_answer(verdict: Verdict, answer: &Answer, what: &str) {
    let (status, challenge, code) = match verdict {
        Verdict::Accepted => (200, None, None),
        Verdict::Invalid(_) => (
            401,
            Some(r#"Bearer error="invalid_token""#),
            Some("invalid_token"),
        ),
        Verdict::Forbidden => (
            403,
            Some(r#"Bearer error="insufficient_scope", scope="read:messages""#),
            Some("insufficient_scope"),
        ),
        Verdict::Missing => (401, Some("Bearer"), Some("missing_token")),
    };
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    let expected: Vec<_> = challenge.into_iter().collect();
    assert_eq!(challenges, expected, "{what}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
    if let Some(code) = code.filter(|_| answer.has_body) {
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["code"], code, "{what}");
    }
}

fn assert_log(case: &Case, log: &str, what: &str) {
    let refusals: Vec<_> = log
        .lines()
        .filter(|line| line.contains("access token refused"))
        .collect();
    let reason = match case.verdict {
        Verdict::Invalid(reason) => Some(reason),
        Verdict::Forbidden => Some("insufficient_scope"),
        Verdict::Accepted | Verdict::Missing => None,
    };
    match reason {
        Some(reason) => {
            assert_eq!(refusals.len(), 1, "{what}: {log}");
            let expected = format!("reason=\"{reason}\"");
            assert!(refusals[0].contains(&expected), "{what}: {}", refusals[0]);
        }
        None => assert_eq!(refusals.len(), 0, "{what}: {log}"),
    }
    for secret in case.secrets() {
        assert!(!log.contains(&secret), "{what}: {secret:?} is in the log");
    }
}
