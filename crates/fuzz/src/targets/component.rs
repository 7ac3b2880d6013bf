//! The args and the theme that an embedding page sends (A25, D43): whatever they say, they
//! become words and colours, never a declaration or a place to load from.

use frontend::announcement::Announcement;
use frontend::host_origins::HostOrigins;
use frontend::labels::{Labels, initials};
use frontend::theme::Theme;
use serde_json::Value;
use shared::component::Args;

const ADMITTED: [&str; 2] = ["https://app.example", "http://127.0.0.1:4010"];

/// The input is a render message.
pub(crate) fn run(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        assert_only_the_exact_origin(text);
        let _any_text_has_initials = initials(text);
    }
    let Ok(message) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    assert_theme_declares_nothing_else(&message["theme"]);
    if let Ok(args) = serde_json::from_value::<Args>(message["args"].clone()) {
        let labels = Labels::new(args.locale.as_deref().unwrap_or_default(), &args.labels);
        assert!(!labels.language().is_empty());
        assert_announces_what_is(&args);
        assert_survives_the_wire(&args);
    }
}

fn assert_only_the_exact_origin(text: &str) {
    let origins = HostOrigins::parse(&ADMITTED.join(" "), false);
    assert_eq!(origins.admit(text), ADMITTED.contains(&text), "{text:?}");
    assert!(!HostOrigins::parse("", false).admit(text), "{text:?}");
}

fn assert_theme_declares_nothing_else(theme: &Value) {
    let text = |name: &str| theme[name].as_str().map(str::to_owned);
    let theme = Theme {
        base: text("base"),
        primary: text("primaryColor"),
        background: text("backgroundColor"),
        secondary_background: text("secondaryBackgroundColor"),
        text: text("textColor"),
        border: text("borderColor"),
        radius: text("baseRadius"),
        font: text("font"),
    };
    let _either = theme.is_dark();
    for (name, value) in theme.properties() {
        let Some(value) = value else { continue };
        let lower = value.to_ascii_lowercase();
        let is_plain = !value.contains([';', '{', '}', '\\', '<', '>', '@', ':', '\n', '\r']);
        assert!(is_plain, "{name}: {value:?}");
        for call in [
            "url(",
            "image(",
            "image-set(",
            "var(",
            "env(",
            "expression(",
            "/*",
        ] {
            assert!(!lower.contains(call), "{name}: {value:?}");
        }
        assert_eq!(value.matches('(').count(), value.matches(')').count());
        let is_bounded = value.len() <= 300;
        assert!(is_bounded, "{name}: {} bytes", value.len());
    }
}

fn assert_announces_what_is(args: &Args) {
    let event = Announcement::SignedOut.event("id".to_owned(), args);
    assert_eq!(event.challenge, args.challenge);
    let told = serde_json::to_value(&event).unwrap();
    assert!(told["data"]["sessioninfo"]["user"].is_null(), "{told}");
    assert!(told["data"]["sessioninfo"]["token"].is_null(), "{told}");
}

fn assert_survives_the_wire(args: &Args) {
    let again: Args = serde_json::from_value(serde_json::to_value(args).unwrap()).unwrap();
    assert_eq!(again, *args);
}
