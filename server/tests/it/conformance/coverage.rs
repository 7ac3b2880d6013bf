//! Every number from B01 to B74 is a test or has its reason here, and no number is both.

use test_tokens::catalogue::{Verdict, tried};

/// The Foundation's modules, without their common prefix `oidcc-client-test`, and ours.
const TESTED: &[(&str, &str)] = &[
    ("B01", "oidcc-client-test"),
    ("B02", "oidcc-client-test-invalid-iss"),
    ("B03", "oidcc-client-test-missing-sub"),
    ("B04", "oidcc-client-test-invalid-aud"),
    ("B05", "oidcc-client-test-missing-aud"),
    ("B06", "oidcc-client-test-missing-iat"),
    ("B07", "oidcc-client-test-kid-absent-single-jwks"),
    ("B08", "oidcc-client-test-kid-absent-multiple-jwks"),
    ("B09", "oidcc-client-test-idtoken-sig-rs256"),
    ("B10", "oidcc-client-test-idtoken-sig-none"),
    ("B11", "oidcc-client-test-invalid-sig-rs256"),
    ("B12", "oidcc-client-test-invalid-sig-hs256"),
    ("B13", "oidcc-client-test-invalid-sig-es256"),
    ("B14", "oidcc-client-test-userinfo-bearer-header"),
    ("B18", "oidcc-client-test-nonce-invalid"),
    ("B19", "oidcc-client-test-nonce-unless-code-flow"),
    ("B20", "oidcc-client-test-scope-userinfo-claims"),
    ("B21", "oidcc-client-test-client-secret-basic"),
    ("B22", "oidcc-client-test-form-post-error"),
    ("B23", "oidcc-client-test-invalid-athash"),
    ("B27", "oidcc-client-test-aggregated-claims"),
    ("B28", "oidcc-client-test-distributed-claims"),
    ("B30", "oidcc-client-test-refresh-token"),
    ("B31", "oidcc-client-test-refresh-token-invalid-issuer"),
    ("B32", "oidcc-client-test-refresh-token-invalid-sub"),
    ("B35", "oidcc-client-test-discovery-openid-config"),
    ("B36", "oidcc-client-test-discovery-jwks-uri-keys"),
    ("B37", "oidcc-client-test-discovery-issuer-mismatch"),
    ("B41", "oidcc-client-test-signing-key-rotation"),
    (
        "B42",
        "oidcc-client-test-signing-key-rotation-just-before-signing",
    ),
    ("B45", "oidcc-client-test-rp-init-logout"),
    ("B46", "oidcc-client-test-rp-init-logout-other-state"),
    ("B47", "oidcc-client-test-rp-init-logout-no-state"),
    ("B50", "oidcc-client-test-rp-backchannel-rpinitlogout"),
    (
        "B51",
        "oidcc-client-test-rp-backchannel-rpinitlogout-alg-none",
    ),
    (
        "B52",
        "oidcc-client-test-rp-backchannel-rpinitlogout-no-event",
    ),
    (
        "B53",
        "oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce",
    ),
    (
        "B54",
        "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg",
    ),
    (
        "B55",
        "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud",
    ),
    (
        "B56",
        "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event",
    ),
    (
        "B57",
        "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss",
    ),
    ("B60", "b60-an-expired-id-token"),
    ("B61", "b61-an-id-token-that-expired-within-the-skew"),
    ("B62", "b62-an-id-token-issued-in-the-future"),
    ("B63", "b63-an-id-token-that-is-not-yet-valid"),
    ("B64", "b64-several-audiences-without-an-authorized-party"),
    ("B65", "b65-an-id-token-issued-to-another-client"),
    ("B66", "b66-a-response-of-another-issuer-or-of-none"),
    ("B67", "b67-a-code-that-stands-twice"),
    ("B68", "b68-a-token-response-without-id-token"),
    ("B69", "b69-other-spellings-and-other-kinds-of-token-type"),
    ("B70", "b70-a-login-longer-ago-than-max-age"),
    ("B71", "b71-an-acr-that-was-asked-for-and-is-missing"),
    ("B72", "b72-two-states"),
    ("B73", "b73-an-extra-large-state"),
    ("B74", "b74-an-at-hash-of-another-access-token"),
];

/// Those whose relying party goes on: ACCEPT, or complete in spite of it.
const GOES_ON: &[&str] = &[
    "B01", "B07", "B09", "B14", "B19", "B20", "B21", "B27", "B28", "B30", "B35", "B36", "B41",
    "B42", "B45", "B46", "B47", "B50", "B61",
];

/// For the list of what was tried: called by each module at its end.
pub(super) fn passed(module: &str, response_mode: &str) {
    let is_it = |name: &str| name.replace('-', "_") == module;
    let (number, name) = TESTED.iter().find(|(_, name)| is_it(name)).expect("listed");
    let verdict = if GOES_ON.contains(number) {
        Verdict::Accepted
    } else {
        Verdict::Refused("rejected")
    };
    tried(number, verdict, format!("{name} {response_mode}").trim());
}

const NO_USERINFO: &str = "we make no userinfo request: the claims come in the ID token";
const CODE_ONLY: &str = "of the implicit and hybrid flows: we ask for `code` and nothing else";
const NO_REQUEST_OBJECT: &str = "we send no request object and no `request_uri`";
const CONFIGURED_ISSUER: &str = "the issuer is configured, never asked of a person";
const NO_FRONT_CHANNEL: &str =
    "browsers keep our cookies from the provider's frame: back-channel logout is what works";

/// Modules that do not concern us, with the reason.
const NOT_APPLICABLE: &[(&str, &str, &str)] = &[
    ("B15", "oidcc-client-test-userinfo-bearer-body", NO_USERINFO),
    ("B16", "oidcc-client-test-userinfo-invalid-sub", NO_USERINFO),
    ("B17", "oidcc-client-test-userinfo-signed", NO_USERINFO),
    ("B24", "oidcc-client-test-missing-athash", CODE_ONLY),
    ("B25", "oidcc-client-test-invalid-chash", CODE_ONLY),
    ("B26", "oidcc-client-test-missing-chash", CODE_ONLY),
    (
        "B29",
        "oidcc-client-test-mtls-endpoint-aliases",
        "we authenticate with a secret, not with a certificate",
    ),
    (
        "B33",
        "oidcc-client-test-request-uri-signed-none",
        NO_REQUEST_OBJECT,
    ),
    (
        "B34",
        "oidcc-client-test-request-uri-signed-rs256",
        NO_REQUEST_OBJECT,
    ),
    (
        "B38",
        "oidcc-client-test-discovery-webfinger-acct",
        CONFIGURED_ISSUER,
    ),
    (
        "B39",
        "oidcc-client-test-discovery-webfinger-url",
        CONFIGURED_ISSUER,
    ),
    (
        "B40",
        "oidcc-client-test-dynamic-registration",
        "the application is registered by its operator",
    ),
    (
        "B43",
        "oidcc-client-test-3rd-party-init-login",
        "no initiate_login_uri: a login begins at the app, and a foreign link binds it to nobody's frame",
    ),
    (
        "B44",
        "oidcc-client-test-session-management",
        "check_session_iframe needs third-party cookies, which browsers refuse",
    ),
    (
        "B48",
        "oidcc-client-test-rp-frontchannel-opinitlogout",
        NO_FRONT_CHANNEL,
    ),
    (
        "B49",
        "oidcc-client-test-rp-frontchannel-rpinitlogout",
        NO_FRONT_CHANNEL,
    ),
];

/// Where the tests are. A function there that is no test is dead code, which does not pass.
const SOURCES: &[&str] = &[
    include_str!("backchannel.rs"),
    include_str!("further.rs"),
    include_str!("id_tokens.rs"),
    include_str!("logout.rs"),
    include_str!("provider.rs"),
    include_str!("refresh.rs"),
];

#[test]
fn the_tests_and_the_reasons_cover_b01_to_b74_without_a_gap() {
    let tested = TESTED.iter().map(|(number, _)| *number);
    let reasoned = NOT_APPLICABLE.iter().map(|(number, ..)| *number);
    let mut covered: Vec<&str> = tested.chain(reasoned).collect();
    covered.sort_unstable();
    // The catalogue leaves B58 and B59 out.
    let expected: Vec<String> = (1..=57)
        .chain(60..=74)
        .map(|number| format!("B{number:02}"))
        .collect();
    assert_eq!(covered, expected);
}

#[test]
fn every_module_is_a_test_of_its_name_and_every_test_of_that_kind_is_listed() {
    let test = |module: &str| module.replace('-', "_");
    for (number, module) in TESTED {
        let head = format!("async fn {}(", test(module));
        let found = SOURCES.iter().filter(|source| source.contains(&head));
        assert_eq!(found.count(), 1, "{number} {module}");
    }
    for source in SOURCES {
        for head in source.split("\nasync fn ").skip(1) {
            let name = head.split('(').next().unwrap();
            let is_module =
                name.starts_with("oidcc_") || name.starts_with("b6") || name.starts_with("b7");
            let is_listed = TESTED.iter().any(|(_, module)| test(module) == name);
            assert_eq!(is_module, is_listed, "{name}");
        }
    }
    for (number, module, reason) in NOT_APPLICABLE {
        assert!(module.starts_with("oidcc-client-test"), "{number}");
        assert!(reason.len() > 20, "{number}");
    }
}
