//! `/oidc/logout` (OpenID Connect RP-Initiated Logout 1.0) and Auth0's older `/v2/logout`.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use url::Url;

use crate::backchannel;
use crate::login::{self, CurrentSession};
use crate::pages::{self, ErrorPage};
use crate::parameters::Parameters;
use crate::settings::{Client, Settings};
use crate::tenant::DevTenant;

pub(crate) async fn get(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    relying_party_initiated(&tenant, &headers, &query.unwrap_or_default(), false).await
}

pub(crate) async fn post(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    body: String,
) -> Response {
    relying_party_initiated(&tenant, &headers, &body, true).await
}

async fn relying_party_initiated(
    tenant: &DevTenant,
    headers: &HeaderMap,
    encoded: &str,
    is_post: bool,
) -> Response {
    let Ok(parameters) = Parameters::parse(encoded) else {
        return ErrorPage::new(StatusCode::BAD_REQUEST, "Malformed logout request").into_response();
    };
    tenant.shared.journal.logout_request(parameters.all());
    let request = match LogoutRequest::parse(tenant, &parameters) {
        Ok(request) => request,
        Err(page) => return page.into_response(),
    };
    let current = login::current_session(tenant, headers);
    let confirmed =
        is_post && parameters.find("confirm") == Some("yes") && login::own_origin(tenant, headers);
    if let Some(current) = &current
        && !confirmed
        && !request.vouches_for(current)
    {
        return ask(&parameters, &current.user.name);
    }
    let mut response = match &request.return_to {
        Some(url) => Redirect::to(url.as_str()).into_response(),
        None => pages::page(&pages::signed_out()),
    };
    end(tenant, current, &mut response).await;
    response
}

/// A link anywhere on the web must not be able to sign a person out (logout CSRF).
fn ask(parameters: &Parameters, name: &str) -> Response {
    let hidden: Vec<(String, String)> = parameters
        .all()
        .iter()
        .filter(|(name, _)| *name != "confirm")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    pages::page(&pages::confirm_logout(&hidden, Some(name)))
}

async fn end(tenant: &DevTenant, current: Option<CurrentSession>, response: &mut Response) {
    response
        .headers_mut()
        .append(header::SET_COOKIE, login::clear_cookie(tenant));
    if let Some(current) = current {
        let ended = tenant
            .shared
            .store
            .lock()
            .end_sessions(|session| session.sid == current.session.sid);
        backchannel::announce(tenant, ended).await;
    }
}

struct LogoutRequest {
    return_to: Option<Url>,
    hinted_sid: Option<String>,
    hinted_sub: Option<String>,
}

impl LogoutRequest {
    fn parse(tenant: &DevTenant, parameters: &Parameters) -> Result<Self, ErrorPage> {
        let settings = &tenant.shared.settings;
        let hint = match parameters.find("id_token_hint") {
            Some(hint) => Some(tenant.shared.keys.verify(hint).ok_or_else(|| {
                refused("Invalid id_token_hint")
                    .detail("It was not signed by this tenant, or its key is gone.")
            })?),
            None => None,
        };
        let claim = |name: &str| {
            hint.as_ref()
                .and_then(|claims| claims[name].as_str())
                .map(str::to_owned)
        };
        let client = client(
            settings,
            parameters.find("client_id"),
            claim("aud").as_deref(),
        )?;
        let return_to = parameters
            .find("post_logout_redirect_uri")
            .map(|uri| allowed_return(settings, client, "post_logout_redirect_uri", uri))
            .transpose()?
            .map(|mut url| {
                if let Some(state) = parameters.find("state") {
                    url.query_pairs_mut().append_pair("state", state);
                }
                url
            });
        Ok(Self {
            return_to,
            hinted_sid: claim("sid").or_else(|| parameters.owned("logout_hint")),
            hinted_sub: claim("sub"),
        })
    }

    /// Only somebody who was given this session's `sid` or ID token may end it unasked.
    fn vouches_for(&self, current: &CurrentSession) -> bool {
        let subject = self
            .hinted_sub
            .as_ref()
            .is_none_or(|sub| *sub == current.session.sub);
        subject && self.hinted_sid.as_ref() == Some(&current.session.sid)
    }
}

fn client<'s>(
    settings: &'s Settings,
    client_id: Option<&str>,
    hinted: Option<&str>,
) -> Result<Option<&'s Client>, ErrorPage> {
    if let (Some(client_id), Some(hinted)) = (client_id, hinted)
        && client_id != hinted
    {
        return Err(refused(
            "client_id is not the one that the id_token_hint was made for",
        ));
    }
    match client_id.or(hinted) {
        Some(id) => match settings.client(id) {
            Some(client) => Ok(Some(client)),
            None => Err(refused("Unknown client")
                .detail(format!("No application has the client_id “{id}”."))),
        },
        None => Ok(None),
    }
}

fn allowed_return(
    settings: &Settings,
    client: Option<&Client>,
    parameter: &str,
    uri: &str,
) -> Result<Url, ErrorPage> {
    let allowed = client.map_or(&settings.allowed_logout_urls, |client| &client.logout_urls);
    let parsed = Url::parse(uri)
        .ok()
        .filter(|_| allowed.iter().any(|allowed| allowed == uri));
    parsed.ok_or_else(|| {
        refused("Logout URL mismatch")
            .detail(format!("The {parameter} “{uri}” is not in the list of allowed logout URLs."))
            .hint("URLs are compared exactly, trailing slash included. Add it to “logout_urls” of the application in the tenant's settings.")
            .hint("Without client_id and id_token_hint only the tenant's own “allowed_logout_urls” count.")
            .list("Allowed logout URLs", allowed)
    })
}

fn refused(title: &str) -> ErrorPage {
    ErrorPage::new(StatusCode::BAD_REQUEST, title)
}

/// `/v2/logout?client_id=…&returnTo=…`: ends the session without asking, as Auth0 does.
pub(crate) async fn legacy(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(parameters) = Parameters::parse(&query.unwrap_or_default()) else {
        return refused("Malformed logout request").into_response();
    };
    tenant.shared.journal.logout_request(parameters.all());
    let settings = &tenant.shared.settings;
    let client = match client(settings, parameters.find("client_id"), None) {
        Ok(client) => client,
        Err(page) => return page.into_response(),
    };
    let fallback = client
        .and_then(|client| client.logout_urls.first())
        .map(String::as_str);
    let target = parameters.find("returnTo").or(fallback);
    let mut response = match target.map(|uri| allowed_return(settings, client, "returnTo", uri)) {
        Some(Ok(url)) => Redirect::to(url.as_str()).into_response(),
        Some(Err(page)) => return page.into_response(),
        None => pages::page(&pages::signed_out()),
    };
    let current = login::current_session(&tenant, &headers);
    end(&tenant, current, &mut response).await;
    response
}
