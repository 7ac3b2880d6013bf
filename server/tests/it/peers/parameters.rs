//! A46: an authorization response with each parameter absent, empty, repeated, or under
//! another name. None crashes, none signs anybody in.

use http::StatusCode;
use url::Url;

use crate::harness::World;

type Pairs = Vec<(String, String)>;
type Change = fn(&mut Pairs, &str);

const CHANGES: [(&str, Change); 9] = [
    ("absent", |pairs, name| {
        pairs.retain(|(known, _)| known != name);
    }),
    ("empty", |pairs, name| set(pairs, name, String::clear)),
    ("white space", |pairs, name| {
        set(pairs, name, |value| *value = " ".into());
    }),
    ("twice, the same", |pairs, name| {
        let twin = pairs.iter().find(|(known, _)| known == name).cloned();
        pairs.extend(twin);
    }),
    ("twice, another after it", |pairs, name| {
        pairs.push((name.into(), "x".into()));
    }),
    ("twice, another before it", |pairs, name| {
        pairs.insert(0, (name.into(), "x".into()));
    }),
    ("twice, an empty one", |pairs, name| {
        pairs.push((name.into(), String::new()));
    }),
    ("as an array", |pairs, name| {
        rename(pairs, name, &format!("{name}[]"));
    }),
    ("in capitals", |pairs, name| {
        rename(pairs, name, &name.to_uppercase());
    }),
];

fn set(pairs: &mut Pairs, name: &str, change: impl Fn(&mut String)) {
    for (_, value) in pairs.iter_mut().filter(|(known, _)| known == name) {
        change(value);
    }
}

fn rename(pairs: &mut Pairs, name: &str, other: &str) {
    for (known, _) in pairs.iter_mut().filter(|(known, _)| known == name) {
        other.clone_into(known);
    }
}

fn changed(callback: &Url, name: &str, change: Change) -> Url {
    let mut pairs: Pairs = callback.query_pairs().into_owned().collect();
    change(&mut pairs, name);
    let mut changed = callback.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs);
    changed
}

#[tokio::test]
async fn no_spoilt_response_signs_anybody_in_or_fails_inside() {
    let world = World::new().await;
    for name in ["code", "state", "iss"] {
        for (how, change) in CHANGES {
            let browser = world.browser();
            let authorize = browser.begin_page().await;
            let honest = browser.authenticate(&authorize, "ada").await;
            assert!(honest.query().unwrap().contains(&format!("{name}=")));
            let answer = browser.arrive(&changed(&honest, name, change)).await;
            let what = format!("{name} {how}: {} {}", answer.status, answer.body);
            assert!(
                answer.status.is_client_error() || answer.status == StatusCode::BAD_GATEWAY,
                "{what}"
            );
            assert!(!answer.sets_session_cookie(), "{what}");
            let me = browser.open("/api/auth/me").await;
            assert_eq!(me.status, StatusCode::UNAUTHORIZED, "{what}");
        }
    }
}
