//! The end of the process: whoever waits hears of it at once, and what is lost with its
//! request is finished first (E62).
//!
//! It must not know what waits or what is finished.

use std::future::{Future, pending};
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The signal, and the work to be awaited. Clones are the same: one pointer, since to clone a
/// token takes its lock.
#[derive(Clone, Default)]
pub struct Closing(Arc<Parts>);

#[derive(Default)]
struct Parts {
    begun: CancellationToken,
    at_once: CancellationToken,
    work: TaskTracker,
}

/// Work that panicked; the payload stays in the log of the panic hook.
#[derive(Debug)]
pub struct Panicked;

impl Closing {
    /// Of a process that runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everybody; asked a second time, nothing more is waited for.
    pub fn begin(&self) {
        if self.0.begun.is_cancelled() {
            self.0.at_once.cancel();
        }
        self.0.begun.cancel();
    }

    /// Resolves once the process is to end, however late it is asked.
    pub async fn begun(&self) {
        self.0.begun.cancelled().await;
    }

    /// Whether it is to end.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.begun.is_cancelled()
    }

    /// Resolves once nothing more is to be waited for.
    pub(crate) async fn at_once(&self) {
        self.0.at_once.cancelled().await;
    }

    /// Runs work on a task of its own that the end of the process waits for: its request may
    /// be gone long before.
    pub fn finish<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.work.spawn(work)
    }

    /// The same for the rest of a request, which waits for it: a caller that hangs up, and a
    /// request whose time is over, would else drop it between two steps. A process that ends at
    /// once drops it, and answers nothing then.
    ///
    /// # Errors
    /// [`Panicked`] if the work did.
    pub fn to_the_end<F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<F::Output, Panicked>> + use<F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let working = self.finish(work);
        async {
            match working.await {
                Ok(output) => Ok(output),
                Err(ended) if ended.is_cancelled() => pending().await,
                Err(_) => Err(Panicked),
            }
        }
    }

    /// Resolves when all such work is done.
    pub(crate) async fn finished(&self) {
        self.0.work.close();
        self.0.work.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_to_whoever_waits_for_the_work() {
        let closing = Closing::new();
        assert_eq!(closing.to_the_end(async { 7 }).await.unwrap(), 7);
        let panicking = async { panic!("of a test") };
        assert!(closing.to_the_end::<_>(panicking).await.is_err());
    }

    // Not as if it had panicked: the process was told to end without waiting.
    #[test]
    fn work_that_the_end_drops_is_answered_by_nothing() {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
        };
        let (closing, here, there) = (Closing::new(), runtime(), runtime());
        let mut waiting = {
            let _there = there.enter();
            Box::pin(closing.to_the_end(pending::<()>()))
        };
        drop(there);
        here.block_on(async { assert!(futures::poll!(&mut waiting).is_pending()) });
    }

    #[tokio::test]
    async fn whoever_asks_late_hears_of_the_end_too() {
        let closing = Closing::new();
        assert!(closing.begun().now_or_never().is_none());
        closing.clone().begin();
        assert!(closing.has_begun());
        assert!(closing.begun().now_or_never().is_some());
        assert!(closing.at_once().now_or_never().is_none());
        closing.begin();
        assert!(closing.at_once().now_or_never().is_some());
    }

    #[tokio::test]
    async fn work_is_awaited_even_if_nobody_waits_for_its_result() {
        let closing = Closing::new();
        let (go, gone) = oneshot::channel::<()>();
        drop(closing.finish(gone));
        assert!(closing.finished().now_or_never().is_none());
        go.send(()).unwrap();
        closing.finished().await;
    }
}
