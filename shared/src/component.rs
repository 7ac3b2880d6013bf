//! Streamlit component contract: the args that Python sends to the frame, and the one
//! event object that the frame announces to Python.
//!
//! Both sides are hostile to each other's eyes: the frame takes args only from a
//! configured origin and ignores what it does not know; Python treats an event as an
//! announcement and learns who it is over the back channel.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::auth::DisplayUser;

/// Args from Python. Unknown ones are ignored, missing ones have their defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Args {
    /// `BASE64URL(SHA-256(verifier))` of the Streamlit session.
    pub challenge: String,
    /// What Python already knows; an equal first answer is not announced.
    pub known: Option<Known>,
    /// An order from Python; each id is obeyed once.
    pub command: Option<Command>,
    /// Display label (`app_name` in Python).
    pub hostname: Option<String>,
    /// First words to show.
    pub initial_state: Option<InitialState>,
    /// Names of the events that the host subscribed to; `None`: all.
    pub events: Option<Vec<String>>,
    /// Options of the authorization request that the login form carries, by name; the
    /// companion takes only those named in its `LOGIN_OPTIONS`.
    pub login_options: Props,
    /// Words to use in place of the built-in ones, by key.
    pub labels: Props,
    /// BCP 47 language tag; `None`: the browser's.
    pub locale: Option<String>,
    /// `button`, `card` or `compact`.
    pub variant: Variant,
}

/// Look of the component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// A row with a button.
    #[default]
    Button,
    /// A bordered card.
    Card,
    /// As small as it gets.
    Compact,
}

/// What Python already knows of the login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The state that Python is in.
    pub state: KnownState,
    /// `ref` of the companion session, when signed in.
    #[serde(rename = "ref", default)]
    pub reference: Option<String>,
}

/// State in [`Known`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownState {
    /// Nobody is signed in.
    SignedOut,
    /// Somebody is.
    SignedIn,
}

/// An order from Python to the frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Each id is obeyed once.
    pub id: String,
    /// What to do.
    pub name: CommandName,
}

/// Orders that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandName {
    /// Ask for a ticket again and announce the answer.
    Recheck,
    /// The host has signed the person out: stay signed out until a click.
    Logout,
}

/// First words to show, as the 2022 component had them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InitialState {
    /// Words.
    pub message: String,
}

/// Names of the events.
pub mod event_names {
    /// The login state changed, or is told for the first time.
    pub const STATUS_UPDATE: &str = "onStatusUpdate";
    /// The frame asks the host to make a request for it.
    pub const ACTION_REQUEST: &str = "onActionRequest";
    /// The frame reports something.
    pub const ADHOC_REPORT: &str = "onAdhocReport";
    /// Something failed, or the event's own name was not subscribed to.
    pub const ERROR: &str = "onError";
}

/// The value that the frame sets: one event.
#[derive(Clone, Serialize, Deserialize)]
pub struct Event {
    /// Unique: values survive reruns, so the host remembers the last one handled.
    pub id: String,
    /// One of [`event_names`].
    pub name: String,
    /// The challenge in force when it was made.
    pub challenge: String,
    /// What happened.
    pub data: EventData,
}

/// What happened.
#[derive(Clone, Serialize, Deserialize)]
pub struct EventData {
    /// The `hostname` arg, back.
    pub hostname: String,
    /// Words for a person.
    pub message: String,
    /// Whether `error` is set.
    #[serde(rename = "isError")]
    pub is_error: bool,
    /// What failed.
    pub error: Option<EventError>,
    /// The login state; `None` where the event says nothing of it.
    pub sessioninfo: Option<SessionInfo>,
    /// An [`event_names::ACTION_REQUEST`]'s request.
    pub action: Option<Action>,
    /// Further properties for the host's handler.
    pub props: Option<Props>,
}

/// What failed, in a form Python can show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventError {
    /// Stable code.
    pub code: String,
    /// Words for a person.
    pub message: String,
}

/// Login state in an event. For display only: Python never believes it.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionInfo {
    /// `None`: signed out.
    pub user: Option<DisplayUser>,
    /// `None`: signed out.
    pub token: Option<TicketInfo>,
}

/// The 2022 field `token`: holds the one-time ticket, never a token.
#[derive(Clone, Serialize, Deserialize)]
pub struct TicketInfo {
    /// One-time ticket.
    pub ticket: String,
    /// When the session ends, Unix seconds.
    pub expiry: i64,
}

/// A request that the frame asks the host to make.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// `WebRequest`.
    pub name: String,
    /// Properties of the action.
    pub props: Props,
}

/// Free-form string properties: a JSON object, kept as a list, since a map's code would be
/// a hundredth of what the frame may weigh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Props(pub Vec<(String, String)>);

impl Props {
    /// The value of the first property with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Serialize for Props {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Props {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|map| Self(map.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn args_of_python_are_read_and_unknown_or_missing_ones_do_not_matter() {
        let args: Args = serde_json::from_str(
            r#"{"challenge": "C", "known": {"state": "signed_in", "ref": "r1"}, "default": null,
                "command": {"id": "1", "name": "recheck"}, "variant": "card", "new": [1],
                "login_options": {"prompt": "login", "ui_locales": "de"}}"#,
        )
        .unwrap();
        assert_eq!(args.login_options.find("prompt"), Some("login"));
        assert_eq!(args.known.unwrap().reference.as_deref(), Some("r1"));
        assert_eq!(args.command.unwrap().name, CommandName::Recheck);
        assert_eq!(
            (args.variant, args.labels),
            (Variant::Card, Props::default())
        );
    }

    #[test]
    fn properties_are_an_object_in_json() {
        let props = Props(vec![("a".to_owned(), "1".to_owned())]);
        let json = serde_json::to_string(&props).unwrap();
        assert_eq!(json, r#"{"a":"1"}"#);
        assert_eq!(serde_json::from_str::<Props>(&json).unwrap(), props);
    }
}
