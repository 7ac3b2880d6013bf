"""A stateful hypothesis test of the sign-in: whatever happens, in whatever order.

One Streamlit session is under test. Beside it live another one, whose events and tickets come
into the hands of the browser too, and a companion that may fail. After each step the
invariants hold: whoever is signed in was redeemed for this session's verifier of now, never
somebody of the other session, and a login that ended never comes back (A30, A31, C49, D23,
D52, E69, G08, G09, G10).
"""

from __future__ import annotations

import json
from typing import Any

import httpx
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
)

from companion import SECRET, FakeCompanion, Person, error, unreachable
from hostile import ANYTHING, one_thing_changed
from streamlit_component_auth0 import AuthError
from streamlit_component_auth0._sign_in import ASKS, RECHECKS

PEOPLE = [Person(sub=f"auth0|{name}", name=name) for name in ("ada", "grace", "linus")]
STRANGER = Person(sub="auth0|stranger", name="Stranger")


def timeout(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("canary network words", request=request)


FAULTS: dict[str, Any] = {
    "401 credential": lambda _: error(401, "invalid_host_credential"),
    "401 of a proxy": lambda _: httpx.Response(401, html="<h1>canary</h1>"),
    "403": lambda _: error(403, "forbidden_origin"),
    "409": lambda _: error(409, "login_refused"),
    "410": lambda _: error(410, "handoff_gone"),
    "429": lambda _: error(429, "rate_limited"),
    "429 for 30 s": lambda _: httpx.Response(429, headers={"retry-after": "30"}),
    "500": lambda _: error(500, "internal_error"),
    "503": lambda _: error(503, "store_unavailable"),
    "200 with HTML": lambda _: httpx.Response(200, html="<h1>canary</h1>"),
    "200 half": lambda _: httpx.Response(200, json={"grant": "canary", "ref": "canary"}),
    "down": unreachable,
    "slow": timeout,
}
PATHS = st.sampled_from(["redeem", "session", "token", "revoke"])


class SignInMachine(RuleBasedStateMachine):
    events = Bundle("events")

    def __init__(self) -> None:
        super().__init__()
        self.companion = FakeCompanion()
        self.companion.token_seconds = 300
        self.ours = self.companion.sign_in()
        self.theirs = self.companion.sign_in()
        self.stranger = self.companion.open_session(STRANGER)
        self.theirs.observe(self.companion.signed_in_event(self.theirs, self.stranger))
        assert self.theirs.session is not None
        self.dead: set[str] = set()
        self.last: set[str] = set()
        self.asked_at: list[float] = []
        self.rechecks: dict[str, float] = {}
        self.connection = 0

    # What the browser sends

    def observe(self, event: Any) -> None:
        before = self.asked()
        self.ours.observe(event)
        self.asked_at += [self.companion.clock.time] * (self.asked() - before)

    def asked(self) -> int:
        return self.companion.calls["redeem"] + self.companion.calls["session"]

    @rule(target=events, person=st.sampled_from(PEOPLE))
    def somebody_signs_in(self, person: Person) -> Any:
        event = self.companion.signed_in_event(self.ours, self.companion.open_session(person))
        fails = "redeem" in self.companion.faults or self.ours._redeem_pause.in_force()
        is_free = self.may_ask()
        self.observe(event)
        if not fails and is_free:
            assert self.ours.session is not None
            assert self.ours.session.user.sub == person.sub
        return event

    @rule(target=events, person=st.sampled_from(PEOPLE))
    def an_event_is_held_back(self, person: Person) -> Any:
        return self.companion.signed_in_event(self.ours, self.companion.open_session(person))

    @rule(target=events, new_id=st.booleans())
    def an_event_of_the_other_session_is_stolen(self, new_id: bool) -> Any:
        event = self.companion.signed_in_event(self.theirs, self.stranger)
        ours = {**event, "challenge": self.ours.challenge, "id": f"{event['id']}-stolen"}
        self.unmoved(lambda: self.observe(event))
        if not new_id:
            self.unmoved(lambda: self.observe(ours), may_fail=True)
        return multiple(event, ours)

    @rule(target=events)
    def the_frame_says_that_nobody_is_signed_in(self) -> Any:
        event = self.companion.signed_out_event(self.ours)
        self.observe(event)
        return event

    @rule(target=events)
    def the_frame_reports_a_failure(self) -> Any:
        event = self.companion.error_event(self.ours)
        self.unmoved(lambda: self.observe(event), may_fail=True)
        return event

    @rule(event=events, how=st.sampled_from(["as it was", "new id", "new challenge"]))
    def an_old_event_comes_again(self, event: Any, how: str) -> None:
        if how == "new id":
            event = {**event, "id": f"{event['id']}-{len(self.companion.bodies)}"}
        if how == "new challenge":
            event = {**event, "id": f"{event['id']}!", "challenge": self.ours.challenge}
        self.observe(event)

    @rule(event=events)
    def the_ticket_of_an_event_lapses(self, event: Any) -> None:
        token = event["data"]["sessioninfo"] and event["data"]["sessioninfo"]["token"]
        if token:
            self.companion.tickets.pop(token["ticket"], None)

    @rule(data=st.data(), event=events)
    def one_thing_of_an_event_is_changed(self, data: st.DataObject, event: Any) -> None:
        self.observe(data.draw(one_thing_changed(event)))

    @rule(value=ANYTHING)
    def anything_else_is_sent(self, value: Any) -> None:
        self.unmoved(lambda: self.observe(value))

    @rule()
    def a_flood_of_forged_events_limits_nobody_else(self) -> None:
        for number in range(12):
            event = self.companion.signed_in_event(self.theirs, self.stranger)
            event |= {"id": f"flood-{event['id']}-{number}", "challenge": self.ours.challenge}
            self.observe(event)
        fresh = self.companion.sign_in()
        fresh.observe(self.companion.signed_in_event(fresh, self.companion.open_session(STRANGER)))
        if "redeem" not in self.companion.faults:
            assert fresh.session is not None

    # What the app and its server do

    @rule()
    def the_app_runs_again(self) -> None:
        self.ours.refresh(connection=f"connection-{self.connection}")

    @rule()
    def the_websocket_reconnects(self) -> None:
        self.connection += 1
        login = self.ours._login
        self.ours.refresh(connection=f"connection-{self.connection}")
        answers = "session" not in self.companion.faults
        may_be_asked = self.ours._question_pause.in_force() is None
        if login is not None and self.connection > 1 and answers and may_be_asked:
            session = self.companion.grants[login.grant.reveal()]
            assert session.end_reason is None or self.ours.session is None

    @rule(everywhere=st.booleans())
    def the_app_signs_out(self, everywhere: bool) -> None:
        self.ours.sign_out(everywhere=everywhere)
        assert self.ours.session is None

    @rule()
    def the_person_tries_again(self) -> None:
        self.ours.retry()

    @precondition(lambda self: self.ours.session is not None)
    @rule()
    def the_app_takes_a_token(self) -> None:
        session = self.ours.session
        assert session is not None
        try:
            token = session.access_token(min_ttl=60)
        except AuthError:
            return
        assert token.startswith("canary-access-token")

    @rule()
    def the_app_checks_the_session(self) -> None:
        session = self.ours.session
        if session is not None:
            session.check()

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0, 61.0, 301.0]))
    def time_passes(self, seconds: float) -> None:
        self.companion.clock.advance(seconds)

    # What the companion does

    @rule(reason=st.sampled_from(["expired", "provider_logout", "signed_out", "refresh_refused"]))
    def the_companion_ends_a_session(self, reason: str) -> None:
        login = self.ours._login
        if login is not None:
            self.companion.grants[login.grant.reveal()].end_reason = reason

    @rule(path=PATHS, fault=st.sampled_from(list(FAULTS)))
    def the_companion_begins_to_fail(self, path: str, fault: str) -> None:
        self.companion.faults[path] = FAULTS[fault]

    @rule()
    def the_companion_heals(self) -> None:
        self.companion.faults.clear()

    # What always holds

    def may_ask(self) -> bool:
        count, seconds = ASKS
        now = self.companion.clock.time
        return len([then for then in self.asked_at if now - then < seconds]) < count

    def unmoved(self, act: Any, *, may_fail: bool = False) -> None:
        """What says nothing of this session's person changes nobody in or out."""
        session, status = self.ours.session, self.ours.status
        act()
        assert self.ours.session is session
        if not may_fail:
            assert self.ours.status == status

    @invariant()
    def whoever_is_signed_in_was_redeemed_for_this_sessions_verifier_of_now(self) -> None:
        session, login = self.ours.session, self.ours._login
        assert (session is not None) == (self.ours.status == "signed_in")
        if login is None:
            assert session is None
            return
        grant = login.grant.reveal()
        assert self.companion.redeemed_for[grant] == self.ours.challenge
        granted = self.companion.grants[grant]
        assert granted is not self.stranger
        assert granted.reference == login.reference
        if session is not None:
            assert session.user.sub == granted.person.sub

    @invariant()
    def a_login_that_ended_never_comes_back(self) -> None:
        login = self.ours._login
        now = {login.reference} if login is not None else set()
        assert not now & self.dead
        self.dead |= self.last - now
        self.last = now

    @invariant()
    def the_other_session_is_untouched(self) -> None:
        assert self.theirs.session is not None
        assert self.theirs.session.user.sub == STRANGER.sub
        assert self.stranger.end_reason is None

    @invariant()
    def forged_events_cause_a_bounded_number_of_calls(self) -> None:
        count, seconds = ASKS
        for then in self.asked_at:
            assert sum(then <= other < then + seconds for other in self.asked_at) <= count
        command = self.ours.command
        if command is not None and command["name"] == "recheck":
            self.rechecks.setdefault(command["id"], self.companion.clock.time)
        times, (count, seconds) = list(self.rechecks.values()), RECHECKS
        for then in times:
            assert sum(then <= other < then + seconds for other in times) <= count

    @invariant()
    def nothing_secret_is_shown(self) -> None:
        sign_in = self.ours
        shown = f"{sign_in!r} {sign_in.error!r} {sign_in.error} {sign_in.session!r}"
        for place in (json.dumps(sign_in.frame_args({})), shown):
            assert "canary" not in place
            assert SECRET not in place
        assert (sign_in.error is not None) >= (sign_in.status == "error")


SignInMachine.TestCase.settings = hypothesis_settings(
    max_examples=max(hypothesis_settings().max_examples // 2, 50),
    stateful_step_count=hypothesis_settings().stateful_step_count,
)
TestTheSignIn = SignInMachine.TestCase
