//! The end of a session in the words of the person's language, by the browser's own `Intl`.

use js_sys::{Date, Function, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::adapters::object;

const DAY_MS: f64 = 86_400_000.0;

/// "14:05" today, "Tue 14:05" within a week, "4 Mar 2027, 14:05" later.
pub(crate) fn in_words(expires_at: i64, locale: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "Unix seconds are below 2^53")]
    let end = Date::new(&JsValue::from_f64(expires_at as f64 * 1000.0));
    let now = Date::new_0();
    let word = |name: &'static str, value: &'static str| (name, JsValue::from_str(value));
    let options = if end.to_date_string() == now.to_date_string() {
        object(&[word("hour", "numeric"), word("minute", "2-digit")])
    } else if (end.get_time() - now.get_time()).abs() < 6.0 * DAY_MS {
        object(&[
            word("weekday", "short"),
            word("hour", "numeric"),
            word("minute", "2-digit"),
        ])
    } else {
        object(&[word("dateStyle", "medium"), word("timeStyle", "short")])
    };
    // A host's locale may be no locale at all, which throws; the browser's own does not.
    format(&end, &JsValue::from_str(locale), &options)
        .or_else(|| format(&end, &JsValue::UNDEFINED, &options))
        .unwrap_or_default()
}

fn format(date: &Date, locale: &JsValue, options: &JsValue) -> Option<String> {
    let method = Reflect::get(date, &JsValue::from_str("toLocaleString")).ok()?;
    method
        .dyn_into::<Function>()
        .ok()?
        .call2(date, locale, options)
        .ok()?
        .as_string()
}
