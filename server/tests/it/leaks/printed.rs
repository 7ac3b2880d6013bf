//! What never passes a log: `Debug` of whatever holds a secret, and what the commands print.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::process::Output;

use oidc::{
    AccessToken, AuthorizationCode, AuthorizationResponse, ClientCredentials, ClientId,
    ClientSecret, CodeVerifier, Nonce, RawIdToken, RefreshRequest, RefreshToken, RequestState,
    Scope,
};
use server::config::{Lookup, Settings, StoreLocation};

use crate::commands::{command, text};
use crate::harness::World;

const CANARY: &str = "canary-of-a-printed-secret-0123456789";

/// Whether a type has `Debug` at all: its own constant, if it has, comes before the trait's.
struct Of<T: ?Sized>(PhantomData<T>);

trait Otherwise {
    const HAS_DEBUG: bool = false;
}

impl<T: ?Sized> Otherwise for Of<T> {}

impl<T: ?Sized + Debug> Of<T> {
    const HAS_DEBUG: bool = true;
}

macro_rules! has_debug {
    ($type:ty) => {
        (stringify!($type), <Of<$type>>::HAS_DEBUG)
    };
}

#[test]
fn what_holds_a_secret_in_the_clear_has_no_debug() {
    assert!(has_debug!(String).1, "the question works");
    for (name, has) in [
        has_debug!(Settings),
        has_debug!(Lookup),
        has_debug!(server::state::AppState),
        has_debug!(server::state::Config),
        has_debug!(server::state::Login),
        has_debug!(server::state::Callback),
        has_debug!(server::state::Handoff),
        has_debug!(server::state::Redeeming),
        has_debug!(server::auth::transaction::Transaction),
        has_debug!(server::auth::transaction::Transactions),
        has_debug!(server::auth::waiting::Waiting),
        has_debug!(server::sessions::Sessions),
        has_debug!(server::sessions::Session),
        has_debug!(server::sessions::LiveSession),
        has_debug!(server::sessions::CachedAccessToken),
        has_debug!(session_store::KeyRing),
        has_debug!(session_store::StoredSession),
        has_debug!(session_store::NewSession),
        has_debug!(session_store::NewHandle),
        has_debug!(session_store::Handle),
        has_debug!(shared::auth::HandoffRequest),
        has_debug!(shared::auth::SignedIn),
        has_debug!(shared::auth::LogoutRequest),
        has_debug!(shared::auth::WatchRequest),
        has_debug!(shared::back_channel::RedeemRequest),
        has_debug!(shared::back_channel::Redeemed),
    ] {
        assert!(!has, "{name} can be printed");
    }
}

/// `Debug` of what has one and holds secrets all the same.
fn printed(settings: &Settings) -> Vec<String> {
    let canary = || CANARY.to_owned();
    let (refresh_token, scope) = (RefreshToken::new(canary()), Scope::parse("openid").unwrap());
    let refresh = RefreshRequest {
        refresh_token: &refresh_token,
        granted_scope: &scope,
        scope: None,
        audience: None,
        time_limit: std::time::Duration::from_secs(1),
    };
    let credentials = ClientCredentials {
        client_id: ClientId::new("client"),
        client_secret: ClientSecret::new(canary()),
    };
    let response = AuthorizationResponse::parse(&format!("code={CANARY}&state={CANARY}")).unwrap();
    vec![
        format!("{refresh:?} {refresh:#?}"),
        format!("{credentials:?} {credentials:#?}"),
        format!("{response:?} {response:#?}"),
        format!("{:?}", AccessToken::new(canary())),
        format!("{:?}", AuthorizationCode::new(canary())),
        format!("{:?}", CodeVerifier::new(canary())),
        format!("{:?}", Nonce::new(canary())),
        format!("{:?}", RawIdToken::new(canary())),
        format!("{:?}", RequestState::new(canary())),
        format!("{:?}", settings.client_secret),
        format!(
            "{:?} {:?}",
            settings.session_secrets, settings.streamlit_secrets
        ),
        format!("{:?}", settings.service_client),
        format!("{:?}", settings.session_store),
    ]
}

#[tokio::test]
async fn debug_of_a_secret_says_only_what_it_is() {
    let world = World::new().await;
    let mut settings = world.settings.clone();
    for (name, value) in [
        ("AUTH0_SECRET", CANARY.to_owned()),
        ("AUTH0_CLIENT_SECRET", CANARY.to_owned()),
        ("STREAMLIT_SECRET", CANARY.to_owned()),
        ("API_CLIENT_ID", "client".to_owned()),
        ("API_CLIENT_SECRET", CANARY.to_owned()),
        (
            "SESSION_STORE",
            format!("rediss://:{CANARY}@cache.example.org"),
        ),
    ] {
        settings.insert(name.to_owned(), value);
    }
    let settings = Settings::parse(&Lookup::of(settings)).unwrap_or_else(|_| panic!("good"));
    assert!(settings.service_client.is_some());
    assert!(matches!(settings.session_store, StoreLocation::Redis(_)));
    for text in printed(&settings) {
        assert!(!text.is_empty() && !text.contains("canary"), "{text}");
    }
    for warning in &settings.warnings {
        assert!(!warning.contains("canary"), "{warning}");
    }
}

/// Every setting there is; a test below holds it against the code.
const SETTINGS: &[&str] = &[
    "API_AUDIENCE",
    "API_CLIENT_ID",
    "API_CLIENT_SECRET",
    "AUDIT_LOG",
    "AUTH0_ALGORITHMS",
    "AUTH0_AUDIENCE",
    "AUTH0_BASE_URL",
    "AUTH0_CLIENT_ID",
    "AUTH0_CLIENT_SECRET",
    "AUTH0_DOMAIN",
    "AUTH0_ISSUER_BASE_URL",
    "AUTH0_RESPONSE_MODE",
    "AUTH0_SCOPE",
    "AUTH0_SECRET",
    "CLOCK_SKEW_SECONDS",
    "EMBED_ORIGINS",
    "EXTRA_AUDIENCES",
    "FEDERATED_LOGOUT",
    "HOST",
    "INTERNAL_HOSTS",
    "LOGIN_OPTIONS",
    "LOGOUT_ID_TOKEN_HINT",
    "LOG_FORMAT",
    "METRICS_ADDR",
    "PORT",
    "RATE_LIMIT_PER_MINUTE",
    "REMOTE_API_BASE_URL",
    "ROLES_CLAIM",
    "SESSION_ABSOLUTE_SECONDS",
    "SESSION_ROLLING_SECONDS",
    "SESSION_STORE",
    "STATIC_DIR",
    "STREAMLIT_ORIGINS",
    "STREAMLIT_SECRET",
    "TRUSTED_PROXIES",
];

/// What a value that went astray may look like: a secret pasted into the line of another.
const STRAYS: &[&str] = &[
    "canary",
    "https://canary:canary@canary.example.org/canary?canary#canary",
    "redis://:canary@canary/canary",
    "canary,canary",
    "\"canary",
    "canary=canary",
];

fn said(arguments: &[&str], world: &World, changes: &[(&str, &str)]) -> (String, Output) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path(), arguments);
    let output = command
        .envs(&world.settings)
        .envs(changes.iter().copied())
        .output()
        .unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    (said, output)
}

#[tokio::test]
async fn no_line_about_the_configuration_repeats_a_value() {
    let world = World::new().await;
    let (mut refused, mut repeated) = (0, Vec::new());
    for name in SETTINGS {
        for stray in STRAYS {
            let (said, output) = said(&["check-config"], &world, &[(name, stray)]);
            if said.contains("canary") {
                repeated.push(format!("{name}={stray}: {said}"));
            }
            refused += usize::from(output.status.code() == Some(2));
        }
    }
    assert!(repeated.is_empty(), "{repeated:#?}");
    assert!(refused > 2 * SETTINGS.len(), "{refused}");
    let everything: Vec<_> = SETTINGS.iter().map(|name| (*name, "canary")).collect();
    let (said, output) = said(&["serve"], &world, &everything);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.lines().count() > 10 && !said.contains("canary"),
        "{said}"
    );
}

#[tokio::test]
async fn no_help_shows_what_stands_in_the_environment() {
    let world = World::new().await;
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["check-config", "--help"],
        &["check-api", "--help"],
        &["dev-tenant", "--help"],
        &["--version"],
        &["--nonsense"],
        &["help"],
    ] {
        let (said, _) = said(arguments, &world, &[]);
        assert!(!said.is_empty(), "{arguments:?}");
        for value in world.settings.values().filter(|value| value.len() >= 16) {
            assert!(!said.contains(value.as_str()), "{arguments:?}: {said}");
        }
        // Nor does an option take one: arguments are read by everybody on the machine.
        assert!(!said.to_lowercase().contains("secret"), "{said}");
    }
}

/// `A`, `AUTH0_SECRET`: how settings are spelled in the code that reads them.
fn names_in(source: &str) -> impl Iterator<Item = &str> {
    let quoted = source.split('"').skip(1).step_by(2);
    quoted.filter(|text| {
        text.len() > 3
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

#[test]
fn every_setting_that_is_read_is_tried() {
    let sources = [
        include_str!("../../../src/config/operator.rs"),
        include_str!("../../../src/config/parse.rs"),
        include_str!("../../../src/config/service_client.rs"),
        include_str!("../../../src/config/session_store.rs"),
    ];
    // The 2022 names of two that are tried under their own.
    let old = ["NEXT_PUBLIC_REMOTE_API_BASE_URL", "NEXT_RUN_PORT"];
    for name in sources.into_iter().flat_map(names_in) {
        let name = name.strip_suffix("_FILE").unwrap_or(name);
        assert!(SETTINGS.contains(&name) || old.contains(&name), "{name}");
    }
}
