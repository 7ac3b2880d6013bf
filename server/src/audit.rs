//! The audit log: who signed in and out, and what was refused, for whoever has to answer for
//! it later. One JSON object a line, apart from the log of the program's own doings.
//!
//! It holds identifiers only: issuer, subject, the session's `ref`, request id and client
//! address; never a token, cookie, name or e-mail address. It must not block or fail a
//! request: a line that cannot be written is counted, and lost.

mod event;
mod flood;
mod sink;
mod writer;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use oidc::Clock;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use self::event::{Event, Who};
use self::flood::Flood;
use self::sink::Sink;
use self::writer::Writer;
use crate::config::AuditLog;
use crate::metrics::Metrics;
use crate::metrics::labels::{Label as _, Limit};
use crate::request_id;

/// Where events are reported. Cheap to clone.
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

struct Shared {
    writer: Option<Writer>,
    flood: Mutex<Flood>,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    event: &'static str,
    #[serde(flatten)]
    what: event::Fields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    /// Lines of this event that were left out just before: somebody floods the log.
    #[serde(skip_serializing_if = "is_zero")]
    suppressed: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Audit {
    /// Opens the log, and starts the thread that writes it.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(log: &AuditLog, metrics: Metrics, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let sink = match log {
            AuditLog::Off => None,
            AuditLog::Stdout => Some(Sink::stdout()),
            AuditLog::File(path) => Some(Sink::open(path)?),
        };
        let writer = match sink {
            Some(sink) => Some(Writer::start(sink, metrics.clone())?),
            None => None,
        };
        Ok(Self(Arc::new(Shared {
            writer,
            flood: Mutex::default(),
            metrics,
            clock,
        })))
    }

    /// Reports what happened, in the request that this task works for. Counted in the metrics
    /// whether or not there is a log.
    pub fn record(&self, event: &Event<'_>) {
        let Shared {
            writer,
            flood,
            metrics,
            clock,
        } = &*self.0;
        metrics.audited(event.name());
        event.count(metrics);
        let Some(writer) = writer else { return };
        let now = clock.now().seconds();
        let suppressed = {
            let mut flood = flood.lock().unwrap_or_else(PoisonError::into_inner);
            match flood.pass(event, now) {
                Some(suppressed) => suppressed,
                None => return metrics.limit_hit(Limit::AuditLines),
            }
        };
        let request = request_id::current();
        let line = Line {
            time: rfc3339(now),
            event: event.name().as_str(),
            what: event.fields(),
            request_id: request.as_ref().map(|request| request.id.to_string()),
            client: request.map(|request| request.client.0),
            suppressed,
        };
        let mut line = serde_json::to_vec(&line)
            .unwrap_or_else(|_| unreachable!("a line has string keys and plain values"));
        line.push(b'\n');
        writer.write(line);
    }

    /// The counters beside it, for what is counted only.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Waits until what was reported so far is written, but not long.
    pub async fn flush(&self) {
        if let Some(writer) = &self.0.writer {
            writer.flush().await;
        }
    }
}

fn rfc3339(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}
