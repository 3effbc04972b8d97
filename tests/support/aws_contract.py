"""What AWS' own service models say of a request's values, and who made which call in a test run.

botocore checks names, types and minima, and sends the rest: enumerations, patterns and maxima are
the service's to refuse, and an emulator may not. Calls of the product are checked here, wherever
tests make them: by real clients in this process, by ``gustbed-cloud`` as a process of its own
(``python -m tests.support.aws_contract deploy``), and by fakes with ``modelled``.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import botocore.client
import botocore.session
import regex  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.validate import ParamValidator

from gustbed_cloud.bundle import FUNCTIONS
from tests.support.aws_rights import denied

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ROOT / "services" / "cloud" / "gustbed_cloud"
SEEN = "GUSTBED_AWS_CALLS"
"""Variable that names the file where calls are noted: ``<caller> <service>:<Operation>``."""

violations: list[str] = []
"""What was wrong with a call of the product in this process; code may have swallowed the error."""
_noted: set[str] = set()
_models: dict[str, Any] = {}


class ContractError(AssertionError):
    """A request that AWS would refuse."""


def model(service: str) -> Any:
    """A service's model, as botocore ships it."""
    if service not in _models:
        _models[service] = botocore.session.get_session().get_service_model(service)
    return _models[service]


@functools.cache
def operations(service: str) -> dict[str, str]:
    """A service's operations by the name of the client's method."""
    return {xform_name(name): name for name in model(service).operation_names}


def problems(service: str, operation: str, parameters: dict[str, Any]) -> list[str]:
    """Everything in which a request is not what the service's model takes."""
    shape = model(service).operation_model(operation).input_shape
    if shape is None:
        return [f"takes no parameters, got {sorted(parameters)}"] if parameters else []
    report = ParamValidator().validate(parameters, shape)
    found = report.generate_report().splitlines() if report.has_errors() else []
    return [*found, *_values(shape, parameters, operation)]


def _values(shape: Any, value: Any, place: str) -> Iterator[str]:
    """Enumerations, patterns and bounds, all the way down."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _values(member, value[name], f"{place}.{name}")
        if shape.metadata.get("union") and len(value) != 1:
            yield f"{place}: exactly one of {sorted(shape.members)}"
    elif shape.type_name == "list" and isinstance(value, (list, tuple)):
        yield from _bounds(shape, len(value), f"{place} (length)")
        for number, each in enumerate(value):
            yield from _values(shape.member, each, f"{place}[{number}]")
    elif shape.type_name == "map" and isinstance(value, dict):
        yield from _bounds(shape, len(value), f"{place} (length)")
        for key, each in value.items():
            yield from _values(shape.key, key, f"{place} key")
            yield from _values(shape.value, each, f"{place}[{key!r}]")
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _bounds(shape, len(value), f"{place} (length)")
        if shape.enum and value not in shape.enum:
            yield f"{place}: {value!r} is none of {', '.join(shape.enum)}"
        pattern = shape.metadata.get("pattern")
        if pattern and not regex.fullmatch(pattern, value):
            yield f"{place}: {value[:80]!r} does not match {pattern}"
    elif shape.type_name == "blob" and isinstance(value, (bytes, str)):
        yield from _bounds(shape, len(value), f"{place} (length)")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _bounds(shape, value, place)


def _bounds(shape: Any, value: float, place: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield f"{place}: {value} is less than {least}"
    if most is not None and value > most:
        yield f"{place}: {value} is more than {most}"


def check(service: str, operation: str, parameters: dict[str, Any], caller: str) -> None:
    """Note a call. Raises ``ContractError`` where AWS would refuse its values or its caller."""
    wrong = problems(service, operation, parameters)
    if caller in FUNCTIONS:
        wrong += denied(caller, service, operation, parameters)
    if wrong:
        message = f"{caller}: {service}:{operation}: {'; '.join(wrong)}"
        violations.append(message)
        raise ContractError(message)
    note(f"{caller} {service}:{operation}")


def note(line: str) -> None:
    """Keep a line once, where the run of tests collects them."""
    path = os.environ.get(SEEN)
    if path and line not in _noted:
        _noted.add(line)
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - an append of one write
            file.write(f"{line}\n")


def seen(path: Path) -> dict[str, set[str]]:
    """Who made which calls, by caller."""
    found: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        caller, _, call = line.partition(" ")
        found.setdefault(caller, set()).add(call)
    return found


@functools.cache
def install(command: str = "operate") -> None:
    """Check what real clients send in this process, as far as the product sends it."""
    make: Callable[..., Any] = botocore.client.BaseClient._make_api_call

    def checked(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        caller = who_calls(command)
        if caller:
            # Reading it again would take longer than the call.
            read = client.meta.service_model
            _models.setdefault(read.service_name, read)
            check(read.service_name, operation, parameters, caller)
        return make(client, operation, parameters)

    botocore.client.BaseClient._make_api_call = checked


def modelled(service: str, **more: str) -> Callable[[type], type]:
    """Let a fake client check what the product asks of it, as a real one's calls are.

    ``more``: methods that stand for an operation under another name, as a paginator's does.
    """

    def decorate(fake: type) -> type:
        for method, operation in {**operations(service), **more}.items():
            if method in vars(fake):
                setattr(fake, method, _checked(service, operation, vars(fake)[method]))
        return fake

    return decorate


def _checked(service: str, operation: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(fake: Any, **parameters: Any) -> Any:
        caller = who_calls()
        if caller:
            check(service, operation, parameters, caller)
        return method(fake, **parameters)

    return call


def who_calls(command: str = "operate") -> str:
    """The function of the stack that makes a call, else ``command``; nobody if a test makes it."""
    path = next(each for each in _files(sys._getframe(2)) if not _is_the_sdks(each))
    if not path.is_relative_to(PRODUCT) or path.is_relative_to(PRODUCT / "emulator"):
        return ""
    for path in _files(sys._getframe(2)):
        if path.name == "handler.py" and path.parent.name in FUNCTIONS:
            return path.parent.name
    return command


def _files(frame: FrameType | None) -> Iterator[Path]:
    while frame is not None:
        yield Path(frame.f_code.co_filename)
        frame = frame.f_back


def _is_the_sdks(path: Path) -> bool:
    return bool({"botocore", "boto3"} & set(path.parts))


def main() -> int:
    """Run ``gustbed-cloud`` with its calls checked."""
    from gustbed_cloud.__main__ import main as cloud_main

    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    install(command)
    code = cloud_main(sys.argv[1:])
    if violations:
        print("\n".join(violations), file=sys.stderr)
        return 70
    return code


if __name__ == "__main__":
    sys.exit(main())
