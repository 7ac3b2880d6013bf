//! Refuses requests for hosts that are not ours: DNS rebinding and confused proxies end
//! here (D47). `redirect_uri` never depends on `Host` in any case.

use axum::extract::Request;
use http::header;
use http::uri::Authority;
use shared::error::ErrorCode;

use crate::config::Settings;
use crate::error::AppError;

/// Lets requests pass whose `Host` is `AUTH0_BASE_URL`'s or one of `INTERNAL_HOSTS`.
/// Probes of liveness and readiness come by address, and tell nothing.
///
/// # Errors
/// 421 for all others.
pub fn check(request: &Request, settings: &Settings) -> Result<(), AppError> {
    let is_probe = matches!(request.uri().path(), "/healthz" | "/readyz");
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    // Proxies may send the absolute form (RFC 9112 §3.2.2): then both must name the same host.
    let absolute = request.uri().authority().map(Authority::as_str);
    let one = hosts.next().is_none() && absolute.is_none_or(|named| Some(named) == host);
    if is_probe || (one && host.is_some_and(|host| is_ours(host, settings))) {
        return Ok(());
    }
    Err(AppError::refused(
        ErrorCode::MisdirectedRequest,
        "This server is not known by that host name: see AUTH0_BASE_URL and INTERNAL_HOSTS.",
    ))
}

fn is_ours(host: &str, settings: &Settings) -> bool {
    host.eq_ignore_ascii_case(settings.base.authority())
        || settings
            .internal_hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(host))
}
