//! `/dev/*`: the switches over HTTP, mounted only with `test_switches = true`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::tenant::DevTenant;

pub(crate) async fn faults(State(tenant): State<DevTenant>) -> Response {
    Json(tenant.faults().plan()).into_response()
}

/// Replaces the sections named in the body; null resets one.
pub(crate) async fn set_faults(
    State(tenant): State<DevTenant>,
    Json(sections): Json<Map<String, Value>>,
) -> Response {
    match tenant.faults().replace_sections(sections) {
        Ok(plan) => Json(plan).into_response(),
        Err(error) => (
            StatusCode::BAD_REQUEST,
            Json(json!({ "error": error.to_string() })),
        )
            .into_response(),
    }
}

pub(crate) async fn reset_faults(State(tenant): State<DevTenant>) -> StatusCode {
    tenant.faults().reset();
    StatusCode::NO_CONTENT
}

pub(crate) async fn journal(State(tenant): State<DevTenant>) -> Response {
    Json(tenant.journal()).into_response()
}

pub(crate) async fn reset_journal(State(tenant): State<DevTenant>) -> StatusCode {
    tenant.reset_journal();
    StatusCode::NO_CONTENT
}

/// Body of `POST /dev/rotate-keys`; may be absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rotation {
    /// The older keys leave the key set at once.
    drop_previous: bool,
}

pub(crate) async fn rotate_keys(
    State(tenant): State<DevTenant>,
    rotation: Option<Json<Rotation>>,
) -> StatusCode {
    if rotation.is_some_and(|Json(rotation)| rotation.drop_previous) {
        tenant.replace_keys();
    } else {
        tenant.rotate_keys();
    }
    StatusCode::NO_CONTENT
}

/// Body of `PUT /dev/users/{username}`: what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    name: Option<String>,
    roles: Option<Vec<String>>,
    permissions: Option<BTreeMap<String, Vec<String>>>,
    blocked: Option<bool>,
}

pub(crate) async fn change_user(
    State(tenant): State<DevTenant>,
    Path(username): Path<String>,
    Json(change): Json<UserChange>,
) -> StatusCode {
    let found = tenant.change_user(&username, |user| {
        user.name = change.name.unwrap_or_else(|| user.name.clone());
        user.roles = change.roles.unwrap_or_else(|| user.roles.clone());
        user.permissions = change
            .permissions
            .unwrap_or_else(|| user.permissions.clone());
        user.blocked = change.blocked.unwrap_or(user.blocked);
    });
    if found {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

pub(crate) async fn end_sessions(
    State(tenant): State<DevTenant>,
    Path(username): Path<String>,
) -> StatusCode {
    tenant.end_sessions_of(&username).await;
    StatusCode::NO_CONTENT
}

pub(crate) async fn revoke_refresh_tokens(
    State(tenant): State<DevTenant>,
    Path(username): Path<String>,
) -> StatusCode {
    tenant.revoke_refresh_tokens_of(&username);
    StatusCode::NO_CONTENT
}
