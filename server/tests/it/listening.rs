//! The listener itself, over real sockets: clients that are slow or send too much, and the
//! end of the process. Time is paused: it jumps to the next deadline when nothing happens.

use std::net::SocketAddr;

use server::closing::Closing;
use server::serve::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::harness::World;

struct Listening {
    address: SocketAddr,
    closing: Closing,
    server: JoinHandle<std::io::Result<()>>,
}

impl Listening {
    async fn start(world: &World) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (app, closing) = (world.app.clone(), world.closing.clone());
        let server = tokio::spawn(async move { serve(listener, app, &closing).await });
        Self {
            address,
            closing: world.closing.clone(),
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
