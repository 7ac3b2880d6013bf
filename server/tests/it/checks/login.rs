//! Steps of a login that cover for each other, one at a time.

use futures::poll;
use server::sessions::Standing;
use tokio::task::yield_now;

use super::ends_in_good_order;
use crate::harness::{Call, Handoff, Host, Sender, SentTo, World, eventually};

fn code_requests(world: &World) -> u64 {
    let journal = world.tenant.journal();
    journal.token_requests_of("authorization_code")
}

// The window that the frame opened shows our own page, whatever the form asks for: its person
// goes back to the frame's page.
#[tokio::test]
async fn a_login_of_a_frame_ends_at_our_own_page_whatever_it_asks_for() {
    let world = World::new().await;
    let browser = world.browser();
    let challenge = Handoff::new(&world).challenge();
    let asked = [
        ("handoff_challenge", challenge.as_str()),
        ("returnTo", "/streamlit"),
    ];
    let begun = browser.submit("/api/auth/login", &asked).await;
    let callback = browser.authenticate(&begun.location(), "ada").await;
    let answer = browser.arrive(&callback).await;
    assert!(answer.header("location").starts_with("/signed-in"));
}

// Nobody has a cookie of it: until it expired, nobody could end it.
#[tokio::test]
async fn a_login_that_is_refused_when_its_session_is_stored_leaves_none() {
    let (world, faults) = World::faulty().await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    // Of the marks of a logout at the provider, after the session is there.
    faults.fail("peek_handle", 0, usize::MAX);
    let answer = browser.arrive(&callback).await;
    answer.assert_page(503, "store_unavailable");
    assert_eq!(faults.calls("create_session"), 1);
    let store = world.state.sessions().store();
    assert_eq!(store.count_live(world.clock.seconds()).await.unwrap(), 0);
}

// G14: whoever cannot write a mark takes none away that is another's.
#[tokio::test]
async fn a_delivery_that_was_not_looked_at_leaves_the_mark_of_the_first_one() {
    let (world, faults) = World::faulty().await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    let (second, third) = (world.browser(), world.browser());
    second.jar.copy_from(&browser.jar);
    third.jar.copy_from(&browser.jar);
    browser.arrive(&callback).await;
    faults.fail("put_handle", 0, 1);
    let (looks, removals) = (faults.calls("peek_handle"), faults.calls("remove_handle"));
    let answer = second.arrive(&callback).await;
    answer.assert_page(503, "store_unavailable");
    eventually(async || faults.calls("peek_handle") > looks).await;
    third.arrive(&callback).await;
    assert_eq!(code_requests(&world), 1);
    assert_eq!(faults.calls("remove_handle"), removals);
}

// D25: who fills the room delays others' logins a little, and denies none.
#[tokio::test]
async fn a_frame_without_a_seat_hears_of_its_login_all_the_same() {
    const SEATS_OF_ONE_CLIENT: usize = 256;
    let (world, faults) = World::faulty().await;
    let (browser, host) = (world.browser(), Host::new(&world));
    let handoff = Handoff::new(&world);
    browser.popup_login(&handoff, "ada").await;
    let others: Vec<_> = (0..SEATS_OF_ONE_CLIENT)
        .map(|_| Handoff::new(&world))
        .collect();
    let polls = others
        .iter()
        .map(|other| Box::pin(browser.claim(other, &host)));
    let mut polls = futures::future::join_all(polls);
    let before = faults.calls("peek_handle");
    while faults.calls("peek_handle") < before + SEATS_OF_ONE_CLIENT {
        assert!(poll!(&mut polls).is_pending());
        yield_now().await;
    }
    let late = Handoff::new(&world);
    let pending = browser.claim(&late, &host).await;
    assert!(
        !pending.header("retry-after").is_empty(),
        "{}",
        pending.body
    );
    browser.claim(&handoff, &host).await.ok();
}

// A08: of two frames with one verifier the second gets nothing, and loses nothing. What was
// minted for it is removed, also where the store failed.
#[tokio::test]
async fn a_claim_that_comes_second_changes_nothing() {
    let (world, faults) = World::faulty().await;
    let former = world.signed_in("grace").await;
    let handoff = Handoff::new(&world);
    world.browser().popup_login(&handoff, "ada").await;
    let removed = faults.calls("remove_handle");
    faults.fail("take_handle", 0, 1);
    let failed = former.browser.claim(&handoff, &former.host).await;
    failed.assert(503, "store_unavailable");
    assert_eq!(faults.calls("remove_handle") - removed, 3);
    faults.outrun("take_handle");
    let late = former.browser.claim(&handoff, &former.host).await;
    late.assert(410, "handoff_gone");
    assert!(late.set_cookies().is_empty());
    assert_eq!(faults.calls("remove_handle") - removed, 6);
    former.host.session(former.grant()).await.ok();
}

// E62: the same in one process, where the listener is closed before the code is exchanged.
#[tokio::test]
async fn the_end_of_the_process_waits_for_a_login_whose_window_was_closed() {
    let (world, _) = World::faulty().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let authorize = browser.begin_popup(&handoff).await;
    let callback = browser.authenticate(&authorize, "ada").await;
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".into(), 1_500);
    });
    let mut delivery = Box::pin(browser.arrive(&callback));
    tokio::select! {
        _ = &mut delivery => panic!("it was to be slow"),
        () = eventually(async || world.tenant.journal().requests_to("token") == 1) => {}
    }
    drop(delivery);
    ends_in_good_order(&world).await;
    // At once: here the rest would go on, in a process that has ended it would not.
    let store = world.state.sessions().store();
    assert_eq!(store.count_live(world.clock.seconds()).await.unwrap(), 1);
    let next = world.restarted(&[]);
    let claimed = browser.before(&next).claim(&handoff, &host).await.ok();
    assert_eq!(claimed["user"]["name"], "Ada Lovelace");
}

// A refresh token that was rotated for nobody signs the person out at the next one.
#[tokio::test]
async fn the_end_of_the_process_waits_for_a_refresh_whose_host_hung_up() {
    let (world, _) = World::faulty().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(301);
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".into(), 1_500);
    });
    let refreshes = || world.tenant.journal().token_requests_of("refresh_token");
    let mut request = Box::pin(someone.host.token(someone.grant()));
    tokio::select! {
        _ = &mut request => panic!("it was to be slow"),
        () = eventually(async || world.tenant.journal().requests_to("token") == 2) => {}
    }
    drop(request);
    ends_in_good_order(&world).await;
    let standing = world.state.sessions().by_grant(someone.grant()).await;
    let Standing::Live(live) = standing.unwrap() else {
        panic!("it lives")
    };
    assert!(live.session.is_refresh_token_rotated, "stored at once");
    let there = someone.host.before(&world.restarted(&[]));
    there.token(someone.grant()).await.ok();
    assert_eq!(refreshes(), 1);
}

// With `form_post` the transaction cookie goes into frames, too: a page that posts the
// response there must not spend the login.
#[tokio::test]
async fn a_response_that_is_posted_into_a_frame_spends_no_login() {
    let world = World::with(&[("AUTH0_RESPONSE_MODE", "form_post")]).await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let sent = browser.provider.sign_in(&authorize, "ada").await;
    let SentTo::FormPost { url, fields } = &sent else {
        panic!("it was to be a form")
    };
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    for (mode, destination) in [("navigate", "iframe"), ("no-cors", "empty")] {
        let posted = Call::form(url.path(), &fields)
            .header("origin", "https://evil.test")
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", mode)
            .header("sec-fetch-dest", destination)
            .from(Sender::ForeignRequest);
        let answer = browser.send(posted).await;
        answer.assert_page(400, "invalid_request");
        assert!(answer.set_cookies().is_empty());
    }
    assert_eq!(code_requests(&world), 0);
    let answer = browser.arrive_by(sent).await;
    assert!(answer.header("location").starts_with("/signed-in"));
}

// The store did it and could not say so: nobody else could ever claim that login.
#[tokio::test]
async fn a_claim_whose_answer_was_lost_succeeds() {
    let (world, faults) = World::faulty().await;
    let (browser, host) = (world.browser(), Host::new(&world));
    let handoff = Handoff::new(&world);
    browser.popup_login(&handoff, "ada").await;
    faults.lose_answers("take_handle", 0, 1);
    browser.claim(&handoff, &host).await.ok();
}
