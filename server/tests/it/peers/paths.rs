//! Other spellings of a path (A09, A16, A20, A24, A26): they lead nowhere, or to the same
//! answer as the plain one; at the companion and at the remote API.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, StatusCode, Uri};
use oidc::{HttpClient, SystemRandom};
use tower::ServiceExt as _;

use crate::harness::{Answer, App, World};

const COMPANION: &[(Method, &str)] = &[
    (Method::GET, "/api/auth/me"),
    (Method::GET, "/api/pong"),
    (Method::POST, "/api/auth/ticket"),
    (Method::POST, "/api/auth/handoff"),
    (Method::POST, "/api/auth/watch"),
    (Method::POST, "/api/auth/redeem"),
    (Method::POST, "/api/auth/token"),
    (Method::POST, "/api/auth/session"),
    (Method::POST, "/api/auth/revoke"),
    (Method::POST, "/api/auth/logout"),
    (Method::POST, "/api/auth/backchannel-logout"),
];
const REMOTE_API: &[(Method, &str)] = &[
    (Method::GET, "/api/pong"),
    (Method::GET, "/api/pong-scoped"),
    (Method::POST, "/api/model/solve"),
    (Method::GET, "/api/model/export"),
    (Method::POST, "/api/model/import"),
    (Method::GET, "/api/model/chart"),
];

/// Spellings that some product took for another, open path, or for the same one unchecked.
fn spellings(path: &str) -> Vec<String> {
    let (parent, last) = path.rsplit_once('/').unwrap();
    let open = ["/healthz", "/api/ping", "/streamlit", "/static/x.js", "/"];
    let mut spellings = vec![
        format!("{path}/"),
        format!("{path}//"),
        format!("/{path}"),
        format!("{parent}//{last}"),
        format!("{parent}/./{last}"),
        format!("{parent}/x/../{last}"),
        format!("{parent}/%2e/{last}"),
        format!("{parent}/x/%2e%2e/{last}"),
        format!("{parent}%2f{last}"),
        format!("{parent}%5c{last}"),
        format!("{parent}\\{last}"),
        format!("{parent}/%{:x}{}", last.as_bytes()[0], &last[1..]),
        path.to_uppercase(),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}%0a"),
        format!("{path};x"),
        format!("{path};/"),
        format!("{path}.json"),
        format!("{path}.css"),
        format!("{path}~"),
        format!("{path}%c0%80"),
        path.replacen("/api", "/%61pi", 1),
        path.replacen("/api", "/ap\u{131}", 1),
        path.replacen("/api/", "/api/..;/api/", 1),
    ];
    for open in open {
        spellings.push(format!("{open}/..{path}"));
        spellings.push(format!("{open}/%2e%2e{path}"));
        spellings.push(format!("{open}/..;{path}"));
        spellings.push(format!("{open}%23/..{path}"));
        spellings.push(format!("{path}%23{open}"));
        spellings.push(format!("{path}%3f{open}"));
        spellings.push(format!("{path};{open}"));
        spellings.push(format!("{path}/..{open}"));
        spellings.push(format!("{path}/%2e%2e{open}"));
    }
    spellings
}

/// The same path, whatever a filter that reads the whole line takes it for.
fn same(path: &str) -> Vec<String> {
    let open = ["/healthz", "/api/ping", "/streamlit"];
    let queries = open.iter().flat_map(|open| {
        [
            format!("{path}?x={open}"),
            format!("{path}?{open}"),
            format!("{path}?x=%23{open}"),
            format!("{path}#{open}"),
        ]
    });
    queries.collect()
}

/// `None`: no client and no proxy can put it into a request line.
async fn ask(
    app: &App,
    method: &Method,
    target: &str,
    headers: &[(&str, String)],
) -> Option<Answer> {
    let uri: Uri = target.parse().ok()?;
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "localhost:3001")
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Body::from("{}")).unwrap();
    Some(Answer::read(app.clone().oneshot(request).await.unwrap()).await)
}

fn is_open(answer: &Answer) -> bool {
    answer.status.is_success() || answer.status.is_redirection()
}

/// How many spellings were tried; each must lead nowhere.
async fn assert_closed(app: &App, routes: &[(Method, &str)], headers: &[(&str, String)]) -> usize {
    let mut tried = 0;
    for (method, path) in routes {
        for spelling in spellings(path) {
            let Some(answer) = ask(app, method, &spelling, headers).await else {
                continue;
            };
            tried += 1;
            assert!(!is_open(&answer), "{method} {spelling}: {}", answer.body);
        }
    }
    tried
}

#[tokio::test]
async fn other_spellings_open_nothing_at_the_companion() {
    let world = World::with(&[("REMOTE_API_BASE_URL", "http://127.0.0.1:1")]).await;
    assert!(assert_closed(&world.app, COMPANION, &[]).await > 500);
    // Nor to somebody who may: a filter before us that sees another path would be dodged.
    let someone = world.signed_in("ada").await;
    let cookies = someone.browser.all_cookies();
    let cookies: Vec<_> = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let shown = [
        ("cookie", cookies.join("; ")),
        ("authorization", someone.host.authorization[0].clone()),
        ("origin", world.base.clone()),
        ("sec-fetch-site", "same-origin".to_owned()),
    ];
    let me = ask(&world.app, &Method::GET, "/api/auth/me", &shown).await;
    assert_eq!(me.unwrap().status, StatusCode::OK, "they may");
    assert_closed(&world.app, COMPANION, &shown).await;
}

#[tokio::test]
async fn query_and_fragment_change_no_answer_of_the_companion() {
    let world = World::with(&[("REMOTE_API_BASE_URL", "http://127.0.0.1:1")]).await;
    for (method, path) in COMPANION {
        let plain = ask(&world.app, method, path, &[]).await.unwrap();
        assert!(!is_open(&plain), "{path}");
        for target in same(path) {
            let answer = ask(&world.app, method, &target, &[]).await.unwrap();
            assert_eq!(
                (answer.status, answer.body),
                (plain.status, plain.body.clone()),
                "{target}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_open_at_the_remote_api_however_it_is_spelled() {
    let world = World::new().await;
    let config = remote_api::Config::from_lookup(|name| match name {
        "AUTH0_ISSUER_BASE_URL" => Some(world.tenant.issuer().to_owned()),
        "API_AUDIENCE" => Some(dev_tenant::API_IDENTIFIER.to_owned()),
        _ => None,
    })
    .unwrap();
    let clock = Arc::new(world.clock.clone());
    let http = HttpClient::new().unwrap();
    let state = remote_api::AppState::new(&config, http, clock, Arc::new(SystemRandom));
    let app = App::new(remote_api::router(state, &config));
    let open = ask(&app, &Method::GET, "/api/ping", &[]).await.unwrap();
    assert_eq!(open.status, StatusCode::OK);
    assert!(assert_closed(&app, REMOTE_API, &[]).await > 200);
    for (method, path) in REMOTE_API {
        for target in std::iter::once((*path).to_owned()).chain(same(path)) {
            let answer = ask(&app, method, &target, &[]).await.unwrap();
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{target}");
        }
    }
}
