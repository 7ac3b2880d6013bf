"""The model studio and the machine-to-machine script, against a small API of their own."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from streamlit_component_auth0 import testing

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[1] / "examples"
ALL = ["read:chart", "write:solve", "read:export", "write:import"]
MODEL = {"name": "Rod *x*", "variables": ["a", "b"], "matrix": [[2, 1], [1, 3]], "rhs": [3, 5]}
SOLUTION = {"name": "Rod *x*", "variables": ["a", "b"], "solution": [0.8, 1.4]}


class ModelApi(ThreadingHTTPServer):
    """Answers as the remote API does, and as a provider for the script."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.tokens: list[str | None] = []
        self.bodies: list[Any] = []
        series = [
            {"name": "Solution", "values": [0.8, 1.4]},
            {"name": "Right-hand side", "values": [3, 5]},
        ]
        axis = {"label": "Variable", "values": ["a", "b"]}
        self.answers: dict[str, tuple[int, Any]] = {
            "/api/model/chart": (200, {"title": "Rod *x*", "x": axis, "series": series}),
            "/api/model/export": (200, MODEL),
            "/api/model/import": (200, {"name": "Rod *x*", "size": 2}),
            "/api/model/solve": (200, {**SOLUTION, "residual": 1e-16, "condition": 2.6}),
            "/.well-known/openid-configuration": (
                200,
                {"issuer": self.url, "token_endpoint": f"{self.url}/oauth/token"},
            ),
            "/oauth/token": (
                200,
                {"access_token": "machine-token", "token_type": "Bearer", "expires_in": 60},
            ),
        }


class Handler(BaseHTTPRequestHandler):
    server: ModelApi

    def do_GET(self) -> None:
        self.server.tokens.append(self.headers.get("Authorization"))
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if self.headers.get("Content-Type") == "application/json":
            self.server.bodies.append(json.loads(raw))
        status, answer = self.server.answers[self.path]
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 (the base class's name)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelApi]:
    with ModelApi() as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("REMOTE_API_BASE_URL", api.url)
        yield api
        api.shutdown()
        thread.join()


def studio(page: str = "", *permissions: str) -> AppTest:
    from test_navigation import opened

    at = AppTest.from_file(str(EXAMPLES / "studio_app.py"), default_timeout=60)
    testing.sign_in(at, name="Ada", permissions=permissions, tokens="ada-token")
    opened(at, page)
    assert not at.exception
    return at


def words(at: AppTest) -> str:
    elements = [*at.title, *at.subheader, *at.markdown, *at.caption, *at.error, *at.success]
    return "\n".join(str(element.value) for element in elements)


def press(at: AppTest, label: str) -> AppTest:
    (button,) = [button for button in at.main.button if button.label == label]
    button.click().run()
    assert not at.exception
    return at


def test_home_tells_each_person_what_they_may(api: ModelApi) -> None:
    at = studio("", "read:chart")
    assert [link.proto.page for link in at.main if link.type == "page_link"] == ["chart"]
    assert words(at).count("You may not") == 3
    assert "You may not: needs write:solve" in words(at)
    testing.sign_out(at)
    at.run()
    assert "Nobody is signed in" in words(at)
    assert "You may not" not in words(at)
    assert api.tokens == []


@pytest.mark.parametrize("page", ["chart", "solve", "export", "import"])
def test_no_page_asks_the_api_for_somebody_without_its_permission(api: ModelApi, page: str) -> None:
    needed = {"chart": 0, "solve": 1, "export": 2, "import": 3}[page]
    at = studio(page, *(permission for index, permission in enumerate(ALL) if index != needed))
    assert f"You may not open {page.title()}" in words(at)
    assert api.tokens == []


def test_chart_draws_what_the_api_says_in_the_persons_name(api: ModelApi) -> None:
    at = studio("chart", *ALL)
    assert api.tokens == ["Bearer ada-token"]
    assert at.subheader[0].value == "Rod \\*x\\*"
    assert [e.type for e in at.main if "vega" in e.type] != []


def test_chart_opens_the_series_that_the_link_names(api: ModelApi) -> None:
    from test_navigation import opened

    at = AppTest.from_file(str(EXAMPLES / "studio_app.py"), default_timeout=60)
    at.query_params["series"] = "Solution"
    testing.sign_in(at, permissions=ALL)
    opened(at, "chart")
    assert list(at.dataframe[0].value.columns) == ["Solution"]
    assert at.query_params["series"] in ("Solution", ["Solution"])
    assert api.tokens


def test_solve_shows_solution_of_the_model_at_the_api(api: ModelApi) -> None:
    at = press(studio("solve", *ALL), "Solve")
    assert "Rod \\*x\\*" in words(at)
    assert at.metric[0].value == "1.0e-16"
    assert api.bodies == []


def test_solve_posts_equations_that_were_typed_in(api: ModelApi) -> None:
    at = studio("solve", *ALL)
    at.radio[0].set_value("Equations of my own").run()
    press(at, "Solve")
    (body,) = api.bodies
    assert body["matrix"] == [[2.0, 1.0], [1.0, 2.0]]
    assert body["rhs"] == [3.0, 3.0]


def test_a_callback_does_nothing_once_the_permission_is_gone(api: ModelApi) -> None:
    at = studio("solve", *ALL)
    testing.sign_in(at, name="Ada", permissions=["read:chart"])
    press(at, "Solve")
    assert api.tokens == []
    assert "You may not open Solve" in words(at)


def test_import_lists_each_problem_as_text(api: ModelApi) -> None:
    problems = ["rhs: needs *2* numbers", "matrix: is not square"]
    api.answers["/api/model/import"] = (400, {"message": "Not a model.", "problems": problems})
    at = studio("import", *ALL)
    at.text_area[0].set_value("{}").run()
    press(at, "Import")
    said = at.error[0].value
    assert "- rhs\\: needs \\*2\\* numbers" in said
    assert "- matrix" in said
    at.text_area[0].set_value("not JSON").run()
    press(at, "Import")
    assert "not JSON" in at.error[0].value
    assert len(api.tokens) == 1


def test_import_says_which_model_is_in_force(api: ModelApi) -> None:
    at = studio("import", *ALL)
    at.text_area[0].set_value(json.dumps(MODEL)).run()
    press(at, "Import")
    assert api.bodies == [MODEL]
    assert "with 2 unknowns is your model now" in at.success[0].value


def test_export_shows_the_model(api: ModelApi) -> None:
    at = studio("export", *ALL)
    assert list(at.dataframe[0].value["="]) == [3, 5]
    assert json.loads(at.json[0].value) == MODEL
    assert api.tokens == ["Bearer ada-token"]


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "does not accept your access token"), (403, "You may not do this"), (500, "refused")],
)
def test_a_refusal_of_the_api_is_told_in_words(api: ModelApi, status: int, said: str) -> None:
    api.answers["/api/model/chart"] = (status, {"code": "canary"})
    at = studio("chart", *ALL)
    assert said in at.error[0].value


def test_script_solves_with_a_token_of_its_own(
    api: ModelApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    main = script(api, monkeypatch)
    caplog.set_level("INFO")
    assert main() == 0
    assert api.tokens[-1] == "Bearer machine-token"
    assert "a = 0.8" in caplog.text
    assert "machine-token" not in caplog.text


def test_script_says_why_the_provider_refuses(
    api: ModelApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api.answers["/oauth/token"] = (401, {"error": "invalid_client"})
    assert script(api, monkeypatch)() == 1
    assert "invalid_client" in caplog.text


def script(api: ModelApi, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("AUTH0_ISSUER_BASE_URL", api.url)
    import m2m_script

    return m2m_script.main
