//! Limits by client (E46 to E48, G10): what they refuse, whom they spare, and how little a
//! flood costs.

mod foreign_pages;
mod proxies;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Method, Request, StatusCode, header};
use serde_json::json;
use server::config::{Lookup, Settings};
use tower::ServiceExt as _;
use url::form_urlencoded;

use crate::harness::{Answer, App, Call, CapturedLog, Handoff, Host, StoreFaults, World};

const LIMIT: &str = "5";
const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;
/// What operations of the store change something.
const WRITES: [&str; 9] = [
    "create_session",
    "update_session",
    "touch_session",
    "end_session",
    "put_handle",
    "take_handle",
    "remove_handle",
    "acquire_lease",
    "notify",
];

/// Each request comes over a new connection: a port is nothing rare.
static PORT: AtomicU16 = AtomicU16::new(1024);

/// Somebody at an address, with headers of their choice.
#[derive(Clone)]
struct Client {
    app: App,
    peer: IpAddr,
    headers: Vec<(&'static str, String)>,
}

impl Client {
    fn at(world: &World, peer: &str) -> Self {
        Self {
            app: world.app.clone(),
            peer: peer.parse().unwrap(),
            headers: vec![("origin", "http://localhost:3001".to_owned())],
        }
    }

    fn saying(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value.into()));
        client
    }

    fn without(&self, name: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(known, _)| *known != name);
        client
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: String) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost:3001")
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, kind);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        let port = PORT.fetch_add(1, Ordering::SeqCst);
        let peer = SocketAddr::new(self.peer, port);
        request.extensions_mut().insert(ConnectInfo(peer));
        Answer::read(self.app.clone().oneshot(request).await.unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "text/plain", String::new())
            .await
    }

    async fn begin_login(&self, challenge: &str) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("handoff_challenge", challenge)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        self.send(Method::POST, "/api/auth/login", kind, form).await
    }

    async fn poll(&self, verifier: &str) -> Answer {
        let body = json!({ "verifier": verifier, "hold": 0 }).to_string();
        self.saying("x-component-auth0", "frame")
            .send(Method::POST, "/api/auth/handoff", "application/json", body)
            .await
    }

    /// How many of so many callbacks in a row were not refused for their number.
    async fn callbacks(&self, attempts: usize) -> usize {
        let mut passed = 0;
        for number in 0..attempts {
            let path = format!("/api/auth/callback?code=c&state={number}");
            passed += usize::from(self.get(&path).await.status != LIMITED);
        }
        passed
    }
}

async fn limited_world(settings: &[(&str, &str)]) -> World {
    let mut settings = settings.to_vec();
    settings.push(("RATE_LIMIT_PER_MINUTE", LIMIT));
    World::with(&settings).await
}

#[tokio::test]
async fn above_the_limit_each_route_answers_429_to_that_client_only() {
    let world = limited_world(&[]).await;
    let (busy, other) = (
        Client::at(&world, "192.0.2.1"),
        Client::at(&world, "192.0.2.2"),
    );
    let handoff = Handoff::new(&world);
    for _ in 0..5 {
        let login = busy.begin_login(&handoff.challenge()).await;
        assert_eq!(login.status, StatusCode::SEE_OTHER, "{}", login.body);
    }
    let refused = busy.begin_login(&handoff.challenge()).await;
    refused.assert_page(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "12");
    assert!(refused.set_cookies().is_empty());
    assert_eq!(busy.get("/api/auth/login").await.status, LIMITED);
    assert_eq!(busy.callbacks(8).await, 5, "each route has its own budget");
    for _ in 0..50 {
        assert_eq!(busy.poll(&handoff.verifier).await.status, 202);
    }
    let refused = busy.poll(&handoff.verifier).await;
    assert_eq!(refused.status, LIMITED);
    assert_eq!(refused.header("cache-control"), "no-store");
    // What costs nothing, and everybody else, goes on.
    assert_eq!(busy.get("/api/ping").await.status, StatusCode::OK);
    assert_eq!(busy.get("/api/auth/me").await.status, 401);
    assert_eq!(other.callbacks(5).await, 5);
    let login = other.begin_login(&handoff.challenge()).await;
    assert_eq!(login.status, StatusCode::SEE_OTHER);
}

// E48: who may say which address it is.
#[tokio::test]
async fn no_header_and_no_hop_within_a_network_dodges_the_limit() {
    let world = limited_world(&[]).await;
    for name in [
        "x-forwarded-for",
        "x-real-ip",
        "x-client-ip",
        "cf-connecting-ip",
        "true-client-ip",
        "forwarded",
        "via",
    ] {
        let world = world.restarted(&[]);
        let client = Client::at(&world, "192.0.2.1");
        let mut passed = 0;
        for number in 0..20 {
            let address = match name {
                "forwarded" => format!("for=198.51.100.{number}"),
                _ => format!("198.51.100.{number}"),
            };
            passed += client.saying(name, address).callbacks(1).await;
        }
        assert_eq!(passed, 5, "{name}");
    }
    let mut passed = 0;
    for number in 0..20 {
        let peer = format!("2001:db8:1:2:{number:x}:aaaa::{number:x}");
        passed += Client::at(&world, &peer).callbacks(1).await;
    }
    assert_eq!(passed, 5, "hops within a /64");
    let mut passed = 0;
    for peer in ["192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207"] {
        passed += Client::at(&world, peer).callbacks(4).await;
    }
    assert_eq!(passed, 5, "one address in several forms");
}

#[tokio::test]
async fn behind_a_trusted_proxy_clients_are_told_apart_by_what_the_proxy_appended() {
    let world = limited_world(&[("TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    let proxy = Client::at(&world, "10.0.0.1");
    let from = |chain: String| proxy.saying("x-forwarded-for", chain);
    for number in 0..20 {
        let visitor = from(format!("198.51.100.{number}"));
        assert_eq!(visitor.callbacks(2).await, 2, "each has a budget");
    }
    // What a client writes itself stands left of what the proxy appends.
    let mut passed = 0;
    for number in 0..20 {
        let chain = format!("203.0.113.{number}, 198.51.100.200");
        passed += from(chain).callbacks(1).await;
    }
    assert_eq!(passed, 5, "a forged chain is one client");
    // Nor can it use up the budget of somebody else.
    for _ in 0..20 {
        let chain = "198.51.100.100, 198.51.100.201".to_owned();
        from(chain).callbacks(1).await;
    }
    let victim = from("198.51.100.100".to_owned());
    assert_eq!(victim.callbacks(5).await, 5);
    // Who is not behind the proxy says nothing about others.
    let stranger = Client::at(&world, "192.0.2.1");
    let mut passed = 0;
    for number in 0..20 {
        let forged = stranger.saying("x-forwarded-for", format!("203.0.113.{number}"));
        passed += forged.callbacks(1).await;
    }
    assert_eq!(passed, 5);
}

// Five hundred people, one address, nine o'clock: a login, a callback and some polls each.
#[tokio::test]
async fn an_office_that_arrives_at_once_is_below_the_default() {
    let world = World::new().await;
    let office = Client::at(&world, "192.0.2.1");
    for _ in 0..500 {
        let handoff = Handoff::new(&world);
        let login = office.begin_login(&handoff.challenge()).await;
        assert_eq!(login.status, StatusCode::SEE_OTHER);
        // Somebody presses twice.
        office.begin_login(&handoff.challenge()).await;
        assert_eq!(office.callbacks(1).await, 1);
        for _ in 0..4 {
            assert_eq!(office.poll(&handoff.verifier).await.status, 202);
        }
    }
}

#[tokio::test]
async fn a_login_that_was_refused_for_its_number_succeeds_after_the_pause() {
    let world = limited_world(&[]).await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    // The harness' browsers have no address of their own and count as this one.
    Client::at(&world, "127.0.0.1").callbacks(5).await;
    let refused = browser.arrive(&callback).await;
    refused.assert_page(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "12");
    assert_eq!(browser.transactions().len(), 1, "the login is not spent");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(browser.arrive(&callback).await.status, LIMITED);
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    let answer = browser.arrive(&callback).await;
    assert_eq!(answer.header("location"), "/signed-in", "{}", answer.body);
}

// G10: a websocket client that floods forged events makes its app redeem and redeem.
#[tokio::test]
async fn forged_tickets_of_one_streamlit_session_limit_nobody_else() {
    let world = limited_world(&[]).await;
    let forging = Host::new(&world);
    for _ in 0..5 {
        let answer = forging.redeem(&world.random_256()).await;
        answer.assert(400, "invalid_ticket");
    }
    let refused = forging.redeem(&world.random_256()).await;
    refused.assert(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "12");
    // Same host, same credential, another Streamlit session.
    let someone = world.signed_in("ada").await;
    someone.host.token(someone.grant()).await.ok();
    someone.host.session(someone.grant()).await.ok();
}

#[tokio::test]
async fn wrong_credentials_are_limited_and_the_right_one_never_is() {
    let world = limited_world(&[]).await;
    let someone = world.signed_in("ada").await;
    let stranger = someone.host.showing(vec!["Bearer guess".into()]);
    for path in ["session", "token", "revoke", "redeem", "session"] {
        let answer = stranger
            .post(&format!("/api/auth/{path}"), &json!({}))
            .await;
        answer.assert(401, "invalid_host_credential");
    }
    let answer = stranger.post("/api/auth/session", &json!({})).await;
    answer.assert(429, "rate_limited");
    assert!(!answer.header("retry-after").is_empty());
    for _ in 0..20 {
        someone.host.session(someone.grant()).await.ok();
    }
}

// E46, E47: a flood reaches neither the provider nor the store.
#[tokio::test]
async fn floods_of_logins_and_forged_callbacks_ask_nobody_and_write_nothing() {
    let (world, store) = (World::new().await, StoreFaults::default());
    let world = world
        .restarted(&[("RATE_LIMIT_PER_MINUTE", "off")])
        .behind(|behind| store.before(behind));
    let client = Client::at(&world, "192.0.2.1");
    // The metadata is fetched once.
    client.begin_login(&Handoff::new(&world).challenge()).await;
    world.tenant.reset_journal();
    let calls = || WRITES.map(|operation| store.calls(operation));
    let before = calls();
    for number in 0..2_000 {
        let challenge = Handoff::new(&world).challenge();
        let login = client.begin_login(&challenge).await;
        assert_eq!(login.status, StatusCode::SEE_OTHER);
        let path = format!("/api/auth/callback?code=c&state={challenge}{number}");
        assert_eq!(client.get(&path).await.status, StatusCode::BAD_REQUEST);
        // With this login's own cookie, but one that nobody sealed.
        let (path, cookie) = (callback_of(&login), &login.set_cookies()[0]);
        let (name, sealed) = (cookie.name(), cookie.value());
        let forged = format!("{name}={}", forged(sealed));
        let forged = client.saying("cookie", forged).get(&path).await;
        assert_eq!(forged.status, StatusCode::BAD_REQUEST);
        assert_eq!(client.poll(&challenge).await.status, 202);
    }
    assert_eq!(calls(), before);
    assert_eq!(
        world.tenant.journal(),
        dev_tenant::JournalSnapshot::default()
    );
    // The control: with the cookie as it was sealed, the provider is asked.
    let login = client.begin_login(&Handoff::new(&world).challenge()).await;
    let cookie = &login.set_cookies()[0];
    let sealed = client.saying("cookie", format!("{}={}", cookie.name(), cookie.value()));
    sealed.get(&callback_of(&login)).await;
    assert_eq!(world.tenant.journal().requests_to("token"), 1);
}

/// The answer of a provider to this login.
fn callback_of(login: &Answer) -> String {
    let url = login.location();
    let mut parameters = url.query_pairs();
    let (_, state) = parameters.find(|(name, _)| name == "state").unwrap();
    let issuer = url.origin().ascii_serialization();
    let parameters = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", "c")
        .append_pair("state", &state)
        .append_pair("iss", &format!("{issuer}/"))
        .finish();
    format!("/api/auth/callback?{parameters}")
}

/// As long as the sealed value, and other in one character of its middle.
fn forged(sealed: &str) -> String {
    let (left, right) = sealed.split_at(sealed.len() / 2);
    let other = if right.starts_with('A') { 'B' } else { 'A' };
    format!("{left}{other}{}", &right[1..])
}

#[tokio::test]
async fn the_limit_is_a_number_or_off() {
    let world = World::new().await;
    let with = |value: &str| {
        let mut settings = world.settings.clone();
        settings.insert("RATE_LIMIT_PER_MINUTE".into(), value.into());
        Settings::parse(&Lookup::of(settings))
    };
    for (value, limit) in [("1", Some(1)), ("1000000", Some(1_000_000)), ("off", None)] {
        let settings = with(value).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(settings.rate_limit.map(NonZeroU32::get), limit, "{value}");
    }
    for mistake in ["0", "-1", "ten", "1.5", "1000001", "OFF", "1/s"] {
        let problems = with(mistake).err().unwrap();
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["RATE_LIMIT_PER_MINUTE: must be a whole number from 1 to 1000000, or off"],
            "{mistake}"
        );
    }
}

#[tokio::test]
async fn a_limit_that_hits_an_unknown_proxy_is_said_once_a_minute() {
    let log = CapturedLog::start();
    let world = limited_world(&[]).await;
    let proxy = Client::at(&world, "10.0.0.1").saying("x-forwarded-for", "198.51.100.1");
    proxy.callbacks(20).await;
    let warnings = || log.text().matches("name it in TRUSTED_PROXIES").count();
    assert_eq!(warnings(), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    proxy.callbacks(20).await;
    assert_eq!(warnings(), 2);
    // A person whose browser sends that header is no proxy.
    let person = Client::at(&world, "198.51.100.1").saying("x-forwarded-for", "10.0.0.1");
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(person.callbacks(20).await, 5);
    assert_eq!(warnings(), 2);
}

#[tokio::test]
async fn a_session_gets_so_many_tickets_a_minute_whatever_its_address_and_cookies() {
    let (world, store) = (World::new().await, StoreFaults::default());
    let world = world.behind(|behind| store.before(behind));
    let (someone, other) = (world.signed_in("ada").await, world.signed_in("grace").await);
    // A busy machine may take the half second after which there is one more.
    tokio::time::pause();
    for _ in 0..120 {
        someone.browser.ticket(&someone.host).await.ok();
    }
    let written = store.calls("put_handle");
    let refused = someone.browser.ticket(&someone.host).await;
    refused.assert(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "1");
    let renewed = Host::new(&world);
    let refused = someone.browser.ticket(&renewed).await;
    refused.assert(429, "rate_limited");
    assert_eq!(store.calls("put_handle"), written);
    // Nothing is minted for a page that knows who is signed in.
    let body = json!({
        "challenge": someone.host.challenge(),
        "host_origin": someone.host.origin,
        "known_ref": someone.frame["ref"],
    });
    let known = someone.browser.frame_post("/api/auth/ticket", &body).await;
    known.ok();
    other.browser.ticket(&other.host).await.ok();
    tokio::time::resume();
    // With the limits off, this one is off too.
    let unlimited = world.restarted(&[("RATE_LIMIT_PER_MINUTE", "off")]);
    let browser = someone.browser.before(&unlimited);
    for _ in 0..200 {
        browser.ticket(&someone.host).await.ok();
    }
}
