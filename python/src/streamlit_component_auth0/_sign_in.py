"""The state machine of one Streamlit session's sign-in.

One object per Streamlit session, created once and mutated in place under its lock: a
rerun can kill the script thread at any Streamlit call, so nothing is ever stored by
assigning to `st.session_state` after work was done. Nothing here calls Streamlit, and the
browser's announcements (`_events`) never decide anything but whom to ask.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal

from ._clock import Allowance, Clock, Entropy
from ._events import (
    FailureAnnounced,
    SignedInAnnounced,
    SignedOutAnnounced,
    read_event,
)
from ._exceptions import (
    AuthError,
    FrameError,
    NotSignedIn,
    ReauthenticationRequired,
    SessionEnded,
    TicketRefused,
    TooManyAttempts,
)
from ._login import Login
from ._pause import Pause
from ._reasons import SignOutReason
from ._revocations import Revocations
from ._sealed import Sealed
from ._session import Session

if TYPE_CHECKING:
    from ._back_channel import Companion
    from ._clock import Later
    from ._events import Event
    from ._user import User
    from ._wire import Redeemed, Standing

_log = logging.getLogger(__name__)

Status = Literal["pending", "signed_out", "signed_in", "error"]

# Bounds on what a page full of forged component values can make this server do.
ASKS: Final = (5, 10.0)
"""Calls that an announcement may cause, per seconds: far above what a person does."""
RECHECKS: Final = (3, 60.0)
"""`recheck` commands per seconds: each one is answered with an event, thus with a rerun."""
SILENT_FRAME_SECONDS: Final = 10.0
"""The frame announces something within 8 s of a mount; after this it missed our forgetting."""
UNANSWERED_SECONDS: Final = 10.0
"""A question without an answer (after a reconnect, say) is asked again no later than this."""
MAX_SEEN: Final = 64
"""Event ids remembered: far more than a page has frames, each of which keeps its last value."""

VERIFIER_BYTES: Final = 32


class SignIn:
    """Who is signed in to one Streamlit session."""

    def __init__(
        self,
        companion: Companion,
        *,
        frame_url: str,
        recheck_seconds: float = 10.0,
        roles_claim: str | tuple[str, ...] | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        later: Later | None = None,
    ) -> None:
        self.frame_url = frame_url
        self._companion = companion
        self._recheck_seconds = recheck_seconds
        self._roles_claim = roles_claim
        self._clock = clock or Clock()
        self._entropy = entropy or Entropy()
        self._lock = threading.RLock()
        self._asks = Allowance(*ASKS, self._clock.monotonic)
        self._rechecks = Allowance(*RECHECKS, self._clock.monotonic)
        self._redeem_pause = Pause(self._clock.monotonic)
        self._question_pause = Pause(self._clock.monotonic)
        self._revocations = Revocations(companion, self._clock.monotonic, later)
        self._status: Status = "pending"
        self._error: AuthError | None = None
        self._sign_out_reason: SignOutReason | None = None
        self._login: Login | None = None
        self._session: Session | None = None
        self._standing: Standing | None = None
        self._ask_again_at = 0.0
        self._questions = 0
        """Counts those to `/session`: who sees it grow while waiting takes that answer."""
        self._pending_since = self._clock.monotonic()
        self._seen: deque[str] = deque(maxlen=MAX_SEEN)
        self._command: dict[str, str] | None = None
        self._refused_once = False
        self._prompt_login = False
        self._connection: str | None = None
        self._person_told: User | None = None
        self._new_epoch()

    # What is the case

    @property
    def status(self) -> Status:
        """Where the sign-in stands."""
        return self._status

    @property
    def error(self) -> AuthError | None:
        """Why it does not stand better: the last failure, or how the last session ended."""
        return self._error

    @property
    def sign_out_reason(self) -> SignOutReason | None:
        """Why nobody is signed in any more; None from the next sign-in on, and before the first."""
        return self._sign_out_reason

    @property
    def session(self) -> Session | None:
        """The signed-in person's session."""
        return self._session if self._status == "signed_in" else None

    @property
    def command(self) -> dict[str, str] | None:
        """The order to the frame that is in force."""
        return self._command

    @property
    def challenge(self) -> str:
        """What the frame's announcements are bound to. Not a secret."""
        return self._challenge

    def outline(self) -> tuple[object, ...]:
        """What a page drawn now would show of the sign-in: equal outlines need no rerun."""
        session = self.session
        may = (session.user, session.roles, session.scopes, session.permissions) if session else ()
        return (self._status, *may)

    def frame_args(self, login_options: dict[str, str]) -> dict[str, Any]:
        """The part of the frame's args that the state decides. No secret is in it."""
        with self._lock:
            known: dict[str, str | None] | None = None
            if self._status == "signed_in" and self._login is not None:
                known = {"state": "signed_in", "ref": self._login.reference}
            elif self._status == "signed_out":
                known = {"state": "signed_out", "ref": None}
            # The provider's own session survived our logout: without this, one click would
            # sign the same person in again, whoever clicks.
            prompt = {"prompt": "login"} if self._prompt_login else {}
            return {
                "challenge": self._challenge,
                "known": known,
                "command": self._command,
                "login_options": {**login_options, **prompt},
            }

    def take_change(self) -> bool:
        """Whether the person changed since the last call: tells each change once."""
        with self._lock:
            person = self.session.user if self.session else None
            changed = person != self._person_told
            self._person_told = person
            return changed

    # What happens

    def observe(self, unverified_value: object) -> None:
        """Takes notice of the component's value. Any value, any number of times."""
        event = read_event(unverified_value)
        if event is None:
            return
        with self._lock:
            if self._was_seen(event.id):
                return
            if event.challenge != self._challenge:
                # Replayed after a restart, of an older epoch, or forged: worth no call.
                # A frame that outlived our memory is asked for the state once more.
                if self._status == "pending":
                    self._order_recheck()
                return
            self._handle(event)

    def adopt(self, redeemed: Redeemed) -> None:
        """Takes over a login that came by another way than a ticket."""
        with self._lock:
            self._adopt(redeemed)

    def refresh(self, *, connection: str | None = None) -> None:
        """Asks the companion whether the login still stands, when the last answer is old.

        Args:
            connection: Id of the browser's websocket. A new one may have revived an old
                session state, whose last answer proves nothing any more.
        """
        self._revocations.retry()
        with self._lock:
            reconnected = connection is not None and self._connection not in {None, connection}
            self._connection = connection or self._connection
            is_due = reconnected or self._clock.monotonic() >= self._ask_again_at
            if self._login is not None and is_due:
                self._ask_standing(self._login)
            elif self._status == "pending" and self._frame_is_silent():
                self._order_recheck()

    def check(self, login: Login | None = None) -> bool:
        """Asks the companion now; `login` is the one that the asker means.

        Threads that come while it is asked share the next answer: a slow companion is not
        asked by each of them in turn.
        """
        questions_before = self._questions
        with self._lock:
            if self._login is None or (login is not None and login is not self._login):
                return False
            if self._questions == questions_before:
                self._ask_standing(self._login)
            return self._status == "signed_in"

    def sign_out(self, *, everywhere: bool = False) -> None:
        """Ends the login here first, then at the companion; sticks until a click."""
        with self._lock:
            login = self._login
            self._end(SessionEnded(SignOutReason.SIGNED_OUT))
            self._error = None
            self._prompt_login = True
            self._order("logout")
        if login is not None:
            self._revocations.add(login.grant, everywhere=everywhere)
            self._revocations.retry()

    def retry(self) -> None:
        """A person asks to try again."""
        with self._lock:
            self._refused_once = False
            if self._login is not None:
                self._ask_standing(self._login)
            elif (busy := self._redeem_pause.in_force()) is not None:
                self._error = busy  # the frame's new ticket would not be redeemed yet
            elif self._order_recheck():
                self._error = None
                self._status = "pending"
                self._pending_since = self._clock.monotonic()
            else:
                self._error = TooManyAttempts()

    def fail(self, error: AuthError) -> None:
        """Notes why something was not done, for the person to read."""
        with self._lock:
            self._error = error

    def refused(self, login: Login, grant: Sealed, error: NotSignedIn) -> None:
        """The companion refused `grant` of `login` when it was asked for a token."""
        with self._lock:
            # A login renewed in the meantime lives on a newer grant: that one was not refused.
            if login is self._login and grant is login.grant:
                self._lost(error)

    # How

    def _was_seen(self, event_id: str) -> bool:
        # Two frames on a page show their last values in turn, in every run. A spent ticket
        # that counted as new would be redeemed again, for which the companion ends its grant.
        seen = event_id in self._seen
        if seen:
            self._seen.remove(event_id)  # what is still shown is the last to be forgotten
        self._seen.append(event_id)
        return seen

    def _handle(self, event: Event) -> None:
        if self._command is not None and self._command["name"] == "recheck":
            self._command = None  # answered; a later mount must not obey it again
        announced = event.announcement
        if isinstance(announced, SignedInAnnounced):
            self._redeem(announced.unverified_ticket)
        elif isinstance(announced, SignedOutAnnounced):
            self._signed_out_announced()
        elif isinstance(announced, FailureAnnounced) and self._login is None:
            self._error = FrameError(announced.unverified_code)
            if self._status == "pending":
                self._status = "error"

    def _signed_out_announced(self) -> None:
        if self._login is not None:
            # A forged event must not sign anybody out: the companion decides.
            if self._asks.take():
                self._ask_standing(self._login, frame_knows=True)
            return
        if not isinstance(self._error, NotSignedIn):
            self._error = None
        self._status = "signed_out"

    def _redeem(self, unverified_ticket: str) -> None:
        busy = self._redeem_pause.in_force()
        if busy is not None:
            self._failed(busy)
            return
        if not self._asks.take():
            _log.warning("sign-in attempts of one Streamlit session are limited")
            self._failed(TooManyAttempts())
            return
        try:
            redeemed = self._companion.redeem(unverified_ticket, self._verifier)
        except TicketRefused as error:
            # A ticket lives for seconds: one that lapsed on the way is asked for once more.
            first = not self._refused_once
            self._refused_once = True
            if self._login is None and first and self._order_recheck():
                return
            self._failed(error)
        except NotSignedIn as error:
            # The ticket was good, but the session behind it has just ended.
            if self._login is None:
                self._lost(error)
        except AuthError as error:
            self._redeem_pause.heed(error)
            self._failed(error)
        else:
            self._adopt(redeemed)

    def _failed(self, error: AuthError) -> None:
        # While somebody is signed in, an announcement that leads nowhere changes nothing.
        if self._login is None:
            self._status = "error"
            self._error = error.again()

    def _adopt(self, redeemed: Redeemed) -> None:
        if self._login is not None and self._standing is not None:
            if self._standing.user == redeemed.standing.user:
                self._login.renew(redeemed)
            else:
                self._login.end(SessionEnded(SignOutReason.REPLACED))
                self._login = None
        if self._login is None:
            self._login = Login(
                redeemed,
                companion=self._companion,
                clock=self._clock,
                on_refused=self.refused,
            )
            self._session = None
        self._prompt_login = self._refused_once = False
        self._command = None
        self._stands(redeemed.standing)

    def _stands(self, standing: Standing) -> None:
        """Takes the companion's answer over: signed in, with a new session if it changed."""
        login, known = self._login, self._standing
        same = known == standing and known is not None and known.user.same_facts(standing.user)
        if login is not None and not (same and self._session):
            self._session = Session(
                standing,
                login,
                roles_claim=self._roles_claim,
                check=lambda: self.check(login),
            )
        self._standing = standing
        self._status = "signed_in"
        self._error = self._sign_out_reason = None
        self._ask_again_at = self._clock.monotonic() + self._recheck_seconds

    def _ask_standing(self, login: Login, *, frame_knows: bool = False) -> None:
        self._questions += 1
        busy = self._question_pause.in_force()
        if busy is not None:
            self._unreachable(login, busy)
            return
        try:
            standing = self._companion.standing(login.grant)
        except NotSignedIn as error:
            self._lost(error, frame_knows=frame_knows)
        except AuthError as error:
            self._question_pause.heed(error)
            self._unreachable(login, error)
        else:
            if self._standing is not None and standing.user != self._standing.user:
                self._lost(SessionEnded(SignOutReason.REPLACED))
            else:
                self._stands(standing)

    def _unreachable(self, login: Login, error: AuthError) -> None:
        # Neither network trouble nor our own misconfiguration says anything about the
        # person. What was proved holds until the proof, the access token, expires.
        pause = min(self._recheck_seconds, UNANSWERED_SECONDS)
        self._ask_again_at = self._clock.monotonic() + pause
        expires_at = login.token_expires_at
        if self._standing is not None:
            expires_at = min(expires_at, self._standing.session_expires_at)
        if self._clock.now() >= expires_at:
            self._status = "error"
            self._error = error.again()

    def _lost(self, error: NotSignedIn, *, frame_knows: bool = False) -> None:
        """The companion says that this login is over."""
        self._end(error)
        if isinstance(error, ReauthenticationRequired):
            # The companion's session lives on without tokens: only a click makes a new one.
            self._order("logout")
        elif not frame_knows:
            # The frame shows its own memory until it is told; it may hold a newer session.
            self._order_recheck()

    def _end(self, error: NotSignedIn) -> None:
        login, self._login = self._login, None
        self._session = self._standing = None
        self._status = "signed_out"
        self._error = error.again()
        self._sign_out_reason = error.reason or SignOutReason.UNKNOWN
        self._refused_once = False
        self._new_epoch()
        if login is not None:
            login.end(error)

    def _new_epoch(self) -> None:
        # The verifier is the epoch: whatever was announced for the old one is worth nothing.
        verifier = self._entropy.token(VERIFIER_BYTES)
        digest = hashlib.sha256(verifier.encode("ascii")).digest()
        self._verifier = Sealed(verifier)
        self._challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")

    def _frame_is_silent(self) -> bool:
        now = self._clock.monotonic()
        if now - self._pending_since < SILENT_FRAME_SECONDS:
            return False
        self._pending_since = now
        return True

    def _order_recheck(self) -> bool:
        if not self._rechecks.take():
            return False
        self._order("recheck")
        return True

    def _order(self, name: Literal["recheck", "logout"]) -> None:
        self._command = {"id": self._entropy.token(12), "name": name}

    def __repr__(self) -> str:
        return f"SignIn({self._status})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Streamlit can be told to pickle the session state; a sign-in is not in there.
        return _nothing, ()

    def __copy__(self) -> SignIn:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SignIn:
        return self


def _nothing() -> None:
    return None
