"""Component Hero: events and errors of a component, without any identity provider.

Copy this file, and `/streamlit/hero` of the companion, to begin a component of your own.
The component sends events, this app answers through args:

- `onStatusUpdate` with `data.props.guess`: a guess at the secret word.
- `onActionRequest`, action `WebRequest`: this server makes the request, if it is allowed
  below, and the component finds the answer in its arg `action_result`.
- `onAdhocReport`, `onError`: are shown. Anything else arrives as `onError`.
"""

from __future__ import annotations

import os
import random
from typing import Final

import streamlit as st

import streamlit_component_auth0 as auth0

API: Final = os.environ.get("REMOTE_API_BASE_URL") or "http://localhost:8888"
WORDS: Final = ("streamlit", "leptos", "cookie", "origin", "ticket", "handoff", "nonce")

# The component may have these requests made, and no others. `allow_private`: on a developer's
# machine the API is on this machine, which is off limits for everything not named.
ALLOWED: Final = (
    auth0.AllowedRequest(base_url=f"{API}/api/ping", methods=("GET", "POST"), allow_private=True),
)

COLOURS: Final = {
    "onStatusUpdate": "blue",
    "onActionRequest": "violet",
    "onAdhocReport": "green",
    "onError": "red",
}

st.set_page_config(page_title="Component Hero", page_icon="🦸", layout="wide")


class Game:
    """A secret word, and how far the guesses got. It stays on the server."""

    def __init__(self) -> None:
        self.secret = random.choice(WORDS)  # noqa: S311 (a game)
        self.guesses = 0
        self.reply = f"Guess the secret word. It has {len(self.secret)} letters."

    def guess(self, word: str) -> str:
        """Takes a guess; what it returns is the answer."""
        self.guesses += 1
        if word.strip().lower() == self.secret:
            self.reply = f"Yes! Found after {self.guesses} guesses. Here is another one."
            guesses, self.secret = self.guesses, random.choice(WORDS)  # noqa: S311
            self.guesses = 0
            return f"found after {guesses}"
        shared = len(set(word.lower()) & set(self.secret))
        self.reply = f"No. {shared} of its letters are in the secret word."
        return self.reply


def current_game() -> Game:
    if "game" not in st.session_state:
        st.session_state["game"] = Game()
    game: Game = st.session_state["game"]
    return game


def handle(event: auth0.ComponentEvent) -> str | None:
    """Called once for each event. What it returns stands in the report."""
    props = event.data.get("props")
    guess = props.get("guess") if isinstance(props, dict) else None
    if event.name == "onStatusUpdate" and isinstance(guess, str):
        return current_game().guess(guess[:50])
    if event.name == "onAdhocReport" and event.data.get("message") == "fail":
        raise ValueError("the handler was asked to fail, and the app goes on")
    if event.result is not None:
        return f"The server answered {event.result.status}" if event.result.status else None
    return None


def show(report: list[auth0.EventReport]) -> None:
    st.metric("Events handled", st.session_state.get("handled", 0))
    if not report:
        st.caption("None yet: press a button in the component.")
    for line in reversed(report[-8:]):
        with st.container(border=True):
            name, at = st.columns([3, 1], vertical_alignment="center")
            name.markdown(f":{COLOURS.get(line.name, 'gray')}-badge[{line.name}]")
            at.caption(f"{line.at:%H:%M:%S}")
            # The words are the browser's: text, whatever markup is in them.
            for words in (line.message, *line.notes):
                if words:
                    st.text(words)
            if line.error:
                st.error(line.error, icon=":material/error:")


def counted(event: auth0.ComponentEvent) -> str | None:
    st.session_state["handled"] = st.session_state.get("handled", 0) + 1
    return handle(event)


st.title("Component Hero", anchor=False)
st.caption("A component and its host talk in events. Write your own from this one.")
game = current_game()
told = game.reply
component, events = st.columns([3, 2], gap="large")
with component:
    st.markdown("##### The component")
    report = auth0.run_component(
        ["onStatusUpdate", "onActionRequest", "onAdhocReport"],
        {
            "hostname": "Component Hero",
            "initial_state": {"message": told},
            "request_url": ALLOWED[0].base_url,
        },
        counted,
        key="hero",
        name="hero",
        allowed_requests=ALLOWED,
    )
    st.caption("It cannot see the secret word: that lies in this server's session state.")
if game.reply != told:
    st.rerun()  # the component learns the answer
with events:
    st.markdown("##### What the host heard")
    show(report)
