//! The provider and its metadata (E01 to E11). Whatever it does: no login begins on it, nobody
//! who is signed in notices, and it counts again as soon as it behaves.

use std::net::{SocketAddr, ToSocketAddrs as _};

use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::strange_provider::{METADATA, Reply, StrangeProvider};
use crate::harness::{Answer, CapturedLog, World};

/// Longer than we leave a provider alone that fails again and again.
const PAUSE: i64 = 40;

async fn world_of(issuer: &str) -> World {
    World::with(&[
        ("AUTH0_ISSUER_BASE_URL", issuer),
        ("RATE_LIMIT_PER_MINUTE", "off"),
    ])
    .await
}

/// A person who wants to sign in sees this page, and is sent nowhere.
async fn login_is_refused(world: &World, what: &str, status: u16, code: &str) -> Answer {
    let answer = world.browser().open("/api/auth/login").await;
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    answer.assert_page(status, code);
    assert!(answer.set_cookies().is_empty(), "{what}");
    assert!(!answer.headers.contains_key("location"), "{what}");
    let has_retry_after = !answer.header("retry-after").is_empty();
    assert_eq!(has_retry_after, status == 503, "{what}");
    answer
}

// E01
#[tokio::test]
async fn a_companion_starts_without_its_provider_and_serves_whoever_is_signed_in() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    world.tenant.faults().set(|plan| plan.down = true);
    let restarted = world.restarted(&[]);
    restarted.state.clone().warm_up().await;
    let visitor = restarted.browser();
    visitor.page_get("/healthz").await.ok();
    let ready = visitor.page_get("/readyz").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.json()["provider"]),
        (503, &json!("unavailable"))
    );
    login_is_refused(&restarted, "down at start", 503, "provider_unavailable").await;
    let host = someone.host.before(&restarted);
    host.session(someone.grant()).await.ok();
    host.token(someone.grant()).await.ok();
    let browser = someone.browser.before(&restarted);
    browser.page_get("/api/auth/me").await.ok();
    browser.ticket(&someone.host).await.ok();
    world.tenant.faults().reset();
    // The pause after a few failures.
    world.clock.advance(PAUSE);
    let login = visitor.page_login("grace").await;
    assert_eq!(login.header("location"), "/signed-in");
    visitor.page_get("/readyz").await.ok();
}

// E01, E03: a provider that fails is left alone for a while, however many people come, and the
// log says so once for each attempt, not for each of them.
#[tokio::test]
async fn a_crowd_before_a_failing_provider_makes_one_request_and_one_line() {
    let provider = StrangeProvider::start().await;
    provider.answers(METADATA, Reply::of("500 Oops", "text/plain", ""));
    let world = world_of(&provider.issuer()).await;
    let log = CapturedLog::start();
    for _ in 0..50 {
        login_is_refused(&world, "500", 503, "provider_unavailable").await;
    }
    assert_eq!(provider.requests_to(METADATA), 1);
    assert_eq!(log.text().matches("discovery failed").count(), 1);
}

// E02
#[tokio::test]
async fn a_provider_that_goes_down_takes_logins_and_refreshes_only() {
    let world = World::with_tenant(&[], |mut sheet| {
        sheet.apis[0].token_seconds = 300;
        sheet
    })
    .await;
    let someone = world.signed_in("ada").await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "grace").await;
    world.tenant.faults().set(|plan| plan.down = true);
    // Metadata and keys are known: what needs no answer of the provider works past their age.
    world.clock.advance(200);
    browser.begin_page().await;
    someone.host.token(someone.grant()).await.ok();
    someone.browser.ticket(&someone.host).await.ok();
    let answer = browser.arrive(&callback).await;
    answer.assert_page(503, "provider_unavailable");
    assert!(!answer.sets_session_cookie());
    world.clock.advance(500);
    let refresh = someone.host.token(someone.grant()).await;
    refresh.assert(503, "provider_unavailable");
    someone.host.session(someone.grant()).await.ok();
    browser.begin_page().await;
    world.tenant.faults().reset();
    world.clock.advance(PAUSE);
    someone.host.token(someone.grant()).await.ok();
}

// E03
#[tokio::test]
async fn statuses_of_a_provider_in_trouble_are_unavailability() {
    let provider = StrangeProvider::start().await;
    let world = world_of(&provider.issuer()).await;
    for status in [
        "500 x", "502 x", "503 x", "429 x", "404 x", "403 x", "204 x",
    ] {
        provider.answers(METADATA, Reply::of(status, "text/plain", ""));
        world.clock.advance(PAUSE);
        login_is_refused(&world, status, 503, "provider_unavailable").await;
    }
}

// E03
#[tokio::test]
async fn a_pause_that_the_provider_asks_for_is_kept() {
    let provider = StrangeProvider::start().await;
    let busy = "HTTP/1.1 429 x\r\nretry-after: 40\r\ncontent-length: 0\r\n\r\n";
    provider.answers(METADATA, Reply::Bytes(busy.into()));
    let world = world_of(&provider.issuer()).await;
    login_is_refused(&world, "429", 503, "provider_unavailable").await;
    world.clock.advance(39);
    login_is_refused(&world, "429", 503, "provider_unavailable").await;
    assert_eq!(provider.requests_to(METADATA), 1);
    // With at most a quarter of jitter.
    world.clock.advance(12);
    login_is_refused(&world, "429", 503, "provider_unavailable").await;
    assert_eq!(provider.requests_to(METADATA), 2);
}

/// Accepts nothing: its queue is full. Whoever connects hears nothing at all.
async fn black_hole() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let queued = [
        TcpStream::connect(address).await,
        TcpStream::connect(address).await,
    ];
    (listener, queued.into_iter().map(Result::unwrap).collect())
}

// E04: time is paused, and jumps to the deadline.
#[tokio::test(start_paused = true)]
async fn a_slow_provider_holds_nobody_beyond_the_deadline() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let whole = format!("{head}{}", "x".repeat(1000));
    for (what, reply, seconds) in [
        ("nothing at all", Reply::Hangs(Vec::new()), 10),
        ("nothing after the headers", Reply::Hangs(head.into()), 10),
        ("half of the headers", Reply::Hangs(head[..20].into()), 10),
        ("a byte a second", Reply::Drips(whole.into()), 10),
    ] {
        let provider = StrangeProvider::start().await;
        provider.answers(METADATA, reply);
        let world = world_of(&provider.issuer()).await;
        let began = Instant::now();
        login_is_refused(&world, what, 503, "provider_unavailable").await;
        assert_eq!(began.elapsed().as_secs(), seconds, "{what}");
    }
}

// E04
#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_come_about_is_given_up_after_three_seconds() {
    let (full, _queued) = black_hole().await;
    let mute = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let accepting = mute.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok(accepted) = mute.accept().await {
            kept.push(accepted);
        }
    });
    for (what, issuer) in [
        (
            "no answer to SYN",
            format!("http://{}/", full.local_addr().unwrap()),
        ),
        ("no answer to a TLS hello", format!("https://{accepting}/")),
    ] {
        let world = world_of(&issuer).await;
        let began = Instant::now();
        login_is_refused(&world, what, 503, "provider_unavailable").await;
        assert_eq!(began.elapsed().as_secs(), 3, "{what}");
    }
}

// E04: they wait for one fetch, and all are told at its end.
#[tokio::test(start_paused = true)]
async fn a_thousand_logins_wait_for_one_fetch() {
    let provider = StrangeProvider::start().await;
    provider.answers(METADATA, Reply::Hangs(Vec::new()));
    let world = world_of(&provider.issuer()).await;
    let began = Instant::now();
    let mut waiting = JoinSet::new();
    for _ in 0..1_000 {
        let browser = world.browser();
        waiting.spawn(async move { browser.open("/api/auth/login").await.status });
    }
    let statuses = waiting.join_all().await;
    assert_eq!(statuses, [StatusCode::SERVICE_UNAVAILABLE; 1_000]);
    assert_eq!(provider.requests_to(METADATA), 1);
    assert_eq!(began.elapsed().as_secs(), 10);
}

/// In UTF-16, with its byte order mark.
fn utf_16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// Sixty-four megabytes of spaces and good metadata, zipped: whoever unpacks it begins a login.
fn gzip_bomb(metadata: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    bomb.write_all(metadata.as_bytes()).unwrap();
    bomb.finish().unwrap()
}

// E06, E07
#[tokio::test]
async fn what_is_no_metadata_begins_no_login() {
    let provider = StrangeProvider::start().await;
    let good = provider.metadata().to_string();
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let gigabyte = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n{";
    let zipped = [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\r\n"
            .to_vec(),
        gzip_bomb(&good),
    ]
    .concat();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let trailing = format!("{good}{good}");
    for (what, reply) in [
        ("cut JSON", Reply::json(&good[..good.len() / 2])),
        ("no JSON", Reply::json("not JSON")),
        ("another JSON", Reply::json("[1]")),
        ("two documents", Reply::json(trailing)),
        (
            "HTML",
            Reply::of("200 OK", "text/html", "<html><body>Welcome"),
        ),
        ("empty", Reply::json("")),
        ("UTF-16", Reply::json(utf_16(&good))),
        ("a byte order mark", Reply::json(format!("\u{feff}{good}"))),
        ("NULs", Reply::json([0; 100])),
        ("10,000 deep", Reply::json(deep)),
        ("a gzip bomb", Reply::Bytes(zipped)),
        ("above a megabyte", Reply::json(" ".repeat(1 << 20) + &good)),
        ("a gigabyte announced", Reply::Hangs(gigabyte.into())),
        ("chunks without end", Reply::Endless(chunked.into())),
        (
            "headers without end",
            Reply::Endless(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        ),
    ] {
        provider.answers(METADATA, reply);
        let world = world_of(&provider.issuer()).await;
        let answer = world.browser().open("/api/auth/login").await;
        assert!(
            answer.status == 502 || (what.starts_with("headers") && answer.status == 503),
            "{what}: {} {}",
            answer.status,
            answer.body
        );
        assert!(answer.set_cookies().is_empty(), "{what}");
        // The same companion, as soon as the provider behaves.
        provider.answers(METADATA, Reply::json(good.as_str()));
        world.clock.advance(PAUSE);
        world.browser().begin_page().await;
    }
    // Two endless bodies, each cut at a megabyte and what the kernel had on its way.
    assert!(provider.sent() < 32 << 20, "{}", provider.sent());
}

// E06: what it says of itself is no reason to refuse a good document, nor is what nobody knows.
#[tokio::test]
async fn good_metadata_is_taken_whatever_surrounds_it() {
    let provider = StrangeProvider::start().await;
    let good = provider.metadata().to_string();
    for kind in [
        "text/plain",
        "application/octet-stream",
        "text/html; charset=utf-16",
    ] {
        provider.answers(METADATA, Reply::of("200 OK", kind, &good));
        world_of(&provider.issuer())
            .await
            .browser()
            .begin_page()
            .await;
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let unknown = format!(r#"{{"unknown":{deep},{}"#, &good[1..]);
    provider.answers(METADATA, Reply::json(unknown));
    world_of(&provider.issuer())
        .await
        .browser()
        .begin_page()
        .await;
}

// E08
#[tokio::test]
async fn no_redirect_of_the_metadata_is_followed() {
    let provider = StrangeProvider::start().await;
    let world = world_of(&provider.issuer()).await;
    let elsewhere = provider.url("/elsewhere");
    let itself = provider.url(METADATA);
    provider.answers("/elsewhere", Reply::json(provider.metadata().to_string()));
    for target in [
        elsewhere.as_str(),
        &itself,
        "http://169.254.169.254/latest/meta-data/",
        "http://evil.test/",
        "file:///etc/passwd",
        "//evil.test/",
        "",
    ] {
        for status in ["301 x", "302 x", "303 x", "307 x", "308 x"] {
            provider.answers(METADATA, Reply::redirect(status, target));
            world.clock.advance(PAUSE);
            login_is_refused(&world, target, 502, "provider_error").await;
        }
    }
    assert_eq!(provider.requests_to("/elsewhere"), 0);
    assert_eq!(provider.requests_to(METADATA), 7 * 5);
}

// E09
#[tokio::test]
async fn metadata_with_one_thing_wrong_begins_no_login() {
    let provider = StrangeProvider::start().await;
    let world = world_of(&provider.issuer()).await;
    for (member, value) in [
        ("issuer", json!("https://evil.test/")),
        ("issuer", json!(provider.url("/other/"))),
        ("issuer", Value::Null),
        ("issuer", json!(7)),
        ("jwks_uri", Value::Null),
        ("jwks_uri", json!("http://evil.test/jwks")),
        ("jwks_uri", json!("http://169.254.169.254/jwks")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("token_endpoint", json!("http://evil.test/token")),
        ("token_endpoint", json!("/oauth/token")),
        (
            "authorization_endpoint",
            json!("http://evil.test/authorize"),
        ),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        (
            "authorization_endpoint",
            json!("https://user:password@evil.test/"),
        ),
        ("end_session_endpoint", json!("data:text/html,x")),
        ("revocation_endpoint", json!("http://evil.test/revoke")),
    ] {
        let mut metadata = provider.metadata();
        metadata[member] = value.clone();
        provider.answers(METADATA, Reply::json(metadata.to_string()));
        world.clock.advance(PAUSE);
        let what = format!("{member} {value}");
        login_is_refused(&world, &what, 502, "provider_error").await;
        let ready = world.browser().page_get("/readyz").await;
        assert_eq!(ready.json()["provider"], "misconfigured", "{what}");
    }
}

// E09: whoever gets hold of the provider's host or its name in the DNS later.
#[tokio::test]
async fn metadata_that_changes_its_issuer_is_not_taken_and_the_last_good_is_kept_for_a_day() {
    let world = World::new().await;
    let browser = world.browser();
    let honest = browser.begin_page().await;
    let takeover = Map::from_iter([
        ("issuer".to_owned(), json!("https://evil.test/")),
        (
            "authorization_endpoint".to_owned(),
            json!("https://evil.test/authorize"),
        ),
    ]);
    world
        .tenant
        .faults()
        .set(|plan| plan.discovery.body = takeover);
    for _ in 0..23 {
        world.clock.advance(3600);
        let begun = world.browser().begin_page().await;
        assert_eq!(begun.host_str(), honest.host_str());
    }
    world.clock.advance(3600);
    login_is_refused(&world, "after a day", 502, "provider_error").await;
}

// E10
#[tokio::test]
async fn algorithms_that_the_provider_advertises_widen_nothing() {
    type Spoil = fn(&mut dev_tenant::FaultPlan);
    let spoils: [(&str, Spoil); 2] = [
        ("HS256 by the client's secret", |plan| {
            plan.id_token.hs256_secret = Some(dev_tenant::APP_CLIENT_SECRET.to_owned());
        }),
        ("none", |plan| plan.id_token.alg_none = true),
    ];
    for (what, spoil) in spoils {
        let world = World::new().await;
        let advertised = json!(["HS256", "none", "RS256"]);
        let name = "id_token_signing_alg_values_supported".to_owned();
        world.tenant.faults().set(|plan| {
            plan.discovery.body = Map::from_iter([(name, advertised)]);
            spoil(plan);
        });
        let browser = world.browser();
        let answer = browser.page_login("ada").await;
        assert_eq!(answer.status, 502, "{what}");
        answer.assert_page(502, "provider_error");
        assert!(!answer.sets_session_cookie(), "{what}");
    }
}

// E11
#[tokio::test]
async fn a_provider_whose_name_leads_nowhere_is_unavailable() {
    // Reserved: no resolver knows it (RFC 6761 §6.4).
    let world = world_of("https://provider.invalid/").await;
    login_is_refused(&world, "no such name", 503, "provider_unavailable").await;
}

// E11: a name with two addresses, of which one is dead; that it did not answer is forgotten.
#[tokio::test]
async fn a_provider_at_one_of_two_addresses_is_found_and_a_failure_is_not_kept() {
    let mut tried = 0;
    for (socket, address) in [
        (TcpSocket::new_v4(), "127.0.0.1:0"),
        (TcpSocket::new_v6(), "[::1]:0"),
    ] {
        let address: SocketAddr = address.parse().unwrap();
        let mut known = ("localhost", 0).to_socket_addrs().unwrap();
        // A machine without IPv6 tries the other one.
        let Some(socket) = socket
            .ok()
            .filter(|socket| known.any(|known| known == address) && socket.bind(address).is_ok())
        else {
            continue;
        };
        tried += 1;
        // Bound, and not listening yet.
        let port = socket.local_addr().unwrap().port();
        let issuer = format!("http://localhost:{port}/");
        let world = world_of(&issuer).await;
        login_is_refused(&world, "nobody there", 503, "provider_unavailable").await;
        let provider = StrangeProvider::at(socket.listen(8).unwrap());
        let metadata = super::strange_provider::metadata(&issuer);
        provider.answers(METADATA, Reply::json(metadata.to_string()));
        world.clock.advance(2);
        world.browser().begin_page().await;
    }
    assert!(tried > 0);
}
