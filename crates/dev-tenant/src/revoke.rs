//! `/oauth/revoke` (RFC 7009).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::client_authentication::authenticate;
use crate::guard::early_answer;
use crate::oauth_error::OAuthError;
use crate::parameters::Parameters;
use crate::tenant::DevTenant;

pub(crate) async fn endpoint(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let fault = tenant.shared.faults.take(|plan| &mut plan.revoke);
    if let Some(answer) = early_answer(&fault).await {
        return answer;
    }
    match revoke(&tenant, &headers, &body) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(),
    }
}

/// Succeeds for unknown tokens too (RFC 7009 §2.2): the caller's wish is fulfilled.
fn revoke(tenant: &DevTenant, headers: &HeaderMap, body: &str) -> Result<(), OAuthError> {
    let form =
        Parameters::parse(body).map_err(|malformed| OAuthError::invalid_request(malformed.0))?;
    let client = authenticate(tenant, headers, &form)?;
    let token = form
        .find("token")
        .ok_or_else(|| OAuthError::invalid_request("Missing required parameter: token"))?;
    let now = tenant.now();
    let mut store = tenant.shared.store.lock();
    let family = store.families.search(now, |family| family.knows(token));
    let grant_id = family
        .filter(|(_, family)| family.grant.client_id == client.client_id)
        .map(|(_, family)| family.grant.id.clone());
    if let Some(grant_id) = grant_id {
        store.revoke_grant(&grant_id);
    }
    Ok(())
}
