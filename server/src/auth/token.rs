//! `POST /api/auth/token` (back channel): a fresh access token for a grant.

use axum::Json;
use axum::extract::State;
use oidc::Scope;
use shared::back_channel::{Token, TokenRequest};
use shared::error::ErrorCode;

use super::refresh::{AccessTokens, Wish};
use crate::config::Settings;
use crate::error::AppError;
use crate::requests::HostJson;
use crate::sessions::{LiveSession, Sessions, Standing};
use crate::state::Config;
use crate::user::roles;

const DEFAULT_MIN_TTL: i64 = 60;
const MOST_MIN_TTL: i64 = 300;

/// A token for the default or another configured audience.
///
/// # Errors
/// 400 without a call to the provider for an audience or scope that cannot be had; 401
/// `session_ended` or `reauthentication_required`.
pub async fn token(
    State(config): State<Config>,
    State(sessions): State<Sessions>,
    State(tokens): State<AccessTokens>,
    HostJson(request): HostJson<TokenRequest>,
) -> Result<Json<Token>, AppError> {
    let live = match sessions.by_grant(&request.grant).await? {
        Standing::Live(live) => *live,
        Standing::Ended(reason) => return Err(AppError::SessionEnded(reason)),
    };
    let wish = wish(request, &config, &live)?;
    let (live, token) = tokens.fresh(live, &wish).await?;
    Ok(Json(Token {
        access_token: token.token,
        expires_at: token.expires_at,
        scope: token.scope,
        permissions: token.permissions,
        roles: roles(&live.session.claims, config.roles_claim.as_deref()),
    }))
}

fn wish(request: TokenRequest, settings: &Settings, live: &LiveSession) -> Result<Wish, AppError> {
    if !request
        .audience
        .as_deref()
        .is_none_or(|audience| settings.allows_audience(audience))
    {
        return Err(AppError::refused(
            ErrorCode::AudienceNotAllowed,
            "This audience is neither AUTH0_AUDIENCE nor in EXTRA_AUDIENCES.",
        ));
    }
    let min_ttl = request.min_ttl.unwrap_or(DEFAULT_MIN_TTL);
    if !(0..=MOST_MIN_TTL).contains(&min_ttl) {
        return Err(AppError::refused(
            ErrorCode::InvalidRequest,
            "`min_ttl` is 0 to 300 seconds.",
        ));
    }
    // The default audience by name is the default: one cache entry, not two.
    let default = settings.audience.as_ref().map(oidc::Audience::as_str);
    Ok(Wish {
        audience: request
            .audience
            .filter(|audience| Some(audience.as_str()) != default),
        scope: request
            .scope
            .map(|scope| narrowed(&scope, live))
            .transpose()?,
        min_ttl,
    })
}

/// The scope in one spelling (its order says nothing), if it is part of what the person
/// granted.
fn narrowed(scope: &str, live: &LiveSession) -> Result<String, AppError> {
    const NOT_GRANTED: AppError = AppError::refused(
        ErrorCode::ScopeNotGranted,
        "This scope was not granted at the sign-in.",
    );
    let wanted = Scope::parse(scope).map_err(|_| NOT_GRANTED)?;
    let granted = Scope::parse(&live.session.granted_scope).map_err(|_| NOT_GRANTED)?;
    if wanted.is_empty() || !wanted.is_subset_of(&granted) {
        return Err(NOT_GRANTED);
    }
    let mut names: Vec<_> = wanted.iter().collect();
    names.sort_unstable();
    Ok(names.join(" "))
}
