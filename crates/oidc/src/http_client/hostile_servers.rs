//! Answers that never end, in time or in size (catalogue E04, E06, E07): what is taken of
//! them is bounded, whatever they promise.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use test_tokens::catalogue::{Verdict, tried};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{interval, timeout},
};

use super::*;

/// Far above our time limit in these tests, far below anybody's patience.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the kernel may hold of a connection on both sides, on top of our limit.
const IN_BUFFERS: usize = 16 * 1024 * 1024;

/// What a server does with a connection, once it has read a request.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Never says a word.
    Silence,
    /// Begins an answer and never goes on.
    Hang(&'static str),
    /// Begins an answer and sends a byte every now and then, for ever.
    Drip(&'static str),
    /// Begins an answer and sends as fast as anybody reads, for ever.
    Flood(&'static str),
}

struct Server {
    authority: String,
    /// Bytes that the other side, or the kernel, has taken.
    taken: Arc<AtomicUsize>,
}

impl Server {
    async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, behaviour, Arc::clone(&counter)));
            }
        });
        Self { authority, taken }
    }

    async fn fetch(&self, scheme: &str, client: &HttpClient) -> Result<usize, HttpError> {
        let url = Url::parse(&format!("{scheme}://{}/", self.authority)).unwrap();
        let answer = timeout(PATIENCE, client.fetch(RequestKind::Discovery, &url)).await;
        let answer = answer.expect("the request outlives its limit");
        answer.map(|response| response.body().len())
    }
}

/// Until the other side has had enough.
async fn answer(mut stream: TcpStream, behaviour: Behaviour, taken: Arc<AtomicUsize>) {
    let mut request = [0; 4096];
    if !stream
        .read(&mut request)
        .await
        .is_ok_and(|length| length > 0)
    {
        return;
    }
    let (head, filler, is_slow) = match behaviour {
        Behaviour::Silence => return std::future::pending().await,
        Behaviour::Hang(head) => (head, Vec::new(), true),
        Behaviour::Drip(head) => (head, vec![b'x'], true),
        Behaviour::Flood(head) => (head, vec![b'x'; 64 * 1024], false),
    };
    let mut pace = interval(Duration::from_millis(10));
    let mut is_open = stream.write_all(head.as_bytes()).await.is_ok();
    while is_open {
        if is_slow {
            pace.tick().await;
        }
        is_open = stream.write_all(&filler).await.is_ok();
        taken.fetch_add(filler.len(), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let client = HttpClient::new()
        .unwrap()
        .within(Duration::from_millis(200));
    for (name, scheme, behaviour) in [
        ("nothing", "http", Behaviour::Silence),
        ("nothing in the TLS handshake", "https", Behaviour::Silence),
        (
            "half a status line",
            "http",
            Behaviour::Hang("HTTP/1.1 200 O"),
        ),
        (
            "a head and no body",
            "http",
            Behaviour::Hang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
        ),
        (
            "a head byte by byte",
            "http",
            Behaviour::Drip("HTTP/1.1 200 OK\r\na: "),
        ),
        (
            "a body byte by byte",
            "http",
            Behaviour::Drip("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"),
        ),
    ] {
        let server = Server::start(behaviour).await;
        let error = server.fetch(scheme, &client).await.unwrap_err();
        assert!(
            matches!(error, HttpError::Unreachable(_)),
            "{name}: {error}"
        );
        tried("E04", Verdict::Refused("unreachable"), name);
    }
}

/// No caller can ask for more time than all have.
#[test]
fn the_limit_of_time_can_only_be_lowered() {
    let client = HttpClient::new().unwrap();
    assert_eq!(client.time_limit, Duration::from_secs(10));
    assert_eq!(
        client.clone().within(Duration::MAX).time_limit,
        TOTAL_TIMEOUT
    );
    let short = Duration::from_secs(1);
    assert_eq!(client.within(short).time_limit, short);
}

/// However much a server has to say, we take our limit of it, and it notices by the closed
/// connection.
#[tokio::test]
async fn of_an_answer_without_measure_no_more_than_the_limit_is_taken() {
    let client = HttpClient::new().unwrap();
    for (name, head) in [
        (
            "a gigabyte, announced",
            "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n",
        ),
        (
            "no end, until the connection closes",
            "HTTP/1.1 200 OK\r\n\r\n",
        ),
        (
            "one chunk of 4 GB",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n",
        ),
        ("a head without end", "HTTP/1.1 200 OK\r\na: "),
    ] {
        let server = Server::start(Behaviour::Flood(head)).await;
        let result = server.fetch("http", &client).await;
        assert!(result.is_err(), "{name}: {result:?}");
        let taken = server.taken.load(Ordering::SeqCst);
        assert!(taken <= BODY_LIMIT + IN_BUFFERS, "{name}: {taken} bytes");
        tried("E06 E07", Verdict::Refused("unacceptable"), name);
    }
}
