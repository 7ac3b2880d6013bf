//! Whose turn it is to watch a session: of all the frames of a browser that show it one
//! does, the others wait in the browser, without a connection (catalogue G15).
//!
//! It only spares connections. Nothing is believed that comes from another frame, and where
//! the browser has or grants no locks, every frame has its turn at once.

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortSignal;

use crate::browser;

/// Waits for it, or until the signal. The value is for [`over`].
pub(crate) async fn of_this_frame(session: &str, signal: &AbortSignal) -> Option<Function> {
    let turn: Function = browser::early("turn").dyn_into().ok()?;
    let begun = turn.call2(&JsValue::NULL, &JsValue::from_str(session), signal);
    let begun: Promise = begun.ok()?.dyn_into().ok()?;
    JsFuture::from(begun).await.ok()?.dyn_into().ok()
}

/// The next frame has its turn.
pub(crate) fn over(turn: Option<Function>) {
    if let Some(end) = turn {
        let _ = end.call0(&JsValue::NULL);
    }
}
