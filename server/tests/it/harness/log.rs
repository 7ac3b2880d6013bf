//! Catches everything that is logged on this thread, at every level.
//!
//! One subscriber for the whole process, set before anything logs: with one for each test,
//! a place that another thread reaches at the same moment may be taken for switched off.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

thread_local! {
    static CAUGHT: RefCell<Option<CapturedLog>> = const { RefCell::new(None) };
}

/// The log of this thread since [`CapturedLog::start`].
#[derive(Clone, Default)]
pub(crate) struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    /// Catches to the end of the thread. The test must run on one.
    pub(crate) fn start() -> Self {
        let log = Self::default();
        CAUGHT.set(Some(log.clone()));
        log
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Before anything can log: nothing is formatted where nobody listens.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        let layer = fmt::layer().with_ansi(false).with_writer(OfThisThread);
        let listening = dynamic_filter_fn(|_, _| CAUGHT.with_borrow(Option::is_some));
        let subscriber = Registry::default().with(layer.with_filter(listening));
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

struct OfThisThread;

impl<'a> MakeWriter<'a> for OfThisThread {
    type Writer = CapturedLog;

    fn make_writer(&'a self) -> CapturedLog {
        CAUGHT.with_borrow(|log| log.clone().unwrap_or_default())
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
