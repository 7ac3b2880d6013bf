//! A TCP proxy before a Redis that breaks connections in the ways networks do.

use std::io::{Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How a message of a subscription begins (RESP2).
const MESSAGE: &[u8] = b"*3\r\n$7\r\nmessage";

/// What the proxy does to the bytes from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: all goes through.
    None,
    /// Connections are reset, the present ones at once and new ones on arrival.
    Refuse,
    /// Connections stay and are taken, and not one byte goes either way.
    BlackHole,
    /// Every piece of a reply comes this much later.
    Delay(Duration),
    /// Of the next piece of a reply so many bytes arrive, then its connection is cut; all is
    /// well again after that. With 0 the server has obeyed and the client never hears of it.
    /// Messages of a subscription are no replies.
    CutReply(usize),
    /// Of the next piece of a command so many bytes arrive, then its connection is cut; all
    /// is well again after that. With 0 the server never hears of it.
    CutCommand(usize),
    /// Every reply is these bytes instead.
    Answer(&'static [u8]),
}

/// Proxies a TCP port of its own, on 127.0.0.1, to a Redis socket.
pub struct FaultProxy {
    address: SocketAddr,
    user_info: String,
    state: Arc<Mutex<State>>,
}

struct State {
    fault: Fault,
    accepted: usize,
    open: Vec<TcpStream>,
    closed: bool,
}

impl FaultProxy {
    pub(crate) fn start(upstream: PathBuf, user_info: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let state = Arc::new(Mutex::new(State {
            fault: Fault::None,
            accepted: 0,
            open: Vec::new(),
            closed: false,
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &upstream, &shared));
        Self {
            address,
            user_info,
            state,
        }
    }

    /// `redis://…` of the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}{}", self.user_info, self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this happens.
    pub fn set(&self, fault: Fault) {
        let mut state = locked(&self.state);
        state.fault = fault;
        if fault == Fault::Refuse {
            state.cut();
        }
    }

    /// The present fault: a one-time fault is [`Fault::None`] again once it has happened.
    #[must_use]
    pub fn fault(&self) -> Fault {
        locked(&self.state).fault
    }

    /// Cuts every open connection, once.
    pub fn cut(&self) {
        locked(&self.state).cut();
    }

    /// How many connections it has taken so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        locked(&self.state).accepted
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        let mut state = locked(&self.state);
        state.closed = true;
        state.cut();
        drop(state);
        // Wakes the accepting thread, so that it sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn cut(&mut self) {
        for stream in self.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, upstream: &PathBuf, state: &Arc<Mutex<State>>) {
    for client in listener.incoming().flatten() {
        let mut now = locked(state);
        if now.closed {
            return;
        }
        now.accepted += 1;
        if now.fault == Fault::Refuse {
            continue;
        }
        // A server that is down: the client's connection ends, as it would without a proxy.
        let Ok(server) = UnixStream::connect(upstream) else {
            continue;
        };
        let copies = (client.try_clone(), client.try_clone(), server.try_clone());
        let (Ok(kept), Ok(to_client), Ok(to_server)) = copies else {
            continue;
        };
        now.open.push(kept);
        drop(now);
        let _ = client.set_nodelay(true);
        let commands = Pump {
            state: Arc::clone(state),
            replies: false,
        };
        let replies = Pump {
            state: Arc::clone(state),
            replies: true,
        };
        thread::spawn(move || commands.run(client, Outlet::Server(to_server)));
        thread::spawn(move || replies.run(server, Outlet::Client(to_client)));
    }
}

/// Carries one direction of one connection.
struct Pump {
    state: Arc<Mutex<State>>,
    replies: bool,
}

enum Outlet {
    Client(TcpStream),
    Server(UnixStream),
}

/// What becomes of one piece of bytes.
enum Passage {
    Whole,
    Nothing,
    Later(Duration),
    Cut(usize),
    Instead(&'static [u8]),
}

impl Pump {
    fn run(self, mut from: impl Read, mut to: Outlet) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let piece = &buffer[..length];
            let passed = match self.passage(piece) {
                Passage::Whole => to.write(piece),
                Passage::Nothing => true,
                Passage::Later(delay) => {
                    thread::sleep(delay);
                    to.write(piece)
                }
                Passage::Cut(kept) => {
                    to.write(&piece[..kept.min(length)]);
                    false
                }
                Passage::Instead(bytes) => to.write(bytes),
            };
            if !passed {
                break;
            }
        }
        to.close();
    }

    fn passage(&self, piece: &[u8]) -> Passage {
        let mut state = locked(&self.state);
        let passage = match (state.fault, self.replies) {
            (Fault::BlackHole, _) => Passage::Nothing,
            (Fault::Delay(delay), true) => return Passage::Later(delay),
            (Fault::CutReply(_), true) if piece.starts_with(MESSAGE) => return Passage::Whole,
            (Fault::CutReply(kept), true) | (Fault::CutCommand(kept), false) => Passage::Cut(kept),
            (Fault::Answer(bytes), true) => return Passage::Instead(bytes),
            _ => return Passage::Whole,
        };
        if state.fault != Fault::BlackHole {
            state.fault = Fault::None;
        }
        passage
    }
}

impl Outlet {
    fn write(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::Client(stream) => stream.write_all(bytes),
            Self::Server(stream) => stream.write_all(bytes),
        }
        .is_ok()
    }

    /// Both directions of both sides: a cut connection is cut for everybody.
    fn close(&self) {
        let _ = match self {
            Self::Client(stream) => stream.shutdown(Shutdown::Both),
            Self::Server(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

#[cfg(test)]
mod tests {
    use crate::RedisServer;

    use super::*;

    fn ask(proxy: &FaultProxy) -> Option<String> {
        let mut stream = TcpStream::connect(proxy.address()).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .ok()?;
        stream.write_all(b"PING\r\n").ok()?;
        let mut reply = [0; 64];
        let length = stream.read(&mut reply).ok()?;
        Some(String::from_utf8_lossy(&reply[..length]).into_owned())
    }

    #[test]
    fn faults_happen_and_pass() {
        let server = RedisServer::start();
        let proxy = server.proxy();
        let whole = Some("+PONG\r\n".to_owned());
        assert_eq!(ask(&proxy), whole);
        proxy.set(Fault::BlackHole);
        assert_eq!(ask(&proxy), None);
        proxy.set(Fault::Refuse);
        assert_ne!(ask(&proxy), whole);
        proxy.set(Fault::CutReply(3));
        assert_eq!(ask(&proxy), Some("+PO".to_owned()));
        assert_eq!(proxy.fault(), Fault::None);
        proxy.set(Fault::CutCommand(3));
        assert_ne!(ask(&proxy), whole);
        proxy.set(Fault::Answer(b"-LOADING wait\r\n"));
        assert_eq!(ask(&proxy), Some("-LOADING wait\r\n".to_owned()));
        proxy.set(Fault::None);
        assert_eq!(ask(&proxy), whole);
    }
}
