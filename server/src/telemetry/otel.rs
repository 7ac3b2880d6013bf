//! Export of traces to an OpenTelemetry collector, by OTLP over HTTP. Configured by the
//! standard variables: `OTEL_EXPORTER_OTLP_ENDPOINT` (without it nothing is exported),
//! `OTEL_SERVICE_NAME`, and what the SDK itself reads (sampling, headers of the exporter).
//!
//! A span says what we did, for how long, and how it ended: route, method, status, kind of
//! store call or request to the provider. No query, header, cookie, token or person.

use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::{ENDPOINT, TRACE};
use crate::config::Lookup;

/// A collector that takes longer has had its time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The end of the process waits no longer for the last spans.
const LAST_EXPORT: Duration = Duration::from_secs(3);
/// A collector answers with a few bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

type ExportingLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// Exports as long as it lives.
pub(super) struct Export(SdkTracerProvider);

/// The layer that exports, if a collector is named.
pub(super) fn layer<S>(lookup: &Lookup) -> anyhow::Result<Option<(ExportingLayer<S>, Export)>>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let Some(endpoint) = lookup.value(ENDPOINT) else {
        return Ok(None);
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(REQUEST_TIMEOUT)
        .build()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    let name = lookup.value("OTEL_SERVICE_NAME");
    let resource = Resource::builder()
        .with_service_name(name.unwrap_or("component-auth0").to_owned())
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("component-auth0"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|metadata| {
            metadata.is_span() && metadata.target() == TRACE
        }));
    Ok(Some((layer.boxed(), Export(provider))))
}

impl Export {
    pub(super) async fn end(self) {
        // It waits for the exporter's thread, which needs this runtime for its request.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_EXPORT));
        if !matches!(ended.await, Ok(Ok(()))) {
            tracing::warn!("the last spans were not exported");
        }
    }
}

/// The exporter runs on a thread of its own, outside the runtime: requests go back to it.
/// Built like every client of ours, without redirects.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

impl Client {
    fn new() -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            runtime: Handle::current(),
        })
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = self.runtime.spawn(send(self.http.clone(), request));
        let answer = sending.await.map_err(HttpError::from).flatten();
        match &answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::warn!(status = answer.status().as_u16(), "spans were refused"),
            Err(error) => tracing::warn!(%error, "spans were not exported"),
        }
        answer
    }
}

async fn send(
    http: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let request = reqwest::Request::try_from(request)?;
    // The endpoint's URL may hold a key.
    let answer = http.execute(request).await;
    let mut answer = answer.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err("the answer is too large".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response::builder().status(status).body(body.into())?)
}
