//! The log: to standard error, as text or JSON. What goes in is chosen where it is written;
//! secrets and tokens have no `Debug` that could print them.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Lookup};

/// Starts logging; `RUST_LOG` chooses what (`info` if unset).
pub fn start(format: LogFormat, lookup: &Lookup) {
    let filter = EnvFilter::try_new(lookup.value("RUST_LOG").unwrap_or("info"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start (tests) keeps the first.
    let _ = match format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
