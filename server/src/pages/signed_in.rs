//! Where a login ends: a clean address, without code or state. It says nothing of the person:
//! anyone may open it.

use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use leptos::prelude::*;
use shared::routes;

use super::{Page, render};

/// The page; in the frame's popup it closes itself (see [`routes::SIGNED_IN_IN_POPUP`]).
pub async fn signed_in(RawQuery(query): RawQuery) -> Response {
    let popup = routes::SIGNED_IN_IN_POPUP.split_once('?');
    let closes = query.is_some() && query.as_deref() == popup.map(|(_, query)| query);
    render(StatusCode::OK, move || {
        view! {
            <Page title="Signed in" mark="✓" closes=closes>
                <h1>"You are signed in"</h1>
                <p>
                    {closes.then_some("This window closes by itself. If it stays, close it and go back to your application.")}
                    {(!closes).then_some("Close this window and go back to your application.")}
                </p>
            </Page>
        }
    })
    .await
}
