//! The headers of every route, as one table (invariant 8; A01, A13, D38 to D41). A route
//! without a row does not pass. Whatever a route answers, no token is in it (A49).

mod states;

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use tempfile::TempDir;

use crate::harness::{Answer, Browser, Call, World};

macro_rules! concat_page_csp {
    ($rest:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
             base-uri 'none'; frame-ancestors 'none'",
            $rest
        )
    };
}

/// Headers of one kind of answer, with exact values; empty is absent.
struct Expected {
    csp: &'static str,
    framing: &'static str,
    resource: &'static str,
    opener: &'static str,
    referrer: &'static str,
    cache: &'static str,
    vary: &'static str,
}

/// The component and the Hero: framed by Streamlit's page.
const COMPONENT: Expected = Expected {
    csp: "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
          connect-src 'self'; img-src 'self' https: http://localhost:* http://127.0.0.1:*; \
          font-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors \
          http://127.0.0.1:4010 http://localhost:4010 https://portal.example.org",
    framing: "",
    resource: "",
    opener: "",
    // The login form must carry our origin.
    referrer: "strict-origin",
    cache: "no-cache",
    vary: "Accept-Encoding, Origin",
};
/// Pages with a form. What they do differs for who is signed in: whoever opened them sees none
/// of it.
const FORM_PAGE: Expected = Expected {
    csp: PAGE_CSP,
    framing: "DENY",
    resource: "same-origin",
    opener: "same-origin",
    referrer: "same-origin",
    cache: "no-store",
    vary: "Cookie, Origin",
};
/// Pages on the way of a login: alike for everybody.
const PAGE: Expected = Expected {
    csp: concat_page_csp!("; form-action 'none'"),
    opener: "",
    referrer: "no-referrer",
    ..FORM_PAGE
};
/// Where a person's navigation begins a login, which may end at the launcher at once.
const LOGIN_LINK: Expected = Expected {
    opener: "same-origin",
    ..PAGE
};
/// JSON and redirects.
const API: Expected = Expected {
    csp: "default-src 'none'; frame-ancestors 'none'",
    ..PAGE
};
/// Files of the frontend, the same for everybody.
const FILE: Expected = Expected {
    csp: "",
    framing: "",
    resource: "same-origin",
    opener: "",
    referrer: "",
    cache: "public, max-age=31536000, immutable",
    vary: "Accept-Encoding",
};
/// Errors in the place of a file.
const NO_FILE: Expected = Expected {
    cache: "",
    vary: "",
    ..FILE
};

const PAGE_CSP: &str = concat_page_csp!("");

/// A route as `server/src/lib.rs` names it, and a path of it. An error that is drawn for a
/// person there is a [`PAGE`], where the route's own answers are none.
const ROUTES: &[(&str, &str, &Expected)] = &[
    ("routes::LAUNCHER", "/", &FORM_PAGE),
    ("routes::SIGNED_IN", "/signed-in", &PAGE),
    ("routes::SIGNED_OUT", "/signed-out", &PAGE),
    ("routes::COMPONENT", "/streamlit", &COMPONENT),
    ("\"/streamlit/\"", "/streamlit/", &COMPONENT),
    ("routes::HERO", "/streamlit/hero", &COMPONENT),
    ("\"/static/{file}\"", CODE_FILE, &FILE),
    ("routes::LOGIN", "/api/auth/login", &LOGIN_LINK),
    ("routes::CALLBACK", "/api/auth/callback?state=x", &PAGE),
    ("routes::HANDOFF", "/api/auth/handoff", &API),
    ("routes::TICKET", "/api/auth/ticket", &API),
    ("routes::WATCH", "/api/auth/watch", &API),
    ("routes::ME", "/api/auth/me", &API),
    ("routes::LOGOUT", "/api/auth/logout", &FORM_PAGE),
    ("routes::PONG", "/api/pong", &API),
    ("routes::PING", "/api/ping", &API),
    ("routes::REDEEM", "/api/auth/redeem", &API),
    ("routes::TOKEN", "/api/auth/token", &API),
    ("routes::SESSION", "/api/auth/session", &API),
    ("routes::REVOKE", "/api/auth/revoke", &API),
    (
        "routes::BACKCHANNEL_LOGOUT",
        "/api/auth/backchannel-logout",
        &API,
    ),
    ("\"/metrics\"", "/metrics", &API),
    ("\"/healthz\"", "/healthz", &API),
    ("\"/readyz\"", "/readyz", &API),
];
/// What is no route.
const NOWHERE: &[(&str, &str, &Expected)] = &[
    ("none", "/nowhere", &API),
    ("none", "/api/auth/nowhere", &API),
    ("none", "/static/nothing.js", &NO_FILE),
];

/// Of every route, for tests that try all.
pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|(_, path, _)| *path)
}

/// Whose row it is: an error that is drawn for a person is a page.
fn row(answer: &Answer, own: &'static Expected) -> &'static Expected {
    let is_page = answer.header("content-type").starts_with("text/html");
    match own.csp {
        csp if is_page && (csp == API.csp || csp == NO_FILE.csp) => &PAGE,
        _ => own,
    }
}

/// The row of a POST there: a frame may close the window that it posted its login to.
fn posted(own: &'static Expected) -> &'static Expected {
    let is_login = own.csp == LOGIN_LINK.csp && own.opener == LOGIN_LINK.opener;
    if is_login { &PAGE } else { own }
}

const CODE_FILE: &str = "/static/frontend-0123456789abcdef.js";

/// A built frontend, as far as the server looks.
fn frontend() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let page = r#"<html><meta name="component-auth0:origins" content=""></html>"#;
    for name in ["index.html", "hero.html"] {
        std::fs::write(directory.path().join(name), page).unwrap();
    }
    let file = CODE_FILE.trim_start_matches("/static/");
    std::fs::write(directory.path().join(file), "export {}").unwrap();
    directory
}

#[track_caller]
fn assert_headers(what: &str, answer: &Answer, expected: &Expected) {
    let found = [
        ("content-security-policy", expected.csp),
        ("x-frame-options", expected.framing),
        ("cross-origin-resource-policy", expected.resource),
        ("cross-origin-opener-policy", expected.opener),
        ("referrer-policy", expected.referrer),
        ("cache-control", expected.cache),
        ("x-content-type-options", "nosniff"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
        // Plain http here.
        ("strict-transport-security", ""),
        ("access-control-allow-origin", ""),
        ("access-control-allow-credentials", ""),
        ("x-powered-by", ""),
        ("server", ""),
    ]
    .map(|(name, value)| (name, answer.header(name).to_owned(), value.to_owned()));
    for (name, found, expected) in found {
        assert_eq!(found, expected, "{name} of {what} ({})", answer.status);
    }
    assert_eq!(answer.vary(), expected.vary, "vary of {what}");
    let names = answer.headers.keys().map(http::HeaderName::as_str);
    for name in names.collect::<BTreeSet<_>>() {
        let times = answer.headers.get_all(name).iter().count();
        let may_repeat = ["set-cookie", "vary"].contains(&name);
        assert!(times == 1 || may_repeat, "{name} of {what} {times} times");
    }
    let csp = answer.header("content-security-policy");
    assert!(!csp.contains("unsafe-inline") && !csp.contains("'unsafe-eval'"));
    // Where every JWT begins.
    assert!(!answer.body.contains("eyJ"), "{what}: {}", answer.body);
}

async fn assert_row(browser: &Browser, path: &str, own: &'static Expected) {
    // A page of another site learns no more from the headers than our own.
    let foreign = Call::new(Method::GET, path)
        .header("origin", "https://evil.test")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "no-cors");
    for (how, answer) in [
        ("opened", browser.open(path).await),
        ("fetched", browser.page_get(path).await),
        ("probed", browser.send(foreign).await),
    ] {
        assert_headers(&format!("{how} {path}"), &answer, row(&answer, own));
    }
}

#[tokio::test]
async fn every_route_has_the_headers_of_its_row_whoever_is_signed_in() {
    let directory = frontend();
    let settings = [
        ("STATIC_DIR", directory.path().to_str().unwrap()),
        ("REMOTE_API_BASE_URL", "http://127.0.0.1:1"),
    ];
    let world = World::with(&settings).await;
    let someone = world.signed_in("ada").await;
    for browser in [&someone.browser, &world.browser()] {
        for (_, path, expected) in ROUTES.iter().chain(NOWHERE) {
            assert_row(browser, path, expected).await;
        }
    }
}

#[tokio::test]
async fn what_posts_answer_has_them_too() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let posts = ROUTES
        .iter()
        .filter(|(_, path, _)| path.starts_with("/api/auth/"));
    for (route, path, expected) in posts {
        let path = path.split('?').next().unwrap();
        let body = serde_json::json!({ "grant": someone.grant(), "verifier": "x" });
        let by_frame = someone.browser.frame_post(path, &body).await;
        assert_headers(&format!("frame {route}"), &by_frame, posted(expected));
        let by_host = someone.host.post(path, &body).await;
        assert_headers(&format!("host {route}"), &by_host, posted(expected));
    }
    let large = "x".repeat(70_000);
    let call = someone
        .browser
        .frame_call("/api/auth/ticket", &large.into());
    let refused = someone.browser.send(call).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_headers("a body too large", &refused, &API);
    let elsewhere = Call::new(Method::GET, "/").header("host", "evil.test");
    let misdirected = someone.browser.send(elsewhere).await;
    assert_eq!(misdirected.status, StatusCode::MISDIRECTED_REQUEST);
    assert_headers("another host", &misdirected, &FORM_PAGE);
}

/// The first argument of each `.route(…)`.
fn routes_in(source: &str) -> BTreeSet<&str> {
    let arguments = source.split(".route(").skip(1);
    arguments
        .map(|rest| rest.split(',').next().unwrap().trim())
        .collect()
}

#[test]
fn every_route_of_the_router_has_a_row() {
    let registered = routes_in(include_str!("../../src/lib.rs"));
    let rows: BTreeSet<&str> = ROUTES.iter().map(|(route, ..)| *route).collect();
    assert_eq!(registered, rows);
    // None is registered where this test does not look.
    let elsewhere = [
        "nest(",
        "nest_service(",
        "route_service(",
        "fallback_service(",
    ];
    for way in elsewhere {
        assert!(!include_str!("../../src/lib.rs").contains(way), "{way}");
    }
}
