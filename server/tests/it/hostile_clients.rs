//! The real binary against clients that are slow, many, malformed or tireless (E40 to E47).
//! What is measured is printed, and `FULL_SIZE=1` makes the numbers whole:
//! `FULL_SIZE=1 cargo test -p server --test it hostile_clients:: -- --nocapture`.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use server::open_files::raise_limit;
use server::serve::{Seats, serve_at_most};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::commands::{Started, command};
use crate::harness::{Handoff, World, sized};

/// Longer than anything here takes on a busy machine; nothing waits for it but a failure.
const DEADLINE: Duration = Duration::from_mins(1);
/// A connection that takes nothing for so long is full.
const STALLED: Duration = Duration::from_secs(1);
/// What an honest client puts up with.
const PATIENCE: Duration = Duration::from_secs(5);
pub(crate) const PING: &str =
    "GET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\nconnection: close\r\n\r\n";

/// The real binary, with a database of its own in the world's directory.
pub(crate) struct Companion {
    pub(crate) started: Started,
    pub(crate) address: String,
}

impl Companion {
    pub(crate) fn start(world: &World, changes: &[(&str, &str)]) -> Self {
        Self::by(command(world.directory.path(), &["serve"]), world, changes)
    }

    /// With so few descriptors to begin with, as services are started.
    fn with_open_files(world: &World, limits: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_component-auth0");
        let mut shell = Command::new("/bin/sh");
        let script = format!("ulimit {limits} && exec \"$0\" serve");
        shell.args(["-c", &script, program]);
        shell.env_clear().current_dir(world.directory.path());
        Self::by(shell, world, &[])
    }

    fn by(mut command: Command, world: &World, changes: &[(&str, &str)]) -> Self {
        let store = world.directory.path().join("process.db");
        command
            .envs(&world.settings)
            .env("SESSION_STORE", format!("sqlite:{}", store.display()))
            .env("AUDIT_LOG", "off")
            .env("RUST_LOG", "info")
            .env("PORT", "0")
            .envs(changes.iter().copied());
        let mut started = Started::by(&mut command);
        let address = started.address();
        Self { started, address }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Sends bytes, and reads until the server ends the connection.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> String {
        exchange(&self.address, bytes).await
    }

    pub(crate) async fn serves_an_honest_client(&self) -> Duration {
        let before = Instant::now();
        let answer = timeout(PATIENCE, self.exchange(PING.as_bytes())).await;
        let answer = answer.expect("others are served");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        before.elapsed()
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that was ever resident.
    pub(crate) fn most_resident(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = format!("/proc/{}/status", self.started.process.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }
}

/// Sends bytes to this address, and reads until the server ends the connection.
pub(crate) async fn exchange(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have seen enough before it has read all.
    stream.write_all(bytes).await.ok();
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    read.expect("the connection ends").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Lets this process open so many connections, and a companion hold them.
fn allow_connections(number: usize) {
    raise_limit();
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // A companion gives half of its own, and others have to be served too.
    let needed = 2 * (number as u64 + 100);
    assert!(
        granted >= needed,
        "{number} connections take {needed} open files, and this shell grants {granted}: see `ulimit -Hn`"
    );
}

// E40: a byte now and then from each. They are cut off after ten seconds, and until then
// they keep nobody from being served.
#[tokio::test]
async fn thousands_of_slow_clients_leave_others_served() {
    // As many as a companion seats where the system grants 20,000 open files, as containers do.
    let number = sized(2_000, 9_500);
    allow_connections(number);
    let world = World::new().await;
    // As systemd starts it: 1,024 descriptors unless the process asks for more.
    let companion = Companion::with_open_files(&world, "-S -n 1024");
    companion.serves_an_honest_client().await;
    let idle = companion.resident();
    let mut slow = Vec::with_capacity(number);
    let began = Instant::now();
    for _ in 0..number {
        let mut stream = companion.connect().await;
        stream.write_all(b"G").await.unwrap();
        slow.push(stream);
    }
    let mut worst = companion.serves_an_honest_client().await;
    for byte in b"ET / HTTP" {
        for stream in &mut slow {
            stream.write_all(&[*byte]).await.ok();
        }
        worst = worst.max(companion.serves_an_honest_client().await);
    }
    let busy = companion.resident();
    println!(
        "{number} slow clients, opened in {:?}: worst answer {worst:?}, {idle} KiB -> {busy} KiB",
        began.elapsed()
    );
    assert!(busy - idle < 200 * 1024, "20 KiB each at most: {busy} KiB");
    // The first is cut off, however it dripped.
    let mut rest = Vec::new();
    let end = timeout(DEADLINE, slow[0].read_to_end(&mut rest)).await;
    end.expect("it is cut off").ok();
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    drop(slow);
    companion.serves_an_honest_client().await;
}

// E40, slow read: answers that nobody takes pile up to a bound, and not for ever.
#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_let_go() {
    let world = World::new().await;
    let companion = Companion::start(&world, &[]);
    let mut stream = companion.connect().await;
    let asking = "GET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\n\r\n".repeat(1_000);
    let before = companion.resident();
    while let Ok(sent) = timeout(STALLED, stream.write_all(asking.as_bytes())).await {
        sent.unwrap();
    }
    let grown = companion.resident().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB");
    let began = Instant::now();
    let end = timeout(DEADLINE, stream.ready(Interest::ERROR)).await;
    end.expect("it is let go").unwrap();
    println!(
        "let go {:?} after it stopped reading, {grown} KiB",
        began.elapsed()
    );
    companion.serves_an_honest_client().await;
}

// E44: the accept loop outlives an empty table of descriptors.
#[tokio::test]
async fn more_clients_than_descriptors_pass_and_the_server_goes_on() {
    let world = World::new().await;
    let companion = Companion::with_open_files(&world, "-n 64");
    companion.serves_an_honest_client().await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(companion.connect().await);
    }
    drop(clients);
    companion.serves_an_honest_client().await;
}

// E40: above the bound, clients wait outside until a seat is free, and no longer.
#[tokio::test(start_paused = true)]
async fn whoever_finds_no_seat_waits_until_another_leaves() {
    let world = World::new().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (app, closing) = (
        server::app(world.state.clone()),
        world.state.closing().clone(),
    );
    let seats = Seats::new(2);
    let server = tokio::spawn(async move { serve_at_most(listener, app, &closing, seats).await });
    let began = tokio::time::Instant::now();
    let mut seated = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"G").await.unwrap();
        seated.push(stream);
    }
    let asking = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(PING.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        began.elapsed().as_secs()
    };
    // The slow ones are cut off after ten seconds: then one after another is served.
    assert_eq!(asking().await, 10);
    assert_eq!(asking().await, 10);
    // The end of the process waits for nobody who is outside.
    let mut seated = Vec::new();
    for _ in 0..3 {
        seated.push(TcpStream::connect(address).await.unwrap());
    }
    world.state.closing().begin();
    server.await.unwrap().unwrap();
    assert_eq!(began.elapsed().as_secs(), 10);
}

/// What may be answered: a status that begins so, or nothing at all.
const REFUSED: &[&str] = &["", "HTTP/1.1 4", "HTTP/1.0 4"];

fn request(line: &str, headers: &str) -> Vec<u8> {
    let end = "host: localhost:3001\r\nconnection: close\r\n\r\n";
    format!("{line}\r\n{headers}{end}").into_bytes()
}

fn posted(headers: &str, body: &str) -> Vec<u8> {
    let mut bytes = request("POST /api/auth/session HTTP/1.1", headers);
    bytes.extend(body.as_bytes());
    bytes
}

/// E41, E42: what no client sends, and what two servers in a row could read differently.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let line = |(what, line): (_, String)| (what, request(&line, ""));
    let header = |(what, header): (_, String)| (what, request("GET /api/ping HTTP/1.1", &header));
    let body = |(what, header, body): (_, &str, String)| (what, posted(header, &body));
    let whole = malformed_altogether().into_iter();
    whole
        .chain(malformed_lines().into_iter().map(line))
        .chain(malformed_headers().into_iter().map(header))
        .chain(malformed_bodies().into_iter().map(body))
        .collect()
}

fn malformed_altogether() -> Vec<(&'static str, Vec<u8>)> {
    let hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";
    let no_host = b"GET /api/ping HTTP/1.1\r\nconnection: close\r\n\r\n";
    vec![
        ("HTTP/0.9", b"GET /api/ping\r\n\r\n".to_vec()),
        ("no host", no_host.to_vec()),
        (
            "HTTP/2 without asking",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        ),
        ("a TLS hello", hello.repeat(20)),
        ("zeros", vec![0; 4_096]),
    ]
}

fn malformed_lines() -> Vec<(&'static str, String)> {
    let long = |length: usize| "x".repeat(length);
    vec![
        (
            "a foreign host",
            "GET http://evil.test/api/ping HTTP/1.1".into(),
        ),
        ("CONNECT", "CONNECT evil.test:443 HTTP/1.1".into()),
        ("OPTIONS *", "OPTIONS * HTTP/1.1".into()),
        ("TRACE", "TRACE /api/ping HTTP/1.1".into()),
        ("an unknown method", "BREW /api/ping HTTP/1.1".into()),
        ("a method in lower case", "get /api/ping HTTP/1.1".into()),
        ("an endless method", format!("{} / HTTP/1.1", long(1_000))),
        ("HTTP/3.0", "GET /api/ping HTTP/3.0".into()),
        ("a space in the path", "GET /api/ping x HTTP/1.1".into()),
        ("a NUL in the path", "GET /api/ping\0 HTTP/1.1".into()),
        ("a path above ASCII", "GET /api/ping\u{e9} HTTP/1.1".into()),
        ("a path of 70 KB", format!("GET /{} HTTP/1.1", long(70_000))),
        (
            "a query of 70 KB",
            format!("GET /api/ping?{} HTTP/1.1", long(70_000)),
        ),
    ]
}

fn malformed_headers() -> Vec<(&'static str, String)> {
    let large = |length: usize| format!("x: {}\r\n", "x".repeat(length));
    vec![
        ("two hosts", "host: evil.test\r\n".into()),
        ("the same host twice", "host: localhost:3001\r\n".into()),
        ("a header of 40 KB", large(40_000)),
        ("a header of 400 KB", large(400_000)),
        ("101 headers", "x: x\r\n".repeat(101)),
        ("1,000 headers", "x: x\r\n".repeat(1_000)),
        ("a header without name", ": x\r\n".into()),
        ("a header without colon", "x\r\n".into()),
        ("a space before the colon", "x : y\r\n".into()),
        ("a folded header", "x: y\r\n z\r\n".into()),
        ("a NUL in a header", "x: a\0b\r\n".into()),
        ("a bare CR in a header", "x: a\rb\r\n".into()),
    ]
}

fn malformed_bodies() -> Vec<(&'static str, &'static str, String)> {
    const CHUNKED: &str = "transfer-encoding: chunked\r\n";
    const BOTH: &str = "content-length: 4\r\ntransfer-encoding: chunked\r\n";
    const TWO: &str = "content-length: 5\r\ncontent-length: 6\r\n";
    const BEYOND: &str = "content-length: 99999999999999999999\r\n";
    let smuggled = "0\r\n\r\nGET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\n\r\n";
    let extension = format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(200_000));
    let hello = || "hello".to_owned();
    vec![
        ("both lengths", BOTH, smuggled.into()),
        ("a length in words", "content-length: ten\r\n", hello()),
        ("a negative length", "content-length: -1\r\n", hello()),
        ("a length with a sign", "content-length: +5\r\n", hello()),
        ("two lengths", TWO, hello()),
        ("a list of lengths", "content-length: 5, 6\r\n", hello()),
        ("a length beyond numbers", BEYOND, hello()),
        ("an unknown coding", "transfer-encoding: x\r\n", hello()),
        (
            "chunked not last",
            "transfer-encoding: chunked, gzip\r\n",
            "0\r\n\r\n".into(),
        ),
        (
            "no number of a chunk",
            CHUNKED,
            "zz\r\nx\r\n0\r\n\r\n".into(),
        ),
        (
            "a chunk beyond numbers",
            CHUNKED,
            "fffffffffffffffff\r\nx\r\n".into(),
        ),
        ("a negative chunk", CHUNKED, "-1\r\nx\r\n0\r\n\r\n".into()),
        ("a chunk extension of 200 KB", CHUNKED, extension),
    ]
}

#[tokio::test]
async fn malformed_requests_are_refused_one_by_one_and_nobody_else_notices() {
    let world = World::new().await;
    let companion = Companion::start(&world, &[]);
    for (what, bytes) in malformed() {
        let answer = companion.exchange(&bytes).await;
        let is_refused = REFUSED
            .iter()
            .any(|start| answer.starts_with(start) && (!start.is_empty() || answer.is_empty()));
        assert!(is_refused, "{what}: {answer}");
        let answers = answer.matches("HTTP/1.").count();
        assert!(
            answers <= 1,
            "{what} is read as {answers} requests: {answer}"
        );
        assert!(!answer.contains("\"ping\""), "{what}: {answer}");
    }
    companion.serves_an_honest_client().await;
}

#[tokio::test]
async fn odd_but_honest_requests_are_served() {
    let world = World::new().await;
    let companion = Companion::start(&world, &[]);
    let ping = "GET /api/ping HTTP/1.1";
    for (what, bytes) in [
        (
            "an absolute form",
            request("GET http://localhost:3001/api/ping HTTP/1.1", ""),
        ),
        ("an offer of HTTP/2", request(ping, "upgrade: h2c\r\n")),
        ("an empty header", request(ping, "x:\r\n")),
        (
            "a header of 20 KB",
            request(ping, &format!("x: {}\r\n", "x".repeat(20_000))),
        ),
        ("90 headers", request(ping, &"x: x\r\n".repeat(90))),
        (
            "an empty line ahead",
            [b"\r\n".to_vec(), request(ping, "")].concat(),
        ),
    ] {
        let answer = companion.exchange(&bytes).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{what}: {answer}");
    }
    let one = "GET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\n\r\n";
    let pipelined = format!("{}{PING}", one.repeat(99));
    let answer = companion.exchange(pipelined.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 100);
}

/// One kept connection, request after request; the statuses that came.
async fn flood(companion: &Companion, requests: impl Iterator<Item = String>) -> Vec<u16> {
    let mut stream = companion.connect().await;
    let mut statuses = Vec::new();
    let mut buffer = Vec::new();
    for request in requests {
        stream.write_all(request.as_bytes()).await.unwrap();
        statuses.push(
            timeout(DEADLINE, answer(&mut stream, &mut buffer))
                .await
                .unwrap(),
        );
    }
    statuses
}

/// Reads one answer with its body; answers its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    loop {
        let text = String::from_utf8_lossy(buffer);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let whole = head.len() + 4 + length.map_or(0, |length| length.parse().unwrap());
            let status = head[9..12].parse().unwrap();
            if buffer.len() >= whole {
                buffer.drain(..whole);
                return status;
            }
        }
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "it is kept open");
    }
}

fn login(challenge: &str) -> String {
    let body = format!("handoff_challenge={challenge}");
    format!(
        "POST /api/auth/login HTTP/1.1\r\nhost: localhost:3001\r\norigin: http://localhost:3001\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn callback(state: &str) -> String {
    format!("GET /api/auth/callback?code=c&state={state} HTTP/1.1\r\nhost: localhost:3001\r\n\r\n")
}

// E46, E47, with the limit off: what a flood of many addresses would cost.
#[tokio::test]
async fn floods_of_logins_and_callbacks_leave_memory_flat() {
    let world = World::new().await;
    let companion = Companion::start(&world, &[("RATE_LIMIT_PER_MINUTE", "off")]);
    let challenges = |number: usize| (0..number).map(|_| Handoff::new(&world).challenge());
    let rounds = async |number: usize| {
        let logins = flood(&companion, challenges(number).map(|value| login(&value))).await;
        assert!(logins.iter().all(|status| *status == 303), "{logins:?}");
        let callbacks = flood(&companion, challenges(number).map(|value| callback(&value))).await;
        assert!(
            callbacks.iter().all(|status| *status == 400),
            "{callbacks:?}"
        );
    };
    // Allocators and caches fill.
    rounds(500).await;
    world.tenant.reset_journal();
    let (before, began) = (companion.resident(), Instant::now());
    let number = sized(1_000, 5_000);
    rounds(number).await;
    let after = companion.resident();
    println!(
        "{} requests in {:?}: {before} KiB -> {after} KiB",
        2 * number,
        began.elapsed()
    );
    assert!(
        after.saturating_sub(before) < 2 * 1024,
        "{before} -> {after} KiB"
    );
    assert_eq!(
        world.tenant.journal(),
        dev_tenant::JournalSnapshot::default()
    );
}
