//! Typed requests to the companion. Same origin, marked as the frame's, so that they are
//! judged by the frame's cookie only (design §4).
//!
//! It must not retry, wait or decide: the state machine does.

use js_sys::JSON;
use shared::auth::{HandoffRequest, LogoutRequest, TicketRequest};
use shared::error::ErrorCode;
use shared::routes;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, RequestCache, RequestCredentials, RequestInit, RequestRedirect, Response,
};

use crate::login::{HandoffAnswer, LogoutAnswer, TicketAnswer};
use crate::{adapters, browser};

/// Longer than the 8 s after which the host is told: a late answer is still welcome.
const REQUEST_TIMEOUT_MS: u32 = 30_000;

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
        return TicketAnswer::Unreachable;
    };
    match answer.status {
        200 => adapters::signed_in(&answer.body)
            .map_or(TicketAnswer::Unreachable, TicketAnswer::SignedIn),
        401 => TicketAnswer::SignedOut,
        _ => answer
            .refusal()
            .map_or(TicketAnswer::Unreachable, |code| TicketAnswer::Refused {
                code,
            }),
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

/// Ends the session of this frame.
pub(crate) async fn logout(request: &LogoutRequest) -> LogoutAnswer {
    let body = adapters::logout_request(request);
    let Some(answer) = post(routes::LOGOUT, &body, &timeout()).await else {
        return LogoutAnswer::Failed;
    };
    match answer.status {
        200 => LogoutAnswer::Done {
            logout_url: adapters::string(&answer.body, "logout_url").filter(|url| is_http(url)),
        },
        // It had ended before.
        204 | 401 => LogoutAnswer::Done { logout_url: None },
        _ => LogoutAnswer::Failed,
    }
}

impl Answer {
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
    let headers = Headers::new().ok()?;
    headers.set(routes::CALLER_HEADER, routes::FRAME).ok()?;
    headers.set("content-type", "application/json").ok()?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&JSON::stringify(body).ok()?.into());
    init.set_credentials(RequestCredentials::SameOrigin);
    init.set_cache(RequestCache::NoStore);
    // No route of the frame's redirects: a redirect is somebody else's answer.
    init.set_redirect(RequestRedirect::Error);
    init.set_signal(Some(signal));
    let sent = browser::window().fetch_with_str_and_init(path, &init);
    let response: Response = JsFuture::from(sent).await.ok()?.dyn_into().ok()?;
    let retry_after_s = response
        .headers()
        .get("retry-after")
        .ok()
        .flatten()
        .and_then(|seconds| seconds.trim().parse().ok());
    let text = JsFuture::from(response.text().ok()?)
        .await
        .ok()?
        .as_string()?;
    let body = JSON::parse(&text).unwrap_or(JsValue::NULL);
    Some(Answer {
        status: response.status(),
        retry_after_s,
        body,
    })
}

fn timeout() -> AbortSignal {
    AbortSignal::timeout_with_u32(REQUEST_TIMEOUT_MS)
}

/// The provider's page is navigated to: `javascript:` would run as this origin.
fn is_http(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}
