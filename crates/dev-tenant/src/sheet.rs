//! The default settings: the tenant sheet of the article series that this project follows.

use std::collections::BTreeMap;

use crate::settings::{
    Api, ApiScope, Client, ClientKind, GrantType, RefreshPolicy, Settings, TokenDialect, User,
};

/// Identifier of the API `OEStreamlitApi`.
pub const API_IDENTIFIER: &str = "http://oe.streamlit.app/api";
/// `client_id` of the application `OEStreamlitApp`.
pub const APP_CLIENT_ID: &str = "dev-OEStreamlitApp";
/// Development secret of `OEStreamlitApp`.
pub const APP_CLIENT_SECRET: &str = "dev-only-secret-of-OEStreamlitApp";
/// `client_id` of the machine-to-machine client `OEStreamlitApi-Client`.
pub const M2M_CLIENT_ID: &str = "dev-OEStreamlitApi-Client";
/// Development secret of `OEStreamlitApi-Client`.
pub const M2M_CLIENT_SECRET: &str = "dev-only-secret-of-OEStreamlitApi-Client";
/// Default roles claim.
pub const ROLES_CLAIM: &str = "http://oe.streamlit.app/roles";

/// Ports of the demo whose localhost URLs are registered from the start.
const LOCAL_PORTS: [u16; 5] = [3000, 3001, 4008, 4010, 8888];
const SCOPES: [(&str, &str); 5] = [
    ("write:solve", "Solve model"),
    ("read:export", "Model export"),
    ("write:import", "Model import"),
    ("read:chart", "Model charts"),
    ("read:messages", "Read messages"),
];

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "http://localhost:3002/".to_owned(),
            test_switches: false,
            roles_claim: ROLES_CLAIM.to_owned(),
            default_audience: None,
            session_seconds: 259_200,
            code_seconds: 60,
            allowed_logout_urls: Vec::new(),
            allowed_base_urls: Vec::new(),
            signing_key: None,
            users: users(),
            clients: vec![app(), machine_to_machine()],
            apis: vec![api()],
        }
        .normalized()
    }
}

fn users() -> Vec<User> {
    let all: Vec<&str> = SCOPES.iter().map(|(scope, _)| *scope).collect();
    vec![
        user("ada", "Ada", "Lovelace", &["admin", "analyst"], &all, true),
        user(
            "grace",
            "Grace",
            "Hopper",
            &["analyst"],
            &["read:chart"],
            true,
        ),
        user("linus", "Linus", "Pauling", &[], &[], false),
    ]
}

fn user(
    username: &str,
    given_name: &str,
    family_name: &str,
    roles: &[&str],
    permissions: &[&str],
    verified_with_picture: bool,
) -> User {
    User {
        username: username.to_owned(),
        password: format!("{username}-password").as_str().into(),
        name: format!("{given_name} {family_name}"),
        given_name: given_name.to_owned(),
        family_name: family_name.to_owned(),
        email: format!("{username}@example.com"),
        email_verified: verified_with_picture,
        picture: verified_with_picture.then(|| "avatar".to_owned()),
        roles: owned(roles),
        permissions: if permissions.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([(API_IDENTIFIER.to_owned(), owned(permissions))])
        },
        ..User::default()
    }
}

fn app() -> Client {
    let mut app = Client {
        name: "OEStreamlitApp".to_owned(),
        client_id: APP_CLIENT_ID.to_owned(),
        client_secret: Some(APP_CLIENT_SECRET.into()),
        kind: ClientKind::RegularWeb,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        callbacks: Vec::new(),
        logout_urls: Vec::new(),
        web_origins: Vec::new(),
        cors_origins: Vec::new(),
        require_pkce: false,
        id_token_seconds: 600,
        refresh_tokens: RefreshPolicy::default(),
        backchannel_logout_uri: None,
        client_grants: BTreeMap::new(),
    };
    for port in LOCAL_PORTS {
        app.register_base_url(&format!("http://localhost:{port}"));
    }
    app
}

fn machine_to_machine() -> Client {
    let scopes = SCOPES
        .iter()
        .map(|(scope, _)| (*scope).to_owned())
        .collect();
    Client {
        name: "OEStreamlitApi-Client".to_owned(),
        client_id: M2M_CLIENT_ID.to_owned(),
        client_secret: Some(M2M_CLIENT_SECRET.into()),
        kind: ClientKind::MachineToMachine,
        grant_types: vec![GrantType::ClientCredentials],
        callbacks: Vec::new(),
        logout_urls: Vec::new(),
        web_origins: Vec::new(),
        cors_origins: Vec::new(),
        require_pkce: false,
        id_token_seconds: 600,
        refresh_tokens: RefreshPolicy::default(),
        backchannel_logout_uri: None,
        client_grants: BTreeMap::from([(API_IDENTIFIER.to_owned(), scopes)]),
    }
}

fn api() -> Api {
    Api {
        name: "OEStreamlitApi".to_owned(),
        identifier: API_IDENTIFIER.to_owned(),
        token_seconds: 86_400,
        browser_token_seconds: 7_200,
        rbac: true,
        allow_offline_access: true,
        token_dialect: TokenDialect::AccessToken,
        scopes: SCOPES
            .iter()
            .map(|(value, description)| ApiScope {
                value: (*value).to_owned(),
                description: (*description).to_owned(),
            })
            .collect(),
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_has_the_lifetimes_of_the_design() {
        let sheet = Settings::default();
        let app = sheet.app().unwrap();
        assert_eq!(app.id_token_seconds, 600);
        assert_eq!(app.refresh_tokens.reuse_interval_seconds, 10);
        assert!(app.refresh_tokens.rotation);
        let api = sheet.api(API_IDENTIFIER).unwrap();
        assert_eq!(
            (api.token_seconds, api.browser_token_seconds),
            (86_400, 7_200)
        );
    }

    #[test]
    fn each_demo_port_is_registered_exactly() {
        let sheet = Settings::default();
        let app = sheet.app().unwrap();
        assert_eq!(app.callbacks.len(), LOCAL_PORTS.len());
        assert!(
            app.callbacks
                .contains(&"http://localhost:3001/api/auth/callback".to_owned())
        );
    }
}
