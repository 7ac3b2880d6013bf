//! `/metrics`: what it counts, who may read it, and that nothing from outside is in it.

use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use server::upkeep;
use tower::{Service, ServiceExt as _};

use crate::harness::{Answer, Handoff, Host, World, eventually};
use crate::route_headers;

/// The companion, or its operator's listener.
trait Answers: Service<Request<Body>, Response = Response, Error = Infallible> {}

impl<S: Service<Request<Body>, Response = Response, Error = Infallible>> Answers for S {}

/// As Prometheus asks on the operator's listener: by address, without any header of ours.
async fn scrape(app: impl Answers, path: &str) -> Answer {
    ask(app, "10.1.2.3:9464", path).await
}

async fn ask(app: impl Answers, host: &str, path: &str) -> Answer {
    let request = Request::get(path).header("host", host);
    let request = request.body(Body::empty()).unwrap();
    Answer::read(app.oneshot(request).await.unwrap()).await
}

impl World {
    pub(crate) async fn metrics(&self) -> String {
        let answer = scrape(server::operator_router(self.state.clone()), "/metrics").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// The value of one series.
    #[track_caller]
    pub(crate) fn count(&self, series: &str) -> u64 {
        let text = self.state.metrics().text();
        let wanted = format!("component_auth0_{series} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&wanted));
        line.unwrap_or_else(|| panic!("no {wanted} in\n{text}"))
            .parse()
            .unwrap()
    }
}

#[tokio::test]
async fn the_operators_listener_answers_by_any_host_name_and_nothing_else_is_on_it() {
    let world = World::new().await;
    let operator = server::operator_router(world.state.clone());
    let answer = scrape(operator.clone(), "/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    assert!(
        answer
            .body
            .contains("component_auth0_build_info{version=\"")
    );
    assert_eq!(scrape(operator.clone(), "/healthz").await.status, 200);
    assert_eq!(scrape(operator.clone(), "/readyz").await.status, 200);
    for path in ["/", "/api/auth/me", "/api/auth/login", "/streamlit"] {
        scrape(operator.clone(), path)
            .await
            .assert(404, "not_found");
    }
}

#[tokio::test]
async fn metrics_are_not_on_the_public_listener_of_a_deployment() {
    let on_loopback = World::new().await;
    assert_eq!(on_loopback.browser().open("/metrics").await.status, 200);
    // DNS rebinding does not reach them either.
    scrape(on_loopback.app.clone(), "/metrics")
        .await
        .assert(421, "misdirected_request");
    let deployed = [
        ("AUTH0_BASE_URL", "https://login.example.org"),
        ("AUTH0_ISSUER_BASE_URL", "https://tenant.example.org"),
        ("STREAMLIT_ORIGINS", "https://app.example.org"),
    ];
    let moved_away = [("METRICS_ADDR", "127.0.0.1:9464")];
    for (settings, host) in [
        (deployed.as_slice(), "login.example.org"),
        (&moved_away, "localhost:3001"),
    ] {
        let world = on_loopback.restarted(settings);
        let answer = ask(world.app.clone(), host, "/metrics").await;
        answer.assert(404, "not_found");
        assert_eq!(ask(world.app, host, "/healthz").await.status, 200);
    }
}

#[tokio::test]
async fn logins_refreshes_and_logouts_are_counted() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    assert_eq!(world.count("logins_started_total"), 1);
    assert_eq!(world.count("logins_finished_total"), 1);
    world.clock.advance(301);
    world
        .tenant
        .faults()
        .set(|plan| plan.token.error = Some("invalid_client".into()));
    let wish = serde_json::json!({ "grant": someone.grant(), "scope": "openid" });
    someone.host.token_with(wish.clone()).await;
    assert_eq!(world.count("refreshes_total{outcome=\"misconfigured\"}"), 1);
    world.tenant.faults().reset();
    someone.host.token_with(wish).await.ok();
    assert_eq!(world.count("refreshes_total{outcome=\"done\"}"), 1);
    someone.host.revoke(someone.grant()).await;
    assert_eq!(world.count("logouts_total{by=\"host\"}"), 1);
    let other = world.signed_in("grace").await;
    other.browser.submit("/api/auth/logout", &[]).await;
    assert_eq!(world.count("logouts_total{by=\"person\"}"), 1);
}

#[tokio::test]
async fn logins_that_fail_are_counted_by_reason() {
    let world = World::new().await;
    let browser = world.browser();
    browser.open("/api/auth/callback?code=x&state=y").await;
    assert_eq!(
        world.count("logins_failed_total{reason=\"invalid_transaction\"}"),
        1
    );
    world
        .tenant
        .faults()
        .set(|plan| plan.authorize.error = Some("access_denied".into()));
    browser.page_login("ada").await;
    assert_eq!(world.count("logins_failed_total{reason=\"refused\"}"), 1);
    world.tenant.faults().reset();
    world
        .tenant
        .faults()
        .set(|plan| plan.id_token.wrong_nonce = true);
    browser.page_login("ada").await;
    assert_eq!(
        world.count("logins_failed_total{reason=\"provider_unacceptable\"}"),
        1
    );
    assert_eq!(world.count("logins_started_total"), 2);
    assert_eq!(world.count("logins_finished_total"), 0);
}

#[tokio::test]
async fn live_sessions_are_counted_by_the_upkeep_and_frames_at_the_scrape() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    world.signed_in("grace").await;
    assert_eq!(world.count("sessions_live"), 0);
    let upkeep = async || {
        upkeep::once(world.state.sessions(), world.state.metrics())
            .await
            .unwrap();
    };
    upkeep().await;
    assert_eq!(world.count("sessions_live"), 2);
    someone.host.revoke(someone.grant()).await;
    upkeep().await;
    assert_eq!(world.count("sessions_live"), 1);
    let (browser, handoff, host) = (world.browser(), Handoff::new(&world), Host::new(&world));
    let waiting = tokio::spawn(async move { browser.claim(&handoff, &host).await });
    eventually(async || {
        world
            .metrics()
            .await
            .contains("component_auth0_handoffs_waiting 1\n")
    })
    .await;
    waiting.abort();
    eventually(async || {
        world
            .metrics()
            .await
            .contains("component_auth0_handoffs_waiting 0\n")
    })
    .await;
    // Its sender went away.
    assert_eq!(
        world.count("http_requests_total{route=\"/api/auth/handoff\",status=\"aborted\"}"),
        1
    );
}

#[tokio::test]
async fn requests_are_counted_by_our_own_route_never_by_the_path_that_was_asked_for() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_get("/api/ping").await.ok();
    browser.page_get("/static/canary-of-a-file.css").await;
    for n in 0..100 {
        browser.page_get(&format!("/canary-{n}")).await;
    }
    let text = world.metrics().await;
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(
        world.count("http_requests_total{route=\"/api/ping\",status=\"2xx\"}"),
        1
    );
    assert_eq!(
        world.count("http_requests_total{route=\"unmatched\",status=\"4xx\"}"),
        100
    );
    assert_eq!(
        world.count("http_requests_total{route=\"/static/{file}\",status=\"4xx\"}"),
        1
    );
}

// The names are told from the path, before the router looks: they must be the router's own.
#[tokio::test]
async fn every_route_is_counted_under_its_own_name() {
    let world = World::new().await;
    for path in route_headers::paths() {
        world.browser().page_get(path).await;
        let route = path.split_once('?').map_or(path, |(route, _)| route);
        let route = match route {
            file if file.starts_with("/static/") => "/static/{file}",
            route => route,
        };
        let counted = format!("http_requests_total{{route=\"{route}\",");
        let text = world.state.metrics().text();
        assert!(text.contains(&counted), "{path}: {text}");
        assert!(!text.contains("unmatched"), "{path}: {text}");
    }
}

#[tokio::test]
async fn the_latency_of_store_and_provider_is_measured() {
    let world = World::new().await;
    world.signed_in("ada").await;
    for request in ["discovery", "jwks", "token"] {
        let series = format!("provider_request_duration_seconds_count{{request=\"{request}\"}}");
        assert_eq!(world.count(&series), 1, "{request}");
        let series = format!("provider_requests_total{{request=\"{request}\",answer=\"2xx\"}}");
        assert_eq!(world.count(&series), 1, "{request}");
    }
    let series = "store_duration_seconds_count{operation=\"create_session\"}";
    assert_eq!(world.count(series), 1);
}

/// Names of metrics are what dashboards and alerts hold on to.
#[tokio::test]
async fn the_names_of_the_metrics_stay() {
    let world = World::new().await;
    world.signed_in("ada").await;
    let text = world.metrics().await;
    let names: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE component_auth0_"))
        .collect();
    insta::assert_snapshot!(names.into_iter().collect::<Vec<_>>().join("\n"), @r"
    audit_events counter
    audit_lines_dropped counter
    build info
    handoffs_waiting gauge
    http_request_duration_seconds histogram
    http_requests counter
    limits_hit counter
    logins_failed counter
    logins_finished counter
    logins_started counter
    logouts counter
    provider_request_duration_seconds histogram
    provider_requests counter
    refreshes counter
    sessions_live gauge
    store_duration_seconds histogram
    store_errors counter
    watchers gauge
    ");
}

#[tokio::test]
async fn those_whom_a_limit_turns_away_are_counted() {
    let world = World::new()
        .await
        .restarted(&[("RATE_LIMIT_PER_MINUTE", "1")]);
    let browser = world.browser();
    browser.open("/api/auth/login").await;
    assert_eq!(world.count("limits_hit_total{limit=\"rate\"}"), 0);
    let answer = browser.open("/api/auth/login").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.count("limits_hit_total{limit=\"rate\"}"), 1);
}
