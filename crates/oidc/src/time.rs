//! Time as a value that is passed in. Nothing else in this crate reads a clock.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// Integer Unix seconds, the `NumericDate` of RFC 7519 §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This time moved by `seconds`. Saturates: a provider's absurd number must not wrap
    /// into the past or the future.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` until this time; negative when it is the earlier one.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Source of the time.
pub trait Clock: Send + Sync + 'static {
    /// The time of day, for comparison with times that a provider states.
    fn now(&self) -> UnixTime;

    /// Time since some fixed moment, for the age of caches. The system's clock answers
    /// from a monotonic timer, so that a jump of the wall clock neither freezes a cache
    /// nor empties it.
    fn elapsed(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.now().0).unwrap_or(0))
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that gets passed in"
    )]
    fn now(&self) -> UnixTime {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        UnixTime(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_saturate_at_both_ends() {
        assert_eq!(UnixTime(i64::MAX).plus_seconds(1), UnixTime(i64::MAX));
        assert_eq!(UnixTime(i64::MIN).plus_seconds(-1), UnixTime(i64::MIN));
        assert_eq!(UnixTime(i64::MIN).seconds_since(UnixTime(1)), i64::MIN);
    }

    #[test]
    fn system_clock_is_past_2025_and_its_timer_never_runs_backwards() {
        let earlier = SystemClock.elapsed();
        assert!(SystemClock.now() > UnixTime(1_735_689_600));
        assert!(SystemClock.elapsed() >= earlier);
    }
}
