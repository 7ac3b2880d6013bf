//! OpenID Connect Back-Channel Logout 1.0: tells applications that a session ended.

use serde_json::{Map, json};
use tokio::task::JoinSet;
use url::Url;

use crate::journal::BackchannelDelivery;
use crate::store::Session;
use crate::tenant::DevTenant;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const LOGOUT_TOKEN_SECONDS: i64 = 120;

/// Delivers a logout token to each application of the ended sessions, all at once. Returns
/// when all have answered or timed out, so that who called sees the effect.
pub(crate) async fn announce(tenant: &DevTenant, ended: Vec<Session>) {
    let mut deliveries = JoinSet::new();
    for session in ended {
        for client_id in &session.clients {
            let client = tenant.shared.settings.client(client_id);
            let Some(uri) = client.and_then(|client| client.backchannel_logout_uri.clone()) else {
                continue;
            };
            let token = logout_token(tenant, client_id, &session);
            deliveries.spawn(deliver(tenant.clone(), client_id.clone(), uri, token));
        }
    }
    deliveries.join_all().await;
}

async fn deliver(tenant: DevTenant, client_id: String, uri: Url, token: String) {
    let request = tenant
        .shared
        .http
        .post(uri)
        .form(&[("logout_token", token)]);
    let status = match request.send().await {
        Ok(answer) => Some(answer.status().as_u16()),
        Err(error) => {
            tracing::warn!(%client_id, error = %error.without_url(), "back-channel logout failed");
            None
        }
    };
    tenant
        .shared
        .journal
        .backchannel_logout(BackchannelDelivery { client_id, status });
}

fn logout_token(tenant: &DevTenant, client_id: &str, session: &Session) -> String {
    let now = tenant.now();
    let claims = json!({
        "iss": tenant.issuer(), "aud": client_id, "sub": session.sub, "sid": session.sid,
        "iat": now, "exp": now + LOGOUT_TOKEN_SECONDS, "jti": tenant.random(),
        "events": { EVENT: {} },
    });
    let header = Map::from_iter([("typ".to_owned(), json!("logout+jwt"))]);
    let fault = tenant.shared.faults.take(|plan| &mut plan.logout_token);
    tenant.shared.keys.sign_with_fault(claims, header, &fault)
}
