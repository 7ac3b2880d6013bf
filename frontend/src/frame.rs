//! Runs the state machine in the browser: messages, clicks and answers in, effects out.
//!
//! It decides nothing itself; what must happen synchronously in a click (opening a window)
//! happens here, before the machine is told.

use leptos::prelude::*;
use shared::auth::TicketRequest;
use shared::component::{Args, Props, Variant};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{AbortController, HtmlElement, HtmlFormElement, MessageEvent, SubmitEvent, Window};

use crate::handoff::Handoff;
use crate::host_origins::{HostOrigins, META_SELECTOR};
use crate::labels::Labels;
use crate::login::{Effect, Input, Login, LogoutAnswer, Phase};
use crate::popup::{self, Popup};
use crate::streamlit::{self, Incoming, Render};
use crate::theme::Theme;
use crate::{api, browser, turn};

/// A companion that has not answered by then is announced as silent (design §5).
const SILENCE_MS: u32 = 8_000;

/// An answer that was held may take so much longer than its hold.
const ANSWER_MS: u32 = 10_000;

/// What the host's args make of the component's looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) variant: Variant,
    pub(crate) labels: Labels,
    pub(crate) locale: String,
    pub(crate) hostname: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) disabled: bool,
    pub(crate) dark: bool,
}

/// Everything that the view draws from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) phase: Phase,
    pub(crate) look: Look,
}

/// The component's one instance.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// What to draw, and how.
    pub(crate) shown: RwSignal<Shown>,
    machine: StoredValue<Machine, LocalStorage>,
}

struct Machine {
    login: Login,
    host: Option<Window>,
    host_origin: String,
    origins: HostOrigins,
    theme: Option<Theme>,
    poll: Option<AbortController>,
    watch: Option<AbortController>,
    logout_window: Option<Popup>,
    /// The provider has no end-session page: no window need open in the next logout.
    logout_needs_no_window: bool,
}

impl Frame {
    /// Sets up the machine and listens; to be called once, within a reactive owner.
    pub(crate) fn start() -> Self {
        let window = browser::window();
        let host = window
            .parent()
            .ok()
            .flatten()
            .filter(|parent| *parent != window);
        let embedded = host.is_some();
        let machine = Machine {
            login: Login::new(browser::random_id().unwrap_or_default()),
            host,
            host_origin: String::new(),
            origins: HostOrigins::parse(&origins_in_page(), cfg!(debug_assertions)),
            theme: None,
            poll: None,
            watch: None,
            logout_window: None,
            logout_needs_no_window: false,
        };
        let look = Look {
            labels: Labels::new(&browser_language(), &Props::default()),
            locale: browser_language(),
            ..Look::default()
        };
        let frame = Self {
            shown: RwSignal::new(Shown {
                phase: Phase::Loading,
                look,
            }),
            machine: StoredValue::new_local(machine),
        };
        if embedded {
            frame.listen();
        } else {
            frame.dispatch(Input::NotEmbedded);
        }
        frame
    }

    /// Tells the machine, draws its state, carries out what it asks for.
    pub(crate) fn dispatch(self, input: Input) {
        let now = browser::now();
        let Some((effects, phase)) = self.machine.try_update_value(|machine| {
            let effects = machine.login.handle(input, now);
            (effects, machine.login.phase().clone())
        }) else {
            return;
        };
        if self.phase() != phase {
            self.shown.update(|shown| shown.phase = phase);
        }
        for effect in effects {
            self.perform(effect);
        }
    }

    /// The login button. Everything up to the form's submission happens within the click.
    pub(crate) fn login_clicked(self) {
        let ready = matches!(self.phase(), Phase::SignedOut { .. } | Phase::Failed(_));
        let Some(random) = browser::random_bytes().filter(|_| ready) else {
            return;
        };
        let handoff = Handoff::from_random(random);
        let options = self.login_options();
        let window_open = Popup::open()
            .and_then(|popup| popup.submit_login(handoff.challenge(), &options))
            .is_some();
        self.dispatch(Input::LoginClicked {
            handoff,
            window_open,
        });
    }

    /// The form of the waiting state is being submitted: its fields are filled in now, from
    /// the login that is under way. Drawing now could hide the form from the browser, which
    /// goes on with it after this handler.
    pub(crate) fn login_form_submitted(self, event: &SubmitEvent) {
        let form = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
        if let (
            Some(form),
            Phase::Waiting {
                handoff_challenge, ..
            },
        ) = (form, self.phase())
        {
            let options = self.login_options();
            let _ = popup::fill_in(&form, &handoff_challenge, &options);
        }
        browser::after(
            0,
            Box::new(move || self.dispatch(Input::LoginFormSubmitted)),
        );
    }

    /// The logout button: a window for the provider's page must open within the click.
    pub(crate) fn logout_clicked(self) {
        if !matches!(self.phase(), Phase::SignedIn(person) if !person.leaving) {
            return;
        }
        self.machine.update_value(|machine| {
            if !machine.logout_needs_no_window {
                machine.logout_window = Popup::open();
            }
        });
        self.dispatch(Input::LogoutClicked);
    }

    fn login_options(self) -> Props {
        self.machine
            .with_value(|machine| machine.login.args().login_options.clone())
    }

    fn phase(self) -> Phase {
        self.shown.with_untracked(|shown| shown.phase.clone())
    }

    fn perform(self, effect: Effect) {
        match effect {
            Effect::AskTicket(number, request) => self.ask_ticket(number, request),
            Effect::PollHandoff(number, after_ms) => {
                browser::after(after_ms, Box::new(move || self.send_poll(number)));
            }
            Effect::StopPolling => self.abandon(|machine| &mut machine.poll),
            Effect::Watch(number, after_ms) => {
                browser::after(after_ms, Box::new(move || self.send_watch(number)));
            }
            Effect::StopWatching => self.abandon(|machine| &mut machine.watch),
            Effect::RetryAfter(number, after_ms) => browser::after(
                after_ms,
                Box::new(move || self.dispatch(Input::RetryDue(number))),
            ),
            Effect::AskLogout(request) => browser::spawn(Box::pin(async move {
                let answer = api::logout(&request).await;
                self.logout_answered(answer);
            })),
            Effect::Announce(event) => self.machine.with_value(|machine| {
                if let Some(host) = &machine.host {
                    streamlit::set_component_value(host, &machine.host_origin, &event);
                }
            }),
            Effect::WatchExpiry(expires_at) => self.watch_expiry(expires_at),
        }
    }

    fn ask_ticket(self, number: u32, request: TicketRequest) {
        browser::spawn(Box::pin(async move {
            let answer = api::ticket(&request).await;
            self.dispatch(Input::TicketAnswered(number, answer));
        }));
        browser::after(
            SILENCE_MS,
            Box::new(move || self.dispatch(Input::TicketLate(number))),
        );
    }

    fn send_poll(self, number: u32) {
        let claim = |machine: &mut Machine| machine.login.claim(number, browser::now());
        let Some((request, poll)) = self.begin(claim, |machine| &mut machine.poll) else {
            return;
        };
        let signal = poll.signal();
        // The companion ends the hold; this is for a network that went silent.
        let patience_ms = request.hold.unwrap_or_default() + ANSWER_MS;
        browser::after(patience_ms, Box::new(move || poll.abort()));
        browser::spawn(Box::pin(async move {
            let answer = api::handoff(&request, &signal).await;
            self.dispatch(Input::HandoffAnswered(number, answer));
        }));
    }

    fn send_watch(self, number: u32) {
        let watch = |machine: &mut Machine| machine.login.watch(number, browser::now());
        let Some((request, watch)) = self.begin(watch, |machine| &mut machine.watch) else {
            return;
        };
        let signal = watch.signal();
        browser::spawn(Box::pin(async move {
            let turn = turn::of_this_frame(&request.reference, &signal).await;
            let answer = api::watch(&request, &signal).await;
            turn::over(turn);
            self.dispatch(Input::Watched(number, answer));
        }));
    }

    /// A request that can be abandoned, if the machine still wants it.
    fn begin<T>(
        self,
        request: impl FnOnce(&mut Machine) -> Option<T>,
        slot: fn(&mut Machine) -> &mut Option<AbortController>,
    ) -> Option<(T, AbortController)> {
        let controller = AbortController::new().ok()?;
        self.machine
            .try_update_value(|machine| {
                let request = request(machine)?;
                *slot(machine) = Some(controller.clone());
                Some((request, controller))
            })
            .flatten()
    }

    fn abandon(self, slot: fn(&mut Machine) -> &mut Option<AbortController>) {
        self.machine.update_value(|machine| {
            if let Some(controller) = slot(machine).take() {
                controller.abort();
            }
        });
    }

    fn logout_answered(self, answer: LogoutAnswer) {
        let window_open = self.machine.try_update_value(|machine| {
            let window = machine.logout_window.take();
            let url = match &answer {
                LogoutAnswer::Done { logout_url } => {
                    machine.logout_needs_no_window = logout_url.is_none();
                    logout_url.as_deref()
                }
                LogoutAnswer::Failed => None,
            };
            match (&window, url) {
                (Some(window), Some(url)) => window.show(url),
                (Some(window), None) => window.close(),
                (None, _) => {}
            }
            window.is_some()
        });
        self.dispatch(Input::LogoutAnswered {
            answer,
            window_open: window_open == Some(true),
        });
    }

    /// One timer until the session's end, not a poll: an idle frame makes no requests.
    fn watch_expiry(self, expires_at: i64) {
        let wait_ms = expires_at.saturating_add(1).saturating_mul(1000) - browser::now().ms;
        // A longer timer than the browser's 24 days would fire at once.
        let Some(wait_ms) = u32::try_from(wait_ms)
            .ok()
            .filter(|ms| i32::try_from(*ms).is_ok())
        else {
            return;
        };
        let lapsed = move || {
            let current = matches!(
                self.phase(),
                Phase::SignedIn(person) if person.expires_at == expires_at
            );
            if current {
                self.dispatch(Input::SessionLapsed);
            }
        };
        browser::after(wait_ms, Box::new(lapsed));
    }

    fn listen(self) {
        let window = browser::window();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event| self.message(&event));
        let _ =
            window.add_event_listener_with_callback("message", on_message.as_ref().unchecked_ref());
        on_message.forget();
        if let Some(document) = browser::document() {
            let on_change =
                Closure::<dyn Fn()>::new(move || self.dispatch(Input::VisibilityChanged));
            let _ = document.add_event_listener_with_callback(
                "visibilitychange",
                on_change.as_ref().unchecked_ref(),
            );
            on_change.forget();
        }
        if let Some(event) = early_message() {
            self.message(&event);
        }
    }

    fn message(self, event: &MessageEvent) {
        let incoming = self.machine.with_value(|machine| {
            machine.host.as_ref().map_or(Incoming::Ignored, |host| {
                streamlit::read(event, host, &machine.origins)
            })
        });
        match incoming {
            Incoming::Render(render) => self.render(*render),
            Incoming::Refused => self.dispatch(Input::HostRefused),
            Incoming::Ignored => {}
        }
    }

    fn render(self, render: Render) {
        let Render {
            args,
            theme,
            disabled,
            origin,
        } = render;
        self.machine.update_value(|machine| {
            if machine.theme.as_ref() != Some(&theme) {
                set_properties(&theme.properties());
                machine.theme = Some(theme.clone());
            }
        });
        let look = look(&args, disabled, theme.is_dark());
        if self.shown.with_untracked(|shown| shown.look != look) {
            set_language(look.labels.language());
            self.shown.update(|shown| shown.look = look);
        }
        self.machine
            .update_value(|machine| machine.host_origin.clone_from(&origin));
        self.dispatch(Input::Rendered {
            args: Box::new(args),
            origin,
        });
    }
}

fn look(args: &Args, disabled: bool, dark: bool) -> Look {
    let filled = |words: &String| !words.trim().is_empty();
    let locale = args
        .locale
        .clone()
        .filter(filled)
        .unwrap_or_else(browser_language);
    Look {
        variant: args.variant,
        labels: Labels::new(&locale, &args.labels),
        locale,
        hostname: args.hostname.clone().filter(filled),
        message: args
            .initial_state
            .as_ref()
            .map(|state| state.message.clone())
            .filter(filled),
        disabled,
        dark,
    }
}

fn browser_language() -> String {
    browser::window().navigator().language().unwrap_or_default()
}

fn origins_in_page() -> String {
    browser::document()
        .and_then(|document| document.query_selector(META_SELECTOR).ok().flatten())
        .and_then(|meta| meta.get_attribute("content"))
        .unwrap_or_default()
}

/// The render message that `static/ready.js` kept while the WASM was on its way; its
/// listener has done its work.
fn early_message() -> Option<MessageEvent> {
    let _ = browser::window()
        .remove_event_listener_with_callback("message", browser::early("listener").unchecked_ref());
    browser::early("render").dyn_into().ok()
}

fn page() -> Option<HtmlElement> {
    browser::document()?.document_element()?.dyn_into().ok()
}

/// By the CSSOM, which the page's CSP allows where it forbids style attributes.
fn set_properties(properties: &[(&'static str, Option<String>)]) {
    let Some(page) = page() else { return };
    for (name, value) in properties {
        let _ = match value {
            Some(value) => page.style().set_property(name, value),
            None => page.style().remove_property(name).map(drop),
        };
    }
}

fn set_language(language: &str) {
    if let Some(page) = page() {
        page.set_lang(language);
    }
}
