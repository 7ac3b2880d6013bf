//! The golden files in `shared/fixtures/`, which the Python tests read too: each parses
//! into its type and comes back as it was, field for field. Whoever renames, drops or adds
//! a field on one side of the wire sees it here.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::auth::SignedIn;
use shared::back_channel::{
    RedeemRequest, Redeemed, RevokeRequest, SessionState, Token, TokenRequest,
};
use shared::component::{Args, Event};
use shared::error::ErrorBody;

/// Parses a text into a type of the wire, and back into plain JSON.
type Through = fn(&str) -> serde_json::Result<Value>;

/// Each file with the type that it is on the wire.
const FILES: [(&str, Through); 13] = [
    ("args.json", through::<Args>),
    ("error_session_ended.json", through::<ErrorBody>),
    ("event_error.json", through::<Event>),
    ("event_signed_in.json", through::<Event>),
    ("event_signed_out.json", through::<Event>),
    ("handoff_response.json", through::<SignedIn>),
    ("redeem_request.json", through::<RedeemRequest>),
    ("redeem_response.json", through::<Redeemed>),
    ("revoke_request.json", through::<RevokeRequest>),
    ("session_response.json", through::<SessionState>),
    ("ticket_response.json", through::<SignedIn>),
    ("token_request.json", through::<TokenRequest>),
    ("token_response.json", through::<Token>),
];

fn through<T: DeserializeOwned + Serialize>(text: &str) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_str::<T>(text)?)
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

#[test]
fn every_golden_file_survives_its_type_unchanged() {
    for (name, through) in FILES {
        let text = std::fs::read_to_string(fixtures().join(name)).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let found = through(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn no_golden_file_is_left_out() {
    let found: BTreeSet<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let known = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known);
}
