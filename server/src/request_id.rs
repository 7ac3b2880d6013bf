//! A short random name for each request: in every line of its log, in the audit log, in a
//! header and on error pages, so that a person can tell an operator which failure they saw.
//!
//! Names, and contexts of traces, that a client sends are not taken over: they would let
//! anybody write into our logs and traces.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};
use oidc::Random;
use shared::routes;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::client_address::ClientAddress;
use crate::config::Settings;
use crate::telemetry::TRACE;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    /// Carried with the task, not passed from hand to hand: each step of the way would have
    /// to, for the sake of one line at its end.
    static CURRENT: RequestContext;
}

/// The name: nine random bytes. Ours: one that a client sends is not taken over.
#[derive(Clone, Copy)]
pub struct RequestId([u8; 12]);

impl RequestId {
    fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; 9];
        random.fill(&mut bytes);
        let mut text = [b'-'; 12];
        // Nine bytes are twelve characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        Self(text)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// One of our own routes, with its placeholders: never what somebody asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Route(usize);

impl Route {
    /// All of them, as the router has them, and what is none.
    const NAMES: [&'static str; 25] = [
        routes::LAUNCHER,
        routes::SIGNED_IN,
        routes::SIGNED_OUT,
        routes::COMPONENT,
        "/streamlit/",
        routes::HERO,
        Self::FILE,
        routes::LOGIN,
        routes::CALLBACK,
        routes::HANDOFF,
        routes::TICKET,
        routes::WATCH,
        routes::ME,
        routes::LOGOUT,
        routes::PONG,
        routes::PING,
        routes::REDEEM,
        routes::TOKEN,
        routes::SESSION,
        routes::REVOKE,
        routes::BACKCHANNEL_LOGOUT,
        "/healthz",
        "/readyz",
        "/metrics",
        "unmatched",
    ];
    /// How many there are.
    pub const COUNT: usize = Self::NAMES.len();
    const FILE: &'static str = "/static/{file}";

    /// Before the router has looked, since its answer to a request comes too late for a log.
    fn of(path: &str) -> Self {
        let file = path.strip_prefix("/static/");
        let path = match file {
            Some(file) if !file.is_empty() && !file.contains('/') => Self::FILE,
            _ => path,
        };
        let known = Self::NAMES.iter().position(|route| *route == path);
        Self(known.unwrap_or(Self::COUNT - 1))
    }

    /// Its place among all.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::NAMES[self.0]
    }
}

/// What is known of a request from its first moment on.
#[derive(Clone, Copy)]
pub struct RequestContext {
    /// Its name.
    pub id: RequestId,
    /// Whose it is.
    pub client: ClientAddress,
    /// What it asks for.
    pub route: Route,
}

/// The request that this task works for; `None` in the upkeep.
#[must_use]
pub fn current() -> Option<RequestContext> {
    CURRENT.try_with(|current| *current).ok()
}

/// Work that goes on in a task of its own, and still belongs to this request.
pub fn of_this_request<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let (current, work) = (current(), work.in_current_span());
    async move {
        match current {
            Some(current) => CURRENT.scope(current, work).await,
            None => work.await,
        }
    }
}

/// A request with its name.
pub(crate) struct NamedRequest {
    /// What is known of it.
    pub(crate) context: RequestContext,
    span: Span,
    trace: Span,
}

impl NamedRequest {
    /// Names the request, and logs it without its path, query, headers or body: secrets travel
    /// there, in a path by mistake. The route says which of our paths it was.
    pub(crate) fn new(
        request: &Request,
        peer: Option<SocketAddr>,
        settings: &Settings,
        random: &dyn Random,
    ) -> Self {
        let context = RequestContext {
            id: RequestId::new(random),
            client: ClientAddress::of(peer, request.headers(), &settings.trusted_proxies),
            route: Route::of(request.uri().path()),
        };
        let span = tracing::info_span!(
            "request",
            request_id = %context.id,
            method = %request.method(),
            route = context.route.as_str(),
        );
        let trace = trace_span(&span, request, &context);
        Self {
            context,
            span,
            trace,
        }
    }

    /// The answer, which has the name in a header; what works at it knows the name.
    pub(crate) async fn during(
        self,
        answering: Pin<&mut impl Future<Output = Response>>,
    ) -> Response {
        let answering = answering.instrument(self.trace.clone());
        let answering = CURRENT.scope(self.context, answering);
        let mut response = answering.instrument(self.span.clone()).await;
        let status = response.status().as_u16();
        self.trace.record("http.response.status_code", status);
        if response.status().is_server_error() {
            self.trace.record("otel.status_code", "ERROR");
        }
        tracing::debug!(parent: &self.span, status, "answered");
        if let Ok(value) = HeaderValue::from_bytes(&self.context.id.0) {
            response.headers_mut().insert(HEADER, value);
        }
        response
    }
}

/// What is exported of a request, where traces are: see [`crate::telemetry`].
fn trace_span(parent: &Span, request: &Request, context: &RequestContext) -> Span {
    let route = context.route.as_str();
    tracing::debug_span!(
        target: TRACE,
        parent: parent,
        "request",
        otel.name = format!("{} {route}", request.method()),
        otel.kind = "server",
        otel.status_code = Empty,
        request_id = %context.id,
        http.request.method = %request.method(),
        http.route = route,
        http.response.status_code = Empty,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_one_of_ours_whatever_is_asked_for() {
        for (path, route) in [
            (routes::ME, routes::ME),
            ("/static/a.js", "/static/{file}"),
            ("/static/", "unmatched"),
            ("/static/a/b.js", "unmatched"),
            ("/api/auth/me/", "unmatched"),
            ("/API/PING", "unmatched"),
            ("/secret-in-a-path", "unmatched"),
        ] {
            assert_eq!(Route::of(path).as_str(), route, "{path}");
        }
    }
}
