//! Back-channel logout over a real socket.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use dev_tenant::{APP_CLIENT_ID, BackchannelDelivery, Settings};
use tokio::net::TcpListener;

use crate::browser::{Browser, unverified_claims, unverified_header};

type Received = Arc<Mutex<Vec<String>>>;

/// A relying party that keeps the logout tokens it is sent.
async fn relying_party() -> (String, Received) {
    let received = Received::default();
    let kept = Arc::clone(&received);
    let router = Router::new().route(
        "/backchannel",
        post(move |body: String| async move {
            kept.lock()
                .unwrap()
                .push(body.trim_start_matches("logout_token=").to_owned());
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/backchannel", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (uri, received)
}

fn settings(uri: &str) -> Settings {
    let mut settings = Settings::default();
    settings.clients[0].backchannel_logout_uri = Some(uri.parse().unwrap());
    settings
}

#[tokio::test]
async fn each_application_of_the_session_gets_a_logout_token() {
    let (uri, received) = relying_party().await;
    let mut browser = Browser::with(settings(&uri));
    let tokens = browser.tokens("ada", &[]).await;
    let id_claims = unverified_claims(tokens["id_token"].as_str().unwrap());
    browser
        .get(&format!("/v2/logout?client_id={APP_CLIENT_ID}"))
        .await;
    let token = received.lock().unwrap().pop().unwrap();
    let claims = browser.verified(&token).await.unwrap();
    assert_eq!(unverified_header(&token)["typ"], "logout+jwt");
    assert_eq!(
        (&claims["sid"], &claims["sub"]),
        (&id_claims["sid"], &id_claims["sub"])
    );
    assert_eq!(claims["aud"], APP_CLIENT_ID);
    assert!(claims["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(
        claims.get("nonce").is_none(),
        "OpenID Connect Back-Channel Logout 1.0 §2.4 forbids it"
    );
    let delivered = BackchannelDelivery {
        client_id: APP_CLIENT_ID.to_owned(),
        status: Some(200),
    };
    assert_eq!(browser.tenant.journal().backchannel_logouts, [delivered]);
}

#[tokio::test]
async fn an_administrator_can_end_sessions_and_an_unreachable_application_holds_nothing_up() {
    let mut browser = Browser::with(settings("http://127.0.0.1:1/"));
    browser.tokens("ada", &[]).await;
    browser.tenant.end_sessions_of("ada").await;
    assert_eq!(browser.tenant.journal().backchannel_logouts[0].status, None);
    assert_eq!(
        browser.authorize(&[("prompt", "none")]).await.reply()["error"],
        "login_required"
    );
}
