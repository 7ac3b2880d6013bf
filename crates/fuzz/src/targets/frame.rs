//! The frame's state machine under any order of events (D11, D20, D28, G07): it announces
//! nobody whom the companion did not name, never tells its verifier, and after a logout says
//! "signed in" only when the person has clicked again.

use frontend::handoff::Handoff;
use frontend::login::{
    Effect, HandoffAnswer, Input, Login, LogoutAnswer, Now, Phase, TicketAnswer, WatchAnswer,
};
use shared::auth::{DisplayUser, SignedIn};
use shared::component::{Args, Command, CommandName, Event, Known, KnownState};

const ORIGIN: &str = "https://app.example";

/// What the fuzzer remembers of a frame, to judge what it says.
struct Watched {
    login: Login,
    now: Now,
    /// In force; none before the host has spoken.
    challenge: String,
    verifiers: Vec<String>,
    /// Tickets that the companion gave in answers.
    tickets: Vec<String>,
    /// Numbers that effects asked to be answered.
    asked: [u32; 4],
    /// Logouts under way: each has one answer.
    logouts: u32,
    /// One of them is the person's own: until its answer the session is there.
    is_leaving: bool,
    /// The person or Python signed out, and nobody clicked since.
    is_left: bool,
}

/// Two bytes an event: which, and a choice of how.
pub(crate) fn run(input: &[u8]) {
    let mut frame = Watched {
        login: Login::new("e".to_owned()),
        now: Now {
            ms: 1_000_000,
            hidden: false,
        },
        challenge: String::new(),
        verifiers: Vec::new(),
        tickets: Vec::new(),
        asked: [0; 4],
        logouts: 0,
        is_leaving: false,
        is_left: false,
    };
    for pair in input.chunks_exact(2) {
        frame.step(pair[0], pair[1]);
    }
}

impl Watched {
    fn step(&mut self, kind: u8, choice: u8) {
        self.now.ms += i64::from(choice) * 97;
        self.now.hidden = choice & 64 != 0;
        let Some(input) = self.input(kind % 15, choice) else {
            return;
        };
        let is_login = matches!(input, Input::LoginClicked { .. });
        let is_of_host = matches!(input, Input::Rendered { .. });
        let effects = self.login.handle(input, self.now);
        // A click where there is no button is none.
        if is_login && matches!(self.login.phase(), Phase::Waiting { .. }) {
            (self.is_leaving, self.is_left) = (false, false);
        }
        assert!(
            effects.len() <= 12,
            "{} effects of one event",
            effects.len()
        );
        for effect in effects {
            if let Effect::AskLogout(_) = effect {
                self.logouts += 1;
                // Python's is done when it is said.
                (self.is_leaving, self.is_left) = (!is_of_host, is_of_host);
            }
            self.judge(effect);
        }
    }

    fn input(&mut self, kind: u8, choice: u8) -> Option<Input> {
        Some(match kind {
            0 => self.rendered(choice),
            1 => Input::HostRefused,
            2 => {
                let handoff = Handoff::from_random([choice; 32]);
                self.verifiers.push(handoff.verifier().to_owned());
                Input::LoginClicked {
                    handoff,
                    window_open: choice & 1 == 0,
                }
            }
            3 => Input::LoginFormSubmitted,
            4 => Input::CancelClicked,
            5 => Input::RetryClicked,
            6 => Input::LogoutClicked,
            7 => Input::TicketAnswered(self.number(0, choice), self.ticket_answer(choice)),
            8 => Input::TicketLate(self.number(0, choice)),
            9 => {
                let number = self.number(1, choice);
                self.login.claim(number, self.now)?;
                Input::HandoffAnswered(number, self.handoff_answer(choice))
            }
            10 => self.logout_answered(choice)?,
            11 => Input::SessionLapsed,
            12 => {
                let number = self.number(2, choice);
                self.login.watch(number, self.now)?;
                Input::Watched(number, watch_answer(choice))
            }
            13 => Input::RetryDue(self.number(3, choice)),
            _ => Input::VisibilityChanged,
        })
    }

    fn logout_answered(&mut self, choice: u8) -> Option<Input> {
        self.logouts = self.logouts.checked_sub(1)?;
        let is_done = choice & 1 == 0;
        self.is_left |= std::mem::take(&mut self.is_leaving) && is_done;
        Some(Input::LogoutAnswered {
            answer: if is_done {
                LogoutAnswer::Done { logout_url: None }
            } else {
                LogoutAnswer::Failed
            },
            window_open: choice & 2 == 0,
        })
    }

    /// Mostly the one that was asked for, sometimes an old or a made-up one.
    fn number(&self, which: usize, choice: u8) -> u32 {
        match choice >> 5 {
            0 => u32::from(choice),
            1 => self.asked[which].wrapping_sub(1),
            _ => self.asked[which],
        }
    }

    fn rendered(&mut self, choice: u8) -> Input {
        self.challenge = format!("challenge-{}", choice % 3);
        let command = (choice & 16 != 0).then(|| {
            let is_logout = choice & 32 != 0;
            Command {
                id: format!("{}{is_logout}", choice % 4),
                name: if is_logout {
                    CommandName::Logout
                } else {
                    CommandName::Recheck
                },
            }
        });
        let known = (choice & 8 != 0).then_some(Known {
            state: KnownState::SignedOut,
            reference: None,
        });
        let args = Args {
            challenge: self.challenge.clone(),
            known,
            command,
            ..Args::default()
        };
        Input::Rendered {
            args: Box::new(args),
            origin: ORIGIN.to_owned(),
        }
    }

    fn signed_in(&mut self, choice: u8) -> SignedIn {
        let ticket = format!("ticket-{}", self.tickets.len());
        self.tickets.push(ticket.clone());
        SignedIn {
            user: DisplayUser {
                name: "A Person".to_owned(),
                email: None,
                picture: None,
            },
            expires_at: self.now.ms / 1000 + i64::from(choice),
            reference: format!("ref-{}", choice % 2),
            ticket: (choice & 4 == 0).then_some(ticket),
            sign_out_key: (choice & 1 == 0).then(|| "sign-out-key".to_owned()),
        }
    }

    fn ticket_answer(&mut self, choice: u8) -> TicketAnswer {
        let retry_after_s = (choice & 8 != 0).then_some(u32::MAX);
        match choice % 4 {
            0 | 1 => TicketAnswer::SignedIn(self.signed_in(choice)),
            2 => TicketAnswer::SignedOut,
            _ if choice & 16 == 0 => TicketAnswer::Unreachable { retry_after_s },
            _ => TicketAnswer::Refused {
                code: "forbidden_origin".to_owned(),
            },
        }
    }

    fn handoff_answer(&mut self, choice: u8) -> HandoffAnswer {
        let retry_after_s = (choice & 8 != 0).then_some(u32::MAX);
        match choice % 6 {
            0 => HandoffAnswer::Claimed(self.signed_in(choice)),
            1 => HandoffAnswer::Pending { retry_after_s },
            2 => HandoffAnswer::Refused,
            3 => HandoffAnswer::Gone,
            4 => HandoffAnswer::Unreachable { retry_after_s },
            _ => HandoffAnswer::Rejected {
                code: "invalid_request".to_owned(),
            },
        }
    }

    fn judge(&mut self, effect: Effect) {
        match effect {
            Effect::AskTicket(number, request) => {
                self.asked[0] = number;
                assert_eq!(request.challenge, self.challenge);
                assert_eq!(request.host_origin, ORIGIN);
            }
            Effect::PollHandoff(number, _) => self.asked[1] = number,
            Effect::Watch(number, _) => self.asked[2] = number,
            Effect::RetryAfter(number, _) => self.asked[3] = number,
            Effect::Announce(event) => self.judge_event(&event),
            Effect::AskLogout(_)
            | Effect::StopPolling
            | Effect::StopWatching
            | Effect::WatchExpiry(_) => {}
        }
    }

    fn judge_event(&self, event: &Event) {
        assert_eq!(event.challenge, self.challenge);
        let told = serde_json::to_string(event).unwrap();
        for verifier in &self.verifiers {
            assert!(!told.contains(verifier), "{told}");
        }
        assert!(!told.contains("sign-out-key"), "{told}");
        let Some(token) = event
            .data
            .sessioninfo
            .as_ref()
            .and_then(|info| info.token.as_ref())
        else {
            return;
        };
        assert!(self.tickets.contains(&token.ticket), "{told}");
        assert!(!self.is_left, "signed in again without a click: {told}");
    }
}

fn watch_answer(choice: u8) -> WatchAnswer {
    match choice % 3 {
        0 => WatchAnswer::Ended,
        1 => WatchAnswer::Again {
            retry_after_s: (choice & 8 != 0).then_some(u32::MAX),
        },
        _ => WatchAnswer::Unreachable,
    }
}
