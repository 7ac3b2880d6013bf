//! Typed requests to the companion. Same origin, marked as the frame's, so that they are
//! judged by the frame's cookie only (design §4). The first ticket may have been asked for
//! already, by `static/ready.js` while this program was on its way.
//!
//! It must not retry, wait or decide: the state machine does.

use gloo_net::http::{Request, Response};
use js_sys::{Date, JSON, JsString, Promise};
use shared::auth::{HandoffRequest, LogoutRequest, TicketRequest, WatchRequest};
use shared::error::ErrorCode;
use shared::routes;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, RequestCache, RequestCredentials, RequestRedirect};

use crate::login::{HandoffAnswer, LogoutAnswer, REQUEST_TIMEOUT_MS, TicketAnswer, WatchAnswer};
use crate::{adapters, browser};

/// An early question that is older is asked anew: the ticket in its answer lapses soon.
const EARLY_IS_FRESH_MS: f64 = 8_000.0;

/// A status with whatever JSON came along.
struct Answer {
    status: u16,
    retry_after_s: Option<u32>,
    body: JsValue,
}

/// Who is signed in, and a ticket for the host.
pub(crate) async fn ticket(request: &TicketRequest) -> TicketAnswer {
    let body = adapters::ticket_request(request);
    let Some(answer) = post(routes::TICKET, &body, &timeout()).await else {
        return TicketAnswer::Unreachable {
            retry_after_s: None,
        };
    };
    let retry_after_s = answer.retry_after_s;
    let unreachable = TicketAnswer::Unreachable { retry_after_s };
    match answer.status {
        200 => adapters::signed_in(&answer.body).map_or(unreachable, TicketAnswer::SignedIn),
        401 if answer.says_nobody() => TicketAnswer::SignedOut,
        401 => unreachable,
        _ => answer
            .refusal()
            .map_or(unreachable, |code| TicketAnswer::Refused { code }),
    }
}

/// The result of the login that this frame began.
pub(crate) async fn handoff(request: &HandoffRequest, signal: &AbortSignal) -> HandoffAnswer {
    let body = adapters::handoff_request(request);
    let Some(answer) = post(routes::HANDOFF, &body, signal).await else {
        return HandoffAnswer::Unreachable {
            retry_after_s: None,
        };
    };
    let retry_after_s = answer.retry_after_s;
    match answer.status {
        200 => {
            adapters::signed_in(&answer.body).map_or(HandoffAnswer::Gone, HandoffAnswer::Claimed)
        }
        202 => HandoffAnswer::Pending { retry_after_s },
        409 => HandoffAnswer::Refused,
        410 => HandoffAnswer::Gone,
        _ => answer
            .refusal()
            .map_or(HandoffAnswer::Unreachable { retry_after_s }, |code| {
                HandoffAnswer::Rejected { code }
            }),
    }
}

/// Held until the session ends.
pub(crate) async fn watch(request: &WatchRequest, signal: &AbortSignal) -> WatchAnswer {
    let body = adapters::watch_request(request);
    let Some(answer) = post(routes::WATCH, &body, signal).await else {
        return WatchAnswer::Unreachable;
    };
    let state = adapters::string(&answer.body, "state").unwrap_or_default();
    match (answer.status, state.as_str()) {
        (200, "ended") => WatchAnswer::Ended,
        (401, _) if answer.says_nobody() => WatchAnswer::Ended,
        (200, "again") => WatchAnswer::Again {
            retry_after_s: answer.retry_after_s,
        },
        _ => WatchAnswer::Unreachable,
    }
}

/// Ends the session of this frame.
pub(crate) async fn logout(request: &LogoutRequest) -> LogoutAnswer {
    let body = adapters::logout_request(request);
    let Some(answer) = post(routes::LOGOUT, &body, &timeout()).await else {
        return LogoutAnswer::Failed;
    };
    // Anybody on the way can answer 200: only the companion's own words confirm the end.
    let url = adapters::field(&answer.body, "logout_url");
    if answer.status == 200 && !url.is_undefined() {
        let logout_url = url.as_string().filter(|url| is_http(url));
        LogoutAnswer::Done { logout_url }
    } else {
        LogoutAnswer::Failed
    }
}

impl Answer {
    /// Whether a 401 is the companion's: a portal or proxy on the way has no say in who is
    /// signed in.
    fn says_nobody(&self) -> bool {
        let code = adapters::string(&self.body, "code").unwrap_or_default();
        [ErrorCode::NotAuthenticated, ErrorCode::SessionEnded]
            .iter()
            .any(|known| known.as_str() == code)
    }

    /// The code of a definite refusal: 4xx, but neither a time-out nor too many requests.
    fn refusal(&self) -> Option<String> {
        let definite = (400..500).contains(&self.status) && !matches!(self.status, 408 | 429);
        definite.then(|| {
            adapters::string(&self.body, "code")
                .unwrap_or_else(|| ErrorCode::InvalidRequest.as_str().to_owned())
        })
    }
}

async fn post(path: &str, body: &JsValue, signal: &AbortSignal) -> Option<Answer> {
    let body = JSON::stringify(body).ok()?;
    let response = if let Some(response) = asked_early(&body) {
        let response = JsFuture::from(response).await.ok()?;
        Response::from(response.dyn_into::<web_sys::Response>().ok()?)
    } else {
        Request::post(path)
            .header(routes::CALLER_HEADER, routes::FRAME)
            .header("content-type", "application/json")
            .credentials(RequestCredentials::SameOrigin)
            .cache(RequestCache::NoStore)
            // No route of the frame's redirects: a redirect is somebody else's answer.
            .redirect(RequestRedirect::Error)
            .abort_signal(Some(signal))
            .body(body)
            .ok()?
            .send()
            .await
            .ok()?
    };
    let retry_after_s = response
        .headers()
        .get("retry-after")
        .and_then(|seconds| seconds.trim().parse().ok());
    let text = response.text().await.ok()?;
    Some(Answer {
        status: response.status(),
        retry_after_s,
        body: JSON::parse(&text).unwrap_or(JsValue::NULL),
    })
}

fn timeout() -> AbortSignal {
    AbortSignal::timeout_with_u32(REQUEST_TIMEOUT_MS)
}

/// The response to the question of `static/ready.js`, if it asked just now for the very same.
/// It is for the first request only, whatever that is: after a sign-out it tells of somebody who
/// is gone, and each later ticket is a new one.
fn asked_early(body: &JsString) -> Option<Promise> {
    let asked = browser::take_early("asked");
    let age_ms = Date::now() - adapters::field(&asked, "at").as_f64()?;
    let same = adapters::field(&asked, "body") == ***body;
    if same && (0.0..EARLY_IS_FRESH_MS).contains(&age_ms) {
        adapters::field(&asked, "response").dyn_into().ok()
    } else {
        None
    }
}

/// The provider's page is navigated to: `javascript:` would run as this origin.
fn is_http(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}
