"""The classic app and the Component Hero run, in each state, without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from streamlit_component_auth0 import testing
from streamlit_component_auth0._api import PinnedClient
from streamlit_component_auth0._mailbox import STATE_KEY, Mailboxes
from streamlit_component_auth0._outbound import Outbound

EXAMPLES = Path(__file__).parents[1] / "examples"


def app(name: str) -> AppTest:
    return AppTest.from_file(str(EXAMPLES / name), default_timeout=60)


@pytest.fixture
def classic() -> AppTest:
    return app("classic_app.py")


def expander_label(at: AppTest) -> str:
    # Older versions' AppTest takes an expander with an icon for a status.
    return str([*at.expander, *at.status][0].label)


def choose(at: AppTest, call: str) -> None:
    at.radio(key="call").set_value(call).run()


def go(at: AppTest) -> None:
    next(button for button in at.button if button.label == "Go").click().run()


def test_the_classic_app_is_closed_until_somebody_signs_in(classic: AppTest) -> None:
    testing.sign_out(classic)
    classic.run()
    assert not classic.exception
    assert expander_label(classic) == "Authenticate"
    assert "Sign in above" in classic.info[0].value
    assert not classic.header


def test_the_classic_app_says_nothing_while_pending(classic: AppTest) -> None:
    testing.pending(classic)
    classic.run()
    assert not classic.exception
    assert not classic.info


def test_the_classic_app_carries_the_persons_name(classic: AppTest) -> None:
    testing.sign_in(classic, name="Ada *Lovelace*", email="ada@example.com")
    classic.run()
    assert not classic.exception
    label = expander_label(classic)
    assert label == r"Ada \*Lovelace\* (:gray[ada\@]:gray[example.com])"
    assert classic.header[0].value == "Calling APIs"
    classic.sidebar.radio[0].set_value("Two waves").run()
    assert not classic.exception
    assert classic.header[0].value == "Two waves"


def test_the_classic_app_calls_what_is_chosen(
    classic: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        scoped = request.url.path == "/api/pong-scoped"
        return httpx.Response(403 if scoped else 200, json={"pong": "x"}, request=request)

    def get(url: str, **_: Any) -> httpx.Response:
        return answer(httpx.Request("GET", url))

    def send(self: PinnedClient, request: httpx.Request, **_: Any) -> httpx.Response:
        next(self.auth.sync_auth_flow(request)) if self.auth else None
        return answer(request)

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setattr(PinnedClient, "send", send)
    testing.sign_in(classic, tokens="canary-token")
    classic.run()
    assert not [button for button in classic.button if button.label == "Go"]
    choose(classic, "Call public API")
    go(classic)
    assert "authorization" not in asked[0].headers
    choose(classic, "Call secure API")
    go(classic)
    assert asked[1].headers["authorization"] == "Bearer canary-token"
    assert classic.success
    choose(classic, "Call scoped API")
    go(classic)
    assert "403" in classic.warning[0].value
    assert [request.url.path for request in asked] == ["/api/ping", "/api/pong", "/api/pong-scoped"]


def test_the_debug_info_shows_no_secret(classic: AppTest) -> None:
    testing.sign_in(classic, name="Ada", scopes=["read:messages"], tokens="canary-token")
    classic.run()
    classic.toggle[0].set_value(True).run()
    assert not classic.exception
    facts = json.loads(classic.json[0].value)
    assert (facts["user"], facts["scopes"], facts["status"]) == (
        "Ada",
        ["read:messages"],
        "signed_in",
    )
    assert "onStatusUpdate" in str(classic.dataframe[0].value)
    page = "".join(str(element.proto) for element in classic.main)
    assert "canary" not in page


def test_the_classic_app_runs_open(classic: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_AUTHENTICATION", "False")
    classic.run()
    assert not classic.exception
    assert "Runs open" in classic.info[0].value
    assert not classic.expander
    assert classic.header[0].value == "Calling APIs"
    classic.toggle[0].set_value(True).run()
    assert json.loads(classic.json[0].value) == {"status": "open"}


class Hero:
    """The Hero's page with a component that can send."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []
        self.at = app("hero_app.py")
        outbound = Outbound(
            resolve=lambda _host, _port: ["127.0.0.1"],
            transport=lambda: httpx.MockTransport(self._answer),
        )
        self.at.session_state[STATE_KEY] = Mailboxes(outbound=outbound)
        self.at.run()
        self._serial = 0

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(200, json={"ping": "now"})

    @property
    def args(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self._frame.json_args)
        return parsed

    @property
    def _frame(self) -> Any:
        columns = [element for column in self.at.columns for element in column]
        return next(e.proto for e in columns if e.type == "component_instance")

    def send(self, name: str, **data: Any) -> None:
        self._serial += 1
        challenge = self.args["challenge"]
        value = {"id": str(self._serial), "name": name, "challenge": challenge, "data": data}
        states = self.at._tree.get_widget_states()
        state = WidgetState(json_value=json.dumps(value))
        state.id = self._frame.id
        states.widgets.append(state)
        self.at._run(states)

    @property
    def reply(self) -> str:
        return str(self.args["initial_state"]["message"])

    @property
    def words(self) -> str:
        elements = [*self.at.text, *self.at.error, *self.at.markdown]
        return "\n".join(str(element.value) for element in elements)


def test_the_hero_answers_guesses_without_giving_its_word_away() -> None:
    hero = Hero()
    assert not hero.at.exception
    assert hero._frame.url.endswith("/streamlit/hero")
    secret = hero.at.session_state["game"].secret
    assert secret not in json.dumps(hero.args)
    hero.send("onStatusUpdate", message="guess", props={"guess": "zzz"})
    assert hero.reply.startswith("No. 0 of its letters")
    hero.send("onStatusUpdate", message="guess", props={"guess": secret.upper()})
    assert hero.reply.startswith("Yes! Found after 2 guesses")
    assert hero.at.metric[0].value == "2"


def test_the_hero_shows_reports_errors_and_a_handler_that_fails() -> None:
    hero = Hero()
    hero.send("onAdhocReport", message="<b>words</b>")
    assert "<b>words</b>" in hero.words
    hero.send("onAdhocReport", message="fail")
    assert "asked to fail" in hero.words
    hero.send("onUnheardOf", message="x")
    assert "did not subscribe to onUnheardOf" in hero.words
    assert not hero.at.exception


def test_the_hero_makes_the_allowed_request_and_no_other() -> None:
    hero = Hero()
    allowed = {"label": "Ping", "type": "GET", "url": "http://localhost:8888/api/ping"}
    hero.send("onActionRequest", action={"name": "WebRequest", "props": allowed})
    assert hero.args["action_result"]["ok"] is True
    assert hero.args["action_result"]["body"] == '{"ping":"now"}'
    for url in ("http://localhost:8888/api/pong", "http://169.254.169.254/", "http://localhost/"):
        hero.send(
            "onActionRequest", action={"name": "WebRequest", "props": {**allowed, "url": url}}
        )
        assert hero.args["action_result"]["error"]["code"] == "not_allowed"
    assert len(hero.sent) == 1


def test_the_readmes_recipe_for_components_runs() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in readme.split("```python\n")[1:]]
    (recipe,) = [block for block in blocks if "run_component" in block]
    at = AppTest.from_string(recipe, default_timeout=60).run()
    assert not at.exception
    frame = next(e.proto for e in at.main if e.type == "component_instance")
    assert frame.url == "https://component.example.com/"
