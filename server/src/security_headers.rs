//! The security headers of each kind of answer, as one table.
//!
//! Only the component pages may be framed, and only by the configured origins; everything
//! else by nobody (invariant 8). Nothing runs that is not a file of ours.

use axum::extract::Request;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use shared::routes;

use crate::assets::Assets;
use crate::config::Origin;
use crate::state::Config;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Room for those of most answers, with its own and its name.
const HEADERS: usize = 12;

/// What an answer is, as far as a browser's protections go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Surface {
    /// A page in Streamlit's iframe.
    Component,
    /// A page that a person sees, with a form of its own.
    FormPage,
    /// Where a person's own navigation begins a login.
    LoginLink,
    /// A page that a person sees.
    Page,
    /// JSON, and the redirects of a login.
    Api,
    /// A file of the frontend.
    Asset,
}

fn surface(method: &Method, path: &str) -> Surface {
    match path {
        routes::LOGIN if method != Method::POST => Surface::LoginLink,
        routes::COMPONENT | "/streamlit/" | routes::HERO => Surface::Component,
        routes::LAUNCHER | routes::LOGOUT => Surface::FormPage,
        routes::SIGNED_IN | routes::SIGNED_OUT | routes::LOGIN | routes::CALLBACK => Surface::Page,
        _ if path.starts_with("/static/") => Surface::Asset,
        _ => Surface::Api,
    }
}

/// What was asked for, as far as the answer's headers depend on it.
pub struct Asked {
    surface: Surface,
    origin: Option<HeaderValue>,
}

/// Header values that depend on the configuration, made once.
#[derive(Clone)]
pub struct SecurityHeaders {
    component_csp: HeaderValue,
    page_csp: HeaderValue,
    form_page_csp: HeaderValue,
    https: bool,
    config: Config,
}

impl SecurityHeaders {
    /// For this configuration and this build of the frontend.
    #[must_use]
    pub fn new(config: Config, assets: &Assets) -> Self {
        let ancestors = config.streamlit_origins.iter().chain(&config.embed_origins);
        let ancestors = ancestors.map(Origin::as_str).collect::<Vec<_>>().join(" ");
        let ancestors = if ancestors.is_empty() {
            "'none'"
        } else {
            &ancestors
        };
        let inline = assets.inline_script_sources().join(" ");
        // No `form-action`: Chromium applies it to every redirect hop of the login form.
        let component = format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' {inline}; style-src 'self'; \
             connect-src 'self'; img-src 'self' https:{dev}; font-src 'self'; base-uri 'none'; \
             object-src 'none'; frame-ancestors {ancestors}",
            dev = if config.base.is_loopback() {
                " http://localhost:* http://127.0.0.1:*"
            } else {
                ""
            },
        );
        let page = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
                    base-uri 'none'; frame-ancestors 'none'";
        Self {
            component_csp: value(&component.replace("  ", " ").replace(" ;", ";")),
            form_page_csp: value(page),
            page_csp: value(&format!("{page}; form-action 'none'")),
            https: config.base.is_https(),
            config,
        }
    }

    /// What of a request decides about its answer's headers.
    #[must_use]
    pub fn of_answer_to(&self, request: &Request) -> Asked {
        Asked {
            surface: surface(request.method(), request.uri().path()),
            // A copy: a clone would keep the connection's whole buffer while a frame waits.
            origin: request
                .headers()
                .get(http::header::ORIGIN)
                .and_then(|origin| HeaderValue::from_bytes(origin.as_bytes()).ok()),
        }
    }

    /// Sets them.
    pub fn set(&self, asked: &Asked, response: &mut Response) {
        let is_page = response
            .headers()
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let surface = match asked.surface {
            // An error drawn for a person, wherever it happens, is a page like any other.
            Surface::Api | Surface::Asset if is_page => Surface::Page,
            surface => surface,
        };
        self.apply(surface, asked.origin.as_ref(), response.headers_mut());
    }

    fn apply(&self, surface: Surface, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let fixed = HeaderValue::from_static;
        headers.reserve(HEADERS);
        headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
        headers.insert(
            PERMISSIONS_POLICY,
            fixed("camera=(), geolocation=(), microphone=(), payment=()"),
        );
        if self.https {
            headers.insert(STRICT_TRANSPORT_SECURITY, fixed("max-age=63072000"));
        }
        match surface {
            Surface::Component => {
                headers.insert(CONTENT_SECURITY_POLICY, self.component_csp.clone());
                // The login form must carry our origin: under `no-referrer` it would be `null`.
                headers.insert(REFERRER_POLICY, fixed("strict-origin"));
                self.allow_streamlit_probe(origin, headers);
            }
            Surface::Asset => {
                headers.insert(RESOURCE_POLICY, fixed("same-origin"));
            }
            Surface::FormPage => {
                forbid_framing(&self.form_page_csp, headers);
                headers.insert(REFERRER_POLICY, fixed("same-origin"));
                leave_the_opener(headers);
            }
            Surface::LoginLink | Surface::Page => {
                forbid_framing(&self.page_csp, headers);
                headers.insert(REFERRER_POLICY, fixed("no-referrer"));
                if surface == Surface::LoginLink {
                    leave_the_opener(headers);
                }
            }
            Surface::Api => {
                forbid_framing(
                    &fixed("default-src 'none'; frame-ancestors 'none'"),
                    headers,
                );
                headers.insert(REFERRER_POLICY, fixed("no-referrer"));
            }
        }
    }

    /// Streamlit's page looks with a CORS fetch whether the component answers. That fetch
    /// brings no credentials and the page has nothing personal in it.
    fn allow_streamlit_probe(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let known = origin.filter(|origin| {
            origin
                .to_str()
                .is_ok_and(|origin| self.config.is_streamlit_origin(origin))
        });
        if let Some(origin) = known {
            headers.insert(http::header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
    }
}

fn forbid_framing(csp: &HeaderValue, headers: &mut HeaderMap) {
    let fixed = HeaderValue::from_static;
    headers.insert(CONTENT_SECURITY_POLICY, csp.clone());
    headers.insert(X_FRAME_OPTIONS, fixed("DENY"));
    headers.insert(RESOURCE_POLICY, fixed("same-origin"));
    // One person's answer must never be another's, in whatever cache (A01).
    headers.insert(CACHE_CONTROL, fixed("no-store"));
    headers.append(VARY, fixed("Cookie, Origin"));
}

/// Whoever opened the window sees nothing more of it. The launcher closes itself after a logout,
/// and stays for who is signed in; a login ends there at once for whom the provider knows. Any
/// page could open either and look (D40). Not for the popup of a frame, which posts its login.
fn leave_the_opener(headers: &mut HeaderMap) {
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}
