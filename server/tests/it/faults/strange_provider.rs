//! A provider that answers byte for byte what a test wants: what no HTTP library would send.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) const METADATA: &str = "/.well-known/openid-configuration";

/// What it does with a request.
#[derive(Clone)]
pub(super) enum Reply {
    /// Sends these bytes and ends the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and then no more, for ever.
    Hangs(Vec<u8>),
    /// Sends these bytes, one in a second.
    Drips(Vec<u8>),
    /// Sends these bytes, and then a chunk of a body again and again.
    Endless(Vec<u8>),
    /// Sends these bytes and resets the connection.
    Resets(Vec<u8>),
}

impl Reply {
    /// A whole answer with this body.
    pub(super) fn of(status: &str, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }

    pub(super) fn json(body: impl AsRef<[u8]>) -> Self {
        Self::of("200 OK", "application/json", body)
    }

    pub(super) fn redirect(status: &str, location: &str) -> Self {
        let head =
            format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        Self::Bytes(head.into_bytes())
    }
}

/// Clones are the same.
#[derive(Clone)]
pub(super) struct StrangeProvider {
    address: SocketAddr,
    replies: Arc<Mutex<BTreeMap<String, Reply>>>,
    requests: Arc<Mutex<Vec<String>>>,
    sent: Arc<AtomicUsize>,
}

impl StrangeProvider {
    /// It has good metadata and nothing else, until it is told otherwise.
    pub(super) async fn start() -> Self {
        Self::at(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    pub(super) fn at(listener: TcpListener) -> Self {
        let provider = Self {
            address: listener.local_addr().unwrap(),
            replies: Arc::default(),
            requests: Arc::default(),
            sent: Arc::default(),
        };
        provider.answers(METADATA, Reply::json(provider.metadata().to_string()));
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        provider
    }

    pub(super) fn issuer(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn metadata(&self) -> Value {
        metadata(&self.issuer())
    }

    pub(super) fn answers(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// How many requests there were to a path.
    pub(super) fn requests_to(&self, path: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|seen| *seen == path).count()
    }

    /// Bytes of bodies without end that somebody took.
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(path) = request_path(&mut stream).await else {
            return;
        };
        self.requests.lock().unwrap().push(path.clone());
        let known = self.replies.lock().unwrap().get(&path).cloned();
        let reply = known.unwrap_or_else(|| Reply::of("404 Not Found", "text/plain", ""));
        // Whoever hangs up has had enough.
        let _ = self.reply(&mut stream, reply).await;
    }

    async fn reply(&self, stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
        match reply {
            Reply::Bytes(bytes) => stream.write_all(&bytes).await,
            Reply::Hangs(bytes) => {
                stream.write_all(&bytes).await?;
                std::future::pending().await
            }
            Reply::Drips(bytes) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            Reply::Endless(head) => {
                stream.write_all(&head).await?;
                let chunk = [b"2000\r\n".as_slice(), &[b' '; 0x2000], b"\r\n"].concat();
                loop {
                    stream.write_all(&chunk).await?;
                    self.sent.fetch_add(chunk.len(), Ordering::SeqCst);
                }
            }
            Reply::Resets(bytes) => {
                stream.write_all(&bytes).await?;
                set_socket_linger(&*stream, Some(Duration::ZERO))?;
                Ok(())
            }
        }
    }
}

/// The honest metadata of an issuer.
pub(super) fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}authorize"),
        "token_endpoint": format!("{issuer}oauth/token"),
        "jwks_uri": format!("{issuer}jwks"),
    })
}

/// Reads one request with its body; answers its path.
async fn request_path(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                let target = head.split(' ').nth(1)?;
                return Some(target.to_owned());
            }
        }
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}
