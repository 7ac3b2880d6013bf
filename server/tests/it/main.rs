//! Drives the companion's whole router in-process, as browsers, attackers and Streamlit
//! hosts would, against a real dev tenant. The router itself opens no socket; what it
//! fetches from the provider goes over real HTTP on a port of the system's choice.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions; most are in the functions those share"
)]

mod harness;

mod backchannel;
mod callback;
mod configuration;
mod handoff;
mod headers;
mod leaks;
mod lifetimes;
mod login;
mod logout;
mod pages;
mod pong;
mod refusals;
mod ticket;
mod token;
