"""What a person's shell says of other things than the fleet, and must not reach its processes."""

from collections.abc import Mapping

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Where a fleet on this machine speaks to itself: no proxy can reach that."""
NO_PROXY = ("NO_PROXY", "no_proxy")
"""Programs differ in which they read, and some let one overrule the other."""
HARMLESS = frozenset(
    {"PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED"}
)


def without_foreign(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for the fleet's processes: without other Pythons, past proxies to loopback.

    A proxy for the rest of the world stays: pip and AWS may need it.
    """
    kept = {name: value for name, value in environment.items() if not _is_of_python(name)}
    said = ",".join(kept[name] for name in NO_PROXY if kept.get(name))
    hosts = [host.strip() for host in said.split(",") if host.strip()]
    # In order, each once.
    everyone = ",".join(dict.fromkeys([*hosts, *LOOPBACK]))
    return {**kept, **dict.fromkeys(NO_PROXY, everyone)}


def _is_of_python(name: str) -> bool:
    return (name.startswith("PYTHON") and name not in HARMLESS) or name in (
        "VIRTUAL_ENV",
        "__PYVENV_LAUNCHER__",
    )
