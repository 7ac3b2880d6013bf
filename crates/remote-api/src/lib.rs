//! Demonstration resource server: public, protected and scope-protected endpoints on
//! `api-guard`. It talks to the provider for its signing keys only.

mod config;
mod routes;
mod serve;

pub use crate::{
    config::{Config, ConfigProblem, LogFormat},
    routes::{AppState, router},
    serve::serve,
};
