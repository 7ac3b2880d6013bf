//! Keeps those who need no credential to make an event happen from filling the disk, or
//! from pushing out of the queue what others did.

use std::mem;

use super::event::Event;
use crate::metrics::labels::{AuditEvent, Label as _};

/// Lines of one such event in a minute. The metrics count them all.
const MOST_A_MINUTE: u32 = 60;

/// One window for each event.
#[derive(Default)]
pub(super) struct Flood([Window; AuditEvent::ALL.len()]);

#[derive(Clone, Copy, Default)]
struct Window {
    minute: i64,
    written: u32,
    suppressed: u32,
}

impl Flood {
    /// `None`: leave it out. Otherwise how many were left out since the last one.
    pub(super) fn pass(&mut self, event: &Event<'_>, now: i64) -> Option<u32> {
        if !event.is_anybodys() {
            return Some(0);
        }
        let window = &mut self.0[event.name() as usize];
        let minute = now.div_euclid(60);
        if window.minute != minute {
            window.minute = minute;
            window.written = 0;
        }
        if window.written >= MOST_A_MINUTE {
            window.suppressed = window.suppressed.saturating_add(1);
            return None;
        }
        window.written += 1;
        Some(mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use session_store::SessionId;

    use super::super::event::Who;
    use super::*;
    use crate::sessions::Session;

    #[test]
    fn what_anybody_can_cause_is_written_so_often_a_minute_and_then_counted() {
        let mut flood = Flood::default();
        let event = Event::HostCredentialRefused;
        for _ in 0..MOST_A_MINUTE {
            assert_eq!(flood.pass(&event, 119), Some(0));
        }
        assert_eq!(flood.pass(&event, 119), None);
        assert_eq!(flood.pass(&event, 119), None);
        // Another event has a share of its own.
        assert_eq!(flood.pass(&Event::LogoutTokenRefused, 119), Some(0));
        assert_eq!(flood.pass(&event, 120), Some(2));
        assert_eq!(flood.pass(&event, 120), Some(0));
    }

    #[test]
    fn what_takes_a_login_is_never_left_out() {
        let session = Session {
            issuer: "https://provider.test/".into(),
            subject: "auth0|ada".into(),
            provider_session: None,
            claims: serde_json::Map::new(),
            id_token: None,
            refresh_token: None,
            is_refresh_token_rotated: false,
            granted_scope: "openid".into(),
            access_tokens: Vec::new(),
            absolute_expiry: 0,
        };
        let mut flood = Flood::default();
        let event = Event::TicketReuse(Who::of(SessionId([0; 16]), &session));
        for _ in 0..10 * MOST_A_MINUTE {
            assert_eq!(flood.pass(&event, 0), Some(0));
        }
    }
}
