//! A request's body arrives soon, or the request ends: one that drips would hold its
//! connection, and with it a seat that others wait for (E40).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::AppError;

/// A request's whole body arrives within this, from the end of its headers on.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What becomes of a request's body; `None`: it has none.
pub struct WatchedBody(Option<Arc<Progress>>);

impl WatchedBody {
    /// Gives the request a body that ends at its deadline.
    #[must_use]
    pub fn of(request: Request) -> (Request, Self) {
        if request.body().is_end_stream() {
            return (request, Self(None));
        }
        let progress = Arc::new(Progress::default());
        let deadline = Instant::now() + BODY_TIMEOUT;
        let timed = |body| Body::new(Timed::new(body, deadline, Arc::clone(&progress)));
        (request.map(timed), Self(Some(progress)))
    }

    /// Makes the answer 408 where the body was late. Where it was not read to its end, the
    /// connection ends after the answer, and the answer says so: no client should send its
    /// next request there (RFC 9112 §9.6).
    #[must_use]
    pub fn end(self, mut response: Response) -> Response {
        let Some(progress) = self.0 else {
            return response;
        };
        if progress.is_late.load(Ordering::Relaxed) {
            // Whoever read it could see only that it broke off.
            response = AppError::request_timeout().into_response();
        }
        if !progress.has_ended.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}

#[derive(Default)]
struct Progress {
    has_ended: AtomicBool,
    is_late: AtomicBool,
}

/// A body that breaks off at its deadline. Without a timer until it is first waited for: most
/// bodies come together with the headers.
struct Timed {
    body: Body,
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    progress: Arc<Progress>,
}

impl Timed {
    fn new(body: Body, deadline: Instant, progress: Arc<Progress>) -> Self {
        Self {
            body,
            deadline,
            timer: None,
            progress,
        }
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if frame.is_none() || self.body.is_end_stream() {
                self.progress.has_ended.store(true, Ordering::Relaxed);
            }
            return Poll::Ready(frame);
        }
        let deadline = self.deadline;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(timer.as_mut().poll(context));
        self.progress.is_late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new("the body came too late"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
