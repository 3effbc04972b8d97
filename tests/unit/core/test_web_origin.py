"""Which Host and Origin headers pass."""

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.settings import load
from gustbed_core.web_origin import VARIABLE, HttpSettings, refusal

NAMES = frozenset({"dashboard", "ops.example"})
ADDRESSES = ("0.0.0.0", "192.0.2.7")  # noqa: S104 - compared, not bound


def status(hosts: list[str], *origins: str) -> int | None:
    refused = refusal(hosts, origins, ADDRESSES, NAMES)
    return refused.status if refused else None


@pytest.mark.promise("S8")
@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:8501", "localhost.", "127.0.0.1:1", "127.3.2.1", "[::1]:8501",
        "192.0.2.7", "192.0.2.7:8501", "dashboard:8501", "ops.example",
    ],
)  # fmt: skip
def test_a_named_host_passes(host: str) -> None:
    assert status([host]) is None


@pytest.mark.promise("S8")
@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example"], ["localhost.evil.example"], ["evil@localhost"], ["localhost/x"],
        ["localhost:x"], ["192.0.2.8"], [""], [], ["localhost", "evil.example"], ["[::1"],
        ["ops.example.evil.example"], ["local host"],
    ],
)  # fmt: skip
def test_any_other_host_is_refused_and_the_setting_is_named(hosts: list[str]) -> None:
    refused = refusal(hosts, [], ADDRESSES, NAMES)

    assert refused is not None
    assert refused.status == 421
    assert VARIABLE in refused.line
    assert "\n" not in refused.line


@pytest.mark.promise("S8")
@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("http://localhost:8501", True),
        ("https://ops.example", True),
        ("http://evil.example", False),
        ("http://localhost:3000", False),
        ("http://192.0.2.7:8501", False),
        ("null", False),
        ("", False),
        ("file://localhost:8501", False),
        ("http://[", False),
    ],
)
def test_a_page_of_another_origin_is_refused(origin: str, passes: bool) -> None:
    assert status(["localhost:8501"], origin) == (None if passes else 403)


def test_an_address_that_a_dual_stack_socket_wraps_is_itself() -> None:
    assert refusal(["192.0.2.7"], [], ["::ffff:192.0.2.7"], frozenset()) is None
    assert refusal(["[fe80::1]"], [], ["fe80::1%eth0"], frozenset()) is None


def test_hosts_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "Ops.Example, edge,,[2001:db8::1]")
    assert load(HttpSettings).names == {"ops.example", "edge", "2001:db8::1"}

    monkeypatch.setenv(VARIABLE, "https://ops.example")
    with pytest.raises(GustbedError, match=f"{VARIABLE}.*without scheme and port"):
        load(HttpSettings)
