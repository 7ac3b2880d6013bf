//! The relying-party suite: every code-flow and logout module of the OpenID Foundation's
//! client plans as a test of its name, and ours that go further (B60 to B74).
//!
//! The modules run over HTTP through the real router, against the dev tenant with one thing
//! wrong. REJECT means: no session, no cookie, the waiting frame hears of it, no further
//! request at the provider, and a readable page with the request's id. Each that passed says
//! so to the list of what was tried (`cargo xtask test --security`).

mod backchannel;
mod coverage;
mod further;
mod id_tokens;
mod logout;
mod provider;
mod refresh;
mod relying_party;

use self::coverage::passed;
use self::relying_party::{RelyingParty, ResponseMode, claims};

/// Runs each module with the authorization response in the query, and as a form post: the
/// plans of form post are the basic list once more.
macro_rules! in_both_response_modes {
    ($($module:ident),* $(,)?) => {
        mod query {
            use super::ResponseMode;
            $(#[tokio::test] async fn $module() {
                super::$module(ResponseMode::Query).await;
                super::passed(stringify!($module), "query");
            })*
        }
        mod form_post {
            use super::ResponseMode;
            $(#[tokio::test] async fn $module() {
                super::$module(ResponseMode::FormPost).await;
                super::passed(stringify!($module), "form_post");
            })*
        }
    };
}
use in_both_response_modes;
