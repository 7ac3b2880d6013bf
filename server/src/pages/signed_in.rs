//! Where the popup ends after a login: a clean address, without code or state, that closes
//! itself. It says nothing of the person: anyone may open it.

use axum::response::Response;
use http::StatusCode;
use leptos::prelude::*;

use super::{Page, render};

/// The page.
pub async fn signed_in() -> Response {
    render(StatusCode::OK, || {
        view! {
            <Page title="Signed in" mark="✓" closes=true>
                <h1>"You are signed in"</h1>
                <p>"This window closes by itself. If it stays, close it and go back to your application."</p>
            </Page>
        }
    })
    .await
}
