//! `GET /api/auth/logout`: asks. Links, images and prefetches end nothing (D35).

use axum::response::Response;
use http::StatusCode;
use leptos::prelude::*;

use super::{Page, render};

/// The confirmation page.
pub async fn confirm_sign_out() -> Response {
    render(StatusCode::OK, || {
        view! {
            <Page title="Sign out" mark="?">
                <h1>"Sign out?"</h1>
                <p>"You will be signed out here and in the applications that share this sign-in."</p>
                <form class="actions" method="post" action="/api/auth/logout">
                    <button class="button" data-testid="logout-button">"Sign out"</button>
                    <a class="button quiet" href="/">"Stay signed in"</a>
                </form>
            </Page>
        }
    })
    .await
}
