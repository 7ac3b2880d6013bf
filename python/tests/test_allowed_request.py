"""Which URLs an entry covers: everything that two parsers could read differently is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlit_component_auth0 import AllowedRequest, UsageError
from streamlit_component_auth0._addresses import addresses_for
from streamlit_component_auth0._allowed_request import RequestRefused, parse_target

BASE = AllowedRequest(base_url="https://api.example.com/v1")


def covers(url: str, base: AllowedRequest = BASE) -> bool:
    try:
        return base.covers(parse_target(url))
    except RequestRefused as error:
        assert error.code == "url_invalid"  # noqa: PT017 (one of two ways to say no)
        return False


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "https://api.example.com/v1/",
        "https://api.example.com/v1/models?id=1&x=%20",
        "https://API.EXAMPLE.COM/v1/models",
        "HTTPS://api.example.com:443/v1/models",
        "https://api.example.com/%76%31/models",
        "https://api.example.com/v1/a%20b",
        "https://api.example.com/v1/100%25",
        "https://api.example.com/v1/m;version=2",
        "https://api.example.com/v1/.hidden/...",
    ],
)
def test_covers_its_base_and_what_lies_below(url: str) -> None:
    assert covers(url)


@pytest.mark.parametrize(
    "url",
    [
        # another origin
        "http://api.example.com/v1",
        "https://api.example.com:444/v1",
        "https://api.example.com:80/v1",
        "https://api.example.com.evil.test/v1",
        "https://evil.test/v1",
        "https://example.com/v1",
        "https://api.example.com./v1",
        "https://api.example.com:0/v1",
        "https://api.example.com:99999/v1",
        # userinfo, fragments and what parsers disagree about
        "https://user@api.example.com/v1",
        "https://api.example.com@evil.test/v1",
        "https://api.example.com:443@evil.test/v1",
        "https://evil.test#@api.example.com/v1",
        "https://api.example.com/v1#x",
        "https://evil.test\\@api.example.com/v1",
        "https://api.example.com\\.evil.test/v1",
        "https:/api.example.com/v1",
        "https:api.example.com/v1",
        "//api.example.com/v1",
        "/v1",
        " https://api.example.com/v1",
        "https://api.example.com/v1\n",
        "https://api.example.com\t/v1",
        "https://api.example.com/v1/a b",
        "https://api\u3002example.com/v1",
        "https://\uff41pi.example.com/v1",
        "ftp://api.example.com/v1",
        "file:///v1",
        "javascript:alert(1)",
        "",
        "https://",
        "https://[::1/v1",
        "https://api.example.com/v1" + "a" * 2048,
        # another path
        "https://api.example.com/",
        "https://api.example.com",
        "https://api.example.com/v10",
        "https://api.example.com/V1",
        "https://api.example.com/v1/../admin",
        "https://api.example.com/v1/./models",
        "https://api.example.com/v1/..",
        "https://api.example.com/v1/..;/admin",
        "https://api.example.com/v1/;/admin",
        "https://api.example.com/v1/%2e%2e/admin",
        "https://api.example.com/v1/%2E./admin",
        "https://api.example.com/v1/%252e%252e/admin",
        "https://api.example.com/v1/%25252e%25252e/admin",
        "https://api.example.com/v1/..%2fadmin",
        "https://api.example.com/v1/..%5cadmin",
        "https://api.example.com/v1/..\\admin",
        "https://api.example.com/v1/%c0%ae%c0%ae/admin",
        "https://api.example.com/v1/%ef%bc%8e%ef%bc%8e/admin",
        "https://api.example.com/v1/%ef%bc%8fadmin",
        "https://api.example.com//v1",
        "https://api.example.com/v1//admin",
        "https://api.example.com/v1/%00",
        "https://api.example.com/v1/%0d%0aX:1",
        "https://api.example.com/v1/%zz",
        "https://api.example.com/v1/%",
        "https://api.example.com/v1?x=%",
    ],
)
def test_covers_nothing_else(url: str) -> None:
    assert not covers(url)


@pytest.mark.parametrize("value", [None, 7, b"https://api.example.com/v1", ["https://x"], {}])
def test_an_url_is_a_text(value: object) -> None:
    with pytest.raises(RequestRefused):
        parse_target(value)


@given(st.text(max_size=80))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    for url in (text, f"https://api.example.com/v1/{text}", f"https://{text}/v1"):
        try:
            target = parse_target(url)
        except RequestRefused:
            continue
        assert ".." not in target.path.split("/")
        assert "//" not in target.path
        assert "@" not in target.host


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", "0x7f.1", "1", "127.000.0.1"],
)
def test_an_address_has_one_form(host: str) -> None:
    with pytest.raises(RequestRefused):
        parse_target(f"http://{host}/")
    with pytest.raises(UsageError):
        AllowedRequest(base_url=f"http://{host}/", allow_private=True)


def test_an_address_of_version_6_has_one_form() -> None:
    base = AllowedRequest(base_url="http://[::1]:8888/api", allow_private=True)
    assert covers("http://[0:0:0:0:0:0:0:1]:8888/api", base)
    assert not covers("http://[::ffff:127.0.0.1]:8888/api", base)
    assert not covers("http://[::1%25lo]:8888/api", base)


PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "198.18.0.1",
    "240.0.0.1",
]
LINK_LOCAL = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
]
NEVER = ["0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "224.0.0.1", "ff02::1"]  # noqa: S104
PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]


def reach(*addresses: str, allow_private: bool = False, host: str = "api.example.com") -> str:
    allowed = AllowedRequest(base_url=f"https://{host}/", allow_private=allow_private)
    try:
        found = addresses_for(allowed, lambda _host, _port: addresses)
    except RequestRefused as error:
        return error.code
    return ", ".join(map(str, found))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_name_may_lead_to_a_public_address(address: str) -> None:
    assert reach(address) == address


@pytest.mark.parametrize("address", [*PRIVATE, *LINK_LOCAL, *NEVER])
def test_a_name_leads_nowhere_private(address: str) -> None:
    assert reach(address) == "private_address"
    # Not even when it leads to a public place as well.
    assert reach(PUBLIC[0], address) == "private_address"


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_may_lead_to_a_private_address_when_the_app_says_so(address: str) -> None:
    assert reach(address, allow_private=True) != "private_address"


@pytest.mark.parametrize("address", [*LINK_LOCAL, *NEVER])
def test_no_name_leads_to_a_metadata_service(address: str) -> None:
    assert reach(address, allow_private=True) == "private_address"


def test_a_metadata_service_is_reached_by_its_own_address_only() -> None:
    metadata = "169.254.169.254"
    assert reach(host=metadata) == "private_address"
    assert reach(host=metadata, allow_private=True) == metadata


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "10.1.2.3"])
def test_a_private_address_in_the_base_url_must_be_allowed_too(host: str) -> None:
    assert reach(host=host) == "private_address"
    assert reach(host=host, allow_private=True) != "private_address"


def test_a_name_without_addresses_is_refused() -> None:
    def fail(_host: str, _port: int) -> list[str]:
        raise OSError("canary")

    assert reach() == "name_not_resolved"
    assert reach("not an address") == "name_not_resolved"
    with pytest.raises(RequestRefused):
        addresses_for(BASE, fail)


@pytest.mark.parametrize(
    "entry",
    [
        {"base_url": "api.example.com"},
        {"base_url": "https://user:secret@api.example.com/"},
        {"base_url": "https://api.example.com/?x=1"},
        {"base_url": "https://api.example.com/a/../b"},
        {"base_url": "https://api.example.com/", "methods": ("TRACE",)},
        {"base_url": "https://api.example.com/", "methods": ()},
        {"base_url": "https://api.example.com/", "auth_kinds": ("COOKIE",)},
        {"base_url": "http://api.example.com/", "use_token": True},
        {"base_url": "http://[2001:db8::1]/", "use_token": True},
        {"base_url": "http://8.8.8.8/", "use_token": True},
        {"base_url": "http://134744072/", "use_token": True},
        {"base_url": "http://0x8080808/", "use_token": True},
        {"base_url": "https://api.example.com/", "timeout": 0},
        {"base_url": "https://api.example.com/", "max_bytes": 1 << 30},
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        AllowedRequest(**entry)  # type: ignore[arg-type]


def test_names_of_an_entry_are_read_in_any_case_and_alone() -> None:
    entry = AllowedRequest(base_url="https://a.test/", methods="post", auth_kinds=("bearer",))  # type: ignore[arg-type]
    assert (entry.methods, entry.auth_kinds) == (("POST",), ("BEARER",))
