//! The sheet as a file: what parses, what is refused and how, what is printed.

use super::*;

#[test]
fn an_empty_file_is_the_default_sheet() {
    let settings = Settings::from_toml("").unwrap();
    assert_eq!(settings.issuer, "http://localhost:3002/");
    assert_eq!(settings.app().unwrap().name, "OEStreamlitApp");
}

#[test]
fn the_default_sheet_survives_a_round_trip_through_toml() {
    let text = toml::to_string(&Settings::default()).unwrap();
    let again = Settings::from_toml(&text).unwrap();
    assert_eq!(toml::to_string(&again).unwrap(), text);
}

#[test]
fn a_file_can_register_further_base_urls() {
    let settings = Settings::from_toml("allowed_base_urls = ['http://localhost:4567/']").unwrap();
    let app = settings.app().unwrap();
    assert!(
        app.callbacks
            .contains(&"http://localhost:4567/api/auth/callback".to_owned())
    );
    assert!(
        app.logout_urls
            .contains(&"http://localhost:4567/".to_owned())
    );
    assert!(
        app.cors_origins
            .contains(&"http://localhost:4567".to_owned())
    );
}

#[test]
fn all_problems_are_reported_together() {
    let text = "issuer = 'nonsense'\n\
        [[users]]\nusername = 'a'\npassword = 'p'\npermissions = { 'http://nowhere' = ['x'] }\n\
        [[clients]]\nname = 'C'\nclient_id = 'c'\nkind = 'machine_to_machine'\n\
        grant_types = ['client_credentials']\ncors_origins = ['http://localhost:1/']\n";
    let problems = Settings::from_toml(text).unwrap_err().to_string();
    for part in [
        "issuer:",
        "no API `http://nowhere`",
        "not an exact origin",
        "needs a client_secret",
    ] {
        assert!(problems.contains(part), "{part} missing in {problems}");
    }
}

#[test]
fn a_misspelt_key_is_refused() {
    let lines = Settings::from_toml("# a\n\nisuer = 'x'")
        .unwrap_err()
        .lines();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("line 3: unknown field `isuer`"),
        "{lines:?}"
    );
    assert!(!lines[0].contains('\n'));
}

#[test]
fn the_printed_sheet_is_the_default_one() {
    let printed = Settings::from_toml(Settings::DEFAULT_TOML).unwrap();
    assert_eq!(
        toml::to_string(&printed).unwrap(),
        toml::to_string(&Settings::default()).unwrap()
    );
}

#[test]
fn settings_that_the_printed_sheet_comments_out_can_be_used() {
    let text = Settings::DEFAULT_TOML
        .replace("# default_audience", "default_audience")
        .replace("# backchannel_logout_uri", "backchannel_logout_uri");
    let settings = Settings::from_toml(&text).unwrap();
    assert_eq!(
        settings.default_audience.as_deref(),
        Some(crate::API_IDENTIFIER)
    );
    assert!(settings.app().unwrap().backchannel_logout_uri.is_some());
}

#[test]
fn the_printed_sheet_names_every_setting() {
    fn keys(value: &toml::Value, found: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => table.iter().for_each(|(key, value)| {
                found.push(key.clone());
                keys(value, found);
            }),
            toml::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    keys(
        &toml::Value::try_from(Settings::default()).unwrap(),
        &mut found,
    );
    // What serialization leaves out, being unset.
    found.extend(["default_audience", "signing_key", "backchannel_logout_uri"].map(str::to_owned));
    for key in found {
        assert!(Settings::DEFAULT_TOML.contains(&key), "{key}");
    }
}

#[test]
fn debug_output_shows_no_password_and_no_client_secret() {
    let printed = format!("{:?}", Settings::default());
    assert!(!printed.contains("dev-only-secret"), "{printed}");
    assert!(!printed.contains("ada-password"), "{printed}");
}
