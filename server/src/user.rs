//! The person, as the verified claims describe them, in the two forms that leave us: for
//! display in browsers, and whole for the Streamlit host.

use serde_json::{Map, Value};
use shared::auth::DisplayUser;
use shared::back_channel::User;
use url::Url;

use crate::config::is_loopback_host;
use crate::sessions::Content;

/// The display form: what a browser may see.
#[must_use]
pub fn display(session: &impl Content) -> DisplayUser {
    shown(session.claims(), session.subject())
}

/// The claims that the display form is made of.
pub const DISPLAYED: [&str; 7] = [
    "name",
    "given_name",
    "family_name",
    "nickname",
    "preferred_username",
    "email",
    "picture",
];

fn shown(claims: &Map<String, Value>, subject: &str) -> DisplayUser {
    DisplayUser {
        name: name(claims, subject),
        email: text(claims, "email").map(str::to_owned),
        picture: picture(claims),
    }
}

/// The whole of it, for the back channel.
#[must_use]
pub fn verified(issuer: String, subject: String, claims: Map<String, Value>) -> User {
    let display = shown(&claims, &subject);
    User {
        sub: subject,
        issuer,
        name: display.name,
        email: display.email,
        // Only the boolean counts: the string "true" is no statement (A17).
        email_verified: claims.get("email_verified") == Some(&Value::Bool(true)),
        picture: display.picture,
        claims,
    }
}

/// Claims of an ID token that speak of the token, not of the person: checked when it was
/// verified, and of no use to an app.
const TOKEN_CLAIMS: [&str; 12] = [
    "iss", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "at_hash", "c_hash", "s_hash", "sid",
];

/// The claims about the person.
#[must_use]
pub fn personal_claims(verified: &Map<String, Value>) -> Map<String, Value> {
    let mut claims = verified.clone();
    claims.retain(|name, _| !TOKEN_CLAIMS.contains(&name.as_str()));
    claims
}

/// Roles from the configured claim: a list of strings, or one string.
#[must_use]
pub fn roles(claims: &Map<String, Value>, roles_claim: Option<&str>) -> Vec<String> {
    match roles_claim.and_then(|name| claims.get(name)) {
        Some(Value::Array(roles)) => roles
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::String(role)) => vec![role.clone()],
        _ => Vec::new(),
    }
}

fn name(claims: &Map<String, Value>, subject: &str) -> String {
    let full = [text(claims, "given_name"), text(claims, "family_name")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    text(claims, "name")
        .or(Some(full.as_str()).filter(|full| !full.is_empty()))
        .or_else(|| text(claims, "nickname"))
        .or_else(|| text(claims, "preferred_username"))
        .or_else(|| text(claims, "email"))
        .unwrap_or(subject)
        .to_owned()
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// Only what an `<img>` may safely load: `javascript:`, `data:` and plain http are dropped (D43).
fn picture(claims: &Map<String, Value>) -> Option<String> {
    let url = Url::parse(text(claims, "picture")?).ok()?;
    let allowed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback_host(&url));
    (allowed && url.username().is_empty()).then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    #[test]
    fn the_name_falls_back_as_the_2022_component_did() {
        for (claims, expected) in [
            (
                json!({"name": "Ada Lovelace", "nickname": "ada"}),
                "Ada Lovelace",
            ),
            (
                json!({"name": " ", "given_name": "Ada", "family_name": "Lovelace"}),
                "Ada Lovelace",
            ),
            (json!({"nickname": "ada", "email": "a@example.org"}), "ada"),
            (json!({"email": "a@example.org"}), "a@example.org"),
            (json!({"name": 7}), "subject"),
        ] {
            assert_eq!(name(&map(claims), "subject"), expected);
        }
    }

    #[test]
    fn a_picture_that_could_run_or_leak_is_dropped() {
        for bad in [
            "javascript:alert(1)",
            "data:image/svg+xml,<svg/>",
            "http://example.org/a.png",
            "https://user@example.org/a.png",
            "//example.org",
        ] {
            assert_eq!(picture(&map(json!({"picture": bad}))), None, "{bad}");
        }
        assert!(picture(&map(json!({"picture": "https://example.org/a.png"}))).is_some());
    }

    #[test]
    fn roles_are_a_list_of_strings_or_one() {
        let claims = map(json!({"r": ["admin", 7], "one": "viewer", "odd": {"a": 1}}));
        assert_eq!(roles(&claims, Some("r")), ["admin"]);
        assert_eq!(roles(&claims, Some("one")), ["viewer"]);
        assert!(roles(&claims, Some("odd")).is_empty() && roles(&claims, None).is_empty());
    }
}
