//! All routes with what stands around every one of them: names, counts, headers, limits, checks.
//!
//! One function, [`App::answer`], says what comes in which order; how each protection works is
//! in its own file. They are plain functions before and after the route, not layers: each layer
//! of axum costs a box for itself, for its future and for all layers below, at every request.

use std::any::Any;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRef as _, Request};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hyper::body::{Body as _, Incoming};
use tower::Service;

use crate::assets::Assets;
use crate::error::AppError;
use crate::metrics::{Counting, Metrics};
use crate::rate_limit::RateLimits;
use crate::request_id::{NamedRequest, RequestContext};
use crate::security_headers::SecurityHeaders;
use crate::serve::Application;
use crate::sessions::Sessions;
use crate::slow_bodies::WatchedBody;
use crate::state::{AppState, Config};
use crate::{host, pages};

/// Above the long poll's hold and the provider's time-outs.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);
/// The largest honest body is an authorization response by form post.
const LARGEST_BODY: usize = 64 * 1024;

/// All routes with all their protections. One pointer to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    routes: Router,
    config: Config,
    sessions: Sessions,
    metrics: Metrics,
    rate_limits: RateLimits,
    headers: SecurityHeaders,
}

impl App {
    /// Puts the protections around `routes`.
    pub(crate) fn new(routes: Router<AppState>, state: AppState) -> Self {
        let config = Config::from_ref(&state);
        Self(Arc::new(Parts {
            headers: SecurityHeaders::new(config.clone(), &Assets::from_ref(&state)),
            sessions: Sessions::from_ref(&state),
            metrics: Metrics::from_ref(&state),
            rate_limits: RateLimits::from_ref(&state),
            routes: routes.with_state(state),
            config,
        }))
    }

    /// Answers a request of `peer`, outermost first.
    async fn answer(self, request: Request, peer: Option<SocketAddr>) -> Response {
        let parts = &*self.0;
        let named = NamedRequest::new(&request, peer, &parts.config, parts.sessions.random());
        let context = named.context;
        // In place: what wraps it would move it, and it is large.
        named.during(pin!(parts.counted(request, context))).await
    }
}

impl Parts {
    async fn counted(&self, request: Request, context: RequestContext) -> Response {
        let counting = Counting::begin(&self.metrics, context.route);
        let headers = self.headers.of_answer_to(&request);
        let for_a_person = pages::wants_a_page(request.headers());
        // A panic fails its one request; the payload stays in the log of the panic hook.
        let checked = pin!(self.checked(request, context));
        let answering = AssertUnwindSafe(limit_time(checked));
        let mut response = match answering.catch_unwind().await {
            Ok(response) => response,
            Err(panic) => panicked(panic),
        };
        if for_a_person {
            response = pages::error_as_page(response, context.id).await;
        }
        self.headers.set(&headers, &mut response);
        counting.end(&response);
        response
    }

    async fn checked(&self, request: Request, context: RequestContext) -> Response {
        let (mut request, body) = WatchedBody::of(request);
        let refusal = host::check(&request, &self.config).and_then(|()| {
            self.rate_limits
                .check(&request, context.client, &self.config)
        });
        let response = match refusal {
            Ok(()) => {
                if !request.body().is_end_stream() {
                    DefaultBodyLimit::max(LARGEST_BODY).apply(&mut request);
                }
                self.routed(request).await
            }
            Err(refusal) => refusal.into_response(),
        };
        body.end(response)
    }

    async fn routed(&self, request: Request) -> Response {
        match self.routes.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// A neighbour that hangs holds a request no longer than this. Most answers are there at once:
/// there is a timer only for the others.
pub(crate) async fn limit_time(
    mut answering: Pin<&mut impl Future<Output = Response>>,
) -> Response {
    if let Poll::Ready(response) = futures::poll!(answering.as_mut()) {
        return response;
    }
    match tokio::time::timeout(REQUEST_TIMEOUT, answering).await {
        Ok(response) => response,
        Err(_) => AppError::request_timeout().into_response(),
    }
}

/// The answer to a request whose handler panicked.
pub(crate) fn panicked(_payload: Box<dyn Any + Send + 'static>) -> Response {
    AppError::Internal("a handler panicked".into()).into_response()
}

impl Application for App {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response {
        Self::answer(self.clone(), request.map(Body::new), Some(peer)).await
    }
}

impl Service<Request> for App {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|peer| peer.0);
        Self::answer(self.clone(), request, peer).map(Ok).boxed()
    }
}
