//! Who is signed in: the checks (`/api/auth/ticket`), their outcomes, and the logout.

use shared::auth::{LogoutRequest, SignedIn, TicketRequest};

use super::{
    Announce, Effect, Failure, FailureKind, Login, LogoutAnswer, Notice, Now, Outcome, Person,
    Phase, TicketAnswer,
};
use crate::announcement::Announcement;

/// A page that comes back to sight asks again only when its answer is older than this: an
/// idle frame makes no requests, and a person who switches tabs makes few.
const STALE_MS: i64 = 60_000;

/// Checks that a frame in trouble makes by itself, after 5, 10 … 80 s or up to twice that.
const MOST_RETRIES: u32 = 5;
const RETRY_MS: u32 = 5_000;

/// A ticket request under way.
pub(super) struct Check {
    number: u32,
    rule: Announce,
    /// What to add if nobody is signed in.
    notice: Option<Notice>,
    /// The challenge that its ticket is bound to.
    challenge: String,
}

impl Login {
    pub(super) fn start_check(&mut self, rule: Announce, notice: Option<Notice>) {
        let Some(host_origin) = self.host_origin.clone() else {
            return;
        };
        let known_ref = match rule {
            Announce::UnlessKnown => self
                .args
                .known
                .as_ref()
                .and_then(|known| known.reference.clone()),
            Announce::IfChanged => match &self.announced {
                Some(Outcome::SignedIn { reference }) => Some(reference.clone()),
                _ => None,
            },
            // A fresh event needs a fresh ticket.
            Announce::Always => None,
        };
        // What nobody asked for shows when it is answered.
        if matches!(self.phase, Phase::Failed(_)) && rule != Announce::IfChanged {
            self.phase = Phase::Loading;
        }
        let number = self.next_number();
        let challenge = self.args.challenge.clone();
        let request = TicketRequest {
            challenge: challenge.clone(),
            host_origin,
            known_ref,
        };
        self.check = Some(Check {
            number,
            rule,
            notice,
            challenge,
        });
        self.effects.push(Effect::AskTicket(number, request));
    }

    pub(super) fn ticket_answered(&mut self, number: u32, answer: TicketAnswer, now: Now) {
        let Some(check) = self.check.take_if(|check| check.number == number) else {
            return;
        };
        self.last_answer_ms = now.ms;
        if !matches!(answer, TicketAnswer::Unreachable { .. }) {
            self.retries = 0;
        }
        match answer {
            TicketAnswer::SignedIn(signed_in) => {
                if check.challenge != self.args.challenge && signed_in.ticket.is_some() {
                    // Nobody can redeem a ticket for the old challenge.
                    return self.start_check(check.rule, check.notice);
                }
                self.end_attempt();
                self.cookie_kept = true;
                self.settle_signed_in(signed_in, check.rule);
            }
            TicketAnswer::SignedOut if self.is_only_cookieless(check.rule, now) => {}
            TicketAnswer::SignedOut if self.attempt.is_some() => self.tell_signed_out(check.rule),
            TicketAnswer::SignedOut => {
                let ended = matches!(self.phase, Phase::SignedIn(_));
                let notice = check.notice.or(ended.then_some(Notice::SessionEnded));
                self.settle_signed_out(notice, check.rule);
            }
            TicketAnswer::Refused { code } => self.fail(Failure::refused(code), check.rule),
            TicketAnswer::Unreachable { retry_after_s } => {
                if !self.may_stay(check.rule) {
                    self.fail(FailureKind::Unreachable.into(), check.rule);
                }
                self.retry_later(retry_after_s);
            }
        }
    }

    /// The host leaves "pending"; a late answer is still taken.
    pub(super) fn ticket_late(&mut self, number: u32) {
        let Some(check) = self.check.as_ref().filter(|check| check.number == number) else {
            return;
        };
        let rule = check.rule;
        if !self.may_stay(rule) {
            self.fail(FailureKind::Silent.into(), rule);
        }
    }

    pub(super) fn retry_clicked(&mut self) {
        if matches!(self.phase, Phase::Failed(_)) {
            self.retries = 0;
            self.start_check(Announce::UnlessKnown, None);
        }
    }

    /// A companion, or its store, that is away for a moment: a few times, and later each time.
    fn retry_later(&mut self, retry_after_s: Option<u32>) {
        if self.is_in_trouble() && self.retries < MOST_RETRIES {
            let asked = retry_after_s.map_or(0, |seconds| seconds.saturating_mul(1000));
            let pause = self.pause(asked.max(RETRY_MS), self.retries, 1);
            self.retries += 1;
            self.retry = self.next_number();
            self.effects.push(Effect::RetryAfter(self.retry, pause));
        }
    }

    /// A page that nobody sees asks when it is seen again.
    pub(super) fn retry_due(&mut self, number: u32, now: Now) {
        if self.retry == number && self.is_in_trouble() && self.check.is_none() && !now.hidden {
            self.start_check(Announce::IfChanged, None);
        }
    }

    fn is_in_trouble(&self) -> bool {
        matches!(&self.phase, Phase::Failed(failure)
            if matches!(failure.kind, FailureKind::Unreachable | FailureKind::Silent))
    }

    pub(super) fn check_if_stale(&mut self, now: Now) {
        let settled = !matches!(self.phase, Phase::Loading | Phase::Waiting { .. });
        let stale = now.ms - self.last_answer_ms >= STALE_MS || self.is_in_trouble();
        if settled && stale && !now.hidden && !self.sticky && self.check.is_none() {
            self.start_check(Announce::IfChanged, None);
        }
    }

    pub(super) fn session_lapsed(&mut self) {
        if matches!(self.phase, Phase::SignedIn(_)) && self.check.is_none() {
            self.start_check(Announce::IfChanged, None);
        }
    }

    pub(super) fn settle_signed_in(&mut self, mut signed_in: SignedIn, rule: Announce) {
        let outcome = Outcome::SignedIn {
            reference: signed_in.reference.clone(),
        };
        let told = self.is_told(&outcome, rule);
        let ticket = signed_in.ticket.take();
        self.sign_out_key
            .take_if(|(session, _)| *session != signed_in.reference);
        self.phase = Phase::SignedIn(Person {
            user: signed_in.user.clone(),
            expires_at: signed_in.expires_at,
            reference: signed_in.reference.clone(),
            leaving: self.leaving,
            notice: None,
        });
        self.effects.push(Effect::WatchExpiry(signed_in.expires_at));
        match ticket {
            _ if told => self.announced = Some(outcome),
            Some(ticket) => {
                self.announce(outcome, Announcement::SignedIn { signed_in, ticket });
            }
            // `known_ref` matched, but the host's knowledge has changed meanwhile.
            None if rule != Announce::Always => self.start_check(Announce::Always, None),
            None => self.fail(FailureKind::Other.into(), rule),
        }
    }

    pub(super) fn settle_signed_out(&mut self, notice: Option<Notice>, rule: Announce) {
        self.phase = Phase::SignedOut { notice };
        self.sign_out_key = None;
        self.watch_failures = 0;
        self.tell_signed_out(rule);
    }

    pub(super) fn tell_signed_out(&mut self, rule: Announce) {
        if self.is_told(&Outcome::SignedOut, rule) {
            self.announced = Some(Outcome::SignedOut);
        } else {
            self.announce(Outcome::SignedOut, Announcement::SignedOut);
        }
    }

    pub(super) fn fail(&mut self, failure: Failure, rule: Announce) {
        self.end_attempt();
        let code = failure.code.clone();
        let message = failure.kind.message().to_owned();
        let outcome = Outcome::Failed { code: code.clone() };
        let told = rule != Announce::Always && self.announced.as_ref() == Some(&outcome);
        self.phase = Phase::Failed(failure);
        if !told {
            self.announce(outcome, Announcement::Failed { code, message });
        }
    }

    pub(super) fn logout_clicked(&mut self) {
        let Phase::SignedIn(person) = &mut self.phase else {
            return;
        };
        if person.leaving {
            return;
        }
        person.leaving = true;
        person.notice = None;
        self.leaving = true;
        self.check = None;
        self.ask_logout();
    }

    pub(super) fn ask_logout(&mut self) {
        let sign_out_key = self.sign_out_key.as_ref().map(|(_, key)| key.clone());
        self.effects
            .push(Effect::AskLogout(LogoutRequest { sign_out_key }));
    }

    pub(super) fn logout_answered(&mut self, answer: LogoutAnswer, window_open: bool) {
        // The answer to a command's logout finds nobody leaving. What a check was answered
        // since the click counts for nothing: the click was to sign out.
        if !std::mem::take(&mut self.leaving) {
            return;
        }
        match answer {
            LogoutAnswer::Done { logout_url } => {
                self.sticky = true;
                // A ticket on its way is of the session that has just ended.
                self.check = None;
                let notice = logout_url
                    .filter(|_| !window_open)
                    .map(Notice::FinishAtProvider);
                self.settle_signed_out(notice, Announce::IfChanged);
            }
            LogoutAnswer::Failed => {
                if let Phase::SignedIn(person) = &mut self.phase {
                    person.leaving = false;
                    person.notice = Some(Notice::LogoutFailed);
                }
            }
        }
    }

    /// Where the browser refuses every cookie in the frame, a login lives by its handoff, and
    /// a look at the cookie says nothing of it before its time is over. Python re-checks it
    /// with its grant, and its word counts.
    fn is_only_cookieless(&self, rule: Announce, now: Now) -> bool {
        let lives =
            matches!(&self.phase, Phase::SignedIn(person) if now.ms / 1000 < person.expires_at);
        lives
            && !self.cookie_kept
            && rule == Announce::IfChanged
            && !self.is_known(&Outcome::SignedOut)
    }

    /// Trouble with a check that nobody waits for changes nothing: it signs nobody out, and
    /// ends no login under way.
    fn may_stay(&self, rule: Announce) -> bool {
        let settled = matches!(self.phase, Phase::SignedIn(_) | Phase::SignedOut { .. })
            || self.is_in_trouble();
        self.attempt.is_some() || (rule == Announce::IfChanged && settled)
    }
}
