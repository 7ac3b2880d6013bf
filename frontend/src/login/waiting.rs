//! A login under way: the window is open elsewhere, the frame asks for its result.
//!
//! Whether the window is still open is never asked: a provider that sends COOP makes an
//! open window look closed (design §2.5).

use shared::auth::HandoffRequest;

use super::{Announce, Effect, Failure, FailureKind, HandoffAnswer, Login, Notice, Now, Phase};
use crate::handoff::{Handoff, LOGIN_LIFETIME_MS, Pace, hold_ms};

/// The second click of a double click lands where "cancel" has just appeared.
const DOUBLE_CLICK_MS: i64 = 500;

/// One login of this frame.
pub(super) struct Attempt {
    handoff: Handoff,
    since_ms: i64,
    pace: Pace,
    /// The newest poll's number; those from `first` on are of this login, too.
    poll: u32,
    first: u32,
    sent_ms: i64,
    /// The challenge of the newest poll, and of those since this one.
    sent_challenge: String,
    same_since: u32,
}

impl Attempt {
    pub(super) fn claim(
        &mut self,
        number: u32,
        challenge: &str,
        host_origin: Option<String>,
        now: Now,
    ) -> Option<HandoffRequest> {
        if self.poll != number {
            return None;
        }
        self.sent_ms = now.ms;
        if self.sent_challenge != challenge {
            challenge.clone_into(&mut self.sent_challenge);
            self.same_since = number;
        }
        Some(HandoffRequest {
            verifier: self.handoff.verifier().to_owned(),
            challenge: Some(challenge.to_owned()),
            host_origin,
            hold: Some(hold_ms(now.hidden)),
        })
    }
}

impl Login {
    pub(super) fn login_clicked(&mut self, handoff: Handoff, window_open: bool, now: Now) {
        if !matches!(self.phase, Phase::SignedOut { .. } | Phase::Failed(_)) {
            return;
        }
        self.leaving = false;
        self.check = None;
        self.phase = Phase::Waiting {
            handoff_challenge: handoff.challenge().to_owned(),
            blocked: !window_open,
        };
        self.attempt = Some(Attempt {
            handoff,
            since_ms: now.ms,
            pace: Pace::default(),
            poll: 0,
            first: self.sequence + 1,
            sent_ms: now.ms,
            sent_challenge: String::new(),
            same_since: 0,
        });
        if window_open {
            self.poll_again();
        }
    }

    /// The person pressed the real form: the login begins (again) now.
    pub(super) fn login_form_submitted(&mut self, now: Now) {
        if let (Phase::Waiting { blocked, .. }, Some(attempt)) =
            (&mut self.phase, &mut self.attempt)
        {
            *blocked = false;
            attempt.since_ms = now.ms;
            self.poll_again();
        }
    }

    pub(super) fn cancel_clicked(&mut self, now: Now) {
        let Phase::Waiting { .. } = self.phase else {
            return;
        };
        let begun_ms = self.attempt.as_ref().map_or(0, |attempt| attempt.since_ms);
        if now.ms - begun_ms < DOUBLE_CLICK_MS {
            return;
        }
        self.check = None;
        self.end_attempt();
        self.settle_signed_out(None, Announce::IfChanged);
    }

    pub(super) fn handoff_answered(&mut self, number: u32, answer: HandoffAnswer, now: Now) {
        // A superseded poll is not awaited, but the login that it brings was claimed.
        let claims = matches!(answer, HandoffAnswer::Claimed(_));
        let is_ours = |attempt: &&mut Attempt| {
            attempt.poll == number || claims && (attempt.first..attempt.poll).contains(&number)
        };
        let Some(attempt) = self.attempt.as_mut().filter(is_ours) else {
            return;
        };
        let pause = match answer {
            HandoffAnswer::Claimed(mut signed_in) => {
                if attempt.sent_challenge != self.args.challenge || number < attempt.same_since {
                    signed_in.ticket = None;
                }
                let key = signed_in.sign_out_key.take();
                self.sign_out_key = key.map(|key| (signed_in.reference.clone(), key));
                self.sticky = false;
                self.cookie_kept = false;
                self.last_answer_ms = now.ms;
                self.check = None;
                self.end_attempt();
                return match signed_in.ticket {
                    Some(_) => self.settle_signed_in(signed_in, Announce::Always),
                    None => self.start_check(Announce::Always, Some(Notice::ClickAgain)),
                };
            }
            HandoffAnswer::Refused => {
                return self.fail(FailureKind::LoginRefused.into(), Announce::Always);
            }
            HandoffAnswer::Rejected { code } => {
                return self.fail(Failure::refused(code), Announce::Always);
            }
            HandoffAnswer::Gone => return self.finish_by_check(),
            _ if now.ms - attempt.since_ms > LOGIN_LIFETIME_MS => return self.finish_by_check(),
            HandoffAnswer::Pending { retry_after_s } => {
                attempt
                    .pace
                    .pending(retry_after_s, now.ms - attempt.sent_ms, now.hidden)
            }
            HandoffAnswer::Unreachable { retry_after_s } => attempt.pace.failed(retry_after_s),
        };
        self.poll_after(pause);
    }

    /// A page that comes back to sight asks at once; one that goes gives its connection back.
    pub(super) fn visibility_changed(&mut self, now: Now) {
        if self.attempt.is_none() {
            return self.check_if_stale(now);
        }
        match &mut self.attempt {
            Some(attempt) if now.hidden => {
                let pause = attempt.pace.pending(None, 0, true);
                self.poll_after(pause);
            }
            _ => self.poll_again(),
        }
    }

    /// Polls at once, in place of any poll under way.
    pub(super) fn poll_again(&mut self) {
        self.poll_after(0);
    }

    fn poll_after(&mut self, pause_ms: u32) {
        if matches!(self.phase, Phase::Waiting { blocked: true, .. }) {
            return;
        }
        let number = self.next_number();
        if let Some(attempt) = &mut self.attempt {
            attempt.poll = number;
            self.effects.push(Effect::PollHandoff(number, pause_ms));
        }
    }

    pub(super) fn end_attempt(&mut self) {
        if self.attempt.take().is_some() {
            self.effects.push(Effect::StopPolling);
        }
    }

    /// The claim cannot be had (any more). The cookie may tell that it was (catalogue G05),
    /// else a click finishes by single sign-on (G06).
    fn finish_by_check(&mut self) {
        self.end_attempt();
        self.sticky = false;
        self.start_check(Announce::IfChanged, Some(Notice::ClickAgain));
    }
}
