//! A short random name for each request: in every line of its log, in the audit log, in a
//! header and on error pages, so that a person can tell an operator which failure they saw.
//!
//! Names, and contexts of traces, that a client sends are not taken over: they would let
//! anybody write into our logs and traces.

use std::fmt;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::client_address::ClientAddress;
use crate::sessions::Sessions;
use crate::state::Config;
use crate::telemetry::TRACE;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    /// Carried with the task, not passed from hand to hand: each step of the way would have
    /// to, for the sake of one line at its end.
    static CURRENT: RequestContext;
}

/// The name. Ours: one that a client sends is not taken over.
#[derive(Clone)]
pub struct RequestId(Arc<str>);

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What the audit log says of the request that an event happened in.
#[derive(Clone)]
pub struct RequestContext {
    /// Its name.
    pub id: RequestId,
    /// Whose it is.
    pub client: ClientAddress,
}

/// The request that this task works for; `None` in the upkeep.
#[must_use]
pub fn current() -> Option<RequestContext> {
    CURRENT.try_with(Clone::clone).ok()
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

/// Names the request, and logs it without its path, query, headers or body: secrets travel
/// there, in a path by mistake. The route says which of our paths it was.
pub async fn name_request(
    State(sessions): State<Sessions>,
    State(config): State<Config>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId(oidc::random_base64url::<9>(sessions.random()).into());
    request.extensions_mut().insert(id.clone());
    let context = RequestContext {
        id: id.clone(),
        client: ClientAddress::of(&request, &config),
    };
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        method = %request.method(),
        route = route(&request),
    );
    let trace = span.in_scope(|| trace_span(&request, &id));
    let answering = next.run(request).instrument(trace.clone());
    let answering = CURRENT.scope(context, answering);
    let mut response = answering.instrument(span.clone()).await;
    let status = response.status().as_u16();
    trace.record("http.response.status_code", status);
    if response.status().is_server_error() {
        trace.record("otel.status_code", "ERROR");
    }
    span.in_scope(|| tracing::debug!(status, "answered"));
    if let Ok(value) = HeaderValue::try_from(&*id.0) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// One of our own routes, with its placeholders: never what somebody asked for.
pub(crate) fn route(request: &Request) -> &str {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or("unmatched", MatchedPath::as_str)
}

/// What is exported of a request, where traces are: see [`crate::telemetry`].
fn trace_span(request: &Request, id: &RequestId) -> Span {
    let route = route(request);
    tracing::debug_span!(
        target: TRACE,
        "request",
        otel.name = format!("{} {route}", request.method()),
        otel.kind = "server",
        otel.status_code = Empty,
        request_id = %id,
        http.request.method = %request.method(),
        http.route = route,
        http.response.status_code = Empty,
    )
}
