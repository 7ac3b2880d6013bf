//! `serve --dev`: settings that match the dev tenant beside us. For this machine only.

use std::net::Ipv4Addr;

use dev_tenant::{
    API_IDENTIFIER, APP_CLIENT_ID, APP_CLIENT_SECRET, DevTenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET,
    ROLES_CLAIM,
};
use tokio::net::TcpListener;

use crate::config::{DEVELOPMENT_AUTH0_SECRET, Lookup, Problem, Settings};

const DEFAULT_PORT: &str = "3001";
const DEFAULT_TENANT_PORT: &str = "3002";
/// All that the dev tenant's API offers: what a user may not have, the tenant leaves out.
const SCOPE: &str = "openid profile email offline_access read:messages read:chart read:export write:import write:solve";

/// Adds what `--dev` needs below what was set by hand.
#[must_use]
pub fn with_defaults(lookup: Lookup) -> Lookup {
    let port = lookup.value("PORT").unwrap_or(DEFAULT_PORT).to_owned();
    let tenant_port = lookup
        .value("DEV_TENANT_PORT")
        .unwrap_or(DEFAULT_TENANT_PORT)
        .to_owned();
    lookup.over(Lookup::of([
        ("AUTH0_BASE_URL", format!("http://localhost:{port}")),
        (
            "AUTH0_ISSUER_BASE_URL",
            format!("http://localhost:{tenant_port}/"),
        ),
        ("AUTH0_CLIENT_ID", APP_CLIENT_ID.into()),
        ("AUTH0_CLIENT_SECRET", APP_CLIENT_SECRET.into()),
        ("AUTH0_SECRET", DEVELOPMENT_AUTH0_SECRET.into()),
        ("AUTH0_AUDIENCE", API_IDENTIFIER.into()),
        ("AUTH0_SCOPE", SCOPE.into()),
        ("ROLES_CLAIM", ROLES_CLAIM.into()),
        ("REMOTE_API_BASE_URL", "http://localhost:8888".into()),
        ("API_CLIENT_ID", M2M_CLIENT_ID.into()),
        ("API_CLIENT_SECRET", M2M_CLIENT_SECRET.into()),
        // Nobody audits a development server; its log is on the same terminal.
        ("AUDIT_LOG", "off".into()),
    ]))
}

/// `--dev` stays on this machine (D48).
///
/// # Errors
/// One line for a base URL or bind address that others could reach.
pub fn refuse_public(settings: &Settings) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    if !settings.base.is_loopback() {
        problems.push(Problem::new(
            "AUTH0_BASE_URL",
            "--dev serves loopback only: use http://localhost:3001",
        ));
    }
    if !settings.bind_address.is_loopback() {
        problems.push(Problem::new(
            "HOST",
            "--dev binds to loopback only: unset it, or use 127.0.0.1",
        ));
    }
    if settings
        .metrics_address
        .is_some_and(|address| !address.ip().is_loopback())
    {
        problems.push(Problem::new(
            "METRICS_ADDR",
            "--dev binds to loopback only: unset it, or use 127.0.0.1:9464",
        ));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// The dev tenant for this companion, and the socket that it listens on.
///
/// # Errors
/// If its port is taken.
pub async fn tenant(settings: &Settings) -> anyhow::Result<(TcpListener, DevTenant)> {
    let issuer = settings.issuer.url();
    let port = issuer.port_or_known_default().unwrap_or(80);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| {
            anyhow::anyhow!(
                "port {port} of the dev tenant cannot be had ({error}): set DEV_TENANT_PORT"
            )
        })?;
    let sheet =
        dev_tenant::Settings::for_issuer(issuer.as_str()).allow_base_url(settings.base.as_str());
    Ok((
        listener,
        DevTenant::new(sheet, std::sync::Arc::new(dev_tenant::SystemClock)),
    ))
}
