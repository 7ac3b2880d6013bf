"""An app under test with a component in it that can send."""

from __future__ import annotations

import json
from typing import Any

import httpx
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from companion import FakeClock, FakeCompanion
from streamlit_component_auth0._clock import Entropy
from streamlit_component_auth0._host import STATE_KEY as SIGN_IN_KEY
from streamlit_component_auth0._host import Host
from streamlit_component_auth0._mailbox import STATE_KEY as MAILBOXES_KEY
from streamlit_component_auth0._mailbox import Mailboxes
from streamlit_component_auth0._outbound import Outbound


class Page:
    """An app under test, with a component that can send."""

    def __init__(self, app: Any, companion: FakeCompanion | None = None) -> None:
        self.sent: list[httpx.Request] = []
        self.clock = FakeClock()
        self.at = AppTest.from_function(app, default_timeout=60)
        outbound = Outbound(
            resolve=lambda _host, _port: ["93.184.216.34"],
            transport=lambda: httpx.MockTransport(self._answer),
        )
        self.boxes = Mailboxes(
            outbound=outbound, clock=self.clock.clock, entropy=Entropy(lambda _: "challenge-1")
        )
        self.at.session_state[MAILBOXES_KEY] = self.boxes
        if companion is not None:
            self.sign_in = companion.sign_in()
            self.at.session_state[SIGN_IN_KEY] = Host(self.sign_in)
        self.at.run()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(200, json={"pong": len(self.sent)})

    @property
    def frame(self) -> Any:
        found = [*self.at.main, *self.at.sidebar]
        return next(e.proto for e in found if e.type == "component_instance")

    @property
    def args(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.frame.json_args)
        return parsed

    @property
    def handled(self) -> list[Any]:
        return list(self.at.session_state["handled"])

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.handled]

    def send(self, value: Any = None, *, proto: WidgetState | None = None) -> None:
        """What `streamlit:setComponentValue` does: a rerun that carries the value."""
        states = self.at._tree.get_widget_states()
        state = proto or WidgetState(json_value=json.dumps(value))
        state.id = self.frame.id
        kept = [entry for entry in states.widgets if entry.id != state.id]
        del states.widgets[:]
        states.widgets.extend([*kept, state])
        self.at._run(states)

    def event(self, serial: int, name: Any = "onAdhocReport", **more: Any) -> dict[str, Any]:
        data = {"message": f"words {serial}", **more}
        return {"id": f"e{serial}", "name": name, "challenge": self.args["challenge"], "data": data}

    def web_request(self, serial: int, **props: Any) -> dict[str, Any]:
        asked = {"label": "Ping", "url": "https://api.example.com/ping", **props}
        action = {"name": "WebRequest", "props": asked}
        return self.event(serial, "onActionRequest", action=action)


def login_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    handled = st.session_state.setdefault("handled", [])

    def handle(event: auth0.ComponentEvent) -> None:
        handled.append(event)

    auth0.run_component(
        st.session_state.get("events", ["onStatusUpdate", "onActionRequest"]),
        {"hostname": "Tested", "initial_state": "Welcome"},
        handle,
        allowed_requests=[
            auth0.AllowedRequest(base_url="https://api.example.com/", use_token=True)
        ],
    )
    session = auth0.login()
    st.write(f"Session: {session.user.name if session else None}")
    st.button("Sign out", on_click=auth0.logout)
