//! A real `redis-server` for one test, and a proxy that breaks its connection on purpose.
//!
//! Its one job is to let tests meet Redis as it is: stopped, started again, frozen, cut off
//! in the middle of a reply. No part of the product depends on it. All calls block the thread
//! they are made on, for milliseconds: a test may make them from async code.
//!
//! A failed step panics with words that say what is missing: it is a test's helper.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "every call panics when the test's surroundings are broken, as the module says"
)]

mod proxy;
mod server;

pub use proxy::{Fault, FaultProxy};
pub use server::{Options, RedisServer};
