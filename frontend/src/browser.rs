//! The few things of the browser that more than one module needs: window, time, randomness.
//!
//! No module reads a storage, a cookie, the query string or `window.opener`: the frame must
//! work where they are refused, and take nothing from where others can write.

use std::pin::Pin;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use js_sys::Reflect;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Document, Window};

use crate::adapters::field;
use crate::login::Now;

thread_local! {
    static WINDOW: Window = js_sys::global().unchecked_into();
}

/// This frame's window.
pub(crate) fn window() -> Window {
    WINDOW.with(Clone::clone)
}

/// This frame's document; `None` only while the frame is being torn down.
pub(crate) fn document() -> Option<Document> {
    window().document()
}

/// What `static/ready.js` keeps under this name; undefined where that file is not.
pub(crate) fn early(name: &str) -> JsValue {
    field(&kept_early(), name)
}

/// The same, and afterwards it is not there any more.
pub(crate) fn take_early(name: &str) -> JsValue {
    let taken = early(name);
    // Where that file is not, there was nothing to take.
    let _ = Reflect::set(&kept_early(), &JsValue::from_str(name), &JsValue::UNDEFINED);
    taken
}

fn kept_early() -> JsValue {
    field(&window(), "componentAuth0")
}

/// The circumstances that the state machine asks for.
pub(crate) fn now() -> Now {
    Now {
        ms: now_ms(),
        hidden: is_hidden(),
    }
}

fn now_ms() -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds are integers below 2^53"
    )]
    let ms = js_sys::Date::now() as i64;
    ms
}

fn is_hidden() -> bool {
    document().is_some_and(|document| document.hidden())
}

/// Bytes of the cryptographic generator; `None` where the browser has none: then nothing
/// that needs them may go on.
pub(crate) fn random_bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    window()
        .crypto()
        .ok()?
        .get_random_values_with_u8_array(&mut bytes)
        .ok()?;
    Some(bytes)
}

/// An unguessable name.
pub(crate) fn random_id() -> Option<String> {
    random_bytes::<16>().map(|bytes| Base64UrlUnpadded::encode_string(&bytes))
}

/// Calls back after the time; a hidden page's timers may be late.
///
/// Boxed, like [`spawn`]: one instance of the machinery instead of one for each caller is a
/// tenth of the program.
pub(crate) fn after(ms: u32, callback: Box<dyn FnOnce()>) {
    let callback = Closure::once_into_js(callback);
    let ms = i32::try_from(ms).unwrap_or(i32::MAX);
    // Without a timer nothing is done, rather than too early.
    let _ = window()
        .set_timeout_with_callback_and_timeout_and_arguments_0(callback.unchecked_ref(), ms);
}

/// Runs a future on the browser's event loop.
pub(crate) fn spawn(future: Pin<Box<dyn Future<Output = ()>>>) {
    wasm_bindgen_futures::spawn_local(future);
}
