//! RP-Initiated Logout 1.0: we send the person to the provider's end-session page, and it
//! sends them back. By then our session has ended; what comes back is believed in nothing.

use url::Url;

use super::passed;
use crate::harness::{Answer, SignedIn, World};

/// Signs out on a page; answers where the provider sends the browser then.
async fn signed_out(world: &World) -> (SignedIn, Url) {
    let someone = world.signed_in("ada").await;
    let answer = someone.browser.submit("/api/auth/logout", &[]).await;
    let end_session = answer.location();
    let back = someone.browser.provider.open(&end_session).await.location();
    let sent = query(&end_session);
    assert!(sent.contains(&("state".into(), query(&back)[0].1.clone())));
    (someone, back)
}

fn query(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

/// The logout is complete, and only that: whoever is signed in elsewhere stays so.
async fn completed(world: &World, change: impl Fn(&mut Url)) {
    let elsewhere = world.signed_in("grace").await;
    let (someone, mut back) = signed_out(world).await;
    change(&mut back);
    for browser in [&someone.browser, &elsewhere.browser] {
        let answer = browser.arrive(&back).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.set_cookies().is_empty());
        assert!(!answer.body.contains("state"), "{}", answer.body);
    }
    let page: Answer = someone.browser.arrive(&back).await;
    assert!(page.body.contains("You are signed out"), "{}", page.body);
    let ended = someone.host.session(someone.grant()).await;
    ended.assert(401, "session_ended");
    elsewhere.host.session(elsewhere.grant()).await.ok();
    assert_eq!(elsewhere.browser.page_get("/api/auth/me").await.status, 200);
}

#[tokio::test]
async fn oidcc_client_test_rp_init_logout() {
    let world = World::new().await;
    completed(&world, |_| {}).await;
    // The provider has ended its session as well: it asks who it is.
    let (someone, _) = signed_out(&world).await;
    let authorize = someone.browser.begin_page().await;
    let asked = someone.browser.provider.open(&authorize).await;
    assert!(asked.header("location").starts_with("/login?state="));
    passed("oidcc_client_test_rp_init_logout", "");
}

#[tokio::test]
async fn oidcc_client_test_rp_init_logout_other_state() {
    let world = World::new().await;
    completed(&world, |back| back.set_query(Some("state=another"))).await;
    passed("oidcc_client_test_rp_init_logout_other_state", "");
}

#[tokio::test]
async fn oidcc_client_test_rp_init_logout_no_state() {
    let world = World::new().await;
    completed(&world, |back| back.set_query(None)).await;
    passed("oidcc_client_test_rp_init_logout_no_state", "");
}
