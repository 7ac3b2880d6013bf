//! The listener itself, over real sockets: clients that are slow or send too much, and the
//! end of the process. Time is paused: it jumps to the next deadline when nothing happens.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::FromRef as _;
use serde_json::json;
use server::auth::watch::Watching;
use server::closing::Closing;
use server::serve::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::harness::{Handoff, Host, SignedIn, World, claim_body, eventually};

struct Listening {
    address: SocketAddr,
    closing: Closing,
    server: JoinHandle<std::io::Result<()>>,
}

impl Listening {
    async fn start(world: &World) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (app, closing) = (
            server::app(world.state.clone()),
            world.state.closing().clone(),
        );
        let server = tokio::spawn(async move { serve(listener, app, &closing).await });
        Self {
            address,
            closing: world.state.closing().clone(),
            server,
        }
    }

    /// Sends bytes and reads until the server ends the connection.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is cut with bytes unread is a reset, and an end all the same.
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

const PING: &str = "GET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\nconnection: close\r\n";

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_over_a_socket() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let answer = listening.exchange(format!("{PING}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\"}"));
}

// To a balancer they are connected: a reset would look like a request that failed half-way.
#[tokio::test]
async fn whoever_is_in_the_queue_when_the_end_begins_is_served() {
    let world = World::new().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(PING.as_bytes()).await.unwrap();
        clients.push(client);
    }
    let closing = world.state.closing().clone();
    closing.begin();
    let app = server::app(world.state.clone());
    let server = tokio::spawn(async move { serve(listener, app, &closing).await });
    for mut client in clients {
        // The rest of the request comes a little later.
        client.write_all(b"\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

// E40: a header byte now and then must not hold a connection for ever.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_headers_is_cut_off() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let before = tokio::time::Instant::now();
    let answer = listening.exchange(PING.as_bytes()).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    assert_eq!(before.elapsed().as_secs(), 10);
}

/// The head of a host's request with a body of so many bytes.
fn head(world: &World, length: usize) -> String {
    format!(
        "POST /api/auth/session HTTP/1.1\r\nhost: localhost:3001\r\n\
         content-type: application/json\r\nauthorization: Bearer {}\r\n\
         content-length: {length}\r\n\r\n",
        world.settings["STREAMLIT_SECRET"],
    )
}

/// Writes `bytes`, then a space every `seconds`, for as long as the server listens.
async fn drip(mut stream: OwnedWriteHalf, bytes: String, seconds: u64) {
    stream.write_all(bytes.as_bytes()).await.unwrap();
    loop {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if stream.write_all(b" ").await.is_err() {
            return;
        }
    }
}

// E40: a body byte now and then neither.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_body_is_cut_off() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    for seconds in [3, 3_600] {
        let stream = TcpStream::connect(listening.address).await.unwrap();
        let (mut reading, writing) = stream.into_split();
        let before = tokio::time::Instant::now();
        let begun = format!("{}{{", head(&world, 100));
        let writer = tokio::spawn(drip(writing, begun, seconds));
        let mut answer = Vec::new();
        reading.read_to_end(&mut answer).await.ok();
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(before.elapsed().as_secs(), 10);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        writer.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_in_parts_is_taken() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    let (first, rest) = (r#"{"grant":"#, r#""unknown"}"#);
    let begun = format!("{}{first}", head(&world, first.len() + rest.len()));
    stream.write_all(begun.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(9)).await;
    // The connection is kept: another request follows.
    let following = format!("{rest}{PING}\r\n");
    stream.write_all(following.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("session_ended"), "{answer}");
    assert!(answer.contains("HTTP/1.1 200 OK\r\n"), "{answer}");
}

// Else a client would send its next request into a connection that ends (RFC 9112 §9.6).
#[tokio::test]
async fn whoever_is_refused_before_the_body_was_read_is_told_that_the_connection_ends() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let large = 70_000;
    let not_ours = head(&world, 100).replace("localhost:3001", "evil.test");
    let unknown = head(&world, 100).replace("Bearer ", "Bearer x");
    let too_large = format!("{}{}", head(&world, large), "x".repeat(66_000));
    for (status, request) in [("421", not_ours), ("401", unknown), ("413", too_large)] {
        let answer = listening.exchange(request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

// E41
#[tokio::test(start_paused = true)]
async fn headers_that_are_too_many_or_too_large_are_refused() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let many = "x: x\r\n".repeat(101);
    let large = format!("x: {}\r\n", "x".repeat(40 * 1024));
    for (what, headers) in [("many", many), ("large", large)] {
        let answer = listening
            .exchange(format!("{PING}{headers}\r\n").as_bytes())
            .await;
        // The answer may be lost where the rest of the request was never read.
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{what}: {answer}"
        );
    }
}

// E42: what two servers in a row could read as two requests.
#[tokio::test(start_paused = true)]
async fn a_request_with_both_lengths_is_not_read_as_two() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let smuggling = "POST /api/auth/session HTTP/1.1\r\nhost: localhost:3001\r\n\
        content-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
        0\r\n\r\nGET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\n\r\n";
    let answer = listening.exchange(smuggling.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(!answer.contains("\"ping\""));
}

// E62
#[tokio::test]
async fn a_request_under_way_is_finished_after_the_signal_to_stop() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    let body = r#"{"grant":"unknown"}"#;
    let head = format!(
        "POST /api/auth/session HTTP/1.1\r\nhost: localhost:3001\r\ncontent-type: application/json\r\n\
         authorization: Bearer {}\r\nexpect: 100-continue\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        world.settings["STREAMLIT_SECRET"],
        body.len(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The handler runs now: it asks for the body.
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100");
    listening.closing.begin();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("session_ended"), "{rest}");
    listening.server.await.unwrap().unwrap();
    assert!(TcpStream::connect(listening.address).await.is_err());
}

/// A connection on which a frame watches; its first white space has come.
async fn watching(listening: &Listening, someone: &SignedIn) -> TcpStream {
    let body = json!({
        "ref": someone.frame["ref"],
        "sign_out_key": someone.frame["sign_out_key"],
    });
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    let request = frame_post("/api/auth/watch", &body.to_string());
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n1\r\n \r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for header in [
        "content-type: application/json\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
    ] {
        assert!(head.contains(header), "{header} not in {head}");
    }
    assert!(!head.contains("content-encoding"), "{head}");
    stream
}

fn frame_post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost:3001\r\norigin: http://localhost:3001\r\n\
         content-type: application/json\r\nx-component-auth0: frame\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads just so far.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    while !read.ends_with(end) {
        read.push(char::from(stream.read_u8().await.unwrap()));
    }
    read
}

#[tokio::test]
async fn a_watchers_answer_begins_at_once_and_is_kept_alive() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let someone = world.signed_in("ada").await;
    let asked = tokio::time::Instant::now();
    let mut stream = watching(&listening, &someone).await;
    assert!(asked.elapsed().as_secs() < 10);
    // Only now: paused before, time would jump past the store's deadline.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert_eq!(read_until(&mut stream, "\n \r\n").await, "1\r\n \r\n");
    assert!((19..=20).contains(&began.elapsed().as_secs()));
}

#[tokio::test]
async fn a_frame_that_hangs_up_gives_its_place_back() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let someone = world.signed_in("ada").await;
    let places = Watching::from_ref(&world.state);
    let stream = watching(&listening, &someone).await;
    assert_eq!(places.count(), 1);
    drop(stream);
    eventually(async || places.count() == 0).await;
}

// A page that was closed while it waited: the login is there for the frame's next poll.
#[tokio::test]
async fn a_poll_whose_client_hung_up_does_not_take_the_login() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let body = claim_body(&handoff, &host).to_string();
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    let request = frame_post("/api/auth/handoff", &body);
    stream.write_all(request.as_bytes()).await.unwrap();
    let places = server::state::Handoff::from_ref(&world.state).waiting;
    eventually(async || places.count() == 1).await;
    drop(stream);
    eventually(async || places.count() == 0).await;
    browser.popup_login(&handoff, "ada").await;
    browser.claim(&handoff, &host).await.ok();
}

// A rolling restart costs no time where nobody but waiters is connected, whoever they are.
#[tokio::test]
async fn whoever_waits_is_told_of_the_end_and_holds_nothing_up() {
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let someone = world.signed_in("ada").await;
    let mut watcher = watching(&listening, &someone).await;
    let mut poll = TcpStream::connect(listening.address).await.unwrap();
    let body = claim_body(&Handoff::new(&world), &Host::new(&world)).to_string();
    let request = frame_post("/api/auth/handoff", &body);
    poll.write_all(request.as_bytes()).await.unwrap();
    let places = server::state::Handoff::from_ref(&world.state).waiting;
    eventually(async || places.count() == 1).await;
    let mut kept_alive = TcpStream::connect(listening.address).await.unwrap();
    let ping = PING.replace("connection: close\r\n", "\r\n");
    kept_alive.write_all(ping.as_bytes()).await.unwrap();
    read_until(&mut kept_alive, "\"}").await;
    let mut silent = TcpStream::connect(listening.address).await.unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    listening.closing.begin();
    listening.server.await.unwrap().unwrap();
    assert!(began.elapsed().as_millis() < 500);
    let mut rest = String::new();
    watcher.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains(r#"{"state":"again"}"#), "{rest}");
    rest.clear();
    poll.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 202 "), "{rest}");
    assert!(rest.contains("retry-after: "), "{rest}");
    assert_eq!(kept_alive.read(&mut [0]).await.unwrap(), 0);
    // Cut before it asked for anything.
    assert!(matches!(silent.read(&mut [0]).await, Ok(0) | Err(_)));
}

// E62: a login that is being finished, for whom nobody waits any more.
#[tokio::test(start_paused = true)]
async fn the_end_waits_for_work_that_outlives_its_request() {
    // A token request may take longer than requests under way are given.
    const WORK_SECONDS: u64 = 19;
    let world = World::new().await;
    let listening = Listening::start(&world).await;
    let began = tokio::time::Instant::now();
    let working = tokio::time::sleep(std::time::Duration::from_secs(WORK_SECONDS));
    let work = listening.closing.finish(working);
    listening.closing.begin();
    listening.server.await.unwrap().unwrap();
    assert_eq!(began.elapsed().as_secs(), WORK_SECONDS);
    assert!(work.is_finished());
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_no_longer_than_a_term_and_not_at_all_when_hurried() {
    for (signals, seconds) in [(1, 20), (2, 0)] {
        let world = World::new().await;
        let listening = Listening::start(&world).await;
        let began = tokio::time::Instant::now();
        drop(listening.closing.finish(std::future::pending::<()>()));
        for _ in 0..signals {
            listening.closing.begin();
        }
        listening.server.await.unwrap().unwrap();
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}
