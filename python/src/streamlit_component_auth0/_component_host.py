"""`ComponentHost` and `run_component`: events of a component to the app's handler.

It works for the sign-in component and for any other page that speaks Streamlit's component
protocol. Who is signed in is the sign-in's business; the handler is told, never asked.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import streamlit as st
from streamlit.components.v1 import declare_component
from streamlit.errors import StreamlitDuplicateElementKey

from . import _streamlit
from ._component import DEFAULT_KEY, STATE_EVENTS, draw_login
from ._component_event import (
    ERROR,
    STATUS_UPDATE,
    ComponentEvent,
    UnverifiedEvent,
    error_event,
    subscribed,
)
from ._exceptions import FrameError, SettingsError, UsageError
from ._host import STATE_KEY, Host
from ._mailbox import EventReport, Mailbox, mailbox
from ._settings import is_loopback_host, origin_of

if TYPE_CHECKING:
    from ._allowed_request import AllowedRequest
    from ._exceptions import AuthError
    from ._session import Session

_log = logging.getLogger(__name__)

EventHandler = Callable[[ComponentEvent], "object | Awaitable[object]"]

_LOGIN_PROPS: Final = frozenset({"labels", "locale", "variant", "login_options"})
_RESERVED_PROPS: Final = frozenset(
    {"action_result", "challenge", "command", "default", "known", "on_change"}
)
_MAX_GENERATIONS: Final = 8
_MAX_NOTES: Final = 20


class ComponentHost:
    """The host's side of one component: draws it and hands its events out.

    Make one in each run of the script; what has to last lies in the Streamlit session, under
    the key. Each event is handed out once, however often the script runs.

    Args:
        key: Streamlit key of the component.
        events: Names of the events that the host wants to hear of. Any other event, and one
            without a name, arrives as `onError`, which needs no subscription.
        name: Another page of the companion than the sign-in component, such as `hero`.
        url: A component page anywhere else: `https://…`, or `http://` on this machine.
        allowed_requests: What the component may ask the host to request; nothing by default.
        **props: `hostname` and `initial_state` (`{"message": …}`) for every component; the
            options of `login()` for the sign-in component; for others whatever JSON they
            take. A browser sees them: no secrets.

    Raises:
        UsageError: A prop or the URL cannot be used.
    """

    def __init__(
        self,
        key: str,
        events: Collection[str],
        *,
        name: str | None = None,
        url: str | None = None,
        allowed_requests: Sequence[AllowedRequest] = (),
        **props: Any,
    ) -> None:
        if name is not None and url is not None:
            raise UsageError("ComponentHost takes a name (of the companion's) or a url, not both.")
        self._key = key
        self._events = tuple([events] if isinstance(events, str) else events)
        self._name = name or "component"
        self._url = _page_url(name, url)
        self._allowed = tuple(allowed_requests)
        self._props = _checked_props(props, own_page=self._url is not None)
        self._mailbox = mailbox(key)
        self._drawn = False

    @property
    def session(self) -> Session | None:
        """The verified person, if anybody is signed in to this Streamlit session."""
        host = _known_host()
        return host.sign_in.session if host is not None else None

    @property
    def report(self) -> list[EventReport]:
        """What happened last, newest last."""
        return self._mailbox.last_events

    def draw(self) -> None:
        """Draws the component here, once in the life of this object."""
        if self._drawn:
            return
        self._drawn = True
        # Requests first: their result then travels with this very run.
        self._mailbox.settle(self._allowed, self.session)
        drawn = self._mailbox.action_result
        if self._url is None:
            self._draw_login()
        else:
            self._draw_page(self._url)
        self._mailbox.settle(self._allowed, self.session)
        if self._mailbox.action_result is not drawn:
            st.rerun(scope="app")  # the frame shows what was before, maybe for another person

    def next_event(self) -> ComponentEvent | None:
        """The next event that nobody has handled, or None. Draws the component if need be."""
        self.draw()
        session = self.session
        letter = self._mailbox.take(session)
        if letter is None:
            return None
        event = letter.event
        return ComponentEvent(event.name, event.data, self._key, session, letter.result, event.id)

    def deliver(self, event_handler: EventHandler) -> list[EventReport]:
        """Hands each waiting event to the handler, in order, and returns the report.

        A handler that fails is reported and never ends the script. What it returns (a text
        or several) is noted in the report. It may be a coroutine function.
        """
        while (event := self.next_event()) is not None:
            self._handle(event, event_handler)
        return self.report

    async def deliver_queued(self, event_handler: EventHandler) -> list[EventReport]:
        """`deliver()` within an event loop: the mailbox is the queue, each event is awaited.

        An event leaves the queue only when the one before it is done, so that a rerun that
        ends this run leaves the rest to the next one.
        """
        while (event := self.next_event()) is not None:
            await self._handle_queued(event, event_handler)
        return self.report

    def _handle(self, event: ComponentEvent, event_handler: EventHandler) -> None:
        with self._reporting(event) as notes:
            outcome = event_handler(event)
            if inspect.isawaitable(outcome):
                outcome = asyncio.run(_awaited(outcome))
            notes.extend(_notes(outcome))

    async def _handle_queued(self, event: ComponentEvent, event_handler: EventHandler) -> None:
        with self._reporting(event) as notes:
            outcome = event_handler(event)
            if inspect.isawaitable(outcome):
                outcome = await outcome
            notes.extend(_notes(outcome))

    @contextmanager
    def _reporting(self, event: ComponentEvent) -> Iterator[list[str]]:
        notes: list[str] = []
        error = event.result.error.message if event.result and event.result.error else None
        try:
            yield notes
        except Exception as failure:  # noqa: BLE001 (the app's own code: any of them)
            _log.exception("the handler of %s failed", event.name)
            error = f"{type(failure).__name__}: {failure}"[:500]
        finally:  # also when the handler calls st.rerun()
            self._mailbox.report(event.name, event.data, self._key, notes=tuple(notes), error=error)

    # The sign-in component

    def _draw_login(self) -> None:
        args = {
            "hostname": self._props["hostname"],
            "initial_state": self._props["initial_state"],
            "events": list(dict.fromkeys((*self._events, *STATE_EVENTS))),
            "labels": dict(self._props.get("labels") or {}),
            "locale": self._props.get("locale"),
            "variant": self._props.get("variant") or "button",
            "action_result": _frame_arg(self._mailbox),
        }
        known = _known_host()
        if known is not None:
            known.listener = self._overhear
        host = draw_login(self._key, args, login_options=self._props.get("login_options"))
        host.listener = self._overhear
        self._tell_status(host)

    def _overhear(self, unverified_value: object, challenge: str) -> None:
        # Its status updates are for the sign-in: what the handler hears of the status is
        # what came of them.
        self._mailbox.serve(_session_in_force())
        self._mailbox.receive(
            unverified_value, events=self._events, challenge=challenge, skip={STATUS_UPDATE}
        )

    def _tell_status(self, host: Host) -> None:
        """Makes a status event of each verified change, whatever caused it."""
        sign_in = host.sign_in
        session, error = sign_in.session, sign_in.error
        outline = (sign_in.status, session.user if session else None, error and error.code)
        self._mailbox.serve(session)  # before the event of the change, which is the next one's
        with self._mailbox.lock:
            if outline == self._mailbox.told:
                return
            before, self._mailbox.told = self._mailbox.told, outline
        if sign_in.status == "pending":
            return
        if sign_in.status == "error" and error is not None:
            if not isinstance(error, FrameError):  # the frame sent that event itself
                self._mailbox.put(_status_event(ERROR, None, self._props, error))
        elif not isinstance(before, tuple) or before[:2] != outline[:2]:
            event = _status_event(STATUS_UPDATE, session, self._props)
            self._mailbox.put(subscribed(event, self._events))

    # Other pages

    def _draw_page(self, url: str) -> None:
        box = self._mailbox
        args = {
            **self._props,
            "events": list(dict.fromkeys((*self._events, ERROR))),
            "challenge": box.challenge,
            "action_result": _frame_arg(box),
        }
        while box.generation < _MAX_GENERATIONS:
            suffix = f"__{box.generation}" if box.generation else ""
            frame_key = self._key + suffix
            try:
                unverified_value = _declared(self._name, url)(
                    **args, key=frame_key, default=None, on_change=partial(self._changed, frame_key)
                )
            except StreamlitDuplicateElementKey:
                return  # drawn earlier in this run
            except (ValueError, TypeError, OSError, RecursionError):
                # A value that claims to be a data frame and is none, or that is nested too
                # deep for Streamlit's copies, fails inside Streamlit in every run: only a
                # frame of another identity gets rid of it.
                _log.warning("a component's value could not be decoded; drawing a new frame")
                box.generation += 1
                box.put(error_event("event_invalid"))
                continue
            self._receive(unverified_value)
            return

    def _changed(self, frame_key: str) -> None:
        # Runs before the script: an event is safe even if the run never gets to the component.
        unverified_value = st.session_state.get(frame_key)
        if unverified_value is None:
            self._mailbox.forget_value()
            self._mailbox.put(error_event("event_without_name"))
            return
        self._receive(unverified_value)

    def _receive(self, unverified_value: object) -> None:
        self._mailbox.serve(_session_in_force())
        self._mailbox.receive(
            unverified_value, events=self._events, challenge=self._mailbox.challenge
        )


def run_component(
    events: Collection[str],
    props: Mapping[str, Any],
    event_handler: EventHandler,
    *,
    key: str = DEFAULT_KEY,
    name: str | None = None,
    url: str | None = None,
    allowed_requests: Sequence[AllowedRequest] = (),
    queued: bool | None = None,
) -> list[EventReport]:
    """Draws a component and hands its events to a handler: the 2022 way, in one call.

    Synchronous delivery calls the handler here and now. Queued delivery runs an event loop
    in which the handler is awaited, one event after the other; for coroutine handlers and
    for code that brings its own `asyncio` calls. Either way each event is handled once.

    Args:
        events: Names that the host wants to hear of.
        props: Props of the component, as for `ComponentHost`.
        event_handler: Called for each event; may be a coroutine function.
        key: Streamlit key of the component.
        name: Another page of the companion than the sign-in component.
        url: A component page anywhere else.
        allowed_requests: What the component may ask the host to request.
        queued: How events are delivered; the setting `USE_COMPONENT_EVENT_QUEUE` if not given.

    Returns:
        What happened last, newest last: names, the handler's notes, failures.
    """
    host = ComponentHost(
        key, events, name=name, url=url, allowed_requests=allowed_requests, **props
    )
    if queued if queued is not None else _queued_by_default():
        return asyncio.run(host.deliver_queued(event_handler))
    return host.deliver(event_handler)


def _queued_by_default() -> bool:
    try:
        return _streamlit.app_settings().use_component_event_queue
    except SettingsError:
        return False  # a component elsewhere needs no companion; the sign-in says it itself


def _known_host() -> Host | None:
    """The sign-in of this Streamlit session, if the app uses one; asked when due."""
    host: Host | None = st.session_state.get(STATE_KEY)
    if host is not None:
        host.refresh()
    return host


def _session_in_force() -> Session | None:
    """Who is signed in by the last answer: receiving an event asks nobody."""
    host: Host | None = st.session_state.get(STATE_KEY)
    return host.sign_in.session if host is not None else None


def _page_url(name: str | None, url: str | None) -> str | None:
    if name is not None:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError("ComponentHost: name is one word, such as `hero`.")
        return f"{_streamlit.app_settings().frame_url}/{name}"
    if url is None:
        return None
    origin = origin_of(url)
    if origin is None:
        raise UsageError("ComponentHost: url must be an absolute http(s) URL.")
    if not origin.startswith("https://") and not is_loopback_host(urlsplit(origin).hostname):
        raise UsageError("ComponentHost: url must be https (http is for this machine only).")
    return url


def _checked_props(props: Mapping[str, Any], *, own_page: bool) -> dict[str, Any]:
    known = {"hostname": None, "initial_state": None}
    reserved = _RESERVED_PROPS.intersection(props)
    if reserved:
        raise UsageError(f"ComponentHost sets {', '.join(sorted(reserved))} itself.")
    if not own_page:
        unknown = set(props) - set(known) - _LOGIN_PROPS
        if unknown:
            raise UsageError(
                f"The sign-in component has no props {', '.join(sorted(unknown))}; it takes "
                f"{', '.join(sorted({*known, *_LOGIN_PROPS}))}."
            )
    initial = props.get("initial_state")
    initial = {"message": initial} if isinstance(initial, str) else initial
    if initial is not None and not isinstance(initial, Mapping):
        raise UsageError('ComponentHost: initial_state is {"message": "…"}.')
    return {**known, **props, "initial_state": dict(initial) if initial is not None else None}


def _frame_arg(box: Mailbox) -> dict[str, Any] | None:
    result = box.action_result
    return result.frame_arg() if result is not None else None


def _status_event(
    name: str,
    session: Session | None,
    props: Mapping[str, Any],
    error: AuthError | None = None,
) -> UnverifiedEvent:
    """An event of the 2022 form, of verified facts only."""
    user = {"name": session.user.name, "email": session.user.email} if session else None
    expiry = {"expiry": int(session.session_expires_at.timestamp())} if session else None
    data = {
        "hostname": props.get("hostname") or "",
        "message": error.message if error else "Logged in" if session else "Logged out",
        "isError": error is not None,
        "error": {"code": error.code, "message": error.message} if error else None,
        "sessioninfo": {"user": user, "token": expiry},
        "action": None,
        "props": None,
    }
    return UnverifiedEvent("", name, data, None)


def _notes(outcome: object) -> tuple[str, ...]:
    if outcome is None:
        return ()
    if isinstance(outcome, str) or not isinstance(outcome, Iterable):
        return (str(outcome),)
    return tuple(str(note) for note in list(outcome)[-_MAX_NOTES:])


async def _awaited(outcome: Awaitable[object]) -> object:
    return await outcome


@lru_cache(maxsize=16)
def _declared(name: str, url: str) -> Any:
    # The frame's title has the name in it: what assistive technology reads out.
    return cast("Any", declare_component(name, url=url))
