//! E45: a panic fails the request that it happens in, with a 500 that tells nothing, and
//! nothing else: no lock is lost with it, and the process goes on.

use http::StatusCode;
use url::Url;

use crate::harness::{Answer, Handoff, SignedIn, World};

/// What the routes ask of the store.
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
    "release_lease",
];

/// Every kind of request once, whatever comes of it.
async fn every_request(someone: &SignedIn, handoff: &Handoff, callback: &Url) -> Vec<Answer> {
    let (browser, host) = (&someone.browser, &someone.host);
    vec![
        browser.page_get("/api/auth/me").await,
        browser.open("/").await,
        host.session(someone.grant()).await,
        host.token(someone.grant()).await,
        // Spent: whoever comes second takes the first one's grant back.
        host.redeem(someone.frame["ticket"].as_str().unwrap()).await,
        browser.open("/api/auth/login").await,
        browser.arrive(callback).await,
        browser.claim(handoff, host).await,
        browser.ticket(host).await,
        browser.submit("/api/auth/logout", &[]).await,
        host.revoke(someone.grant()).await,
    ]
}

#[tokio::test]
async fn a_panic_fails_its_request_and_nothing_else() {
    let (world, store) = World::faulty().await;
    let mut panicked = Vec::new();
    for operation in OPERATIONS {
        let someone = world.signed_in("ada").await;
        // The token is about to expire: it is refreshed, under a lease.
        world.clock.advance(290);
        let handoff = Handoff::new(&world);
        let authorize = someone.browser.begin_popup(&handoff).await;
        let callback = someone.browser.authenticate(&authorize, "ada").await;
        store.panic(operation);
        let answers = every_request(&someone, &handoff, &callback).await;
        store.heal();
        for answer in &answers {
            assert!(
                !answer.body.contains("canary"),
                "{operation}: {}",
                answer.body
            );
            if answer.status == StatusCode::INTERNAL_SERVER_ERROR {
                assert!(answer.body.contains("internal_error"), "{}", answer.body);
                assert!(!answer.sets_session_cookie(), "{operation}");
                panicked.push(operation);
            }
        }
        // Everything works for who comes next, in the same process.
        let next = world.signed_in("grace").await;
        next.host.token(next.grant()).await.ok();
        next.host.session(next.grant()).await.ok();
        let out = next.browser.submit("/api/auth/logout", &[]).await;
        assert_eq!(out.status, StatusCode::SEE_OTHER, "after {operation}");
    }
    for operation in [
        "create_session",
        "load_session",
        "end_session",
        "put_handle",
        "find",
        "take_handle",
        "peek_handle",
        "remove_handle",
    ] {
        assert!(panicked.contains(&operation), "{operation} was reached");
    }
}
