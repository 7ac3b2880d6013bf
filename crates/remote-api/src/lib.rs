//! Demonstration resource server: public, protected and scope-protected endpoints on
//! `api-guard`, and a small model API with a scope for each of its operations. It talks to the provider for its signing keys only.

mod answers;
mod config;
mod model;
mod model_routes;
mod openapi;
mod routes;
mod serve;

pub use crate::{
    config::{Config, ConfigProblem, LogFormat},
    routes::{AppState, router},
    serve::serve,
};
