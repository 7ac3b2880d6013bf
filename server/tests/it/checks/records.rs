//! What the store holds, moved about by whoever can write into it, or lost on its way.

use axum::body::Body;
use http::{Request, header};
use session_store::{HandleKind, KeyHash, Updated};
use tower::ServiceExt as _;

use crate::harness::{Answer, SignedIn, World, eventually};

// E50, splice: a sealed value is worth something in its own place only.
#[tokio::test]
async fn what_is_sealed_for_one_handle_opens_for_no_other() {
    let world = World::new().await;
    let sessions = world.state.sessions();
    let (kind, key) = (HandleKind::Ticket, KeyHash::of("the ticket"));
    let sealed = sessions.seal(kind, key, &"bound");
    let opened = |kind, key| sessions.open::<String>(kind, key, &sealed);
    assert_eq!(opened(kind, key).as_deref(), Some("bound"));
    assert_eq!(opened(HandleKind::Grant, key), None);
    assert_eq!(opened(kind, KeyHash::of("another ticket")), None);
}

// E50: else one row, copied over another, would make its holder somebody else.
#[tokio::test]
async fn a_session_that_is_copied_into_anothers_row_is_nobodys() {
    let world = World::new().await;
    let (one, other) = (world.signed_in("ada").await, world.signed_in("grace").await);
    let sessions = world.state.sessions();
    let store = sessions.store();
    let row = async |someone: &SignedIn| {
        let key = KeyHash::of(someone.grant());
        let now = world.clock.seconds();
        let found = store.find(HandleKind::Grant, key, now).await.unwrap();
        found.unwrap().1.unwrap()
    };
    let (from, to) = (row(&one).await, row(&other).await);
    let copied = store.update_session(to.id, to.version, from.sealed, to.expires_at);
    assert_eq!(copied.await.unwrap(), Updated::Done);
    let answer = other.host.session(other.grant()).await;
    answer.assert(401, "session_ended");
    one.host.session(one.grant()).await.ok();
}

async fn me_by_page_cookie(world: &World, value: &str) -> Answer {
    let request = Request::get("/api/auth/me")
        .header(header::HOST, world.base.trim_start_matches("http://"))
        .header(header::COOKIE, format!("component-auth0={value}"))
        .body(Body::empty())
        .unwrap();
    Answer::read(world.app.clone().oneshot(request).await.unwrap()).await
}

// D49: what a neighbour on our host read from a frame is no cookie of our pages.
#[tokio::test]
async fn the_frames_cookie_is_worth_nothing_under_the_pages_name() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let cookies = someone.browser.all_cookies();
    let value = |wanted: &str| {
        let mut named = cookies.iter().filter(|(name, _)| name == wanted);
        named.next().unwrap().1.clone()
    };
    let page = me_by_page_cookie(&world, &value("component-auth0")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let frame = me_by_page_cookie(&world, &value("component-auth0-frame")).await;
    frame.assert(401, "not_authenticated");
}

// D49: of two cookies of one name the planted one comes first, as its path is the longer one.
#[tokio::test]
async fn a_planted_session_cookie_signs_nobody_out() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let own = someone.browser.cookies_of_window("component-auth0");
    let planted = world.random_256();
    let me = me_by_page_cookie(&world, &format!("{planted}; component-auth0={own}")).await;
    assert_eq!(me.status, 200, "{}", me.body);
}

// E60: nobody was told of it, so nobody could ever end it.
#[tokio::test]
async fn a_session_whose_storing_was_not_confirmed_does_not_live_on() {
    let (world, faults) = World::faulty().await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    faults.lose_answers("create_session", 0, 1);
    let answer = browser.arrive(&callback).await;
    answer.assert_page(503, "store_unavailable");
    let store = world.state.sessions().store();
    let live = async || store.count_live(world.clock.seconds()).await.unwrap();
    eventually(async || live().await == 0).await;
}
