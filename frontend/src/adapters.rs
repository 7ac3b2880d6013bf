//! Between JavaScript values and the wire types of `shared`.
//!
//! By hand, because a serde bridge would cost a fifth of the page's size budget. What comes
//! in is untrusted: a field of the wrong type is absent, nothing throws or panics.

use js_sys::{Array, Object, Reflect};
use shared::auth::{
    DisplayUser, HandoffRequest, LogoutRequest, SignedIn, TicketRequest, WatchRequest,
};
use shared::component::{
    Args, Command, CommandName, Event, InitialState, Known, KnownState, Props, Variant,
};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::theme::Theme;

/// More entries than any host sends in `labels`, `login_options` or `events`.
const MAX_ENTRIES: u32 = 64;

/// A field, or undefined.
pub(crate) fn field(value: &JsValue, name: &str) -> JsValue {
    if value.is_object() {
        Reflect::get(value, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
    } else {
        JsValue::UNDEFINED
    }
}

/// A field that is a string.
pub(crate) fn string(value: &JsValue, name: &str) -> Option<String> {
    field(value, name).as_string()
}

/// The component's args.
pub(crate) fn args(value: &JsValue) -> Args {
    Args {
        challenge: string(value, "challenge").unwrap_or_default(),
        known: known(&field(value, "known")),
        command: command(&field(value, "command")),
        hostname: string(value, "hostname"),
        initial_state: string(&field(value, "initial_state"), "message")
            .map(|message| InitialState { message }),
        events: strings(&field(value, "events")),
        login_options: props(&field(value, "login_options")),
        labels: props(&field(value, "labels")),
        locale: string(value, "locale"),
        variant: match string(value, "variant").as_deref() {
            Some("card") => Variant::Card,
            Some("compact") => Variant::Compact,
            _ => Variant::Button,
        },
    }
}

fn known(value: &JsValue) -> Option<Known> {
    let state = match string(value, "state")?.as_str() {
        "signed_out" => KnownState::SignedOut,
        "signed_in" => KnownState::SignedIn,
        _ => return None,
    };
    Some(Known {
        state,
        reference: string(value, "ref"),
    })
}

fn command(value: &JsValue) -> Option<Command> {
    let name = match string(value, "name")?.as_str() {
        "recheck" => CommandName::Recheck,
        "logout" => CommandName::Logout,
        _ => return None,
    };
    Some(Command {
        id: string(value, "id")?,
        name,
    })
}

fn strings(value: &JsValue) -> Option<Vec<String>> {
    Array::is_array(value).then(|| {
        // Not copied: a sparse array may be longer than any copy can be, and would throw.
        let array: &Array = value.unchecked_ref();
        (0..array.length().min(MAX_ENTRIES))
            .filter_map(|i| array.get(i).as_string())
            .collect()
    })
}

fn props(value: &JsValue) -> Props {
    let mut props = Props::default();
    if value.is_object() {
        let names = Object::keys(&Object::from(value.clone()));
        for i in 0..names.length().min(MAX_ENTRIES) {
            let name = names.get(i).as_string().unwrap_or_default();
            if let Some(words) = string(value, &name) {
                props.0.push((name, words));
            }
        }
    }
    props
}

/// The host page's theme.
pub(crate) fn theme(value: &JsValue) -> Theme {
    Theme {
        base: string(value, "base"),
        primary: string(value, "primaryColor"),
        background: string(value, "backgroundColor"),
        secondary_background: string(value, "secondaryBackgroundColor"),
        text: string(value, "textColor"),
        border: string(value, "borderColor"),
        radius: string(value, "baseRadius"),
        font: string(value, "font"),
    }
}

/// The body of a ticket's or a claimed handoff's answer.
pub(crate) fn signed_in(value: &JsValue) -> Option<SignedIn> {
    let user = field(value, "user");
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Unix seconds; `as` saturates"
    )]
    let expires_at = field(value, "expires_at").as_f64()? as i64;
    Some(SignedIn {
        user: DisplayUser {
            name: string(&user, "name")?,
            email: string(&user, "email"),
            picture: string(&user, "picture"),
        },
        expires_at,
        reference: string(value, "ref")?,
        ticket: string(value, "ticket"),
        sign_out_key: string(value, "sign_out_key"),
    })
}

/// The body of a ticket request.
pub(crate) fn ticket_request(request: &TicketRequest) -> JsValue {
    let body = object(&[
        ("challenge", text(&request.challenge)),
        ("host_origin", text(&request.host_origin)),
    ]);
    set_some(&body, "known_ref", request.known_ref.as_deref());
    body
}

/// The body of a poll.
pub(crate) fn handoff_request(request: &HandoffRequest) -> JsValue {
    let body = object(&[("verifier", text(&request.verifier))]);
    set_some(&body, "challenge", request.challenge.as_deref());
    set_some(&body, "host_origin", request.host_origin.as_deref());
    if let Some(hold) = request.hold {
        let _ = Reflect::set(&body, &text("hold"), &JsValue::from_f64(hold.into()));
    }
    body
}

/// The body of a watch.
pub(crate) fn watch_request(request: &WatchRequest) -> JsValue {
    let body = object(&[("ref", text(&request.reference))]);
    set_some(&body, "sign_out_key", request.sign_out_key.as_deref());
    body
}

/// The body of a logout.
pub(crate) fn logout_request(request: &LogoutRequest) -> JsValue {
    let body = object(&[]);
    set_some(&body, "sign_out_key", request.sign_out_key.as_deref());
    body
}

/// The value that Streamlit hands to Python.
pub(crate) fn event(event: &Event) -> JsValue {
    let data = &event.data;
    let error = data.error.as_ref().map_or(JsValue::NULL, |error| {
        object(&[
            ("code", text(&error.code)),
            ("message", text(&error.message)),
        ])
    });
    let sessioninfo = data.sessioninfo.as_ref().map_or(JsValue::NULL, |session| {
        let user = session.user.as_ref().map_or(JsValue::NULL, display_user);
        let ticket = session.token.as_ref().map_or(JsValue::NULL, |ticket| {
            #[expect(clippy::cast_precision_loss, reason = "Unix seconds are below 2^53")]
            let expiry = JsValue::from_f64(ticket.expiry as f64);
            object(&[("ticket", text(&ticket.ticket)), ("expiry", expiry)])
        });
        object(&[("user", user), ("token", ticket)])
    });
    let data = object(&[
        ("hostname", text(&data.hostname)),
        ("message", text(&data.message)),
        ("isError", JsValue::from_bool(data.is_error)),
        ("error", error),
        ("sessioninfo", sessioninfo),
        // The login itself asks the host for no action.
        ("action", JsValue::NULL),
        ("props", JsValue::NULL),
    ]);
    object(&[
        ("id", text(&event.id)),
        ("name", text(&event.name)),
        ("challenge", text(&event.challenge)),
        ("data", data),
    ])
}

fn display_user(user: &DisplayUser) -> JsValue {
    let optional = |words: &Option<String>| words.as_deref().map_or(JsValue::NULL, text);
    object(&[
        ("name", text(&user.name)),
        ("email", optional(&user.email)),
        ("picture", optional(&user.picture)),
    ])
}

/// An object of these fields.
pub(crate) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a field of a fresh plain object cannot fail.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

fn text(words: &str) -> JsValue {
    JsValue::from_str(words)
}

fn set_some(object: &JsValue, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = Reflect::set(object, &JsValue::from_str(name), &text(value));
    }
}
