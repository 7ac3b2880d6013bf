//! Our own pages, rendered on the server with `leptos_axum`: no script of the framework, no
//! hydration, nothing that a strict CSP would have to allow. Text goes in as text nodes and
//! attributes, which Leptos escapes; `inner_html` is not used.

mod error;
mod launcher;
mod sign_out;
mod signed_in;
mod signed_out;

use std::future::Future;
use std::pin::Pin;

use axum::body::Body;
use axum::response::Response;
use futures::stream::{Stream, StreamExt as _, once};
use http::{Request, StatusCode};
use leptos::prelude::*;

pub use self::error::{error_as_page, not_found, wants_a_page};
pub use self::launcher::launcher;
pub use self::sign_out::confirm_sign_out;
pub use self::signed_in::signed_in;
pub use self::signed_out::signed_out;

type Chunks = Pin<Box<dyn Stream<Item = String> + Send>>;

/// Lets Leptos run its tasks on this runtime. To be called once, before the first page.
pub fn start_renderer() {
    // An error says that it was started before: a second router in the same process.
    let _ = any_spawner::Executor::init_tokio();
}

/// Renders a page.
async fn render<V: IntoView + 'static>(
    status: StatusCode,
    page: impl FnOnce() -> V + Send + 'static,
) -> Response {
    let request = Request::new(Body::empty());
    let mut response = leptos_axum::handle_response_inner(|| (), page, request, whole_page).await;
    *response.status_mut() = status;
    response
}

/// The page as one piece. The second argument would be Leptos' hydration scripts, inline
/// and therefore against our CSP: these pages hydrate nothing.
fn whole_page<V: IntoView + 'static>(
    page: V,
    _hydration: Box<dyn FnOnce() -> Chunks + Send>,
    _out_of_order: bool,
) -> Pin<Box<dyn Future<Output = Chunks> + Send>> {
    Box::pin(async move {
        let html: String = page.to_html_stream_in_order().collect().await;
        Box::pin(once(async move { html })) as Chunks
    })
}

/// The frame of every page.
#[component]
fn Page(
    /// What the window is called.
    title: &'static str,
    /// A letter or sign above the heading.
    #[prop(into)]
    mark: String,
    /// Whether the window closes itself.
    #[prop(optional)]
    closes: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="robots" content="noindex"/>
                <title>{title}</title>
                <link rel="icon" href="data:,"/>
                <link rel="stylesheet" href="/static/pages.css"/>
                {closes.then(|| view! { <script src="/static/close-window.js" defer></script> })}
            </head>
            <body>
                <main>
                    <div class="mark" aria-hidden="true">{mark}</div>
                    {children()}
                </main>
            </body>
        </html>
    }
}

/// First letter of a name, for the round mark.
fn initial(name: &str) -> String {
    name.chars()
        .find(|letter| letter.is_alphanumeric())
        .unwrap_or('•')
        .to_uppercase()
        .to_string()
}
