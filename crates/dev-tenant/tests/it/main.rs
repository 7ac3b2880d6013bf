//! Drives the whole router in-process, as a browser and a relying party would.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions; these are the functions those share"
)]

mod authorize;
mod backchannel;
mod browser;
mod control;
mod faults;
mod hosts;
mod logout;
mod refresh;
mod token;
