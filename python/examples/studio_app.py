"""Model studio: pages by permission, guarded functions, a user menu, a plot.

A model is a system of linear equations that lives at the remote API, one for each person.
Start it with `streamlit run`; the menu shows what the person may open.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import altair as alt
import httpx
import pandas as pd
import streamlit as st

import streamlit_component_auth0 as auth0

API = auth0.settings().remote_api_base_url or "http://localhost:8888"
LARGEST_MODEL_BYTES = 128 * 1024

st.set_page_config(page_title="Model studio", page_icon=":material/ssid_chart:", layout="wide")


class Tool(NamedTuple):
    """A page of the studio, and what it takes to open it."""

    page: Any
    permission: str
    about: str


class Notice(NamedTuple):
    """What a callback has to say in the run that follows it."""

    ok: bool
    words: str
    details: tuple[str, ...] = ()


def plain(text: str) -> str:
    """Text of somebody else is text, whatever markup is in it."""
    return re.sub(r"([^\w\s])", r"\\\1", text)


def me() -> auth0.Session:
    """Who is signed in; pages with a requirement have somebody."""
    session = auth0.current_session()
    if session is None:
        st.stop()
        raise auth0.NotSignedIn
    return session


# The API, in the person's name


class Refused(Exception):
    """The API did not do it; `notice` says why, in words for a person."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice.words)
        self.notice = notice


def ask(method: str, path: str, body: object = None) -> dict[str, Any]:
    """One call; the token goes to this API only."""
    try:
        response = me().api(API).request(method, path, json=body)
        answer: dict[str, Any] = response.json() if response.content else {}
    except httpx.HTTPError:
        raise Refused(Notice(ok=False, words="The model API cannot be reached.")) from None
    except ValueError:
        raise Refused(Notice(ok=False, words="The model API gave no proper answer.")) from None
    except auth0.AuthError as error:
        raise Refused(Notice(ok=False, words=error.message)) from None
    if response.is_success:
        return answer
    words = {
        401: "The model API does not accept your access token. Please sign in again.",
        403: "You may not do this: the model API says that your account lacks the permission.",
    }.get(response.status_code, str(answer.get("message", "The model API refused.")))
    raise Refused(Notice(False, words, tuple(map(str, answer.get("problems", ())))))


def show(notice: Notice) -> None:
    lines = "".join(f"\n- {plain(line)}" for line in notice.details)
    if notice.ok:
        st.success(plain(notice.words) + lines, icon=":material/check_circle:")
    else:
        st.error(plain(notice.words) + lines, icon=":material/error:")


def fetched(path: str) -> dict[str, Any]:
    """What a page is about; without it, the page says why and ends."""
    try:
        return ask("GET", path)
    except Refused as refused:
        show(refused.notice)
        st.stop()
        raise


# What the buttons do. They run before the script, so each is guarded for itself; results lie
# in `session.state`, which dies with the login.


@auth0.protected(permissions=["write:solve"])
def solve(model: dict[str, Any] | None) -> None:
    try:
        me().state["solution"] = ask("POST", "/api/model/solve", model)
        me().state.pop("solve_notice", None)
    except Refused as refused:
        me().state.pop("solution", None)
        me().state["solve_notice"] = refused.notice


@auth0.protected(permissions=["write:import"])
def import_model() -> None:
    # Read here and not passed as an argument: arguments are those of the last run, and the
    # click may bring along what was typed since.
    try:
        answer = ask("POST", "/api/model/import", json.loads(model_text()))
        words = f"“{answer['name']}” with {answer['size']} unknowns is your model now."
        notice = Notice(ok=True, words=words)
    except ValueError:
        notice = Notice(ok=False, words="This is not JSON.")
    except Refused as refused:
        notice = refused.notice
    me().state["import_notice"] = notice


# Pages


def home() -> None:
    st.markdown(
        "A model here is a system of linear equations. It lives at an API that knows you by "
        "your access token; **what you may do with it depends on who you are.**"
    )
    session = auth0.current_session()
    for row in (TOOLS[:2], TOOLS[2:]):
        for column, tool in zip(st.columns(2), row, strict=True):
            with column.container(border=True):
                card(tool, session)
    if session is None and auth0.status() == "signed_out":
        st.caption("Nobody is signed in: sign in above to see your tools in the menu.")


def card(tool: Tool, session: auth0.Session | None) -> None:
    st.markdown(f"#### {tool.page.icon} {tool.page.title}")
    st.markdown(tool.about)
    if session is not None and session.has(permissions=[tool.permission]):
        st.page_link(tool.page, label=f"Open {tool.page.title}", icon=":material/arrow_forward:")
    elif session is not None:
        st.markdown(f":gray-badge[:material/lock: You may not: needs {tool.permission}]")
    else:
        st.markdown(f":gray-badge[:material/key: needs {tool.permission}]")


def chart() -> None:
    answer = fetched("/api/model/chart")
    names = [str(series["name"]) for series in answer["series"]]
    asked = st.query_params.get("series")
    st.subheader(plain(answer["title"]), anchor=False)
    chosen = st.segmented_control(
        "Show", ["All", *names], default=asked if asked in names else "All", key="chart_series"
    )
    shown = [series for series in answer["series"] if chosen in {None, "All", series["name"]}]
    # The address bar holds the view: a link to it opens this chart again, sign-in or not.
    if chosen in names:
        st.query_params["series"] = str(chosen)
    else:
        st.query_params.pop("series", None)
    rows = [
        {"variable": variable, "value": value, "series": series["name"]}
        for series in shown
        for variable, value in zip(answer["x"]["values"], series["values"], strict=True)
    ]
    st.altair_chart(plot(pd.DataFrame(rows), answer["x"]["label"]))
    with st.expander("Numbers", icon=":material/table:"):
        table = {series["name"]: series["values"] for series in shown}
        st.dataframe(pd.DataFrame(table, index=answer["x"]["values"]))


def plot(data: pd.DataFrame, label: str) -> alt.Chart:
    lines = alt.Chart(data, height=360).mark_line(
        point=alt.OverlayMarkDef(size=70), strokeWidth=2.5
    )
    encoded: alt.Chart = lines.encode(
        x=alt.X("variable:N", sort=None, title=label, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("value:Q", title=None),
        color=alt.Color("series:N", sort=None, title=None, legend=alt.Legend(orient="top")),
        tooltip=["series:N", "variable:N", alt.Tooltip("value:Q", format=",.4~g")],
    )
    return encoded


def solve_page() -> None:
    st.subheader("Solve a system of equations", anchor=False)
    left, right = st.columns([3, 2], gap="large")
    with left:
        source = st.radio("What to solve", ["My model", "Equations of my own"], horizontal=True)
        model = own_equations() if source == "Equations of my own" else None
        if model is None:
            st.caption("The model at the API: the one that you imported, or the example.")
        st.button(
            "Solve", type="primary", icon=":material/function:", on_click=solve, args=(model,)
        )
    with right:
        draw_solution(me().state)


def own_equations() -> dict[str, Any]:
    size = int(st.number_input("Unknowns", min_value=1, max_value=8, value=2))
    names = [f"x{number}" for number in range(1, size + 1)]
    matrix = [[2.0 if row == column else 1.0 for column in range(size)] for row in range(size)]
    start = pd.DataFrame(matrix, columns=names).assign(**{"=": [3.0] * size})
    st.caption("Each row is an equation: factors of the unknowns, and what they add up to.")
    edited = st.data_editor(start, hide_index=True, key=f"equations_{size}").fillna(0.0)
    return {
        "name": "Equations of my own",
        "variables": names,
        "matrix": edited[names].to_numpy().tolist(),
        "rhs": edited["="].to_list(),
    }


def draw_solution(state: Any) -> None:
    if "solve_notice" in state:
        show(state["solve_notice"])
    solution = state.get("solution")
    if solution is None:
        st.caption("The solution appears here.")
        return
    with st.container(border=True):
        st.markdown(f"##### {plain(solution['name'])}")
        values = {"Solution": solution["solution"]}
        st.dataframe(pd.DataFrame(values, index=solution["variables"]))
        residual, condition = st.columns(2)
        residual.metric("Residual", f"{solution['residual']:.1e}")
        condition.metric("Condition", f"{solution['condition']:.3g}")


def export_page() -> None:
    model = fetched("/api/model/export")
    st.subheader(f"Export “{plain(model['name'])}”", anchor=False)
    names = model["variables"]
    st.dataframe(pd.DataFrame(model["matrix"], columns=names).assign(**{"=": model["rhs"]}))
    st.download_button(
        "Download as JSON",
        data=json.dumps(model, indent=2, ensure_ascii=False),
        file_name="model.json",
        mime="application/json",
        icon=":material/download:",
        type="primary",
    )
    with st.expander("The JSON", icon=":material/data_object:"):
        st.json(model)


def import_page() -> None:
    st.subheader("Import a model", anchor=False)
    notice = me().state.get("import_notice")
    if notice is not None:
        show(notice)
    uploaded = st.file_uploader("A JSON file, as Export makes it", type="json", key="import_file")
    st.text_area(
        "Or paste it here", height=180, placeholder='{"matrix": …, "rhs": …}', key="import_text"
    )
    if uploaded is not None and uploaded.size > LARGEST_MODEL_BYTES:
        st.warning("This file is too large for a model.", icon=":material/warning:")
    st.button(
        "Import",
        type="primary",
        icon=":material/upload:",
        disabled=not model_text().strip(),
        on_click=import_model,
    )


def model_text() -> str:
    """What is to be imported: the file if it fits, else what was pasted."""
    uploaded = st.session_state.get("import_file")
    if uploaded is not None and uploaded.size <= LARGEST_MODEL_BYTES:
        content: bytes = uploaded.getvalue()
        return content.decode("utf-8", errors="replace")
    pasted: str | None = st.session_state.get("import_text")
    return pasted or ""


HOME = st.Page(home, title="Home", icon=":material/home:", default=True)
TOOLS = (
    Tool(
        st.Page(chart, title="Chart", icon=":material/ssid_chart:", url_path="chart"),
        "read:chart",
        "See your model's solution beside what drives it.",
    ),
    Tool(
        st.Page(solve_page, title="Solve", icon=":material/function:", url_path="solve"),
        "write:solve",
        "Solve your model, or equations that you type in.",
    ),
    Tool(
        st.Page(export_page, title="Export", icon=":material/download:", url_path="export"),
        "read:export",
        "Take your model away as JSON.",
    ),
    Tool(
        st.Page(import_page, title="Import", icon=":material/upload:", url_path="import"),
        "write:import",
        "Put a model of your own in its place.",
    ),
)

title, sign_in = st.columns([3, 2], vertical_alignment="center")
title.title(":material/ssid_chart: Model studio", anchor=False)
with sign_in:
    page = auth0.navigation(
        {"": [HOME], "Your model": [tool.page for tool in TOOLS]},
        require={tool.page: {"permissions": [tool.permission]} for tool in TOOLS},
        variant="compact",
    )
auth0.user_menu(container=st.sidebar, picture=True)
page.run()
