//! The end of the process, with the real binary and real signals (E62).

use std::time::Duration;

use http::header::{COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use oidc::{Clock as _, SystemClock};
use reqwest::{Client, RequestBuilder, Response, redirect};
use serde_json::json;
use url::Url;

use crate::commands::{Started, command};
use crate::harness::{Handoff, Host, World, claim_body, eventually};

/// Of the companions in the tests.
const BASE: &str = "http://localhost:3001";
/// So long the provider takes for a token response, while the signal comes.
const SLOW_MS: u64 = 1_500;

/// A companion in a process of its own, on the world's settings and database.
struct Companion {
    started: Started,
    address: String,
    client: Client,
}

impl Companion {
    fn start(world: &World) -> Self {
        let database = world.directory.path().join("process.db");
        let store = format!("sqlite:{}", database.display());
        let mut started = Started::by(
            command(world.directory.path(), &["serve"])
                .envs(&world.settings)
                .env("SESSION_STORE", store)
                .env("AUDIT_LOG", "off")
                .env("PORT", "0"),
        );
        let client = Client::builder().redirect(redirect::Policy::none());
        Self {
            address: started.address(),
            started,
            client: client.build().unwrap(),
        }
    }

    fn request(request: RequestBuilder) -> RequestBuilder {
        request
            .header(HOST, BASE.trim_start_matches("http://"))
            .timeout(Duration::from_secs(30))
    }

    fn get(&self, path_and_query: &str) -> RequestBuilder {
        let url = format!("http://{}{path_and_query}", self.address);
        Self::request(self.client.get(url))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        Self::request(self.client.post(url)).header(ORIGIN, BASE)
    }

    /// What brings the login of this handoff to its callback; the request is not sent yet.
    async fn callback(&self, world: &World, handoff: &Handoff) -> RequestBuilder {
        let challenge = handoff.challenge();
        let form = [("handoff_challenge", challenge.as_str())];
        let begun = self.post("/api/auth/login").form(&form).send().await;
        let begun = begun.unwrap();
        let authorize = Url::parse(begun.headers()[LOCATION].to_str().unwrap()).unwrap();
        let back = world.browser().authenticate(&authorize, "ada").await;
        self.get(&back[url::Position::BeforePath..])
            .header(COOKIE, cookies(begun.headers()))
    }

    fn signal(&self, name: &str) {
        let id = self.started.process.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &id])
            .status();
        assert!(sent.unwrap().success());
    }

    async fn ended(mut self) {
        let status = tokio::task::spawn_blocking(move || self.started.process.wait());
        assert!(status.await.unwrap().unwrap().success());
    }
}

fn cookies(headers: &HeaderMap) -> String {
    let lines = headers.get_all(SET_COOKIE).iter();
    let pairs: Vec<_> = lines
        .map(|line| line.to_str().unwrap().split(';').next().unwrap())
        .filter(|pair| !pair.ends_with('='))
        .collect();
    pairs.join("; ")
}

/// A provider that goes by the real time, and is slow with its tokens.
async fn world() -> World {
    let world = World::new().await;
    let now = SystemClock.now().seconds();
    world.clock.advance(now - world.clock.seconds());
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".to_owned(), SLOW_MS);
    });
    world
}

async fn code_is_sent(world: &World) {
    let tenant = &world.tenant;
    eventually(async || tenant.journal().requests.contains_key("token")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_in_the_middle_of_a_login_lets_the_login_finish() {
    let world = world().await;
    let companion = Companion::start(&world);
    let handoff = Handoff::new(&world);
    let callback = companion.callback(&world, &handoff).await;
    let finishing = tokio::spawn(callback.send());
    code_is_sent(&world).await;
    companion.signal("-TERM");
    let finished: Response = finishing.await.unwrap().unwrap();
    assert_eq!(finished.status(), StatusCode::SEE_OTHER);
    let cookies = cookies(finished.headers());
    companion.ended().await;
    let restarted = Companion::start(&world);
    let me = restarted.get("/api/auth/me").header(COOKIE, cookies);
    assert_eq!(me.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_finished_even_if_its_window_was_closed_before_the_signal() {
    let world = world().await;
    let companion = Companion::start(&world);
    let handoff = Handoff::new(&world);
    let callback = companion.callback(&world, &handoff).await;
    let closed = tokio::spawn(callback.send());
    code_is_sent(&world).await;
    closed.abort();
    assert!(closed.await.unwrap_err().is_cancelled());
    companion.signal("-TERM");
    companion.ended().await;
    let restarted = Companion::start(&world);
    let claim = claim_body(&handoff, &Host::new(&world));
    let claimed = restarted
        .post("/api/auth/handoff")
        .json(&claim)
        .send()
        .await;
    let claimed: serde_json::Value = claimed.unwrap().json().await.unwrap();
    assert_eq!(claimed["user"]["name"], json!("Ada Lovelace"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_the_process_at_once() {
    let world = world().await;
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".to_owned(), 60_000);
    });
    let companion = Companion::start(&world);
    let callback = companion.callback(&world, &Handoff::new(&world)).await;
    let cut = tokio::spawn(callback.send());
    code_is_sent(&world).await;
    let began = std::time::Instant::now();
    companion.signal("-TERM");
    // The first is heard: no connection is taken any more.
    let address = companion.address.clone();
    eventually(async || tokio::net::TcpStream::connect(&address).await.is_err()).await;
    companion.signal("-INT");
    companion.ended().await;
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "not the drain's 8 s"
    );
    assert!(cut.await.unwrap().is_err());
}

// A code that was sent and whose tokens nobody took: the provider may have them, we do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_a_login_leaves_no_half_session() {
    let world = world().await;
    let companion = Companion::start(&world);
    let handoff = Handoff::new(&world);
    let callback = companion.callback(&world, &handoff).await;
    let again = callback.try_clone().unwrap();
    let cut = tokio::spawn(callback.send());
    code_is_sent(&world).await;
    companion.signal("-KILL");
    assert!(cut.await.unwrap().is_err());
    drop(companion);
    let database = world.directory.path().join("process.db");
    let sessions = || -> i64 {
        let database = rusqlite::Connection::open(&database).unwrap();
        let count = "SELECT count(*) FROM session";
        database.query_row(count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(sessions(), 0);
    // The page is loaded again, at the process that came after it: the code is not sent again,
    // the frame may begin anew, and that works.
    let restarted = Companion::start(&world);
    let path = again.build().unwrap();
    let mut reloaded = restarted.get(&path.url()[url::Position::BeforePath..]);
    for (name, value) in path.headers().iter().filter(|(name, _)| *name == COOKIE) {
        reloaded = reloaded.header(name, value);
    }
    let answer = reloaded.send().await.unwrap();
    assert!(
        answer
            .headers()
            .get(SET_COOKIE)
            .is_none_or(|cookie| !is_session(cookie))
    );
    let journal = world.tenant.journal();
    assert_eq!(journal.requests_to("token"), 1);
    assert_eq!(sessions(), 0);
    let callback = restarted.callback(&world, &Handoff::new(&world)).await;
    let finished = callback.send().await.unwrap();
    assert_eq!(finished.status(), StatusCode::SEE_OTHER);
    assert_eq!(sessions(), 1);
}

fn is_session(cookie: &http::HeaderValue) -> bool {
    let cookie = cookie.to_str().unwrap();
    !cookie.contains("-login-") && !cookie.contains("=;")
}
