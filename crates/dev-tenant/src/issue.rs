//! Makes ID tokens, access tokens and the claims about a person.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::settings::{Api, Client, ClientKind, TokenDialect, User};
use crate::store::{AccessToken, Grant, digest};
use crate::tenant::DevTenant;

/// Lifetime of access tokens that are for userinfo only.
const OPAQUE_TOKEN_SECONDS: i64 = 86_400;

/// An access token with its lifetime.
pub(crate) struct IssuedAccessToken {
    pub(crate) value: String,
    pub(crate) expires_in: i64,
}

/// JWT for an API, opaque without one.
pub(crate) fn access_token(
    tenant: &DevTenant,
    client: &Client,
    user: &User,
    grant: &Grant,
) -> IssuedAccessToken {
    let now = tenant.now();
    let api = grant
        .audience
        .as_deref()
        .and_then(|audience| tenant.shared.settings.api(audience));
    let issued = match api {
        Some(api) => api_token(tenant, client, user, grant, api),
        None => IssuedAccessToken {
            value: tenant.random(),
            expires_in: OPAQUE_TOKEN_SECONDS,
        },
    };
    let record = AccessToken {
        grant_id: grant.id.clone(),
        sub: grant.sub.clone(),
        scopes: grant.scopes.clone(),
    };
    let key = digest(&issued.value);
    tenant
        .shared
        .store
        .lock()
        .access_tokens
        .insert(key, record, now + issued.expires_in, now);
    issued
}

fn api_token(
    tenant: &DevTenant,
    client: &Client,
    user: &User,
    grant: &Grant,
    api: &Api,
) -> IssuedAccessToken {
    let settings = &tenant.shared.settings;
    let expires_in = match client.kind {
        ClientKind::SinglePage => api.browser_token_seconds,
        ClientKind::RegularWeb | ClientKind::MachineToMachine => api.token_seconds,
    };
    let audience = if grant.has_scope("openid") {
        json!([api.identifier, settings.url("userinfo")])
    } else {
        json!(api.identifier)
    };
    let mut claims = api_claims(
        tenant,
        client,
        api,
        &grant.sub,
        &audience,
        &grant.scopes,
        expires_in,
    );
    claims["auth_time"] = json!(grant.auth_time);
    if api.rbac {
        claims["permissions"] = json!(user.permissions_on(&api.identifier));
    }
    claims[&settings.roles_claim] = json!(user.roles);
    IssuedAccessToken {
        value: sign_access_token(tenant, api, claims),
        expires_in,
    }
}

/// The access token of a machine-to-machine client.
pub(crate) fn machine_token(
    tenant: &DevTenant,
    client: &Client,
    api: &Api,
    scopes: &[String],
) -> IssuedAccessToken {
    let subject = format!("{}@clients", client.client_id);
    let audience = json!(api.identifier);
    let mut claims = api_claims(
        tenant,
        client,
        api,
        &subject,
        &audience,
        scopes,
        api.token_seconds,
    );
    claims["gty"] = json!("client-credentials");
    if api.rbac {
        claims["permissions"] = json!(scopes);
    }
    IssuedAccessToken {
        value: sign_access_token(tenant, api, claims),
        expires_in: api.token_seconds,
    }
}

fn api_claims(
    tenant: &DevTenant,
    client: &Client,
    api: &Api,
    subject: &str,
    audience: &Value,
    scopes: &[String],
    expires_in: i64,
) -> Value {
    let now = tenant.now();
    let mut claims = json!({
        "iss": tenant.issuer(), "sub": subject, "aud": audience, "iat": now, "exp": now + expires_in,
    });
    if !scopes.is_empty() {
        claims["scope"] = json!(scopes.join(" "));
    }
    match api.token_dialect {
        TokenDialect::AccessToken => claims["azp"] = json!(client.client_id),
        TokenDialect::Rfc9068Profile => {
            claims["client_id"] = json!(client.client_id);
            claims["jti"] = json!(tenant.random());
        }
    }
    claims
}

fn sign_access_token(tenant: &DevTenant, api: &Api, claims: Value) -> String {
    let mut header = Map::new();
    if api.token_dialect == TokenDialect::Rfc9068Profile {
        header.insert("typ".to_owned(), json!("at+jwt"));
    }
    let fault = tenant.shared.faults.take(|plan| &mut plan.access_token);
    tenant.shared.keys.sign_with_fault(claims, header, &fault)
}

/// ID token (OpenID Connect Core §2). `nonce` only at the login itself.
pub(crate) fn id_token(
    tenant: &DevTenant,
    client: &Client,
    user: &User,
    grant: &Grant,
    nonce: Option<&str>,
    access_token: &str,
) -> String {
    let now = tenant.now();
    let mut claims = json!({
        "iss": tenant.issuer(), "sub": user.sub, "aud": client.client_id,
        "iat": now, "exp": now + client.id_token_seconds,
        "auth_time": grant.auth_time, "sid": grant.sid, "at_hash": access_token_hash(access_token),
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    if let Some(object) = claims.as_object_mut() {
        object.extend(person_claims(tenant, user, &grant.scopes));
    }
    let fault = tenant.shared.faults.take(|plan| &mut plan.id_token);
    if fault.wrong_nonce {
        claims["nonce"] = json!(tenant.random());
    }
    tenant
        .shared
        .keys
        .sign_with_fault(claims, Map::new(), &fault)
}

/// Claims about a person that `scopes` release (OpenID Connect Core §5.4).
pub(crate) fn person_claims(
    tenant: &DevTenant,
    user: &User,
    scopes: &[String],
) -> Map<String, Value> {
    let mut claims = user.claims.clone();
    let has = |scope: &str| scopes.iter().any(|granted| granted == scope);
    if has("profile") {
        claims.insert("name".to_owned(), json!(user.name));
        claims.insert("nickname".to_owned(), json!(user.username));
        // Auth0 sends a date-time string here, although the specification has a number.
        claims.insert("updated_at".to_owned(), json!("2026-01-01T00:00:00.000Z"));
        let picture = tenant.shared.settings.picture_of(user);
        let optional = [
            (
                "given_name",
                Some(&user.given_name).filter(|name| !name.is_empty()),
            ),
            (
                "family_name",
                Some(&user.family_name).filter(|name| !name.is_empty()),
            ),
            ("picture", picture.as_ref()),
        ];
        for (name, value) in optional {
            value.map(|value| claims.insert(name.to_owned(), json!(value)));
        }
    }
    if has("email") && !user.email.is_empty() {
        claims.insert("email".to_owned(), json!(user.email));
        claims.insert("email_verified".to_owned(), json!(user.email_verified));
    }
    claims.insert(
        tenant.shared.settings.roles_claim.clone(),
        json!(user.roles),
    );
    claims
}

/// Left half of the hash (OpenID Connect Core §3.1.3.6).
fn access_token_hash(access_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token.as_bytes())[..16])
}
