//! Asks a server on this machine whether it is ready. Knows just enough HTTP for that.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);

/// A URL on `localhost` that answers 200 when its server is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) port: u16,
    pub(crate) path: &'static str,
}

impl Probe {
    /// Asks once.
    pub(crate) fn is_ready(self) -> bool {
        let Ok(addresses) = ("localhost", self.port).to_socket_addrs() else {
            return false;
        };
        // A server may listen on IPv4 or IPv6 only.
        addresses
            .into_iter()
            .any(|address| self.answers(address).unwrap_or(false))
    }

    /// The whole answer, headers included; `None` unless it is a text with status 200.
    pub(crate) fn text(self) -> Option<String> {
        let addresses = ("localhost", self.port).to_socket_addrs().ok()?;
        let mut stream = addresses
            .into_iter()
            .find_map(|address| self.ask(address).ok())?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.lines().next()?.contains(" 200 ").then_some(text)
    }

    fn answers(self, address: SocketAddr) -> std::io::Result<bool> {
        let mut status_line = [0; 12];
        self.ask(address)?.read_exact(&mut status_line)?;
        Ok(status_line.ends_with(b" 200"))
    }

    fn ask(self, address: SocketAddr) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // The companion answers 421 to any host name that is not its own.
        write!(
            stream,
            "GET {} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
            self.path, self.port
        )?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one request and returns its first line and its `Host` line.
    fn server(answer: &'static str) -> (u16, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let handle = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .collect();
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        (port, handle)
    }

    fn probe(port: u16) -> Probe {
        Probe {
            port,
            path: "/readyz",
        }
    }

    #[test]
    fn only_200_is_ready() {
        let (port, request) = server("HTTP/1.1 200 OK\r\n\r\n");
        assert!(probe(port).is_ready());
        let request = request.join().unwrap();
        assert_eq!(request[0], "GET /readyz HTTP/1.1");
        assert_eq!(request[1], format!("Host: localhost:{port}"));

        let (port, _request) = server("HTTP/1.1 200 OK\r\n\r\nhello");
        assert!(
            probe(port)
                .text()
                .is_some_and(|text| text.ends_with("hello"))
        );

        let (port, _request) = server("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert!(!probe(port).is_ready());
    }

    #[test]
    fn nobody_there_is_not_ready() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(!probe(port).is_ready());
    }
}
