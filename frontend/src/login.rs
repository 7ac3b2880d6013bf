//! The state machine of the login in the frame: inputs in, effects out.
//!
//! It decides everything and does nothing: no browser types, no clock, no randomness, so
//! that every transition is tested natively (`login/tests`). The rules it keeps are
//! those of design §5: what is announced and when, which command is obeyed once, and that
//! after a logout nobody is announced as signed in without a click.

mod host;
mod phase;
mod session;
mod waiting;
mod watching;

#[cfg(test)]
mod tests;

pub use phase::{Failure, FailureKind, Notice, Person, Phase};

use shared::auth::{HandoffRequest, LogoutRequest, SignedIn, TicketRequest};
use shared::component::{Args, Event};

use crate::announcement::Announcement;
use crate::handoff::Handoff;

/// When a request is given up that the companion does not hold. Longer than the 8 s after
/// which the host is told: a late answer is still welcome.
pub const REQUEST_TIMEOUT_MS: u32 = 30_000;

/// What happened.
pub enum Input {
    /// A render message from an admitted origin.
    Rendered {
        /// Its args.
        args: Box<Args>,
        /// The origin, as the browser reported it.
        origin: String,
    },
    /// A render message from the parent window, whose origin is not admitted.
    HostRefused,
    /// The page was opened outside any frame.
    NotEmbedded,
    /// The person asked to sign in; the form went into a window if `window_open`.
    LoginClicked {
        /// Made for this login.
        handoff: Handoff,
        /// Whether the browser let the window open.
        window_open: bool,
    },
    /// The person pressed the form of the waiting state.
    LoginFormSubmitted,
    /// The person gave up waiting.
    CancelClicked,
    /// The person asked to try again.
    RetryClicked,
    /// The person asked to sign out.
    LogoutClicked,
    /// The companion answered the ticket request with this number.
    TicketAnswered(u32, TicketAnswer),
    /// The ticket request with this number has no answer after 8 s.
    TicketLate(u32),
    /// The companion answered the poll with this number.
    HandoffAnswered(u32, HandoffAnswer),
    /// The companion answered the logout.
    LogoutAnswered {
        /// What it said.
        answer: LogoutAnswer,
        /// Whether a window shows the provider's page.
        window_open: bool,
    },
    /// The page became visible, or hidden.
    VisibilityChanged,
    /// The time that was the session's end has come.
    SessionLapsed,
    /// The watch with this number has its answer.
    Watched(u32, WatchAnswer),
    /// The pause with this number is over.
    RetryDue(u32),
}

/// Answer to a ticket request.
#[derive(Clone)]
pub enum TicketAnswer {
    /// Somebody is signed in.
    SignedIn(SignedIn),
    /// Nobody is.
    SignedOut,
    /// A refusal that asking again does not cure.
    Refused {
        /// Stable code.
        code: String,
    },
    /// No usable answer.
    Unreachable {
        /// The companion's `Retry-After`.
        retry_after_s: Option<u32>,
    },
}

/// Answer to a poll of the handoff.
#[derive(Clone)]
pub enum HandoffAnswer {
    /// The login is ours.
    Claimed(SignedIn),
    /// Ask again.
    Pending {
        /// The companion's `Retry-After`.
        retry_after_s: Option<u32>,
    },
    /// The provider or the person refused.
    Refused,
    /// Claimed already, or lapsed.
    Gone,
    /// A refusal that asking again does not cure.
    Rejected {
        /// Stable code.
        code: String,
    },
    /// No usable answer.
    Unreachable {
        /// The companion's `Retry-After`.
        retry_after_s: Option<u32>,
    },
}

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchAnswer {
    /// With the session, or because the session is not this frame's any more.
    Ended,
    /// Watch again.
    Again {
        /// The companion's `Retry-After`.
        retry_after_s: Option<u32>,
    },
    /// Without a usable answer.
    Unreachable,
}

/// Answer to a logout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutAnswer {
    /// The session has ended; the provider's has when its page was visited.
    Done {
        /// The provider's end-session page.
        logout_url: Option<String>,
    },
    /// The session may still live.
    Failed,
}

/// What the browser side shall do.
pub enum Effect {
    /// Send the ticket request; report its answer, and its lack after 8 s.
    AskTicket(u32, TicketRequest),
    /// Wait so many milliseconds; take [`Login::claim`] and send it. A poll under way stays: the companion ends it
    /// when the next one comes, and it may bring the login until then.
    PollHandoff(u32, u32),
    /// Abandon any poll under way.
    StopPolling,
    /// Send the logout.
    AskLogout(LogoutRequest),
    /// Set the component's value.
    Announce(Box<Event>),
    /// Report [`Input::SessionLapsed`] at this Unix second.
    WatchExpiry(i64),
    /// Wait so many milliseconds; take [`Login::watch`] and send it.
    Watch(u32, u32),
    /// Abandon the watch.
    StopWatching,
    /// Report [`Input::RetryDue`] after so many milliseconds.
    RetryAfter(u32, u32),
}

/// Circumstances of an input.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Unix milliseconds.
    pub ms: i64,
    /// Whether nobody sees the page.
    pub hidden: bool,
}

/// What was last announced, or need not be because the host knows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    SignedOut,
    SignedIn { reference: String },
    Failed { code: String },
}

/// When an answer is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announce {
    /// The first answer after a mount or a trouble.
    UnlessKnown,
    /// Everything later.
    IfChanged,
    /// What the person or the host asked for.
    Always,
}

/// The login as this frame knows it.
pub struct Login {
    phase: Phase,
    args: Args,
    host_origin: Option<String>,
    announced: Option<Outcome>,
    /// Commands that came, so that each id is obeyed once.
    commands_seen: Vec<String>,
    /// A logout happened: "signed in" is announced only after a click.
    sticky: bool,
    /// The person's logout is under way: its answer counts, whatever a check says meanwhile.
    leaving: bool,
    /// A session's `ref`, and the key that ends it where the browser refuses the frame's
    /// cookie, and can do nothing else.
    sign_out_key: Option<(String, String)>,
    /// The companion has answered for this session by the frame's cookie: the browser keeps it.
    cookie_kept: bool,
    check: Option<session::Check>,
    attempt: Option<waiting::Attempt>,
    watch: Option<watching::Watch>,
    /// Watches in a row that brought nothing.
    watch_failures: u32,
    /// The pause before the next check by itself, and how many there were in a row.
    retry: u32,
    retries: u32,
    last_answer_ms: i64,
    /// Numbers requests, so that a late answer to a superseded one is told apart.
    sequence: u32,
    event_prefix: String,
    events_made: u32,
    effects: Vec<Effect>,
}

impl Login {
    /// `event_prefix` makes event ids unique among all mounts: random, not secret.
    #[must_use]
    pub fn new(event_prefix: String) -> Self {
        Self {
            phase: Phase::Loading,
            args: Args::default(),
            host_origin: None,
            announced: None,
            commands_seen: Vec::new(),
            sticky: false,
            leaving: false,
            sign_out_key: None,
            cookie_kept: false,
            check: None,
            attempt: None,
            watch: None,
            watch_failures: 0,
            retry: 0,
            retries: 0,
            last_answer_ms: 0,
            sequence: 0,
            event_prefix,
            events_made: 0,
            effects: Vec::new(),
        }
    }

    /// What to draw.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The host's latest args.
    #[must_use]
    pub fn args(&self) -> &Args {
        &self.args
    }

    /// Takes an input; the effects are to be carried out in order.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Effect> {
        match input {
            Input::Rendered { args, origin } => self.rendered(*args, origin),
            Input::HostRefused => self.host_refused(),
            Input::NotEmbedded => self.phase = Phase::Failed(FailureKind::NotEmbedded.into()),
            Input::LoginClicked {
                handoff,
                window_open,
            } => {
                self.login_clicked(handoff, window_open, now);
            }
            Input::LoginFormSubmitted => self.login_form_submitted(now),
            Input::CancelClicked => self.cancel_clicked(now),
            Input::RetryClicked => self.retry_clicked(),
            Input::LogoutClicked => self.logout_clicked(),
            Input::TicketAnswered(number, answer) => self.ticket_answered(number, answer, now),
            Input::TicketLate(number) => self.ticket_late(number),
            Input::HandoffAnswered(number, answer) => self.handoff_answered(number, answer, now),
            Input::LogoutAnswered {
                answer,
                window_open,
            } => {
                self.logout_answered(answer, window_open);
            }
            Input::VisibilityChanged => self.visibility_changed(now),
            Input::SessionLapsed => self.session_lapsed(),
            Input::Watched(number, answer) => self.watched(number, answer, now),
            Input::RetryDue(number) => self.retry_due(number, now),
        }
        self.keep_watch(now);
        std::mem::take(&mut self.effects)
    }

    /// The claim for the poll with this number, unless the poll was superseded. Taken when
    /// it is sent, so that its ticket is for the challenge then in force.
    pub fn claim(&mut self, number: u32, now: Now) -> Option<HandoffRequest> {
        let attempt = self.attempt.as_mut()?;
        attempt.claim(number, &self.args.challenge, self.host_origin.clone(), now)
    }

    fn next_number(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    fn announce(&mut self, outcome: Outcome, announcement: Announcement) {
        self.announced = Some(outcome);
        self.events_made += 1;
        let id = [
            self.event_prefix.as_str(),
            "-",
            &self.events_made.to_string(),
        ]
        .concat();
        let event = announcement.event(id, &self.args);
        self.effects.push(Effect::Announce(Box::new(event)));
    }

    /// Whether `outcome` needs no announcement.
    fn is_told(&self, outcome: &Outcome, rule: Announce) -> bool {
        match rule {
            Announce::UnlessKnown => self.is_known(outcome),
            Announce::IfChanged => self.announced.as_ref() == Some(outcome),
            Announce::Always => false,
        }
    }
}
