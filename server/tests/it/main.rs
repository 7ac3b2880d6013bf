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

mod audit;
mod backchannel;
mod callback;
mod check_api;
mod checks;
mod closing;
mod commands;
mod configuration;
mod conformance;
mod env_2022;
mod faults;
mod frontend;
mod handoff;
mod handoff_faults;
mod headers;
mod held_memory;
mod hero;
mod hostile_clients;
mod injection;
mod leaks;
mod lifetimes;
mod listening;
mod login;
mod logout;
mod metrics;
mod overlapping_logout;
mod pages;
mod panics;
mod peers;
mod pong;
mod rate_limits;
mod readiness;
mod refresh;
mod refusals;
mod replicas;
mod restart;
mod rotation;
mod route_headers;
mod service_tokens;
mod session;
mod store_faults;
mod telemetry;
mod ticket;
mod token;
mod watch;
