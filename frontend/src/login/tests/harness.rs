//! A login under test: inputs with a fake clock, effects sorted by kind.

use crate::handoff::Handoff;
use crate::login::{
    Effect, HandoffAnswer, Input, Login, LogoutAnswer, Now, Phase, TicketAnswer, WatchAnswer,
};
use shared::auth::{DisplayUser, SignedIn, TicketRequest};
use shared::component::{Args, Command, CommandName, Event, Known, KnownState};

pub(super) const ORIGIN: &str = "https://app.example";

/// What one input led to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) tickets: Vec<(u32, TicketRequest)>,
    pub(super) polls: Vec<(u32, u32)>,
    pub(super) events: Vec<Event>,
    pub(super) expiries: Vec<i64>,
    pub(super) logouts: Vec<Option<String>>,
    pub(super) stops: usize,
    pub(super) watches: Vec<(u32, u32)>,
    pub(super) watches_stopped: usize,
    pub(super) retries: Vec<(u32, u32)>,
}

impl Outcome {
    /// The events as "name message", which is what the host acts on.
    pub(super) fn said(&self) -> Vec<String> {
        self.events
            .iter()
            .map(|event| format!("{} {}", event.name, event.data.message))
            .collect()
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.tickets.is_empty()
            && self.polls.is_empty()
            && self.events.is_empty()
            && self.logouts.is_empty()
    }
}

pub(super) struct Bench {
    pub(super) login: Login,
    pub(super) now: Now,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            login: Login::new("e".to_owned()),
            now: Now {
                ms: 1_000_000,
                hidden: false,
            },
        }
    }

    pub(super) fn send(&mut self, input: Input) -> Outcome {
        let mut outcome = Outcome::default();
        for effect in self.login.handle(input, self.now) {
            match effect {
                Effect::AskTicket(number, request) => outcome.tickets.push((number, request)),
                Effect::PollHandoff(number, after) => outcome.polls.push((number, after)),
                Effect::Watch(number, after) => outcome.watches.push((number, after)),
                Effect::StopWatching => outcome.watches_stopped += 1,
                Effect::RetryAfter(number, after) => outcome.retries.push((number, after)),
                Effect::StopPolling => outcome.stops += 1,
                Effect::AskLogout(request) => outcome.logouts.push(request.sign_out_key),
                Effect::Announce(event) => outcome.events.push(*event),
                Effect::WatchExpiry(at) => outcome.expiries.push(at),
            }
        }
        outcome
    }

    pub(super) fn pass(&mut self, ms: i64) {
        self.now.ms += ms;
    }

    pub(super) fn render(&mut self, args: Args) -> Outcome {
        self.send(Input::Rendered {
            args: Box::new(args),
            origin: ORIGIN.to_owned(),
        })
    }

    pub(super) fn answer(&mut self, asked: &Outcome, answer: TicketAnswer) -> Outcome {
        let (number, _) = asked.tickets.last().expect("a ticket request");
        self.send(Input::TicketAnswered(*number, answer))
    }

    pub(super) fn click_login(&mut self, window_open: bool) -> Outcome {
        let handoff = Handoff::from_random([7; 32]);
        self.send(Input::LoginClicked {
            handoff,
            window_open,
        })
    }

    /// Takes the claim, as the browser side does when it sends the poll, and answers it.
    pub(super) fn poll(&mut self, polled: &Outcome, answer: HandoffAnswer) -> Outcome {
        let (number, _) = polled.polls.last().expect("a poll");
        self.login
            .claim(*number, self.now)
            .expect("the newest poll may be sent");
        self.pass(25_000);
        self.send(Input::HandoffAnswered(*number, answer))
    }

    /// Takes the watch, as the browser side does when it sends it, and answers it.
    pub(super) fn watched(&mut self, asked: &Outcome, ms: i64, answer: WatchAnswer) -> Outcome {
        let (number, _) = *asked.watches.last().expect("a watch");
        self.login.watch(number, self.now).expect("it is wanted");
        self.pass(ms);
        self.send(Input::Watched(number, answer))
    }

    /// Signed out, told to a host that knew nothing.
    pub(super) fn signed_out() -> Self {
        let mut bench = Self::new();
        let asked = bench.render(args());
        bench.answer(&asked, TicketAnswer::SignedOut);
        bench
    }

    /// Signed in as of session `r1`, told to a host that knew nothing.
    pub(super) fn signed_in() -> Self {
        let mut bench = Self::new();
        let asked = bench.render(args());
        bench.answer(&asked, session("r1"));
        bench
    }

    /// Signed in, and signed out by a click.
    pub(super) fn signed_out_by_click() -> Self {
        let mut bench = Self::signed_in();
        bench.send(Input::LogoutClicked);
        bench.send(Input::LogoutAnswered {
            answer: LogoutAnswer::Done { logout_url: None },
            window_open: false,
        });
        bench
    }

    /// Waiting in an open window, with the poll that was asked for.
    pub(super) fn waiting() -> (Self, Outcome) {
        let mut bench = Self::signed_out();
        let polled = bench.click_login(true);
        (bench, polled)
    }

    pub(super) fn state(&self) -> &'static str {
        self.login.phase().name()
    }

    pub(super) fn phase(&self) -> &Phase {
        self.login.phase()
    }
}

pub(super) fn args() -> Args {
    Args {
        challenge: "C1".to_owned(),
        ..Args::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the args want it")]
pub(super) fn known(state: KnownState, reference: Option<&str>) -> Option<Known> {
    Some(Known {
        state,
        reference: reference.map(str::to_owned),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "as the args want it")]
pub(super) fn command(id: &str, name: CommandName) -> Option<Command> {
    Some(Command {
        id: id.to_owned(),
        name,
    })
}

pub(super) fn session_of(reference: &str, ticket: Option<&str>) -> SignedIn {
    SignedIn {
        user: DisplayUser {
            name: "Ada".to_owned(),
            email: None,
            picture: None,
        },
        expires_at: 5_000,
        reference: reference.to_owned(),
        ticket: ticket.map(str::to_owned),
        sign_out_key: None,
    }
}

/// A ticket's answer for the session with this `ref`.
pub(super) fn session(reference: &str) -> TicketAnswer {
    TicketAnswer::SignedIn(session_of(reference, Some("T")))
}

/// A companion that cannot be reached.
pub(super) const fn away() -> TicketAnswer {
    TicketAnswer::Unreachable {
        retry_after_s: None,
    }
}
