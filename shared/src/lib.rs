//! Wire types: every JSON that crosses a boundary of Component Auth0.
//!
//! Its one job is to name the fields once. It holds no logic and must stay free of
//! HTTP, browser and protocol crates: the frontend (WASM), the companion server and,
//! through the golden files in `shared/fixtures/`, the Python package all read it.
//!
//! Times are integer Unix seconds. `scope` is a space-separated string;
//! `permissions` and `roles` are arrays.

pub mod auth;
#[cfg(feature = "back-channel")]
pub mod back_channel;
pub mod component;
pub mod error;
pub mod routes;
