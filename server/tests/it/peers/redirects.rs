//! A06, A09, A21, A43: no route leads anywhere but to us and to the provider, whatever
//! stands in any parameter under any name. The list is that of `injection.rs`.

use http::Method;

use crate::harness::{Answer, Browser, Call, World};
use crate::injection::{REDIRECTS, everywhere, query};
use crate::route_headers::paths;

/// More spellings, for the one parameter that may name a place.
const PLACES: &[&str] = &[
    "http://127.0.0.1:4010%40evil.test",
    "http://127.0.0.1:4010%2eevil.test",
    "http://127.0.0.1:4010:80",
    "http://user@127.0.0.1:4010",
    "http://127.0.0.1:4010?x=//evil.test",
    "http://127.0.0.1.:4010",
    "http://127.1:4010",
    "http://2130706433:4010",
    "HTTP://127.0.0.1:4010\u{9}.evil.test",
    "http:\\\\evil.test",
    "http:///evil.test",
    "https://evil.test%2f@127.0.0.1:4010",
    "/%0d%0aLocation:%20https://evil.test",
    "/\u{0}/evil.test",
    "/\u{a0}/evil.test",
    "/\u{2028}/evil.test",
    "/\u{ff0f}evil.test",
    "\u{ff0f}\u{ff0f}evil.test",
    "/\u{ff3c}evil.test",
    "/\u{202e}tset.live",
    "%68ttps://evil.test",
    "%252f%252fevil.test",
    "/%25%32%66/evil.test",
    "/..%2f/evil.test",
    "/x/..//evil.test",
    "/x//../../evil.test",
    "?//evil.test",
    "#//evil.test",
    ".",
    "..",
    "",
];

#[track_caller]
fn assert_stays(answer: &Answer, issuer: &str, what: &str) {
    let location = answer.header("location");
    let is_local =
        location.starts_with('/') && !location.starts_with("//") && !location.contains('\\');
    assert!(
        location.is_empty() || is_local || location.starts_with(issuer),
        "{what}: {location}"
    );
    for header in ["refresh", "content-location", "link"] {
        assert!(!answer.headers.contains_key(header), "{what}: {header}");
    }
}

async fn everything(browser: &Browser, path: &str, place: &str) -> Vec<Answer> {
    let parameters = everywhere(place);
    let joint = if path.contains('?') { '&' } else { '?' };
    let target = format!("{path}{joint}{}", query(&parameters));
    let fetch = Call::new(Method::GET, &target).header("sec-fetch-site", "same-origin");
    vec![
        browser.follow_foreign(&target).await,
        browser.send(fetch).await,
        browser.submit(&target, &parameters).await,
    ]
}

#[tokio::test]
async fn no_parameter_of_any_route_leads_elsewhere() {
    let world = World::new().await;
    let issuer = world.tenant.issuer();
    let (browser, mut redirected) = (world.browser(), 0);
    for path in paths() {
        for place in REDIRECTS {
            for answer in everything(&browser, path, place).await {
                assert_stays(&answer, issuer, &format!("{path}: {place:?}"));
                redirected += usize::from(!answer.header("location").is_empty());
            }
        }
    }
    assert!(redirected > REDIRECTS.len(), "some routes do redirect");
}

#[tokio::test]
async fn no_spelling_of_a_place_to_return_to_leads_elsewhere() {
    let world = World::new().await;
    let mut ends = Vec::new();
    for place in REDIRECTS.iter().chain(PLACES) {
        let browser = world.browser();
        let path = format!("/api/auth/login?{}", query(&[("returnTo", place)]));
        let authorize = browser.open(&path).await.location();
        let callback = browser.authenticate(&authorize, "ada").await;
        let answer = browser.arrive(&callback).await;
        assert_eq!(answer.status, 303, "{place:?}: {}", answer.body);
        let location = answer.header("location").to_owned();
        if location != "/signed-in" {
            // What else a person may mean by it, it stays on this host.
            assert!(location.starts_with('/'), "{place:?}: {location}");
            let ours = url::Url::parse(&world.base).unwrap();
            let joined = ours.join(&location).unwrap();
            assert_eq!(joined.origin(), ours.origin(), "{place:?}: {location}");
            assert!(!joined.path().starts_with("/api"), "{place:?}: {location}");
            ends.push(location);
        }
    }
    // Paths of ours with strange names, which are no page.
    assert!(ends.len() < 8, "{ends:#?}");
}

// A43: the other end. The dev tenant is what people develop against: it must not be laxer
// than the provider that they go live with.
#[tokio::test]
async fn the_dev_tenant_sends_nobody_to_an_address_that_is_not_registered_letter_by_letter() {
    let world = World::new().await;
    let browser = world.browser();
    let honest = browser.begin_page().await;
    for wrong in [
        "http://localhost:3001@evil.test/api/auth/callback",
        "http://user@localhost:3001/api/auth/callback",
        "http://localhost:3001/x/..;/api/auth/callback",
        "http://localhost:3001/x/../api/auth/callback",
        "http://localhost:3001/%61pi/auth/callback",
        "http://localhost:3001//api/auth/callback",
        "http://localhost:3001/api/auth/callback#x",
        "http://localhost:3001/api/auth/callback?x",
        "http://localhost:3001/api/auth/callback%00",
        "http://localhost:3001/api/auth/callback.evil.test",
        "http://localhost.evil.test:3001/api/auth/callback",
        "http://localhost:30010/api/auth/callback",
        "HTTP://localhost:3001/api/auth/callback",
        "http://localhost:3001\\@evil.test/api/auth/callback",
        " http://localhost:3001/api/auth/callback",
        "//localhost:3001/api/auth/callback",
        "/api/auth/callback",
        "*",
        "",
    ] {
        let mut request = honest.clone();
        let kept = honest.query_pairs().into_owned();
        let kept = kept.filter(|(name, _)| name != "redirect_uri");
        let pairs: Vec<_> = kept
            .chain([("redirect_uri".to_owned(), wrong.to_owned())])
            .collect();
        request.query_pairs_mut().clear().extend_pairs(&pairs);
        let answer = browser.provider.open(&request).await;
        assert!(
            answer.status.is_client_error(),
            "{wrong}: {}",
            answer.status
        );
        assert!(!answer.headers.contains_key("location"), "{wrong}");
    }
}
