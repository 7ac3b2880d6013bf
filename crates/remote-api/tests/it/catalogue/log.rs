//! What is logged on this thread. The tests run client, provider and server on one thread
//! each, so a thread's log is a test's log. One subscriber for the process, set before
//! anything logs: a place reached before would be taken for switched off.

use std::{cell::RefCell, io, sync::Once};

thread_local! {
    static CAUGHT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Call it before anything can log.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .without_time()
            .with_writer(|| OfThisThread)
            .init();
    });
}

/// What this thread has logged since the last call.
pub(super) fn take() -> String {
    String::from_utf8_lossy(&CAUGHT.take()).into_owned()
}

struct OfThisThread;

impl io::Write for OfThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAUGHT.with_borrow_mut(|caught| caught.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
