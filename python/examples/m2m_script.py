"""A script without a person: it asks the model API with a token of its own.

Run it beside the demo (`cargo xtask demo`): the values below are the development tenant's.
Elsewhere set AUTH0_ISSUER_BASE_URL, API_CLIENT_ID, API_CLIENT_SECRET, API_AUDIENCE and
REMOTE_API_BASE_URL, which the 2022 `.env` has too.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import ChainMap

import httpx

import streamlit_component_auth0 as auth0

DEVELOPMENT = {
    "AUTH0_ISSUER_BASE_URL": "http://localhost:3002/",
    "API_CLIENT_ID": "dev-OEStreamlitApi-Client",
    "API_CLIENT_SECRET": "dev-only-secret-of-OEStreamlitApi-Client",  # published, worth nothing
    "API_AUDIENCE": "http://oe.streamlit.app/api",
    "REMOTE_API_BASE_URL": "http://localhost:8888",
}

_log = logging.getLogger("m2m_script")


def main() -> int:
    """Solves a small system of equations."""
    environ = ChainMap(dict(os.environ), DEVELOPMENT)
    equations = {"matrix": [[2, 1], [1, 3]], "rhs": [3, 5], "variables": ["x", "y"]}
    try:
        with auth0.M2MClient.from_environment(environ, scope="write:solve") as machine:
            api = machine.api(environ["REMOTE_API_BASE_URL"])
            answer = api.post("/api/model/solve", json=equations)
            answer.raise_for_status()
    except auth0.AuthError as error:
        _log.error("%s (%s)", error.message, error.code)
        return 1
    except httpx.HTTPStatusError as error:
        _log.error("the API answered %d", error.response.status_code)
        return 1
    except httpx.HTTPError:
        _log.error("the API cannot be reached")
        return 1
    solution = answer.json()
    for name, value in zip(solution["variables"], solution["solution"], strict=True):
        _log.info("%s = %.6g", name, value)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.exit(main())
