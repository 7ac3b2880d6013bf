//! `dev-tenant`: the development OpenID Provider by itself, from its default sheet or from
//! a file. It listens on loopback only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use dev_tenant::{DevTenant, Settings, SystemClock};
use tokio::net::TcpListener;
use url::Url;

use super::{Outcome, say, stop_signal};
use crate::config::{LogFormat, Lookup, is_loopback_host};
use crate::telemetry;

#[derive(Args)]
pub(super) struct Tenant {
    /// TOML file with users, applications and APIs; without it, the default sheet.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints the default sheet as a commented TOML file to be edited, and ends.
    #[arg(long, exclusive = true)]
    print_config: bool,
    /// Issuer, and with it the port; over the file's.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Port, for an issuer on localhost.
    #[arg(long, conflicts_with = "issuer")]
    port: Option<u16>,
    /// Base URL of a companion that may sign in here, beside the sheet's.
    #[arg(long, value_name = "URL")]
    allow_base_url: Vec<String>,
    /// Opens the fault switches under /dev, for tests.
    #[arg(long)]
    test_switches: bool,
}

/// # Errors
/// If it cannot listen.
pub(super) async fn run(options: Tenant) -> anyhow::Result<Outcome> {
    if options.print_config {
        say(Settings::DEFAULT_TOML.trim_end());
        return Ok(Outcome::Done);
    }
    let (sheet, address) = match prepared(options) {
        Ok(prepared) => prepared,
        Err(problems) => return Ok(Outcome::Misconfigured(problems)),
    };
    let _telemetry = telemetry::start(LogFormat::Text, &Lookup::environment())?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is the port taken? use --port"))?;
    tracing::info!("dev tenant listening on {}", sheet.issuer);
    let tenant = DevTenant::new(sheet, Arc::new(SystemClock));
    dev_tenant::serve(listener, tenant, stop_signal()).await?;
    Ok(Outcome::Done)
}

/// The sheet with the options over it, and where its issuer says to listen.
fn prepared(options: Tenant) -> Result<(Settings, SocketAddr), Vec<String>> {
    let mut sheet = match &options.config {
        Some(path) => file(path)?,
        None => Settings::default(),
    };
    let on_port = options.port.map(|port| format!("http://localhost:{port}"));
    if let Some(issuer) = options.issuer.or(on_port) {
        sheet.issuer = format!("{}/", issuer.trim_end_matches('/'));
    }
    for base in &options.allow_base_url {
        sheet = sheet.allow_base_url(base);
    }
    if options.test_switches {
        sheet = sheet.with_test_switches();
    }
    let address = address(&sheet.issuer).ok_or_else(|| {
        let remedy = "the dev tenant serves loopback only: use http://localhost:PORT/";
        vec![format!("issuer: {remedy}")]
    })?;
    Ok((sheet, address))
}

fn file(path: &Path) -> Result<Settings, Vec<String>> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![format!("{name}: cannot be read ({})", error.kind())])?;
    Settings::from_toml(&text).map_err(|error| {
        let lines = error.lines().into_iter();
        lines.map(|line| format!("{name}: {line}")).collect()
    })
}

fn address(issuer: &str) -> Option<SocketAddr> {
    let issuer = Url::parse(issuer).ok()?;
    if issuer.scheme() != "http" || !is_loopback_host(&issuer) {
        return None;
    }
    let host: IpAddr = issuer
        .host_str()
        .map(|host| host.trim_matches(['[', ']']))
        .and_then(|host| host.parse().ok())
        .unwrap_or(Ipv4Addr::LOCALHOST.into());
    Some(SocketAddr::new(host, issuer.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_says_where_to_listen() {
        for (issuer, expected) in [
            ("http://localhost:3002/", "127.0.0.1:3002"),
            ("http://127.0.0.1:4000/", "127.0.0.1:4000"),
            ("http://[::1]:4000/", "[::1]:4000"),
            ("http://localhost/", "127.0.0.1:80"),
        ] {
            assert_eq!(address(issuer).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn nobody_else_is_served() {
        for issuer in [
            "http://10.0.0.1:3002/",
            "http://tenant.test/",
            "https://localhost/",
            "x",
        ] {
            assert!(address(issuer).is_none(), "{issuer}");
        }
    }
}
