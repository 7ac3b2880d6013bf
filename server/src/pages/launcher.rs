//! `GET /`: signed in as …, sign in, sign out. The provider also sends the popup here after
//! a logout (`post_logout_redirect_uri`).

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use leptos::prelude::*;

use super::{Page, initial, render, signed_out};
use crate::cookies::{Caller, CookiePolicy};
use crate::error::AppError;
use crate::sessions::Sessions;
use crate::user::display;

/// The launcher page.
///
/// # Errors
/// If the store cannot answer.
pub async fn launcher(
    State(sessions): State<Sessions>,
    State(policy): State<CookiePolicy>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, AppError> {
    let ids = policy.session_ids(&headers, Caller::Page);
    let user = sessions
        .by_cookie(Caller::Page, &ids)
        .await?
        .map(|(live, _)| display(&live.session));
    // `state` comes back from the provider's logout. It only chooses these words: whatever
    // it says, nothing is acted upon.
    let back_from_logout = query.is_some_and(|query| query.starts_with("state="));
    Ok(match user {
        Some(user) => signed_in_as(user.name).await,
        None if back_from_logout => signed_out().await,
        None => sign_in().await,
    })
}

async fn signed_in_as(name: String) -> Response {
    render(StatusCode::OK, move || {
        let letter = initial(&name);
        view! {
            <Page title="Signed in" mark=letter>
                <h1>"Signed in as " <span data-testid="user-name">{name}</span></h1>
                <p>"You can go back to your application, or sign out here."</p>
                <form class="actions" method="post" action="/api/auth/logout">
                    <button class="button quiet" data-testid="logout-button">"Sign out"</button>
                </form>
            </Page>
        }
    })
    .await
}

async fn sign_in() -> Response {
    render(StatusCode::OK, || {
        view! {
            <Page title="Sign in" mark="→">
                <h1>"Sign in"</h1>
                <p>"You are signed out. Sign in here, or from your application."</p>
                <div class="actions">
                    <a class="button" href="/api/auth/login?returnTo=/" data-testid="login-button">"Sign in"</a>
                </div>
            </Page>
        }
    })
    .await
}
