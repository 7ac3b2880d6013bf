//! Errors for people: the same answer that a program gets as JSON, drawn as a page.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use leptos::prelude::*;
use shared::error::{ErrorBody, ErrorCode};

use super::{Page, render};
use crate::error::AppError;
use crate::request_id::RequestId;

/// Answers for paths that do not exist.
pub async fn not_found() -> AppError {
    AppError::refused(ErrorCode::NotFound, "There is no such page.")
}

/// Draws an error as a page, for where a person navigated; status and headers stay.
pub async fn error_as_page(response: Response, id: RequestId) -> Response {
    match response.extensions().get::<ErrorBody>() {
        Some(body) => page_for(body.clone(), id.to_string(), response).await,
        None => response,
    }
}

/// Whether a person navigates.
#[must_use]
pub fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    headers
        .get("sec-fetch-mode")
        .is_some_and(|mode| mode == "navigate")
        || accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

async fn page_for(body: ErrorBody, request_id: String, plain: Response) -> Response {
    let (parts, _) = plain.into_parts();
    let mut page = error_page(parts.status, body, request_id).await;
    let headers = page.headers_mut();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            headers.append(name, value.clone());
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

async fn error_page(status: StatusCode, body: ErrorBody, request_id: String) -> Response {
    render(status, move || {
        let can_retry = matches!(
            body.code,
            ErrorCode::LoginRefused
                | ErrorCode::InvalidTransaction
                | ErrorCode::ProviderError
                | ErrorCode::ProviderUnavailable
                | ErrorCode::StoreUnavailable
                | ErrorCode::InternalError
        );
        view! {
            <Page title="Sign-in problem" mark="!">
                <h1 data-testid="error">{body.message}</h1>
                {can_retry
                    .then(|| {
                        view! {
                            <p>"Close this window and try again from your application, or start over here."</p>
                            <div class="actions">
                                <a class="button" href="/">"Start over"</a>
                            </div>
                        }
                    })}
                <p class="small">
                    <code>{body.code.as_str()}</code>
                    " · request "
                    <code>{request_id}</code>
                </p>
            </Page>
        }
    })
    .await
}
