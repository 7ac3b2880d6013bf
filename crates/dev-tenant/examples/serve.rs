//! Serves the default tenant alone: `cargo run -p dev-tenant --example serve [PORT]`.
//! People use `component-auth0 dev-tenant`; this is for work on the tenant itself.

use std::net::Ipv4Addr;
use std::sync::Arc;

use dev_tenant::{DevTenant, Settings, SystemClock, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args()
        .nth(1)
        .map_or(Ok(3002), |port| port.parse::<u16>())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let issuer = format!("http://localhost:{}/", listener.local_addr()?.port());
    let tenant = DevTenant::new(
        Settings::for_issuer(issuer).with_test_switches(),
        Arc::new(SystemClock),
    );
    serve(listener, tenant, std::future::pending()).await?;
    Ok(())
}
