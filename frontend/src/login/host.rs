//! What the Streamlit host asks of the frame: args, `known` and commands (design §5).

use shared::component::{Args, CommandName, Known, KnownState};

use super::{Announce, FailureKind, Login, Outcome, Phase};

/// Ids remembered; a host needs one.
const COMMANDS_KEPT: usize = 32;

impl Login {
    pub(super) fn rendered(&mut self, args: Args, origin: String) {
        let first = self.host_origin.is_none();
        let before = std::mem::replace(&mut self.args, args);
        self.host_origin = Some(origin);
        let command = self.unseen_command();
        if first {
            return self.first_rendered(command);
        }
        match command {
            Some(CommandName::Logout) => self.obey_logout(),
            Some(CommandName::Recheck) => self.obey_recheck(),
            None => self.follow_host(&before),
        }
    }

    /// A page that may not use the companion gets words, and no announcement.
    pub(super) fn host_refused(&mut self) {
        if self.host_origin.is_none() {
            self.phase = Phase::Failed(FailureKind::HostRefused.into());
        }
    }

    pub(super) fn is_known(&self, outcome: &Outcome) -> bool {
        match (&self.args.known, outcome) {
            (
                Some(Known {
                    state: KnownState::SignedOut,
                    ..
                }),
                Outcome::SignedOut,
            ) => true,
            (
                Some(Known {
                    state: KnownState::SignedIn,
                    reference: Some(known),
                }),
                Outcome::SignedIn { reference },
            ) => known == reference,
            _ => false,
        }
    }

    /// A remount shows old commands again: a `recheck` is what the first check is anyway;
    /// a `logout` still holds, unless the host knows of a login since. Its session is not
    /// ended again: the cookie may by now belong to a login made in another tab.
    fn first_rendered(&mut self, command: Option<CommandName>) {
        let signed_in_since = self
            .args
            .known
            .as_ref()
            .is_some_and(|known| known.state == KnownState::SignedIn);
        if command == Some(CommandName::Logout) && !signed_in_since {
            self.sticky = true;
            self.settle_signed_out(None, Announce::UnlessKnown);
        } else {
            self.start_check(Announce::UnlessKnown, None);
        }
    }

    fn unseen_command(&mut self) -> Option<CommandName> {
        let command = self.args.command.as_ref()?;
        if self.commands_seen.contains(&command.id) {
            return None;
        }
        if self.commands_seen.len() == COMMANDS_KEPT {
            self.commands_seen.remove(0);
        }
        self.commands_seen.push(command.id.clone());
        Some(command.name)
    }

    fn obey_logout(&mut self) {
        self.sticky = true;
        self.check = None;
        self.end_attempt();
        // The host revokes its grant too; this also ends the session when that fails.
        self.ask_logout();
        self.settle_signed_out(None, Announce::UnlessKnown);
    }

    fn obey_recheck(&mut self) {
        if self.sticky {
            let waiting = matches!(self.phase, Phase::Waiting { .. });
            if waiting {
                self.tell_signed_out(Announce::Always);
            } else {
                self.settle_signed_out(None, Announce::Always);
            }
        } else {
            self.start_check(Announce::Always, None);
        }
    }

    /// Follows what the host says it knows, without making it rerun in circles: a changed
    /// challenge alone is no change, and only a *change* of `known` starts a check.
    fn follow_host(&mut self, before: &Args) {
        let new_challenge = before.challenge != self.args.challenge;
        if new_challenge && self.attempt.is_some() {
            // The claim's ticket must be for the challenge in force.
            return self.poll_again();
        }
        if self.sticky || self.check.is_some() || before.known == self.args.known {
            return;
        }
        let Some(outcome) = self.outcome() else {
            return;
        };
        if new_challenge && !self.is_known(&outcome) {
            // Streamlit was restarted under this tab: the host starts from nothing.
            self.start_check(Announce::UnlessKnown, None);
        } else if self.is_known(&Outcome::SignedOut) && matches!(self.phase, Phase::SignedIn(_)) {
            // The host learned of an end that this frame has not seen.
            self.start_check(Announce::IfChanged, None);
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        match &self.phase {
            Phase::Loading | Phase::Waiting { .. } => None,
            Phase::SignedOut { .. } => Some(Outcome::SignedOut),
            Phase::SignedIn(person) => Some(Outcome::SignedIn {
                reference: person.reference.clone(),
            }),
            Phase::Failed(failure) => Some(Outcome::Failed {
                code: failure.code.clone(),
            }),
        }
    }
}
