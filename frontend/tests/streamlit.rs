//! The component protocol in a real browser: which messages are orders, and who may read
//! the component's value (catalogue A29, D26, D27).
//!
//! The page posts to itself: such a message is trusted, and its source and origin are known.
#![cfg(target_arch = "wasm32")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking; clippy knows #[test] only"
)]

use frontend::announcement::Announcement;
use frontend::host_origins::HostOrigins;
use frontend::streamlit::{self, Incoming, Render};
use js_sys::{JSON, Promise, Reflect};
use shared::auth::{DisplayUser, SignedIn};
use shared::component::{Args, CommandName, KnownState, Variant};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{MessageEvent, MessageEventInit, Window};

wasm_bindgen_test_configure!(run_in_browser);

fn page() -> Window {
    web_sys::window().unwrap()
}

fn own_origin() -> String {
    page().location().origin().unwrap()
}

fn own() -> HostOrigins {
    HostOrigins::parse(&own_origin(), false)
}

fn parsed(json: &str) -> JsValue {
    JSON::parse(json).unwrap()
}

/// What the page receives next after `act`.
async fn received(act: impl FnOnce()) -> MessageEvent {
    let next = Promise::new(&mut |resolve, _| {
        let listener = Closure::once_into_js(move |event: MessageEvent| {
            resolve.call1(&JsValue::NULL, &event).unwrap();
        });
        let once = js_sys::Object::new();
        Reflect::set(&once, &"once".into(), &JsValue::TRUE).unwrap();
        let add: js_sys::Function = Reflect::get(&page(), &"addEventListener".into())
            .unwrap()
            .unchecked_into();
        add.call3(&page(), &"message".into(), &listener, &once)
            .unwrap();
    });
    act();
    JsFuture::from(next).await.unwrap().unchecked_into()
}

async fn posted(json: &str) -> MessageEvent {
    received(|| page().post_message(&parsed(json), "*").unwrap()).await
}

async fn rendered(args: &str) -> Render {
    let message = format!(r#"{{"type": "streamlit:render", "args": {args}, "disabled": true}}"#);
    match streamlit::read(&posted(&message).await, &page(), &own()) {
        Incoming::Render(render) => *render,
        other => panic!("{other:?}"),
    }
}

#[wasm_bindgen_test]
async fn a_render_message_of_the_host_is_read() {
    let render = rendered(
        r#"{"challenge": "C", "known": {"state": "signed_in", "ref": "r1"}, "default": null,
            "command": {"id": "7", "name": "logout"}, "hostname": "Demo", "variant": "card",
            "events": ["onError", 1], "login_options": {"prompt": "login"}, "key": "k"}"#,
    )
    .await;
    assert_eq!(render.origin, own_origin());
    assert!(render.disabled);
    let args = render.args;
    assert_eq!(
        (args.challenge.as_str(), args.variant),
        ("C", Variant::Card)
    );
    let known = args.known.unwrap();
    assert_eq!(
        (known.state, known.reference.as_deref()),
        (KnownState::SignedIn, Some("r1"))
    );
    let command = args.command.unwrap();
    assert_eq!(
        (command.id.as_str(), command.name),
        ("7", CommandName::Logout)
    );
    assert_eq!(args.events.unwrap(), ["onError"]);
    assert_eq!(args.login_options.find("prompt"), Some("login"));
}

#[wasm_bindgen_test]
async fn args_of_wrong_types_are_absent() {
    for args in [
        "null",
        "3",
        "[]",
        r#"{"challenge": 1, "known": "x", "command": [], "events": {}, "labels": [1],
            "login_options": "x", "locale": {}, "variant": 9, "hostname": ["x"]}"#,
        r#"{"known": {"state": "root"}, "command": {"id": 1, "name": "logout"}}"#,
    ] {
        let read = rendered(args).await.args;
        let expected = Args {
            events: read.events.clone(),
            ..Args::default()
        };
        assert_eq!(read, expected, "{args}");
    }
}

#[wasm_bindgen_test]
async fn a_host_on_an_origin_that_is_not_admitted_is_refused() {
    let event = posted(r#"{"type": "streamlit:render", "args": {}}"#).await;
    for origins in ["", "https://app.example", "null"] {
        let origins = HostOrigins::parse(origins, false);
        let read = streamlit::read(&event, &page(), &origins);
        assert!(matches!(read, Incoming::Refused), "{origins:?} {read:?}");
    }
}

#[wasm_bindgen_test]
async fn a_message_of_another_window_is_ignored_whatever_its_origin() {
    let event = posted(r#"{"type": "streamlit:render", "args": {}}"#).await;
    let frame = page().document().unwrap().create_element("iframe").unwrap();
    page()
        .document()
        .unwrap()
        .body()
        .unwrap()
        .append_child(&frame)
        .unwrap();
    let other: Window = Reflect::get(&frame, &"contentWindow".into())
        .unwrap()
        .unchecked_into();
    let read = streamlit::read(&event, &other, &own());
    frame.remove();
    assert!(matches!(read, Incoming::Ignored), "{read:?}");
}

#[wasm_bindgen_test]
fn a_synthetic_message_is_ignored_though_it_claims_source_and_origin() {
    let claims = MessageEventInit::new();
    claims.set_data(&parsed(r#"{"type": "streamlit:render", "args": {}}"#));
    claims.set_origin(&own_origin());
    claims.set_source(Some(page().unchecked_ref()));
    let event = MessageEvent::new_with_event_init_dict("message", &claims).unwrap();
    let read = streamlit::read(&event, &page(), &own());
    assert!(matches!(read, Incoming::Ignored), "{read:?}");
}

#[wasm_bindgen_test]
async fn messages_of_other_protocols_are_ignored() {
    for message in [
        "null",
        "1",
        r#""streamlit:render""#,
        "[]",
        "{}",
        r#"{"type": "render"}"#,
    ] {
        let read = streamlit::read(&posted(message).await, &page(), &own());
        assert!(matches!(read, Incoming::Ignored), "{message} {read:?}");
    }
}

#[wasm_bindgen_test]
async fn the_value_is_the_wire_type_and_reaches_the_named_origin_only() {
    let user = DisplayUser {
        name: "Ada".to_owned(),
        email: None,
        picture: None,
    };
    let signed_in = SignedIn {
        user,
        expires_at: 1_767_225_600,
        reference: "r1".to_owned(),
        ticket: None,
        sign_out_key: None,
    };
    let announcement = Announcement::SignedIn {
        signed_in,
        ticket: "T".to_owned(),
    };
    let event = announcement.event("id-1".to_owned(), &Args::default());
    let message = received(|| {
        // Another origin's copy never arrives, or it would be the one received.
        streamlit::set_component_value(&page(), "https://other.example", &event);
        streamlit::set_component_value(&page(), &own_origin(), &event);
    })
    .await;
    let message = String::from(JSON::stringify(&message.data()).unwrap());
    let message: serde_json::Value = serde_json::from_str(&message).unwrap();
    assert_eq!(
        message,
        serde_json::json!({
            "isStreamlitMessage": true,
            "type": "streamlit:setComponentValue",
            "dataType": "json",
            "value": serde_json::to_value(&event).unwrap(),
        })
    );
}
