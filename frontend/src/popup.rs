//! The window in which the person meets the provider.
//!
//! It is opened synchronously in the click (else it is blocked), and nothing is ever read
//! from it: not `closed`, which COOP makes lie, and no message. It loses its `opener`
//! before any page of the provider is in it, so that nothing there can touch this frame.

use js_sys::Reflect;
use shared::component::Props;
use shared::routes;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{HtmlFormElement, HtmlInputElement, Window};

use crate::browser;

const WIDTH: i32 = 425;
const HEIGHT: i32 = 640;

/// Name of the form field that binds the login to this frame.
const CHALLENGE_FIELD: &str = "handoff_challenge";

/// A window that this frame opened.
pub(crate) struct Popup {
    window: Window,
    name: String,
}

impl Popup {
    /// Opens an empty window; `None` when the browser blocks it. Call it within a click.
    ///
    /// The name is random: a page that knows a window's name can navigate it.
    pub(crate) fn open() -> Option<Self> {
        let name = browser::random_id()?;
        let window = browser::window()
            .open_with_url_and_target_and_features("", &name, &features())
            .ok()
            .flatten()?;
        let _ = Reflect::set(&window, &JsValue::from_str("opener"), &JsValue::NULL);
        Some(Self { window, name })
    }

    /// Sends the login form into the window. A POST, since only a POST with our own
    /// `Origin` binds a login to this frame (design §2.3).
    pub(crate) fn submit_login(&self, challenge: &str, options: &Props) -> Option<()> {
        let document = browser::document()?;
        let form: HtmlFormElement = document.create_element("form").ok()?.dyn_into().ok()?;
        form.set_method("post");
        form.set_action(routes::LOGIN);
        form.set_target(&self.name);
        form.set_hidden(true);
        fill_in(&form, challenge, options)?;
        document.body()?.append_child(&form).ok()?;
        let sent = form.submit().ok();
        form.remove();
        sent
    }

    /// Shows the provider's end-session page.
    pub(crate) fn show(&self, url: &str) {
        let _ = self.window.location().replace(url);
    }

    /// Closes the window.
    pub(crate) fn close(&self) {
        let _ = self.window.close();
    }
}

/// Puts the challenge and the host's options into a login form. The options come from args,
/// which the embedding page writes: they must not replace the challenge.
pub(crate) fn fill_in(form: &HtmlFormElement, challenge: &str, options: &Props) -> Option<()> {
    while let Some(old) = form.query_selector("input").ok()? {
        old.remove();
    }
    add_field(form, CHALLENGE_FIELD, challenge)?;
    for (name, value) in &options.0 {
        if name != CHALLENGE_FIELD {
            add_field(form, name, value)?;
        }
    }
    Some(())
}

fn add_field(form: &HtmlFormElement, name: &str, value: &str) -> Option<()> {
    let document = browser::document()?;
    let input: HtmlInputElement = document.create_element("input").ok()?.dyn_into().ok()?;
    input.set_type("hidden");
    input.set_name(name);
    input.set_value(value);
    form.append_child(&input).ok()?;
    Some(())
}

/// In the middle of the browser's window, wherever that is.
fn features() -> String {
    let window = browser::window();
    let number = |value: Result<JsValue, JsValue>| {
        #[expect(clippy::cast_possible_truncation, reason = "pixels; `as` saturates")]
        let pixels = value.ok().and_then(|value| value.as_f64()).unwrap_or(0.0) as i32;
        pixels
    };
    let left = number(window.screen_x()) + (number(window.outer_width()) - WIDTH) / 2;
    let top = number(window.screen_y()) + (number(window.outer_height()) - HEIGHT) / 2;
    format!("popup,width={WIDTH},height={HEIGHT},left={left},top={top}")
}
