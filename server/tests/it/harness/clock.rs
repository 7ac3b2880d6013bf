//! Time and randomness that tests choose.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use oidc::{Clock, Random, UnixTime};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

/// Some day after the code was written, so that no absolute time in it is in the future.
const START: i64 = 1_800_000_000;

/// One clock for companion and provider. Clones show the same time.
#[derive(Clone)]
pub(crate) struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START)))
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.seconds())
    }
}

/// The same values in each run of a test, and no two alike in one.
pub(crate) struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(2022)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(bytes);
    }
}
