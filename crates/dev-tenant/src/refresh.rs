//! Refresh token families: rotation, the reuse interval, and reuse detection.
//!
//! Behaves as Auth0 documents it: the token just used keeps working for the reuse interval
//! (two tabs may refresh at once); any other use of a spent token revokes the whole family.

use crate::settings::RefreshPolicy;
use crate::store::{Grant, digest};

/// Spent tokens remembered per family; older ones are unknown, which is refused as well.
const REMEMBERED: usize = 64;

#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) grant: Grant,
    idle_until: i64,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone)]
struct Token {
    hash: String,
    generation: u64,
    used_at: Option<i64>,
}

/// What a refresh token is worth.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Good; the successor is in force (the same token without rotation).
    Rotated(String),
    /// Too long without use.
    Idle,
    /// A spent token came again: somebody else has it, the family must end.
    Reused,
}

impl Family {
    pub(crate) fn begin(grant: Grant, token: &str, policy: &RefreshPolicy, now: i64) -> Self {
        let first = Token {
            hash: digest(token),
            generation: 0,
            used_at: None,
        };
        Self {
            grant,
            idle_until: now + policy.idle_seconds,
            tokens: vec![first],
        }
    }

    pub(crate) fn knows(&self, token: &str) -> bool {
        let hash = digest(token);
        self.tokens.iter().any(|known| known.hash == hash)
    }

    /// Uses `token` (which the family must know); `successor` is the token to mint.
    pub(crate) fn use_token(
        &mut self,
        token: &str,
        successor: String,
        policy: &RefreshPolicy,
        now: i64,
    ) -> Use {
        let hash = digest(token);
        let newest = self
            .tokens
            .iter()
            .map(|known| known.generation)
            .max()
            .unwrap_or(0);
        let Some(used) = self.tokens.iter_mut().find(|known| known.hash == hash) else {
            return Use::Reused;
        };
        if let Some(used_at) = used.used_at {
            let previous = used.generation + 1 >= newest;
            let in_interval = now - used_at <= policy.reuse_interval_seconds;
            if !(previous && in_interval) {
                return Use::Reused;
            }
        }
        if now > self.idle_until {
            return Use::Idle;
        }
        self.idle_until = now + policy.idle_seconds;
        if !policy.rotation {
            return Use::Rotated(token.to_owned());
        }
        // A use within the interval does not extend it: `used_at` is of the first use.
        used.used_at.get_or_insert(now);
        let generation = used.generation + 1;
        self.remember(&successor, generation);
        Use::Rotated(successor)
    }

    fn remember(&mut self, token: &str, generation: u64) {
        if self.tokens.len() == REMEMBERED {
            self.tokens.remove(0);
        }
        self.tokens.push(Token {
            hash: digest(token),
            generation,
            used_at: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family() -> (Family, RefreshPolicy) {
        let policy = RefreshPolicy::default();
        let grant = Grant {
            id: "g".to_owned(),
            client_id: "c".to_owned(),
            sub: "s".to_owned(),
            scopes: Vec::new(),
            audience: None,
            auth_time: 0,
            sid: "sid".to_owned(),
        };
        (Family::begin(grant, "r0", &policy, 0), policy)
    }

    fn spend(
        family: &mut Family,
        policy: &RefreshPolicy,
        token: &str,
        next: &str,
        now: i64,
    ) -> Use {
        family.use_token(token, next.to_owned(), policy, now)
    }

    #[test]
    fn the_previous_token_works_within_the_interval_and_both_successors_do() {
        let (mut family, policy) = family();
        assert_eq!(
            spend(&mut family, &policy, "r0", "r1", 100),
            Use::Rotated("r1".to_owned())
        );
        assert_eq!(
            spend(&mut family, &policy, "r0", "r1b", 110),
            Use::Rotated("r1b".to_owned())
        );
        assert_eq!(
            spend(&mut family, &policy, "r1", "r2", 111),
            Use::Rotated("r2".to_owned())
        );
        assert_eq!(
            spend(&mut family, &policy, "r1b", "r2b", 111),
            Use::Rotated("r2b".to_owned())
        );
    }

    #[test]
    fn a_spent_token_outside_the_interval_is_reuse() {
        let (mut family, policy) = family();
        spend(&mut family, &policy, "r0", "r1", 100);
        assert_eq!(spend(&mut family, &policy, "r0", "x", 111), Use::Reused);
    }

    #[test]
    fn only_the_previous_token_enjoys_the_interval() {
        let (mut family, policy) = family();
        spend(&mut family, &policy, "r0", "r1", 100);
        spend(&mut family, &policy, "r1", "r2", 101);
        assert_eq!(spend(&mut family, &policy, "r0", "x", 102), Use::Reused);
    }

    #[test]
    fn repeated_use_does_not_stretch_the_interval() {
        let (mut family, policy) = family();
        spend(&mut family, &policy, "r0", "r1", 100);
        spend(&mut family, &policy, "r0", "r1b", 109);
        assert_eq!(spend(&mut family, &policy, "r0", "x", 112), Use::Reused);
    }

    #[test]
    fn a_family_unused_for_too_long_is_idle() {
        let (mut family, policy) = family();
        let late = policy.idle_seconds + 1;
        assert_eq!(spend(&mut family, &policy, "r0", "r1", late), Use::Idle);
    }

    #[test]
    fn without_rotation_the_token_stays() {
        let (mut family, mut policy) = family();
        policy.rotation = false;
        assert_eq!(
            spend(&mut family, &policy, "r0", "r1", 1),
            Use::Rotated("r0".to_owned())
        );
        assert_eq!(
            spend(&mut family, &policy, "r0", "r1", 500),
            Use::Rotated("r0".to_owned())
        );
    }
}
