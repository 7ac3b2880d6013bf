//! The view: one set of elements for every state, so that the frame keeps its height, the
//! keyboard its focus and a screen reader its place. It draws and reports clicks, no more.
//!
//! What has nothing to show is hidden by the style sheet (`:empty`, or no `class`, `href`,
//! `src`, `data-testid`). What an element shows is a function of [`Shown`], and all such functions share two types
//! of closure: views of their own for each state would be a fifth of the page's bytes.

use leptos::prelude::*;
use shared::component::Variant;
use shared::routes;

use crate::frame::{Frame, Shown};
use crate::labels::{Label, initials};
use crate::login::{FailureKind, Input, Notice, Person, Phase};
use crate::{browser, expiry};

/// Draws the component in place of the page's skeleton.
pub(crate) fn mount() {
    if let Some(skeleton) =
        browser::document().and_then(|document| document.get_element_by_id("component-auth0"))
    {
        skeleton.remove();
    }
    leptos::mount::mount_to_body(component);
}

fn component() -> impl IntoView {
    let frame = Frame::start();
    let attribute = |value| attribute(frame, value);
    let words = |value| words(frame, value);
    view! {
        <main
            id="component-auth0"
            class="root"
            data-state=attribute(|shown| some(shown.phase.name()))
            data-variant=attribute(|shown| some(variant(shown)))
            data-theme=attribute(|shown| some(if shown.look.dark { "dark" } else { "light" }))
            data-notice=attribute(|shown| set_if(notice(shown).is_some()))
            aria-busy=attribute(|shown| some(if is_loading(shown) { "true" } else { "false" }))
        >
            <span class=attribute(lead) aria-hidden="true">
                {words(lead_words)}
                <img
                    alt=""
                    referrerpolicy="no-referrer"
                    src=attribute(picture)
                />
            </span>
            <div class="text">
                <p
                    class="title"
                    data-testid=attribute(|shown| person(shown).map(|_| "user-name".to_owned()))
                >
                    {words(title)}
                </p>
                <p class="email">
                    {words(email)}
                </p>
                <p class="status" role="status" data-testid="status">
                    {words(status)}
                    <a
                        target="_blank"
                        rel="noopener noreferrer"
                        href=attribute(provider_page)
                    >
                        {words(provider_page_words)}
                    </a>
                </p>
                <p
                    class="error"
                    role="alert"
                    data-testid=attribute(|shown| failure(shown).map(|_| "error".to_owned()))
                >
                    {words(error)}
                </p>
            </div>
            <div class="actions">
                <span
                    class="bone bone-button"
                    aria-hidden="true"
                ></span>
                // Opens a window where script may not. It binds the login to this frame like
                // the script's own form, since it is a POST from here; a link could not.
                <form
                    method="post"
                    action=routes::LOGIN
                    target="_blank"
                    on:submit=move |event| frame.login_form_submitted(&event)
                >
                    <button
                        type="submit"
                        class=attribute(|shown| button_class(blocked(shown) == Some(true)))
                        data-testid=attribute(|shown| blocked(shown).map(|_| "open-login".to_owned()))
                    >
                        {words(|shown| {
                            let blocked = blocked(shown) == Some(true);
                            shown.look.labels.text(if blocked { Label::Open } else { Label::Reopen })
                        })}
                    </button>
                </form>
                <button
                    type="button"
                    class=attribute(|shown| button_class(control(shown) == Some(Control::Login)))
                    data-testid=attribute(|shown| control(shown).map(|known| known.test_id().to_owned()))
                    disabled=attribute(|shown| set_if(is_disabled(shown)))
                    on:click=move |_| click(frame)
                >
                    {words(control_words)}
                </button>
            </div>
        </main>
    }
}

fn attribute(
    frame: Frame,
    value: fn(&Shown) -> Option<String>,
) -> impl Fn() -> Option<String> + Clone + Send + 'static {
    move || frame.shown.with(value)
}

fn words(
    frame: Frame,
    value: fn(&Shown) -> String,
) -> impl Fn() -> String + Clone + Send + 'static {
    move || frame.shown.with(value)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "attributes that are always there have the type of the others"
)]
fn some(value: &str) -> Option<String> {
    Some(value.to_owned())
}

/// A boolean attribute.
fn set_if(condition: bool) -> Option<String> {
    condition.then(String::new)
}

/// What the one button does in a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    Login,
    Logout,
    Cancel,
    Retry,
}

impl Control {
    const fn test_id(self) -> &'static str {
        match self {
            Self::Login => "login-button",
            Self::Logout => "logout-button",
            Self::Cancel => "cancel-button",
            Self::Retry => "retry-button",
        }
    }
}

fn control(shown: &Shown) -> Option<Control> {
    match &shown.phase {
        Phase::Loading => None,
        Phase::SignedOut { .. } => Some(Control::Login),
        Phase::Waiting { .. } => Some(Control::Cancel),
        Phase::SignedIn(_) => Some(Control::Logout),
        Phase::Failed(failure) => match failure.kind {
            FailureKind::HostRefused | FailureKind::NotEmbedded => None,
            FailureKind::LoginRefused => Some(Control::Login),
            FailureKind::Unreachable | FailureKind::Silent | FailureKind::Other => {
                Some(Control::Retry)
            }
        },
    }
}

fn click(frame: Frame) {
    match frame.shown.with_untracked(control) {
        Some(Control::Login) => frame.login_clicked(),
        Some(Control::Logout) => frame.logout_clicked(),
        Some(Control::Cancel) => frame.dispatch(Input::CancelClicked),
        Some(Control::Retry) => frame.dispatch(Input::RetryClicked),
        None => {}
    }
}

fn control_words(shown: &Shown) -> String {
    let label = match (control(shown), failure(shown)) {
        (Some(Control::Login), Some(_)) | (Some(Control::Retry), _) => Label::Retry,
        (Some(Control::Login), None) => Label::Login,
        (Some(Control::Logout), _) => Label::Logout,
        (Some(Control::Cancel), _) => Label::Cancel,
        (None, _) => return String::new(),
    };
    shown.look.labels.text(label)
}

fn button_class(primary: bool) -> Option<String> {
    some(if primary { "button primary" } else { "button" })
}

fn is_disabled(shown: &Shown) -> bool {
    shown.look.disabled || person(shown).is_some_and(|person| person.leaving)
}

fn is_loading(shown: &Shown) -> bool {
    shown.phase == Phase::Loading
}

/// Whether the window was blocked, while a login is under way.
fn blocked(shown: &Shown) -> Option<bool> {
    match shown.phase {
        Phase::Waiting { blocked, .. } => Some(blocked),
        _ => None,
    }
}

fn person(shown: &Shown) -> Option<&Person> {
    match &shown.phase {
        Phase::SignedIn(person) => Some(person),
        _ => None,
    }
}

fn failure(shown: &Shown) -> Option<FailureKind> {
    match &shown.phase {
        Phase::Failed(failure) => Some(failure.kind),
        _ => None,
    }
}

/// What the status says that is not plain to see.
fn notice(shown: &Shown) -> Option<&Notice> {
    match &shown.phase {
        Phase::SignedOut { notice } => notice.as_ref(),
        Phase::SignedIn(person) => person.notice.as_ref(),
        _ => None,
    }
}

fn provider_page(shown: &Shown) -> Option<String> {
    match notice(shown) {
        Some(Notice::FinishAtProvider(url)) => Some(url.clone()),
        _ => None,
    }
}

fn provider_page_words(shown: &Shown) -> String {
    match provider_page(shown) {
        // Words of a link that is not there would be read as words of the status.
        None => String::new(),
        Some(_) => [" ", &shown.look.labels.text(Label::FinishLogout)].concat(),
    }
}

const fn variant(shown: &Shown) -> &'static str {
    match shown.look.variant {
        Variant::Button => "button",
        Variant::Card => "card",
        Variant::Compact => "compact",
    }
}

/// Picture, spinner or warning sign; the words beside it say the same.
fn lead(shown: &Shown) -> Option<String> {
    match (&shown.phase, blocked(shown)) {
        (_, Some(true)) | (Phase::Failed(_), _) => some("lead sign"),
        (_, Some(false)) => some("lead spinner"),
        (Phase::SignedIn(_), _) => some("lead avatar"),
        _ => None,
    }
}

fn lead_words(shown: &Shown) -> String {
    match (&shown.phase, blocked(shown)) {
        (_, Some(true)) | (Phase::Failed(_), _) => "!".to_owned(),
        (Phase::SignedIn(person), _) => initials(&person.user.name),
        _ => String::new(),
    }
}

/// An https URL, or one of this machine in development. It lies over the initials, which
/// stay to be seen where it does not load.
fn picture(shown: &Shown) -> Option<String> {
    person(shown)?.user.picture.clone().filter(|url| {
        ["https://", "http://localhost:", "http://127.0.0.1:"]
            .iter()
            .any(|start| url.starts_with(start))
    })
}

fn title(shown: &Shown) -> String {
    let look = &shown.look;
    match (&shown.phase, &look.hostname, look.variant) {
        (Phase::SignedIn(person), ..) => person.user.name.clone(),
        (Phase::SignedOut { .. } | Phase::Waiting { .. }, Some(app), Variant::Card) => {
            look.labels.fill(Label::Title, app)
        }
        (Phase::SignedOut { .. } | Phase::Waiting { .. }, Some(app), Variant::Button) => {
            app.clone()
        }
        _ => String::new(),
    }
}

fn email(shown: &Shown) -> String {
    person(shown)
        .filter(|_| shown.look.variant == Variant::Card)
        .and_then(|person| {
            person
                .user
                .email
                .clone()
                .filter(|email| *email != person.user.name)
        })
        .unwrap_or_default()
}

fn status(shown: &Shown) -> String {
    let look = &shown.look;
    let label = match (&shown.phase, notice(shown)) {
        (Phase::SignedIn(Person { leaving: true, .. }), _) => Label::SigningOut,
        (_, Some(Notice::ClickAgain)) => Label::ClickAgain,
        (_, Some(Notice::SessionEnded)) => Label::SessionEnded,
        (_, Some(Notice::FinishAtProvider(_))) => Label::FinishAtProvider,
        (_, Some(Notice::LogoutFailed)) => Label::LogoutFailed,
        (Phase::Loading, _) => Label::Loading,
        (Phase::SignedOut { .. }, _) => match &look.message {
            Some(message) => return message.clone(),
            None => Label::SignedOut,
        },
        (Phase::Waiting { blocked: true, .. }, _) => Label::Blocked,
        (Phase::Waiting { .. }, _) => Label::Waiting,
        (Phase::SignedIn(person), _) => {
            let time = expiry::in_words(person.expires_at, &look.locale);
            return look.labels.fill(Label::SignedIn, &time);
        }
        // The error's own element speaks, at once and not when the reader finds time.
        (Phase::Failed(_), _) => return String::new(),
    };
    look.labels.text(label)
}

fn error(shown: &Shown) -> String {
    let label = match failure(shown) {
        Some(FailureKind::Unreachable) => Label::Unreachable,
        Some(FailureKind::Silent) => Label::Silent,
        Some(FailureKind::LoginRefused) => Label::LoginRefused,
        Some(FailureKind::HostRefused) => Label::HostRefused,
        Some(FailureKind::NotEmbedded) => Label::NotEmbedded,
        Some(FailureKind::Other) => Label::Refused,
        None => return String::new(),
    };
    shown.look.labels.text(label)
}
