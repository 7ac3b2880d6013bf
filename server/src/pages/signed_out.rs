//! Where the popup ends after a logout.

use axum::response::Response;
use http::StatusCode;
use leptos::prelude::*;

use super::{Page, render};

/// The page.
pub async fn signed_out() -> Response {
    render(StatusCode::OK, || {
        view! {
            <Page title="Signed out" mark="✓" closes=true>
                <h1>"You are signed out"</h1>
                <p>"This window closes by itself. If it stays, you can close it."</p>
                <div class="actions">
                    <a class="button quiet" href="/api/auth/login?returnTo=/">"Sign in again"</a>
                </div>
            </Page>
        }
    })
    .await
}
