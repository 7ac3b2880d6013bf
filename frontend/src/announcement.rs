//! What the frame tells Streamlit: the one event object of the component contract.
//!
//! An announcement is display data and a one-time ticket. It must not carry a verifier, and
//! the host must not believe it: it redeems the ticket with the companion.

use shared::auth::SignedIn;
use shared::component::{Args, Event, EventData, EventError, SessionInfo, TicketInfo, event_names};

/// Something the host should know.
#[derive(Clone)]
pub enum Announcement {
    /// Somebody is signed in.
    SignedIn {
        /// Display data and times.
        signed_in: SignedIn,
        /// One-time ticket for the host.
        ticket: String,
    },
    /// Nobody is.
    SignedOut,
    /// The frame cannot say, or a login failed.
    Failed {
        /// Stable code.
        code: String,
        /// Words for a person.
        message: String,
    },
}

impl Announcement {
    /// The event, addressed as the host's args ask.
    #[must_use]
    pub fn event(self, id: String, args: &Args) -> Event {
        let (name, mut data) = self.content();
        data.hostname = args.hostname.clone().unwrap_or_default();
        let mut event = Event {
            id,
            name: name.to_owned(),
            challenge: args.challenge.clone(),
            data,
        };
        let subscribed = args
            .events
            .as_ref()
            .is_none_or(|names| names.iter().any(|known| known == name));
        if !subscribed && name != event_names::ERROR {
            // The 2022 contract: a host that did not ask for it hears of it as an error.
            event.data.is_error = true;
            event.data.error = Some(EventError {
                code: "event_not_subscribed".to_owned(),
                message: ["The host did not subscribe to ", name].concat(),
            });
            event_names::ERROR.clone_into(&mut event.name);
        }
        event
    }

    fn content(self) -> (&'static str, EventData) {
        let (name, message, error, sessioninfo) = match self {
            Self::SignedIn { signed_in, ticket } => (
                event_names::STATUS_UPDATE,
                "Logged in".to_owned(),
                None,
                Some(SessionInfo {
                    user: Some(signed_in.user),
                    token: Some(TicketInfo {
                        ticket,
                        expiry: signed_in.expires_at,
                    }),
                }),
            ),
            Self::SignedOut => (
                event_names::STATUS_UPDATE,
                "Logged out".to_owned(),
                None,
                Some(SessionInfo {
                    user: None,
                    token: None,
                }),
            ),
            Self::Failed { code, message } => (
                event_names::ERROR,
                message.clone(),
                Some(EventError { code, message }),
                None,
            ),
        };
        let data = EventData {
            hostname: String::new(),
            message,
            is_error: error.is_some(),
            error,
            sessioninfo,
            action: None,
            props: None,
        };
        (name, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json, to_value};
    use shared::auth::DisplayUser;

    fn args() -> Args {
        Args {
            challenge: "C".to_owned(),
            hostname: Some("Demo".to_owned()),
            events: Some(vec![event_names::STATUS_UPDATE.to_owned()]),
            ..Args::default()
        }
    }

    fn signed_in() -> Announcement {
        let user = DisplayUser {
            name: "Ada".to_owned(),
            email: Some("ada@example.test".to_owned()),
            picture: None,
        };
        Announcement::SignedIn {
            signed_in: SignedIn {
                user,
                expires_at: 1_767_225_600,
                reference: "r1".to_owned(),
                ticket: None,
                sign_out_key: None,
            },
            ticket: "T".to_owned(),
        }
    }

    fn json_of(announcement: Announcement, args: &Args) -> Value {
        to_value(announcement.event("id-1".to_owned(), args)).unwrap()
    }

    #[test]
    fn signed_in_is_the_event_of_the_contract() {
        assert_eq!(
            json_of(signed_in(), &args()),
            json!({
                "id": "id-1", "name": "onStatusUpdate", "challenge": "C",
                "data": {
                    "hostname": "Demo", "message": "Logged in", "isError": false, "error": null,
                    "sessioninfo": {
                        "user": {"name": "Ada", "email": "ada@example.test", "picture": null},
                        "token": {"ticket": "T", "expiry": 1_767_225_600},
                    },
                    "action": null, "props": null,
                },
            })
        );
    }

    #[test]
    fn signed_out_has_neither_user_nor_ticket() {
        let event = json_of(Announcement::SignedOut, &args());
        assert_eq!(event["data"]["message"], "Logged out");
        assert_eq!(
            event["data"]["sessioninfo"],
            json!({"user": null, "token": null})
        );
    }

    #[test]
    fn a_failure_is_an_error_event_that_says_nothing_of_the_login_state() {
        let failed = Announcement::Failed {
            code: "companion_silent".to_owned(),
            message: "No answer".to_owned(),
        };
        let event = json_of(failed, &args());
        assert_eq!(event["name"], "onError");
        assert_eq!(event["data"]["isError"], true);
        assert_eq!(
            event["data"]["error"],
            json!({"code": "companion_silent", "message": "No answer"})
        );
        assert_eq!(event["data"]["sessioninfo"], Value::Null);
    }

    #[test]
    fn an_event_that_the_host_did_not_subscribe_to_is_delivered_as_an_error() {
        let args = Args {
            events: Some(vec!["onAdhocReport".to_owned()]),
            ..args()
        };
        let event = json_of(signed_in(), &args);
        assert_eq!(event["name"], "onError");
        assert_eq!(event["data"]["isError"], true);
        assert_eq!(event["data"]["error"]["code"], "event_not_subscribed");
    }

    #[test]
    fn a_host_that_names_no_events_hears_of_all() {
        let args = Args {
            events: None,
            ..args()
        };
        assert_eq!(json_of(signed_in(), &args)["name"], "onStatusUpdate");
    }
}
