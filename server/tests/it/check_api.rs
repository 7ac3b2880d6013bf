//! `component-auth0 check-api` against a dev tenant and the remote API, over real HTTP.

use std::future::pending;
use std::net::Ipv4Addr;
use std::process::Output;
use std::sync::Arc;

use dev_tenant::{
    API_IDENTIFIER, APP_CLIENT_ID, APP_CLIENT_SECRET, DevTenant, M2M_CLIENT_ID, M2M_CLIENT_SECRET,
};
use oidc::{HttpClient, SystemClock, SystemRandom};
use tokio::net::TcpListener;

use crate::commands::{command, text};

/// A tenant, and a remote API that wants tokens for `audience`.
struct Neighbours {
    issuer: String,
    api: String,
}

impl Neighbours {
    async fn start(audience: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let issuer = format!("http://{}/", listener.local_addr().unwrap());
        let sheet = dev_tenant::Settings::for_issuer(&issuer);
        let tenant = DevTenant::new(sheet, Arc::new(dev_tenant::SystemClock));
        tokio::spawn(dev_tenant::serve(listener, tenant, pending()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let config = remote_api::Config::from_lookup(|name| match name {
            "AUTH0_ISSUER_BASE_URL" => Some(issuer.clone()),
            "API_AUDIENCE" => Some(audience.to_owned()),
            _ => None,
        })
        .unwrap();
        let http = HttpClient::new().unwrap();
        let state =
            remote_api::AppState::new(&config, http, Arc::new(SystemClock), Arc::new(SystemRandom));
        let router = remote_api::router(state, &config);
        tokio::spawn(remote_api::serve(listener, router, pending()));
        Self { issuer, api }
    }

    async fn check_api(&self, changes: &[(&str, &str)]) -> Output {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command(directory.path(), &["check-api"]);
        command.envs([
            ("AUTH0_BASE_URL", "http://localhost:3001"),
            ("AUTH0_ISSUER_BASE_URL", &self.issuer),
            ("AUTH0_CLIENT_ID", APP_CLIENT_ID),
            ("AUTH0_CLIENT_SECRET", APP_CLIENT_SECRET),
            (
                "AUTH0_SECRET",
                "the-session-secret-of-the-companion-in-the-tests",
            ),
            ("REMOTE_API_BASE_URL", &self.api),
            ("API_CLIENT_ID", M2M_CLIENT_ID),
            ("API_CLIENT_SECRET", M2M_CLIENT_SECRET),
            ("API_AUDIENCE", API_IDENTIFIER),
        ]);
        command.envs(changes.iter().copied());
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.unwrap().unwrap();
        for shown in [text(&output.stdout), text(&output.stderr)] {
            assert!(
                !shown.contains("eyJ") && !shown.contains(M2M_CLIENT_SECRET),
                "{shown}"
            );
        }
        output
    }
}

#[tokio::test]
async fn the_api_accepts_the_companions_own_token() {
    let neighbours = Neighbours::start(API_IDENTIFIER).await;
    let output = neighbours.check_api(&[]).await;
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    let api = &neighbours.api;
    assert!(
        said.contains(&format!("GET {api}/api/pong: 200 OK\n")),
        "{said}"
    );
    assert!(said.contains(&format!("{M2M_CLIENT_ID}@clients")), "{said}");
    // Two processes with real clocks: a second may pass between them.
    let seconds: Option<u32> = said
        .split_once(" seconds")
        .and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
    assert!(
        seconds.is_some_and(|seconds| seconds.abs_diff(86_400) < 60),
        "{said}"
    );
}

#[tokio::test]
async fn an_api_of_another_audience_refuses_it_and_that_is_a_failure() {
    let neighbours = Neighbours::start("http://another.test/api").await;
    let output = neighbours.check_api(&[]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("/api/pong: 401 Unauthorized\n"), "{said}");
    assert!(said.contains("invalid_token"), "{said}");
}

#[tokio::test]
async fn a_provider_that_does_not_know_the_client_is_a_failure() {
    let neighbours = Neighbours::start(API_IDENTIFIER).await;
    let output = neighbours
        .check_api(&[("API_CLIENT_SECRET", "wrong")])
        .await;
    assert_eq!(output.status.code(), Some(1));
    let problem = text(&output.stderr);
    assert!(problem.contains("invalid_client"), "{problem}");
}

#[tokio::test]
async fn without_credentials_or_api_it_says_what_to_set() {
    let neighbours = Neighbours::start(API_IDENTIFIER).await;
    let output = neighbours
        .check_api(&[
            ("API_CLIENT_ID", ""),
            ("API_CLIENT_SECRET", ""),
            ("REMOTE_API_BASE_URL", ""),
        ])
        .await;
    assert_eq!(output.status.code(), Some(2));
    let problems = text(&output.stderr);
    let names: Vec<_> = problems
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!(names, ["API_CLIENT_ID", "REMOTE_API_BASE_URL"]);
}
