//! The binary: what it says of a configuration that it cannot run, and with which status.

use std::path::Path;
use std::process::{Command, Output};

use server::config::{DEVELOPMENT_AUTH0_SECRET, DEVELOPMENT_STREAMLIT_SECRET};
use tempfile::TempDir;

const GOOD: [(&str, &str); 9] = [
    ("AUTH0_BASE_URL", "https://login.example.org"),
    ("AUTH0_ISSUER_BASE_URL", "https://tenant.eu.auth0.com"),
    ("AUTH0_SECRET", "0123456789abcdef0123456789abcdef"),
    ("AUTH0_CLIENT_ID", "client"),
    ("AUTH0_CLIENT_SECRET", "client-secret-canary"),
    ("STREAMLIT_ORIGINS", "https://app.example.org"),
    ("STREAMLIT_SECRET", "fedcba9876543210fedcba9876543210"),
    ("AUTH0_AUDIENCE", "https://api.example.org"),
    ("TRUSTED_PROXIES", "10.0.0.0/8"),
];

fn run(directory: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_component-auth0"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

/// Status and lines of both outputs.
fn check(arguments: &[&str], changes: &[(&str, &str)]) -> (Option<i32>, Vec<String>) {
    let directory = TempDir::new().unwrap();
    let settings: Vec<_> = GOOD.iter().chain(changes).copied().collect();
    said(&run(directory.path(), arguments, &settings))
}

fn said(output: &Output) -> (Option<i32>, Vec<String>) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let lines = String::from_utf8(text)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    (output.status.code(), lines)
}

#[test]
fn a_good_configuration_is_good() {
    let (status, lines) = check(&["check-config"], &[]);
    assert_eq!(
        (status, lines),
        (Some(0), vec!["the configuration is good".to_owned()])
    );
}

#[test]
fn a_warning_is_told_and_the_configuration_is_good_all_the_same() {
    let (status, lines) = check(&["check-config"], &[("TRUSTED_PROXIES", "")]);
    assert_eq!(status, Some(0));
    assert_eq!(
        lines,
        [
            "warning: TRUSTED_PROXIES is unset: behind a reverse proxy every visitor counts as one client; list the proxies' addresses",
            "the configuration is good",
        ]
    );
}

// E68: and no password is repeated.
#[test]
fn a_redis_url_that_names_none_is_one_line_with_the_remedy() {
    for url in [
        "redis://:canary@",
        "redis://:canary@localhost/canary",
        "redis+unix://canary",
        "rediss://:canary@cache.example.org/#insecure",
        "postgres://canary@localhost/1",
    ] {
        for arguments in [&["check-config"][..], &["serve"]] {
            let (status, lines) = check(arguments, &[("SESSION_STORE", url)]);
            assert_eq!((status, lines.len()), (Some(2), 1), "{url}: {lines:?}");
            assert!(lines[0].starts_with("SESSION_STORE: "), "{lines:?}");
            assert!(!lines[0].contains("canary"), "{lines:?}");
        }
    }
    let (status, lines) = check(&["check-config"], &[("SESSION_STORE", "redis://127.0.0.1")]);
    assert_eq!(status, Some(0), "no Redis need be there: {lines:?}");
}

// E68: each problem in one line that names the variable; all at once.
#[test]
fn every_missing_variable_has_a_line_and_the_status_is_2() {
    let directory = TempDir::new().unwrap();
    for arguments in [&["check-config"][..], &["serve"], &[]] {
        let (status, lines) = said(&run(directory.path(), arguments, &[]));
        assert_eq!(status, Some(2), "{arguments:?}");
        let names: Vec<_> = lines
            .iter()
            .map(|line| line.split(':').next().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "AUTH0_BASE_URL",
                "AUTH0_SECRET",
                "AUTH0_ISSUER_BASE_URL",
                "AUTH0_CLIENT_ID",
                "AUTH0_CLIENT_SECRET",
                "STREAMLIT_ORIGINS",
                "STREAMLIT_SECRET",
            ]
        );
    }
}

#[test]
fn contradictions_and_bad_values_have_a_line_each_and_no_value_is_repeated() {
    let (status, lines) = check(
        &["check-config"],
        &[
            ("AUTH0_SECRET", "too-short-canary"),
            ("AUTH0_ALGORITHMS", "none"),
            ("SESSION_ROLLING_SECONDS", "700000"),
            ("STREAMLIT_ORIGINS", "https://login.example.org:8443"),
            ("AUTH0_CLIENT_SECRET_FILE", "/nowhere"),
        ],
    );
    assert_eq!(status, Some(2));
    let mut names: Vec<_> = lines
        .iter()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "AUTH0_ALGORITHMS",
            "AUTH0_CLIENT_SECRET",
            "AUTH0_SECRET",
            "SESSION_ROLLING_SECONDS",
            "STREAMLIT_ORIGINS"
        ]
    );
    assert!(!lines.concat().contains("canary"));
}

#[test]
fn a_2022_env_file_starts_as_it_is_on_loopback() {
    let directory = TempDir::new().unwrap();
    let file = "AUTH0_SECRET='YouWillNeverGuessThisSecretKey32'\n\
        AUTH0_BASE_URL='http://localhost:3001'\n\
        AUTH0_ISSUER_BASE_URL='https://tenant.eu.auth0.com'\n\
        AUTH0_CLIENT_ID='client'\nAUTH0_CLIENT_SECRET='secret'\n";
    std::fs::write(directory.path().join(".env"), file).unwrap();
    let (status, lines) = said(&run(directory.path(), &["check-config"], &[]));
    assert_eq!(status, Some(0), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("warning: STREAMLIT_SECRET"))
    );
    assert_eq!(lines.last().unwrap(), "the configuration is good");
}

#[test]
fn a_line_of_the_env_file_that_cannot_be_read_is_named_by_its_number() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join(".env"), "A=1\nAUTH0_SECRET='canary\n").unwrap();
    let (status, lines) = said(&run(directory.path(), &["check-config"], &[]));
    assert_eq!(status, Some(2));
    assert!(
        lines[0].contains("line 2") && !lines[0].contains("canary"),
        "{lines:?}"
    );
}

// D48
#[test]
fn the_development_mode_refuses_what_others_could_reach() {
    let (status, lines) = check(&["check-config", "--dev"], &[("HOST", "0.0.0.0")]);
    assert_eq!(status, Some(2));
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("AUTH0_BASE_URL: --dev"))
    );
    assert!(lines.iter().any(|line| line.starts_with("HOST: --dev")));
}

// D48: the operator's listener counts who signs in.
#[test]
fn the_development_mode_refuses_metrics_that_others_could_reach() {
    let on_loopback = ("AUTH0_BASE_URL", "http://localhost:3001");
    for (address, refused) in [
        ("0.0.0.0:9464", true),
        ("[::]:9464", true),
        ("192.0.2.1:9464", true),
        ("127.0.0.1:9464", false),
        ("[::1]:9464", false),
    ] {
        let changes = [on_loopback, ("METRICS_ADDR", address)];
        let (status, lines) = check(&["check-config", "--dev"], &changes);
        let line = "METRICS_ADDR: --dev binds to loopback only: unset it, or use 127.0.0.1:9464";
        assert_eq!(lines.iter().any(|said| said == line), refused, "{lines:?}");
        assert_eq!(status, Some(if refused { 2 } else { 0 }), "{address}");
    }
}

// D48: a loopback base URL says nothing of who can reach the socket.
#[test]
fn published_secrets_are_refused_where_others_can_reach_the_socket() {
    const REMEDY: &str = "and HOST lets others reach this server: set";
    let published = |host: &'static str, streamlit: &'static str| {
        let changes = [
            ("AUTH0_BASE_URL", "http://localhost:3001"),
            ("HOST", host),
            ("AUTH0_SECRET", DEVELOPMENT_AUTH0_SECRET),
            ("STREAMLIT_SECRET", streamlit),
        ];
        check(&["check-config"], &changes)
    };
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        for streamlit in ["", DEVELOPMENT_STREAMLIT_SECRET] {
            let (status, lines) = published(host, streamlit);
            assert_eq!((status, lines.len()), (Some(2), 2), "{host}: {lines:?}");
            for (line, name) in lines.iter().zip(["AUTH0_SECRET", "STREAMLIT_SECRET"]) {
                assert!(line.starts_with(&format!("{name}: is ")), "{line}");
                assert!(line.contains(REMEDY), "{line}");
            }
        }
    }
    for host in ["", "127.0.0.1", "::1", "localhost"] {
        for streamlit in ["", DEVELOPMENT_STREAMLIT_SECRET] {
            let (status, lines) = published(host, streamlit);
            assert_eq!(status, Some(0), "{host}: {lines:?}");
        }
    }
}

#[test]
fn a_secret_may_come_from_a_file() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, "a-client-secret\n").unwrap();
    let mut settings: Vec<_> = GOOD
        .into_iter()
        .filter(|(name, _)| *name != "AUTH0_CLIENT_SECRET")
        .collect();
    settings.push(("AUTH0_CLIENT_SECRET_FILE", file.to_str().unwrap()));
    let (status, lines) = said(&run(directory.path(), &["check-config"], &settings));
    assert_eq!(status, Some(0), "{lines:?}");
}
