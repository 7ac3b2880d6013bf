//! The log, to standard error, as text or JSON; and with the feature `otel` the export of
//! traces. What goes in is chosen where it is written: secrets and tokens have no `Debug`
//! that could print them.

#[cfg(feature = "otel")]
mod otel;

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt};

use crate::config::{LogFormat, Lookup};

/// Where an OpenTelemetry collector listens, by the name that all its users have.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Spans of this target are exported, and nothing else: neither events of the log, nor spans
/// of libraries, which may hold URLs.
pub const TRACE: &str = "component_auth0::trace";

/// What has to be finished before the process ends.
#[must_use]
pub struct Telemetry {
    #[cfg(feature = "otel")]
    export: Option<otel::Export>,
}

/// Starts logging; `RUST_LOG` chooses what (`info` if unset). Must be called on the async
/// runtime.
///
/// # Errors
/// If traces are to be exported and the exporter cannot be set up.
pub fn start(format: LogFormat, lookup: &Lookup) -> anyhow::Result<Telemetry> {
    #[cfg(feature = "otel")]
    let (layer, export) = otel::layer(lookup)?.unzip();
    #[cfg(not(feature = "otel"))]
    let layer: Option<tracing_subscriber::layer::Identity> = None;
    let subscriber = Registry::default().with(layer).with(log(format, lookup));
    // A second start (tests) keeps the first.
    let _ = subscriber.try_init();
    std::panic::set_hook(Box::new(log_panic));
    if cfg!(not(feature = "otel")) && lookup.value(ENDPOINT).is_some() {
        tracing::warn!(
            "{ENDPOINT} is set, but this build exports no traces: build it with `--features otel`"
        );
    }
    Ok(Telemetry {
        #[cfg(feature = "otel")]
        export,
    })
}

impl Telemetry {
    /// Sends what was not sent yet, but does not wait long for it.
    #[cfg_attr(
        not(feature = "otel"),
        expect(
            clippy::unused_async,
            reason = "there is something to wait for in the other build"
        )
    )]
    pub async fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(export) = self.export {
            export.end().await;
        }
    }
}

fn log<S>(format: LogFormat, lookup: &Lookup) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(lookup.value("RUST_LOG").unwrap_or("info"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = fmt::layer()
        .with_writer(std::io::stderr)
        // A file or a collector has no use for colours, and each request would pay for them.
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => layer.with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    }
}

/// A panic is a line of the log like any other: in a log of JSON nothing else may stand.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or_default();
    tracing::error!(event = "panic", place, "{message}");
}
