//! Streamlit's component protocol (v1), the part that the WASM speaks. `static/ready.js`
//! speaks the rest: `componentReady` and `setFrameHeight`, which carry nothing secret.
//!
//! Orders are taken from the embedding window on an admitted origin only, and the component
//! value, which holds a ticket, is posted to exactly that origin (design §2.9).

use shared::component::{Args, Event};
use wasm_bindgen::JsValue;
use web_sys::{MessageEvent, Window};

use crate::adapters::{self, field, object, string};
use crate::host_origins::HostOrigins;
use crate::theme::Theme;

/// What a message is to this frame.
#[derive(Debug)]
pub enum Incoming {
    /// An order of the host.
    Render(Box<Render>),
    /// A render message of the embedding window, which is not on an admitted origin.
    Refused,
    /// Anything else: another window's, another protocol's, made by script.
    Ignored,
}

/// A render message.
#[derive(Debug)]
pub struct Render {
    /// The component's args.
    pub args: Args,
    /// The page's theme.
    pub theme: Theme,
    /// Whether the host wants no clicks.
    pub disabled: bool,
    /// Where it came from, as the browser reports it.
    pub origin: String,
}

/// Judges a message.
///
/// `host` is the embedding window. `isTrusted` stops a synthetic event, whose `source` and
/// `origin` its maker writes (catalogue A29).
#[must_use]
pub fn read(event: &MessageEvent, host: &Window, origins: &HostOrigins) -> Incoming {
    let from_host = event
        .source()
        .is_some_and(|source| JsValue::from(source) == *AsRef::<JsValue>::as_ref(host));
    if !event.is_trusted() || !from_host {
        return Incoming::Ignored;
    }
    let message = event.data();
    if string(&message, "type").as_deref() != Some("streamlit:render") {
        return Incoming::Ignored;
    }
    let origin = event.origin();
    if !origins.admit(&origin) {
        return Incoming::Refused;
    }
    Incoming::Render(Box::new(Render {
        args: adapters::args(&field(&message, "args")),
        theme: adapters::theme(&field(&message, "theme")),
        disabled: field(&message, "disabled").as_bool() == Some(true),
        origin,
    }))
}

/// Sets the component's value, for a host on `origin` only.
pub fn set_component_value(host: &Window, origin: &str, event: &Event) {
    let message = object(&[
        ("isStreamlitMessage", JsValue::TRUE),
        ("type", JsValue::from_str("streamlit:setComponentValue")),
        ("value", adapters::event(event)),
        ("dataType", JsValue::from_str("json")),
    ]);
    // Refused only for a malformed origin, and the browser itself has named this one.
    let _ = host.post_message(&message, origin);
}
