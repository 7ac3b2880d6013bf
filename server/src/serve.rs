//! Listens, and stops in good order. On hyper-util rather than `axum::serve`, which has no
//! time-out for request headers: a client that sends a byte every ten seconds would hold
//! its connection for ever (E40).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tower::Service as _;

use crate::closing::Closing;
use crate::header_timer::HeaderTimer;
use crate::open_files;

/// A request's headers arrive within this, or the connection ends.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers of a request, all together. Eight login transactions and the session fit.
const LARGEST_HEADERS: usize = 32 * 1024;
/// Header fields of a request.
const MOST_HEADERS: usize = 100;
/// After the signal, a connection that has just come gets this long to bring its request:
/// what sits idle is closed then.
const FIRST_REQUEST: Duration = Duration::from_millis(250);
/// Requests under way get this long.
const DRAIN: Duration = Duration::from_secs(8);
/// And what outlives its request (a code that is being exchanged, a refresh) this long, from
/// the signal on: the provider alone may take most of it. Below the half minute after which
/// an orchestrator kills.
const FINISH: Duration = Duration::from_secs(20);
/// A client that takes nothing of its answer is let go after this, however often its kernel
/// says that it lives: else it would hold its connection for ever (E40, slow read).
const UNREAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Out of file descriptors: wait for some to close, rather than spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// At most one warning of full seats in this time.
const WARNING_PAUSE: Duration = Duration::from_mins(1);

/// What is served.
pub trait Application: Clone + Send + Sync + 'static {
    /// The answer to a request that came from `peer`.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response> + Send;
}

/// Bare routes, such as the operator's.
impl Application for Router {
    async fn answer(&self, request: Request<Incoming>, _peer: SocketAddr) -> Response {
        // A router is always ready to be called.
        match self.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Serves `application` until the process is to end; then requests under way, and the work that
/// outlives its request, are finished.
///
/// # Errors
/// None at present: trouble with one connection never ends the others.
pub async fn serve(
    listener: TcpListener,
    application: impl Application,
    closing: &Closing,
) -> io::Result<()> {
    let seats = Seats::new(open_files::most_connections());
    serve_at_most(listener, application, closing, seats).await
}

/// The same with so many connections open at once; more wait in the system's queue until one
/// ends, and cost no memory here.
///
/// # Errors
/// As [`serve`].
pub async fn serve_at_most(
    listener: TcpListener,
    application: impl Application,
    closing: &Closing,
    mut seats: Seats,
) -> io::Result<()> {
    let connections = Connections::new(application);
    loop {
        let accepted = async {
            // Before the connection is accepted: one that cannot be served stays outside.
            let seat = seats.take().await;
            (listener.accept().await, seat)
        };
        let (accepted, seat) = tokio::select! {
            accepted = accepted => accepted,
            () = closing.begun() => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        connections.serve(stream, peer, seat);
    }
    let signalled = Instant::now();
    connections.serve_the_queue(listener, &seats)?;
    let finished = async {
        tokio::time::sleep(FIRST_REQUEST).await;
        // The work last: requests under way may bring more of it.
        if timeout(DRAIN, connections.graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("some requests did not finish in time");
        }
        let work = timeout_at(signalled + FINISH, closing.finished());
        if work.await.is_err() {
            tracing::warn!("some work did not finish in time");
        }
    };
    tokio::select! {
        () = finished => {}
        () = closing.at_once() => tracing::warn!("ended without waiting for what was under way"),
    }
    Ok(())
}

/// Those that are open.
struct Connections<A> {
    http: hyper::server::conn::http1::Builder,
    graceful: GracefulShutdown,
    application: A,
}

impl<A: Application> Connections<A> {
    fn new(application: A) -> Self {
        let mut http = hyper::server::conn::http1::Builder::new();
        http.header_read_timeout(HEADER_READ_TIMEOUT)
            .max_buf_size(LARGEST_HEADERS)
            // The buffer's limit alone lets larger headers pass where one read brings their
            // end.
            .max_header_size(LARGEST_HEADERS)
            .max_headers(MOST_HEADERS);
        Self {
            http,
            graceful: GracefulShutdown::new(),
            application,
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, seat: Option<OwnedSemaphorePermit>) {
        let stream = TokioIo::new(prepared(stream));
        let application = self.application.clone();
        let service = service_fn(move |request| {
            let application = application.clone();
            async move { Ok::<_, Infallible>(application.answer(request, peer).await) }
        });
        let mut http = self.http.clone();
        http.timer(HeaderTimer::default());
        let connection = http.serve_connection(stream, service);
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
            drop(seat);
        });
    }

    /// Those who wait in the system's queue were told that they are connected: dropped, they
    /// would have to take it for a failure in mid-request. Whoever comes later is refused,
    /// and goes to another companion.
    fn serve_the_queue(&self, listener: TcpListener, seats: &Seats) -> io::Result<()> {
        let listener = listener.into_std()?;
        while let Ok(seat) = Arc::clone(&seats.free).try_acquire_owned() {
            let Ok((stream, peer)) = listener.accept() else {
                break;
            };
            stream.set_nonblocking(true)?;
            self.serve(TcpStream::from_std(stream)?, peer, Some(seat));
        }
        Ok(())
    }
}

/// How many connections may be open at once.
pub struct Seats {
    free: Arc<Semaphore>,
    warned: Option<Instant>,
}

impl Seats {
    /// So many.
    #[must_use]
    pub fn new(number: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(number)),
            warned: None,
        }
    }

    /// Waits for one. Nobody closes the semaphore, so there is an error never.
    async fn take(&mut self) -> Option<OwnedSemaphorePermit> {
        if self.free.available_permits() == 0
            && self.warned.is_none_or(|at| at.elapsed() >= WARNING_PAUSE)
        {
            self.warned = Some(Instant::now());
            tracing::warn!("as many connections are open as may be: new ones wait");
        }
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

/// Small answers go out at once instead of waiting for a full packet.
fn prepared(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    if let Err(error) = limit_unread(&stream) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT was not set");
    }
    stream
}

#[cfg(target_os = "linux")]
fn limit_unread(stream: &TcpStream) -> io::Result<()> {
    let milliseconds = u32::try_from(UNREAD_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(
        stream,
        milliseconds,
    )?)
}

/// Elsewhere, where nobody deploys it, the system's own patience must do.
#[cfg(not(target_os = "linux"))]
fn limit_unread(_stream: &TcpStream) -> io::Result<()> {
    let _ = UNREAD_TIMEOUT;
    Ok(())
}
