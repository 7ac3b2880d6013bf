//! The session that is shown is watched (`/api/auth/watch`): its end shows at once, whoever
//! ends it, and nobody asks for it again and again.
//!
//! What the companion says there is a hint to ask who is signed in, no more.

use shared::auth::WatchRequest;

use super::{Announce, Effect, Login, Now, Phase, WatchAnswer};

/// After "again" a second, after trouble 1, 2, 4 … 128 s: up to twice that, by [`Login::spread`].
const PAUSE_MS: u32 = 1_000;
const LONGEST_DOUBLING: u32 = 7;
/// A watch that was held so long has not failed: what it goes through cuts it now and then.
const LONG_HELD_MS: i64 = 5 * 60 * 1000;
/// After "again": everybody hears it in one moment, of a companion that ends.
const AGAIN_SPREAD: u32 = 4;
/// Longest pause that a companion may ask for.
const MOST_ASKED_S: u32 = 600;

/// A watch that is held, or due.
pub(super) struct Watch {
    number: u32,
    reference: String,
    since_ms: i64,
}

impl Login {
    /// The request for the watch with this number, unless it was superseded.
    pub fn watch(&mut self, number: u32, now: Now) -> Option<WatchRequest> {
        let watch = self.watch.as_mut().filter(|watch| watch.number == number)?;
        watch.since_ms = now.ms;
        let key = self.sign_out_key.as_ref();
        Some(WatchRequest {
            reference: watch.reference.clone(),
            sign_out_key: key.map(|(_, key)| key.clone()),
        })
    }

    /// One watch while somebody is signed in here and the page is seen; none else. A check
    /// that is under way comes first: it may change who is signed in.
    pub(super) fn keep_watch(&mut self, now: Now) {
        let shown = match &self.phase {
            Phase::SignedIn(person) if !person.leaving && !now.hidden => Some(&person.reference),
            _ => None,
        };
        let over = |watch: &mut Watch| Some(&watch.reference) != shown;
        if self.watch.take_if(over).is_some() {
            self.effects.push(Effect::StopWatching);
        }
        if let Some(reference) = shown
            && self.watch.is_none()
            && self.check.is_none()
        {
            self.watch = Some(Watch {
                number: 0,
                reference: reference.clone(),
                since_ms: now.ms,
            });
            let pause = match self.watch_failures {
                0 => 0,
                failures => self.pause(PAUSE_MS, failures, 1),
            };
            self.watch_after(pause);
        }
    }

    pub(super) fn watched(&mut self, number: u32, answer: WatchAnswer, now: Now) {
        let Some(watch) = self.watch.as_ref().filter(|watch| watch.number == number) else {
            return;
        };
        if now.ms - watch.since_ms > LONG_HELD_MS {
            self.watch_failures = 0;
        }
        match answer {
            WatchAnswer::Ended => {
                self.watch = None;
                // If the check says otherwise, the next watch is not in a hurry.
                self.watch_failures += 1;
                // Also where the cookie is refused: it was the session's own end.
                self.cookie_kept = true;
                if self.check.is_none() {
                    self.start_check(Announce::IfChanged, None);
                }
            }
            WatchAnswer::Again { retry_after_s } => {
                let asked = retry_after_s.map_or(0, |seconds| seconds.min(MOST_ASKED_S) * 1000);
                self.watch_after(self.pause(asked.max(PAUSE_MS), 0, AGAIN_SPREAD));
            }
            WatchAnswer::Unreachable => {
                let pause = self.pause(PAUSE_MS, self.watch_failures, 1);
                self.watch_failures += 1;
                self.watch_after(pause);
            }
        }
    }

    fn watch_after(&mut self, after_ms: u32) {
        let number = self.next_number();
        if let Some(watch) = &mut self.watch {
            watch.number = number;
            self.effects.push(Effect::Watch(number, after_ms));
        }
    }

    /// A pause that doubles, and differs from frame to frame: all of them lose a companion
    /// in one moment, and must not all come back in one.
    pub(super) fn pause(&self, ms: u32, doublings: u32, spread: u32) -> u32 {
        let ms = ms.saturating_mul(1 << doublings.min(LONGEST_DOUBLING));
        let drawn = self.event_prefix.bytes().fold(0, u8::wrapping_add);
        ms.saturating_add(ms / 256 * spread * u32::from(drawn))
    }
}
