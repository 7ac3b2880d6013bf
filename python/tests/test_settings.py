from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streamlit_component_auth0 import Settings, SettingsError
from streamlit_component_auth0._settings import (
    DEVELOPMENT_SECRET,
    Server,
    is_loopback_host,
    load_settings,
    origin_of,
)

if TYPE_CHECKING:
    from pathlib import Path

STRONG = "0123456789abcdef0123456789abcdef"
DEPLOYED = {
    "COMPONENT_BASE_URL": "https://login.example.com",
    "STREAMLIT_ORIGIN": "https://app.example.com",
    "STREAMLIT_SECRET": STRONG,
}


def load(
    environ: dict[str, str] | None = None,
    secrets: dict[str, Any] | None = None,
    server: Server | None = None,
) -> Settings:
    return load_settings(environ=environ or {}, secrets=secrets or {}, server=server or Server())


def problems(
    environ: dict[str, str] | None = None,
    secrets: dict[str, Any] | None = None,
    server: Server | None = None,
) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ, secrets, server)
    return "\n".join(caught.value.problems)


def test_on_loopback_everything_has_a_default() -> None:
    settings = load(server=Server(port=4010))
    assert settings.frame_url == "http://localhost:3001/streamlit"
    assert settings.internal_url == "http://localhost:3001"
    assert settings.origins == ("http://localhost:4010", "http://127.0.0.1:4010")
    assert settings.secret.reveal() == DEVELOPMENT_SECRET
    assert settings.recheck_seconds == 10
    assert settings.dev_user is None


def test_the_development_secret_is_the_companions() -> None:
    assert DEVELOPMENT_SECRET == "component-auth0-development-secret-do-not-deploy"


def test_off_loopback_all_problems_come_together() -> None:
    found = problems(
        {
            "COMPONENT_BASE_URL": "https://login.example.com",
            "COMPONENT_INTERNAL_URL": "http://companion:3001",
            "RECHECK_SECONDS": "soon",
            "USE_COMPONENT_EVENT_QUEUE": "maybe",
        }
    )
    for name in (
        "STREAMLIT_ORIGIN",
        "STREAMLIT_SECRET",
        "COMPONENT_INTERNAL_URL",
        "RECHECK_SECONDS",
        "USE_COMPONENT_EVENT_QUEUE",
    ):
        assert name in found


def test_a_deployment_has_no_problems() -> None:
    settings = load(DEPLOYED)
    assert settings.origins == ("https://app.example.com",)
    assert settings.internal_url == "https://login.example.com"


def test_the_environment_wins_over_the_secrets_and_names_ignore_case() -> None:
    secrets = {"component_base_url": "https://a.example", "STREAMLIT_SECRET": "s" * 32}
    settings = load(DEPLOYED, secrets)
    assert settings.component_base_url == "https://login.example.com"
    assert settings.secret.reveal() == STRONG
    from_secrets = load({**DEPLOYED, "COMPONENT_BASE_URL": ""}, secrets)
    assert from_secrets.component_base_url == "https://a.example"


def test_a_trailing_slash_of_the_base_url_is_no_path() -> None:
    assert load({"COMPONENT_BASE_URL": "http://localhost:3001/"}).frame_url == (
        "http://localhost:3001/streamlit"
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("COMPONENT_BASE_URL", "https://login.example.com/auth", "without a path"),
        ("COMPONENT_BASE_URL", "http://login.example.com", "https"),
        ("COMPONENT_BASE_URL", "login.example.com", "absolute"),
        ("COMPONENT_BASE_URL", "https://me@login.example.com", "absolute"),
        ("COMPONENT_BASE_URL", "https://login.example.com:port", "absolute"),
        ("STREAMLIT_ORIGIN", "https://app.example.com/page", "exact origin"),
        ("STREAMLIT_ORIGIN", "*", "exact origin"),
        ("STREAMLIT_ORIGIN", "null", "exact origin"),
        ("STREAMLIT_ORIGIN", "http://app.example.com", "https"),
        ("STREAMLIT_SECRET", "short", "32 bytes"),
        ("STREAMLIT_SECRET", "with a space in it, or more than one", "32 bytes"),
        ("STREAMLIT_SECRET", "ünïcode-0123456789-0123456789-0123", "ASCII"),
        ("STREAMLIT_SECRET", DEVELOPMENT_SECRET, "published"),
        ("REMOTE_API_BASE_URL", "ftp://api.example.com", "absolute"),
        ("RECHECK_SECONDS", "nan", "number"),
        ("RECHECK_SECONDS", "-1", "number"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(name: str, value: str, words: str) -> None:
    found = problems({**DEPLOYED, name: value})
    assert name in found
    assert words in found


def test_internal_http_needs_loopback_or_an_explicit_word() -> None:
    internal = {**DEPLOYED, "COMPONENT_INTERNAL_URL": "http://companion:3001"}
    assert "COMPONENT_INTERNAL_ALLOW_HTTP" in problems(internal)
    allowed = load({**internal, "COMPONENT_INTERNAL_ALLOW_HTTP": "true"})
    assert allowed.internal_url == "http://companion:3001"
    assert load({**DEPLOYED, "COMPONENT_INTERNAL_URL": "http://127.0.0.1:3001"}).internal_url


def test_several_origins_and_secrets_are_taken_newest_first() -> None:
    settings = load(
        {
            **DEPLOYED,
            "STREAMLIT_ORIGIN": "https://a.example.com, https://b.example.com/",
            "STREAMLIT_SECRET": f"{STRONG},{'o' * 32}",
        }
    )
    assert settings.origins == ("https://a.example.com", "https://b.example.com")
    assert settings.secret.reveal() == STRONG


def test_the_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{STRONG}\n")
    environ = {**DEPLOYED, "STREAMLIT_SECRET": "", "STREAMLIT_SECRET_FILE": str(file)}
    assert load(environ).secret.reveal() == STRONG
    environ["STREAMLIT_SECRET_FILE"] = str(tmp_path / "nowhere")
    assert "STREAMLIT_SECRET_FILE" in problems(environ)


def test_an_unknown_setting_is_named_with_what_was_meant() -> None:
    assert "did you mean STREAMLIT_ORIGIN" in problems(secrets={"STREAMLIT_ORIGINS": "x"})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://example.com/roles", "https://example.com/roles"),
        (["realm_access", "roles"], ("realm_access", "roles")),
        ('["realm_access", "roles"]', ("realm_access", "roles")),
    ],
)
def test_a_roles_claim_is_a_name_or_a_path(value: Any, expected: Any) -> None:
    assert load(secrets={"roles_claim": value}).roles_claim == expected


@pytest.mark.parametrize("value", [7, [1, 2], "[broken"])
def test_another_roles_claim_is_refused(value: Any) -> None:
    assert "ROLES_CLAIM" in problems(secrets={"roles_claim": value})


@pytest.mark.parametrize("address", [None, "0.0.0.0", "", "10.0.0.7", "app.example.com"])  # noqa: S104
def test_the_development_user_is_refused_unless_the_server_is_on_loopback(
    address: str | None,
) -> None:
    found = problems(secrets={"dev_user": {"name": "Dev"}}, server=Server(address=address))
    assert "dev_user" in found


def test_the_development_user_works_on_loopback() -> None:
    section = {"name": "Dev", "roles": ["admin"], "claims": {"a": 1}}
    settings = load(secrets={"dev_user": section}, server=Server(address="localhost"))
    assert settings.dev_user is not None
    assert settings.dev_user.name == "Dev"
    assert settings.dev_user.roles == ("admin",)
    wrong = {"name": 7, "admin": True}
    found = problems(secrets={"dev_user": wrong}, server=Server(address="::1"))
    assert "'name'" in found
    assert "'admin'" in found


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("", False),
        (None, False),
    ],
)
def test_loopback_hosts_are_recognised(host: str | None, loopback: bool) -> None:
    assert is_loopback_host(host) is loopback


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://App.Example.com:443/x?y", "https://app.example.com"),
        ("http://[::1]:8501", "http://[::1]:8501"),
        ("https://app.example.com@evil.example", None),
        ("//evil.example", None),
        ("javascript:alert(1)", None),
        ("https://", None),
    ],
)
def test_origins_are_serialised_as_browsers_do(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin
