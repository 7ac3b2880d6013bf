//! The `.env` of the 2022 system: understood as it is, and good for a whole login once its
//! placeholders are filled in.

use dev_tenant::{
    API_IDENTIFIER, APP_CLIENT_ID, APP_CLIENT_SECRET, M2M_CLIENT_ID, M2M_CLIENT_SECRET,
};
use server::config::{Settings, parse_env_file};

use crate::harness::World;

const BASE: &str = "http://localhost:3001";
const SAMPLE: &str = include_str!("../fixtures/2022.env");
/// What a user of 2022 had instead of each placeholder; the issuer is the tenant's.
const FILLED_IN: [(&str, &str); 6] = [
    ("AUTH0_CLIENT_ID", APP_CLIENT_ID),
    ("AUTH0_CLIENT_SECRET", APP_CLIENT_SECRET),
    ("AUTH0_AUDIENCE", API_IDENTIFIER),
    ("API_AUDIENCE", API_IDENTIFIER),
    ("API_CLIENT_ID", M2M_CLIENT_ID),
    ("API_CLIENT_SECRET", M2M_CLIENT_SECRET),
];
/// Settings of the other tests that the file has not.
const UNSET: [&str; 4] = [
    "STREAMLIT_SECRET",
    "STREAMLIT_ORIGINS",
    "EMBED_ORIGINS",
    "ROLES_CLAIM",
];

#[test]
fn the_sample_is_understood_as_it_is() {
    let settings = Settings::parse(&parse_env_file(SAMPLE).unwrap()).unwrap_or_else(|problems| {
        panic!("{problems:?}");
    });
    assert_eq!(settings.base.as_str(), BASE);
    assert_eq!(settings.port, 3001);
    assert_eq!(settings.issuer.as_str(), "https://YOUR_AUTH0_DOMAIN");
    assert_eq!(settings.scope.to_string(), "openid profile email name");
    let remote_api = settings.remote_api.unwrap();
    assert_eq!(remote_api.as_str(), "http://localhost:8888/");
    let client = settings.service_client.unwrap();
    assert_eq!(
        client.credentials.client_id.as_str(),
        "YOUR_AUTH0_API_CLIENT_ID"
    );
    assert_eq!(client.audience.as_str(), "YOUR_AUTH0_API_IDENTIFIER");
    let origins = settings.streamlit_origins.iter();
    let origins: Vec<_> = origins.map(ToString::to_string).collect();
    assert_eq!(origins, ["http://localhost:4010", "http://127.0.0.1:4010"]);
}

#[tokio::test]
async fn a_person_signs_in_with_the_sample_filled_in() {
    let file = parse_env_file(SAMPLE).unwrap();
    let mut settings: Vec<(&str, &str)> = SAMPLE
        .lines()
        .filter_map(|line| line.split_once('=').map(|(name, _)| name))
        .filter(|name| *name != "AUTH0_ISSUER_BASE_URL")
        .filter_map(|name| Some((name, file.value(name)?)))
        .collect();
    settings.extend(FILLED_IN);
    settings.extend(UNSET.map(|name| (name, "")));
    let mut world = World::with(&settings).await;
    // A browser's `Origin` has no slash at its end; the file has.
    BASE.clone_into(&mut world.base);
    let browser = world.browser();
    let arrived = browser.page_login("ada").await;
    assert_eq!(arrived.status, 303, "{}", arrived.body);
    let me = browser.page_get("/api/auth/me").await.ok();
    assert_eq!(me["user"]["name"], "Ada Lovelace");
}
