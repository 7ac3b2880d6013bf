//! The companion's own access tokens: kept, renewed in time, and asked for once.

use std::sync::Arc;

use dev_tenant::{API_IDENTIFIER, M2M_CLIENT_ID, M2M_CLIENT_SECRET};
use oidc::{HttpClient, SystemRandom, TokenRequestError};
use server::config::{Lookup, Settings};
use server::service_tokens::ServiceTokens;
use tokio::task::JoinSet;

use crate::harness::World;

async fn world(client_secret: &str) -> (World, ServiceTokens) {
    let world = World::with_tenant(
        &[
            ("API_CLIENT_ID", M2M_CLIENT_ID),
            ("API_CLIENT_SECRET", client_secret),
            ("API_AUDIENCE", API_IDENTIFIER),
        ],
        |mut sheet| {
            sheet.apis[0].token_seconds = 600;
            sheet
        },
    )
    .await;
    let settings = Settings::parse(&Lookup::of(world.settings.clone()))
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    let clock = Arc::new(world.clock.clone());
    let http = HttpClient::new().unwrap();
    let provider = server::state::provider(&settings, http, clock, Arc::new(SystemRandom));
    let tokens = ServiceTokens::new(provider, settings.service_client.unwrap());
    (world, tokens)
}

fn requests(world: &World) -> u64 {
    world
        .tenant
        .journal()
        .token_requests_of("client_credentials")
}

#[tokio::test]
async fn a_token_is_kept_until_a_minute_before_its_end() {
    let (world, tokens) = world(M2M_CLIENT_SECRET).await;
    let first = tokens.fresh().await.unwrap();
    assert!(first.scope.contains("write:solve"), "{}", first.scope);
    world.clock.advance(539);
    let again = tokens.fresh().await.unwrap();
    assert_eq!(again.access_token.expose(), first.access_token.expose());
    assert_eq!(requests(&world), 1);
    world.clock.advance(1);
    let renewed = tokens.fresh().await.unwrap();
    assert!(renewed.expires_at > first.expires_at);
    assert_eq!(requests(&world), 2);
}

#[tokio::test]
async fn many_callers_at_once_make_one_request() {
    let (world, tokens) = world(M2M_CLIENT_SECRET).await;
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let tokens = tokens.clone();
        callers.spawn(async move {
            tokens
                .fresh()
                .await
                .unwrap()
                .access_token
                .expose()
                .to_owned()
        });
    }
    let mut answers = callers.join_all().await;
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(requests(&world), 1);
}

#[tokio::test]
async fn a_provider_that_was_down_is_asked_again() {
    let (world, tokens) = world(M2M_CLIENT_SECRET).await;
    tokens.fresh().await.unwrap();
    world.clock.advance(600);
    world.tenant.faults().set(|faults| faults.down = true);
    let refused = tokens.fresh().await.unwrap_err();
    assert!(
        matches!(refused, TokenRequestError::Unavailable(_)),
        "{refused}"
    );
    world.tenant.faults().reset();
    assert!(tokens.fresh().await.is_ok());
}

#[tokio::test]
async fn a_wrong_secret_is_our_own_misconfiguration() {
    let (_world, tokens) = world("a-wrong-secret").await;
    let refused = tokens.fresh().await.unwrap_err();
    let expected = matches!(refused, TokenRequestError::ClientMisconfigured(_));
    assert!(expected, "{refused}");
    assert!(!refused.to_string().contains("a-wrong-secret"));
}
