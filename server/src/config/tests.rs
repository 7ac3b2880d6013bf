//! Each refusal, by changing one thing in a good configuration.

use secrecy::ExposeSecret as _;

use super::*;

const GOOD: [(&str, &str); 9] = [
    ("AUTH0_BASE_URL", "https://login.example.org"),
    ("AUTH0_ISSUER_BASE_URL", "https://tenant.eu.auth0.com"),
    ("AUTH0_SECRET", "0123456789abcdef0123456789abcdef"),
    ("AUTH0_CLIENT_ID", "client"),
    ("AUTH0_CLIENT_SECRET", "client-secret"),
    ("STREAMLIT_ORIGINS", "https://app.example.org"),
    ("STREAMLIT_SECRET", "fedcba9876543210fedcba9876543210"),
    ("AUTH0_AUDIENCE", "https://api.example.org"),
    ("TRUSTED_PROXIES", "10.0.0.0/8"),
];

fn with(changes: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let lookup = Lookup::of(changes.iter().copied())
        .over(Lookup::of(GOOD.into_iter().filter(|(name, _)| {
            !changes.iter().any(|(changed, _)| changed == name)
        })));
    Settings::parse(&lookup).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn problem(changes: &[(&str, &str)]) -> String {
    let problems = with(changes).err().unwrap_or_default();
    assert_eq!(problems.len(), 1, "{changes:?}: {problems:?}");
    problems.into_iter().next().unwrap_or_default()
}

#[test]
fn accepts_a_good_configuration_with_its_defaults() {
    let settings = with(&[]).unwrap();
    assert_eq!(
        settings.redirect_uri().as_str(),
        "https://login.example.org/api/auth/callback"
    );
    assert_eq!(
        settings.scope.to_string(),
        "openid profile email offline_access"
    );
    assert_eq!(
        settings.login_options,
        ["login_hint", "screen_hint", "prompt", "ui_locales"]
    );
    assert_eq!(
        (
            settings.port,
            settings.lifetimes.rolling,
            settings.lifetimes.absolute
        ),
        (3001, 86_400, 604_800)
    );
    assert!(settings.federated_logout && !settings.logout_id_token_hint);
    assert!(settings.warnings.is_empty());
}

#[test]
fn names_each_missing_variable_in_one_go() {
    let problems = Settings::parse(&Lookup::default()).err().unwrap();
    let names: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
    assert_eq!(
        names,
        [
            "AUTH0_BASE_URL",
            "AUTH0_SECRET",
            "AUTH0_ISSUER_BASE_URL",
            "AUTH0_CLIENT_ID",
            "AUTH0_CLIENT_SECRET",
            "STREAMLIT_ORIGINS",
            "STREAMLIT_SECRET"
        ]
    );
}

#[test]
fn refuses_each_bad_value_and_names_its_variable() {
    for (name, value) in [
        ("AUTH0_BASE_URL", "http://login.example.org"),
        ("AUTH0_BASE_URL", "https://login.example.org/path"),
        ("AUTH0_ISSUER_BASE_URL", "http://tenant.example.org"),
        ("AUTH0_SECRET", "short"),
        ("AUTH0_SECRET", "0123456789abcdef0123456789abcdef,short"),
        ("AUTH0_SECRET", DEVELOPMENT_AUTH0_SECRET),
        ("STREAMLIT_SECRET", "short"),
        ("STREAMLIT_SECRET", DEVELOPMENT_STREAMLIT_SECRET),
        ("STREAMLIT_ORIGINS", "*"),
        ("STREAMLIT_ORIGINS", "http://app.example.org"),
        ("STREAMLIT_ORIGINS", "https://login.example.org:8443"),
        ("EMBED_ORIGINS", "null"),
        ("AUTH0_SCOPE", "profile email"),
        ("AUTH0_ALGORITHMS", "HS256"),
        ("AUTH0_ALGORITHMS", "none"),
        ("AUTH0_RESPONSE_MODE", "fragment"),
        ("LOGIN_OPTIONS", "login_hint,redirect_uri"),
        ("CLOCK_SKEW_SECONDS", "61"),
        ("PORT", "65536"),
        ("HOST", "not-an-address"),
        ("SESSION_STORE", "postgres://db"),
        ("SESSION_STORE", "redis:localhost"),
        ("SESSION_STORE_FILE", "/nonexistent/store"),
        ("SESSION_ROLLING_SECONDS", "604801"),
        ("SESSION_ABSOLUTE_SECONDS", "-1"),
        ("FEDERATED_LOGOUT", "maybe"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "::/0"),
        ("TRUSTED_PROXIES", "10.0.0.1/0"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,::/0"),
        ("TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/1"),
        ("REMOTE_API_BASE_URL", "http://api.example.org"),
        ("LOG_FORMAT", "xml"),
        ("AUTH0_SECRET_FILE", "/nonexistent/secret"),
    ] {
        let variable = name.trim_end_matches("_FILE");
        let changes: &[_] = if name == variable {
            &[(name, value)]
        } else {
            &[(name, value), (variable, "")]
        };
        let line = problem(changes);
        assert!(
            line.starts_with(&format!("{variable}: ")),
            "{name}={value}: {line}"
        );
        assert!(
            value.len() < 9 || !line.contains(value),
            "a value may be a secret: {line}"
        );
    }
}

#[test]
fn understands_the_2022_names_and_forms() {
    let settings = with(&[
        ("AUTH0_BASE_URL", "http://localhost:3001/"),
        ("AUTH0_ISSUER_BASE_URL", ""),
        ("AUTH0_DOMAIN", "tenant.eu.auth0.com"),
        ("AUTH0_ALGORITHMS", "['RS256']"),
        ("NEXT_PUBLIC_REMOTE_API_BASE_URL", "http://localhost:8888"),
        ("NEXT_RUN_PORT", "3005"),
        ("STREAMLIT_ORIGINS", ""),
        ("STREAMLIT_SECRET", ""),
    ])
    .unwrap();
    assert_eq!(settings.issuer.as_str(), "https://tenant.eu.auth0.com");
    assert_eq!(
        settings.remote_api.unwrap().as_str(),
        "http://localhost:8888/"
    );
    assert_eq!(settings.port, 3005);
    let origins: Vec<_> = settings
        .streamlit_origins
        .iter()
        .map(Origin::as_str)
        .collect();
    assert_eq!(origins, ["http://localhost:4010", "http://127.0.0.1:4010"]);
    assert_eq!(
        settings.warnings.len(),
        2,
        "the development secret, and the shared host"
    );
}

#[test]
fn warns_of_visitors_that_all_count_as_one_and_of_a_store_in_the_clear() {
    for (changes, about) in [
        (("TRUSTED_PROXIES", ""), "TRUSTED_PROXIES is unset: "),
        (
            ("SESSION_STORE", "redis://:canary@cache.example.org"),
            "SESSION_STORE: ",
        ),
    ] {
        let warnings = with(&[changes]).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(about) && !warnings[0].contains("canary"));
    }
    // On plain http there is no proxy that ends the TLS.
    let development = [
        ("AUTH0_BASE_URL", "http://localhost:3001"),
        ("STREAMLIT_ORIGINS", "http://127.0.0.1:4010"),
        ("TRUSTED_PROXIES", ""),
        ("SESSION_STORE", "redis://localhost:6379/1"),
    ];
    assert!(with(&development).unwrap().warnings.is_empty());
}

// E48, A23: whoever trusts all addresses lets every client say who it is.
#[test]
fn trusting_every_proxy_is_refused_in_words_that_help() {
    assert_eq!(
        problem(&[("TRUSTED_PROXIES", "0.0.0.0/0,::/0")]),
        "TRUSTED_PROXIES: must not hold every address there is, or any client could say that it is another: list only your own proxies, by address or as networks like 10.0.0.0/8"
    );
    for half in ["0.0.0.0/1", "2000::/3", "10.0.0.0/8,fd00::/8"] {
        assert!(with(&[("TRUSTED_PROXIES", half)]).is_ok(), "{half}");
    }
}

#[test]
fn the_url_of_a_store_is_a_secret() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "rediss://user:canary@cache.example.org/2\n").unwrap();
    let path = file.path().to_str().unwrap();
    let settings = with(&[("SESSION_STORE_FILE", path)]).unwrap();
    assert!(!format!("{:?}", settings.session_store).contains("canary"));
    let StoreLocation::Redis(url) = settings.session_store else {
        panic!("it is a Redis");
    };
    assert_eq!(
        url.expose_secret(),
        "rediss://user:canary@cache.example.org/2"
    );
}

#[test]
fn a_secret_may_come_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a-secret-of-more-than-32-bytes-in-a-file\n").unwrap();
    let path = file.path().to_str().unwrap();
    assert!(with(&[("AUTH0_SECRET", ""), ("AUTH0_SECRET_FILE", path)]).is_ok());
    let both = problem(&[("AUTH0_SECRET_FILE", path), ("AUTH0_SECRET", GOOD[2].1)]);
    assert!(both.contains("one of the two"));
}
