//! D47, D48: only what names this tenant or this machine is answered.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use dev_tenant::Settings;

use crate::browser::Browser;

const PATHS: [&str; 4] = ["/", "/authorize", "/.well-known/jwks.json", "/dev/faults"];

async fn asked(browser: &mut Browser, path: &str, hosts: &[&str]) -> StatusCode {
    let mut request = Request::get(path);
    for host in hosts {
        request = request.header(header::HOST, *host);
    }
    browser
        .send(request.body(Body::empty()).unwrap())
        .await
        .status
}

#[tokio::test]
async fn the_issuers_host_and_loopback_names_are_served_on_any_port() {
    let settings = Settings::for_issuer("http://tenant.test:3002").with_test_switches();
    let mut browser = Browser::with(settings);
    for host in [
        "tenant.test:3002",
        "Tenant.test",
        "localhost",
        "localhost:1",
        "LOCALHOST:3002",
        "auth.localhost:3002",
        "127.0.0.1:3002",
        "127.255.0.9",
        "[::1]:3002",
    ] {
        for path in PATHS {
            let status = asked(&mut browser, path, &[host]).await;
            assert_ne!(status, StatusCode::MISDIRECTED_REQUEST, "{host}{path}");
        }
    }
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_here_is_misdirected() {
    let mut browser = Browser::new();
    for hosts in [
        &["evil.test:3002"][..],
        &["localhost.evil.test:3002"],
        &["evil-localhost:3002"],
        &["127.0.0.1.evil.test"],
        &["127.0.0.1@evil.test"],
        &["evil.test@127.0.0.1"],
        &["10.0.0.1:3002"],
        &["0.0.0.0:3002"],
        &["[::2]:3002"],
        &["::1"],
        &["localhost:3002", "evil.test:3002"],
        &["localhost:3002", "localhost:3002"],
        &[" "],
    ] {
        for path in PATHS {
            let status = asked(&mut browser, path, hosts).await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{hosts:?}{path}");
        }
    }
    let absolute = "http://evil.test:3002/";
    let status = asked(&mut browser, absolute, &["localhost:3002"]).await;
    assert_eq!(status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(browser.tenant.journal().requests_to("jwks"), 0);
}

#[tokio::test]
async fn the_switches_are_out_of_reach_of_pages_from_elsewhere() {
    let mut browser = Browser::new();
    let path = "/dev/rotate-keys";
    for origin in [
        "http://evil.test",
        "http://localhost.evil.test:3002",
        "https://10.0.0.1",
        "null",
    ] {
        let answer = browser.post_with(path, &[], &[("origin", origin)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}");
    }
    let two = [
        ("origin", "http://localhost:3002"),
        ("origin", "http://evil.test"),
    ];
    let answer = browser.post_with(path, &[], &two).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    for origin in [
        "http://localhost:3002",
        "http://127.0.0.1:9",
        "http://[::1]",
    ] {
        let request = Request::post(path).header(header::ORIGIN, origin);
        let answer = browser.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{origin}");
    }
}
