"""Signs somebody in at a page that the dev tenant guards, as a browser without scripts does.

sign_in.py URL FILE       writes the `Cookie` line that opens URL from now on
"""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

_USER = "ada"
_ACTION = re.compile(r'<form[^>]*action="([^"]*)"')
_HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*>')
_ATTRIBUTE = re.compile(r'(name|value)="([^"]*)"')


def main(url: str, file: str) -> None:
    """Follows redirects to the form, fills it in, and follows them back."""
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=20) as http:
        form = http.get(url)
        action = _ACTION.search(form.text)
        if action is None:
            raise SystemExit(f"{form.url} shows no login form ({form.status_code})")
        fields = dict(_hidden(form.text))
        fields |= {"username": _USER, "password": f"{_USER}-password"}
        origin = f"{form.url.scheme}://{form.url.netloc.decode()}"
        answer = http.post(
            urljoin(str(form.url), unescape(action[1])), data=fields, headers={"Origin": origin}
        )
        if str(answer.url) != url or answer.status_code != httpx.codes.OK:
            raise SystemExit(f"the login ended at {answer.url} with {answer.status_code}")
        # On one machine all ports share their cookies: the peer's are those that it set.
        port = urlsplit(url).port
        named = {
            name
            for step in [*form.history, *answer.history, answer]
            if step.url.port == port
            for name in step.cookies
        }
        cookies = [f"{c.name}={c.value}" for c in http.cookies.jar if c.name in named]
    if not cookies:
        raise SystemExit("the login left no cookie")
    path = Path(file)
    path.touch(mode=0o600)
    path.write_text("; ".join(cookies) + "\n")


def _hidden(page: str) -> list[tuple[str, str]]:
    fields = []
    for field in _HIDDEN.findall(page):
        attributes = {name: unescape(value) for name, value in _ATTRIBUTE.findall(field)}
        fields.append((attributes["name"], attributes.get("value", "")))
    return fields


if __name__ == "__main__":
    main(*sys.argv[1:])
