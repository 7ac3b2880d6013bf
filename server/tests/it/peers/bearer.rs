//! A45: a companion's page is opened by its cookie. A bearer token, in whatever place, is
//! no sign-in: neither junk nor a good one of somebody.

use http::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Call, Host, World};

#[tokio::test]
async fn no_token_signs_anybody_in_here() {
    let world = World::with(&[("REMOTE_API_BASE_URL", "http://127.0.0.1:1")]).await;
    let someone = world.signed_in("ada").await;
    let good = someone.redeemed["access_token"].as_str().unwrap();
    let credential = &world.settings["STREAMLIT_SECRET"];
    let stranger = world.browser();
    for token in ["junk", "", good, credential, someone.grant(), "null"] {
        for scheme in ["Bearer", "bearer", "Basic", "DPoP", "Token"] {
            for path in ["/api/auth/me", "/api/pong"] {
                let call = Call::new(Method::GET, path)
                    .header("authorization", format!("{scheme} {token}"))
                    .header("x-access-token", token);
                stranger.send(call).await.assert(401, "not_authenticated");
                let target = format!("{path}?access_token={token}&token={token}&id_token={token}");
                stranger
                    .page_get(&target)
                    .await
                    .assert(401, "not_authenticated");
            }
        }
        for name in ["RefreshToken", "BearerToken", "access_token", "appSession"] {
            let call = Call::new(Method::GET, "/api/auth/me")
                .header("cookie", format!("{name}={token}; component-auth0={token}"));
            stranger.send(call).await.assert(401, "not_authenticated");
        }
    }
    let ticket =
        json!({ "challenge": someone.host.challenge(), "host_origin": someone.host.origin });
    let call = stranger
        .frame_call("/api/auth/ticket", &ticket)
        .header("authorization", format!("Bearer {good}"));
    stranger.send(call).await.assert(401, "not_authenticated");
}

// The other way round: what opens pages opens no back channel.
#[tokio::test]
async fn a_cookie_a_grant_or_an_access_token_is_no_host_credential() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let mut shown: Vec<String> = someone
        .browser
        .all_cookies()
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    shown.push(someone.grant().to_owned());
    shown.push(
        someone.redeemed["access_token"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    shown.push(world.settings["AUTH0_SECRET"].clone());
    shown.push(dev_tenant::APP_CLIENT_SECRET.to_owned());
    for value in shown {
        let host = Host::new(&world).showing(vec![format!("Bearer {value}")]);
        let answer = host.session(someone.grant()).await;
        answer.assert(401, "invalid_host_credential");
    }
    let call =
        Call::new(Method::POST, "/api/auth/session").header("content-type", "application/json");
    let by_cookie = someone.browser.send(call).await;
    assert_eq!(by_cookie.status, StatusCode::UNAUTHORIZED);
}
