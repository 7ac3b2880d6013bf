//! The timer behind the time-out of request headers, made for connections that are busy.
//!
//! hyper asks for a new deadline at every request, and drops it as soon as the headers are
//! there. A timer of the runtime for each costs a lock and an allocation to begin and again to
//! end. Here a connection keeps one, which sleeps on while the deadline moves ahead of it, and
//! looks once it wakes whether anything is due.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// One connection's timer.
#[derive(Clone, Default)]
pub(crate) struct HeaderTimer(Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>);

/// One deadline of it.
struct Deadline {
    at: Instant,
    timer: HeaderTimer,
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Sleep>> {
        let timer = self.clone();
        Box::pin(Deadline { at, timer })
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, at: Instant) {
        *sleep = self.sleep_until(at);
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

impl Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Only this connection's task takes it.
        let mut kept = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sleep = kept.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.at.into())));
        if sleep.deadline() > self.at.into() {
            // An earlier deadline than any before: never with hyper's, which only move on.
            sleep.as_mut().reset(self.at.into());
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if sleep.deadline() >= self.at.into() {
                return Poll::Ready(());
            }
            // It was set for a request that came long since.
            sleep.as_mut().reset(self.at.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_kept_to_the_moment_however_often_it_moved() {
        let timer = HeaderTimer::default();
        let began = timer.now();
        for _ in 0..25 {
            let mut sleep = timer.sleep(LIMIT);
            let mut context = Context::from_waker(Waker::noop());
            assert!(sleep.as_mut().poll(&mut context).is_pending());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        timer.sleep(LIMIT).await;
        assert_eq!(timer.now() - began, Duration::from_secs(35));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadline_is_not_missed() {
        let timer = HeaderTimer::default();
        let began = timer.now();
        let mut later = timer.sleep(LIMIT);
        let mut context = Context::from_waker(Waker::noop());
        assert!(later.as_mut().poll(&mut context).is_pending());
        timer.sleep(Duration::from_secs(2)).await;
        assert_eq!(timer.now() - began, Duration::from_secs(2));
    }
}
