//! The view: every state in the same three places (lead, text, actions), so that the frame
//! keeps its height and a screen reader its place. It draws and reports clicks, no more.

use leptos::prelude::*;
use shared::component::Variant;
use shared::routes;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;

use crate::frame::{Frame, Look};
use crate::labels::{Label, initials};
use crate::login::{Failure, FailureKind, Input, Notice, Person, Phase};
use crate::{browser, expiry};

/// Draws the component in place of the page's skeleton.
pub(crate) fn mount() {
    if let Some(skeleton) =
        browser::document().and_then(|document| document.get_element_by_id("component-auth0"))
    {
        skeleton.remove();
    }
    leptos::mount::mount_to_body(Component);
}

#[component]
fn Component() -> impl IntoView {
    let frame = Frame::start();
    let variant = move || match frame.look.read().variant {
        Variant::Button => "button",
        Variant::Card => "card",
        Variant::Compact => "compact",
    };
    view! {
        <main
            id="component-auth0"
            class="root"
            class:dark=move || frame.look.read().dark
            data-state=move || frame.phase.read().name()
            data-variant=variant
            aria-busy=move || (*frame.phase.read() == Phase::Loading).then_some("true")
        >
            {move || lead(&frame.phase.read())}
            <div class="text">
                {move || title(&frame.phase.read(), &frame.look.read())}
                <p
                    class="status"
                    class:notice=move || has_notice(&frame.phase.read())
                    role="status"
                    data-testid="status"
                >
                    {move || status(&frame.phase.read(), &frame.look.read())}
                </p>
                {move || error(&frame.phase.read(), &frame.look.read())}
            </div>
            <div class="actions">{move || actions(frame)}</div>
        </main>
    }
}

/// Picture, spinner or warning sign; the words beside it say the same.
fn lead(phase: &Phase) -> Option<AnyView> {
    let (class, words, picture) = match phase {
        Phase::Loading | Phase::SignedOut { .. } => return None,
        Phase::Waiting { blocked: true, .. } | Phase::Failed(_) => {
            ("lead sign", "!".to_owned(), None)
        }
        Phase::Waiting { .. } => ("lead spinner", String::new(), None),
        Phase::SignedIn(person) => ("lead avatar", initials(&person.user.name), picture(person)),
    };
    Some(view! { <span class=class aria-hidden="true">{words}{picture}</span> }.into_any())
}

/// Lies over the initials: one that does not load leaves them to be seen.
fn picture(person: &Person) -> Option<AnyView> {
    let url = person.user.picture.clone().filter(|url| is_picture(url))?;
    let hide = |event: leptos::ev::ErrorEvent| {
        if let Some(image) = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlElement>().ok())
        {
            image.set_hidden(true);
        }
    };
    Some(view! { <img src=url alt="" referrerpolicy="no-referrer" on:error=hide/> }.into_any())
}

/// An https URL, or one of this machine in development.
fn is_picture(url: &str) -> bool {
    ["https://", "http://localhost:", "http://127.0.0.1:"]
        .iter()
        .any(|start| url.starts_with(start))
}

fn title(phase: &Phase, look: &Look) -> Option<AnyView> {
    match phase {
        Phase::SignedIn(person) => {
            let email = (look.variant == Variant::Card)
                .then(|| person.user.email.clone())
                .flatten()
                .filter(|email| *email != person.user.name)
                .map(|email| paragraph("email", "user-email", email));
            let name = paragraph("title", "user-name", person.user.name.clone());
            Some(view! { {name} {email} }.into_any())
        }
        Phase::Loading | Phase::Failed(_) => None,
        Phase::SignedOut { .. } | Phase::Waiting { .. } => {
            let app = look.hostname.clone()?;
            let words = match look.variant {
                Variant::Card => look.labels.fill(Label::Title, &app),
                Variant::Button => app,
                Variant::Compact => return None,
            };
            Some(paragraph("title", "app-name", words))
        }
    }
}

fn paragraph(class: &'static str, test_id: &'static str, words: String) -> AnyView {
    view! { <p class=class data-testid=test_id>{words}</p> }.into_any()
}

fn status(phase: &Phase, look: &Look) -> AnyView {
    let text = |label| look.labels.text(label);
    let words = match phase {
        Phase::Loading => text(Label::Loading),
        Phase::SignedOut {
            notice: Some(notice),
        } => return notice_view(notice, look),
        Phase::SignedOut { notice: None } => look
            .message
            .clone()
            .unwrap_or_else(|| text(Label::SignedOut)),
        Phase::Waiting { blocked: true, .. } => text(Label::Blocked),
        Phase::Waiting { .. } => text(Label::Waiting),
        Phase::SignedIn(Person { leaving: true, .. }) => text(Label::SigningOut),
        Phase::SignedIn(Person {
            notice: Some(notice),
            ..
        }) => return notice_view(notice, look),
        Phase::SignedIn(person) => {
            let time = expiry::in_words(person.expires_at, &look.locale);
            look.labels.fill(Label::SignedIn, &time)
        }
        // The error's own element speaks, at once and not when the reader finds time.
        Phase::Failed(_) => String::new(),
    };
    words.into_any()
}

/// Whether the status says something that is not plain to see.
fn has_notice(phase: &Phase) -> bool {
    match phase {
        Phase::SignedOut { notice } | Phase::SignedIn(Person { notice, .. }) => notice.is_some(),
        Phase::Loading | Phase::Waiting { .. } | Phase::Failed(_) => false,
    }
}

fn notice_view(notice: &Notice, look: &Look) -> AnyView {
    let text = |label| look.labels.text(label);
    match notice {
        Notice::ClickAgain => text(Label::ClickAgain).into_any(),
        Notice::SessionEnded => text(Label::SessionEnded).into_any(),
        Notice::LogoutFailed => text(Label::LogoutFailed).into_any(),
        Notice::FinishAtProvider(url) => view! {
            {text(Label::FinishAtProvider)} " "
            <a href=url.clone() target="_blank" rel="noopener noreferrer">{text(Label::FinishLogout)}</a>
        }
        .into_any(),
    }
}

fn error(phase: &Phase, look: &Look) -> Option<AnyView> {
    let Phase::Failed(failure) = phase else {
        return None;
    };
    let words = look.labels.text(match failure.kind {
        FailureKind::Unreachable => Label::Unreachable,
        FailureKind::Silent => Label::Silent,
        FailureKind::LoginRefused => Label::LoginRefused,
        FailureKind::HostRefused => Label::HostRefused,
        FailureKind::NotEmbedded => Label::NotEmbedded,
        FailureKind::Other => Label::Refused,
    });
    Some(view! {
        <p class="error" role="alert" data-testid="error" data-code=failure.code.clone()>{words}</p>
    }.into_any())
}

fn actions(frame: Frame) -> Option<AnyView> {
    let look = frame.look.read();
    let control = |control: Control, label, disabled: bool| {
        button(
            frame,
            control,
            look.labels.text(label),
            disabled || look.disabled,
        )
    };
    Some(match &*frame.phase.read() {
        Phase::Loading => {
            view! { <span class="bone bone-button" aria-hidden="true"></span> }.into_any()
        }
        Phase::SignedOut { .. } => control(Control::Login, Label::Login, false),
        Phase::Waiting {
            handoff_challenge,
            blocked,
        } => {
            let open = open_form(frame, &look, handoff_challenge, *blocked);
            let cancel = control(Control::Cancel, Label::Cancel, false);
            view! { {open} {cancel} }.into_any()
        }
        Phase::SignedIn(person) => control(Control::Logout, Label::Logout, person.leaving),
        Phase::Failed(Failure { kind, .. }) => match kind {
            FailureKind::HostRefused | FailureKind::NotEmbedded => return None,
            FailureKind::LoginRefused => control(Control::Login, Label::Retry, false),
            FailureKind::Unreachable | FailureKind::Silent | FailureKind::Other => {
                control(Control::Retry, Label::Retry, false)
            }
        },
    })
}

#[derive(Clone, Copy)]
enum Control {
    Login,
    Logout,
    Cancel,
    Retry,
}

fn button(frame: Frame, control: Control, words: String, disabled: bool) -> AnyView {
    let (class, test_id) = match control {
        Control::Login => ("button primary", "login-button"),
        Control::Logout => ("button", "logout-button"),
        Control::Cancel => ("button", "cancel-button"),
        Control::Retry => ("button", "retry-button"),
    };
    let click = move |_| match control {
        Control::Login => frame.login_clicked(),
        Control::Logout => frame.logout_clicked(),
        Control::Cancel => frame.dispatch(Input::CancelClicked),
        Control::Retry => frame.dispatch(Input::RetryClicked),
    };
    view! {
        <button type="button" class=class data-testid=test_id disabled=disabled on:click=click>
            {words}
        </button>
    }
    .into_any()
}

/// A form that the person presses opens a window where script may not. It binds the login
/// to this frame like the script's own, since it is a POST from here; a link could not.
fn open_form(frame: Frame, look: &Look, challenge: &str, blocked: bool) -> AnyView {
    let words = look
        .labels
        .text(if blocked { Label::Open } else { Label::Reopen });
    let class = if blocked { "button primary" } else { "button" };
    let fields = frame.login_fields(challenge);
    view! {
        <form
            method="post"
            action=routes::LOGIN
            target="_blank"
            on:submit=move |_| frame.login_form_submitted()
        >
            {fields
                .into_iter()
                .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
                .collect_view()}
            <button type="submit" class=class data-testid="open-login">
                {words}
            </button>
        </form>
    }
    .attr("rel", "noopener")
    .into_any()
}
