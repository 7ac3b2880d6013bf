//! Who may ask: only what names this tenant, or this machine. Passwords here are published,
//! so a page elsewhere whose name is made to lead here (DNS rebinding) must not be answered.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::Url;

use crate::pages::ErrorPage;
use crate::tenant::DevTenant;

/// Whether the request's one `Host` is the issuer's or a loopback name, with any port. A proxy
/// may send the absolute form too (RFC 9112 §3.2.2): both must name the same then.
pub(crate) fn is_for(tenant: &DevTenant, request: &Request) -> bool {
    let host = only(request.headers(), &header::HOST);
    let absolute = request.uri().authority().map(Authority::as_str);
    let host = host.filter(|host| absolute.is_none_or(|named| named == *host));
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        !authority.as_str().contains('@') && is_known(tenant, authority.host())
    })
}

pub(crate) fn misdirected() -> Response {
    ErrorPage::new(
        StatusCode::MISDIRECTED_REQUEST,
        "This tenant is not known by that host name",
    )
    .hint("Use the issuer's host name, or localhost.")
    .into_response()
}

/// Keeps pages from elsewhere off the switches: a `POST` needs nobody's leave (CSRF).
pub(crate) async fn refuse_foreign_pages(
    State(tenant): State<DevTenant>,
    request: Request,
    next: Next,
) -> Response {
    if request.headers().contains_key(header::ORIGIN) && !is_own_page(&tenant, request.headers()) {
        let refusal = ErrorPage::new(StatusCode::FORBIDDEN, "No page may use the switches");
        return refusal.into_response();
    }
    next.run(request).await
}

/// `null` is no URL, and nobody's.
fn is_own_page(tenant: &DevTenant, headers: &HeaderMap) -> bool {
    let origin = only(headers, &header::ORIGIN).and_then(|origin| Url::parse(origin).ok());
    origin.is_some_and(|origin| origin.host_str().is_some_and(|host| is_known(tenant, host)))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

fn is_known(tenant: &DevTenant, host: &str) -> bool {
    let issuer = tenant.shared.issuer_host.as_deref();
    is_loopback(host) || issuer.is_some_and(|issuer| host.eq_ignore_ascii_case(issuer))
}

/// Browsers write addresses out before they send them: `127.1` never comes.
fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || address.is_some_and(|address| address.parse() == Ok(Ipv6Addr::LOCALHOST))
}
