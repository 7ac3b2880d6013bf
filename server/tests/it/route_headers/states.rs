//! The same table in the states that a route has beside its honest ones: a method that it
//! does not take, too many requests, a store that is away, a panic.

use http::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use super::{
    CODE_FILE, COMPONENT, Expected, FILE, NO_FILE, ROUTES, assert_headers, frontend, posted, row,
};
use crate::harness::{Answer, Call, SignedIn, StoreFaults, World};

/// What routes ask of the store, as they are named there.
const OPERATIONS: [&str; 12] = [
    "create_session",
    "load_session",
    "update_session",
    "touch_session",
    "end_session",
    "put_handle",
    "find",
    "take_handle",
    "peek_handle",
    "remove_handle",
    "acquire_lease",
    "count_live",
];
/// An error where the component or a file would be is not kept, and not encoded.
const NO_COMPONENT: Expected = Expected {
    cache: "",
    vary: "Origin",
    ..COMPONENT
};
const NO_COMPONENT_DRAWN: Expected = Expected {
    cache: "no-store",
    ..NO_COMPONENT
};

fn row_of_error(answer: &Answer, own: &'static Expected) -> &'static Expected {
    let is_page = answer.header("content-type").starts_with("text/html");
    match own.csp {
        csp if csp == COMPONENT.csp && is_page => &NO_COMPONENT_DRAWN,
        csp if csp == COMPONENT.csp => &NO_COMPONENT,
        csp if csp == FILE.csp => row(answer, &NO_FILE),
        _ => row(answer, own),
    }
}

async fn world_with_frontend(directory: &TempDir) -> World {
    World::with(&[
        ("STATIC_DIR", directory.path().to_str().unwrap()),
        ("REMOTE_API_BASE_URL", "http://127.0.0.1:1"),
    ])
    .await
}

#[tokio::test]
async fn a_method_that_a_route_does_not_take_has_its_row() {
    let directory = frontend();
    let world = world_with_frontend(&directory).await;
    let browser = world.browser();
    for (_, path, own) in ROUTES {
        let mut refused = 0;
        for method in [
            "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "GET", "HEAD",
        ] {
            for accept in ["text/html", "*/*"] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let call = Call::new(method.clone(), *path).header("accept", accept);
                let answer = browser.send(call).await;
                if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                    let what = format!("{method} {path} for {accept}");
                    assert_headers(&what, &answer, row_of_error(&answer, own));
                    assert_allows_others(&what, &answer, &method);
                    refused += 1;
                }
            }
        }
        assert!(refused >= 10, "{path}: {refused}");
    }
}

/// RFC 9110 §15.5.6: a 405 says which methods there are.
#[track_caller]
fn assert_allows_others(what: &str, answer: &Answer, refused: &Method) {
    let allowed = answer.header("allow");
    let mut methods = allowed.split(',').map(str::trim);
    assert!(!allowed.is_empty(), "{what} names no method");
    assert!(
        methods.all(|method| method != refused.as_str()),
        "{what}: {allowed}"
    );
}

/// Link scanners ask so. Neither address may be looked at by them, and each says so (A25).
#[tokio::test]
async fn login_and_callback_name_the_methods_that_they_have() {
    let query = World::new().await;
    let form_post = query.restarted(&[("AUTH0_RESPONSE_MODE", "form_post")]);
    let callback = "/api/auth/callback?code=c&state=s";
    for (world, path, allowed) in [
        (&query, "/api/auth/login", "GET,POST"),
        (&query, callback, "GET"),
        (&form_post, callback, "GET,POST"),
    ] {
        for method in ["HEAD", "PUT", "OPTIONS", "POST"] {
            if allowed.contains(method) {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let call = Call::new(method.clone(), path);
            let answer = world.browser().send(call).await;
            let what = format!("{method} {path}");
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{what}");
            assert_eq!(answer.header("allow"), allowed, "{what}");
        }
    }
}

/// Every route, opened, fetched and posted to.
async fn every_route(someone: &SignedIn) -> Vec<(String, Answer, &'static Expected)> {
    let mut answers = Vec::new();
    for (_, path, own) in ROUTES {
        let browser = &someone.browser;
        let body = json!({
            "verifier": someone.host.verifier,
            "challenge": someone.host.challenge(),
            "host_origin": someone.host.origin,
            "origin": someone.host.origin,
            "grant": someone.grant(),
            "ticket": someone.frame["ticket"],
            "hold": 0,
        });
        answers.push((format!("{path} opened"), browser.open(path).await, *own));
        answers.push((format!("{path} fetched"), browser.page_get(path).await, own));
        answers.push((
            format!("{path} of the frame"),
            browser.frame_post(path, &body).await,
            posted(own),
        ));
        answers.push((
            format!("{path} of a form"),
            browser.submit(path, &[]).await,
            posted(own),
        ));
        answers.push((
            format!("{path} of a host"),
            someone.host.post(path, &body).await,
            posted(own),
        ));
    }
    answers
}

#[tokio::test]
async fn trouble_of_the_store_and_panics_have_their_rows() {
    let directory = frontend();
    let (world, store) = (
        world_with_frontend(&directory).await,
        StoreFaults::default(),
    );
    let world = world.behind(|behind| store.before(behind));
    let refuse: fn(&StoreFaults, &'static str) = |store, operation| store.refuse(operation);
    let panic: fn(&StoreFaults, &'static str) = |store, operation| store.panic(operation);
    for (trouble, expected) in [
        (refuse, StatusCode::SERVICE_UNAVAILABLE),
        (panic, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let someone = world.signed_in("ada").await;
        for operation in OPERATIONS {
            trouble(&store, operation);
        }
        let answers = every_route(&someone).await;
        store.heal();
        let mut in_trouble = 0;
        for (what, answer, own) in answers {
            if answer.status == expected {
                assert_headers(&what, &answer, row_of_error(&answer, own));
                assert!(!answer.sets_session_cookie(), "{what}");
                in_trouble += 1;
            }
        }
        assert!(in_trouble > 10, "{expected}: {in_trouble}");
    }
}

#[tokio::test]
async fn too_many_requests_have_their_rows() {
    let world = World::with(&[("RATE_LIMIT_PER_MINUTE", "1")]).await;
    let someone = world.signed_in("ada").await;
    let mut limited = Vec::new();
    for _ in 0..12 {
        for (what, answer, own) in every_route(&someone).await {
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                assert_headers(&what, &answer, row_of_error(&answer, own));
                assert!(!answer.header("retry-after").is_empty(), "{what}");
                limited.push(what);
            }
        }
    }
    for what in [
        "/api/auth/login opened",
        "/api/auth/login of a form",
        "/api/auth/callback?state=x opened",
        "/api/auth/handoff of the frame",
        "/api/auth/redeem of a host",
    ] {
        assert!(
            limited.iter().any(|known| known == what),
            "{what}: {limited:?}"
        );
    }
}

// A49, beside the table: what is served to a person who is signed in, in every way.
#[tokio::test]
async fn no_answer_to_a_browser_holds_a_token_of_its_session() {
    let directory = frontend();
    let world = world_with_frontend(&directory).await;
    let someone = world.signed_in("ada").await;
    let token = someone.redeemed["access_token"].as_str().unwrap();
    assert!(token.starts_with("eyJ"), "a JWT");
    for (what, answer, _) in every_route(&someone).await {
        let is_for_the_host = what.ends_with("of a host");
        assert!(is_for_the_host || !answer.body.contains("eyJ"), "{what}");
        for (name, value) in &answer.headers {
            let value = value.to_str().unwrap();
            assert!(!value.contains("eyJ"), "{name} of {what}");
        }
    }
    let file = someone.browser.page_get(CODE_FILE).await;
    assert_eq!(file.status, StatusCode::OK);
}
