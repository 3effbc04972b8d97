"""Two stacks of one account hear the same topics; each takes its own things' messages."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.aws_contract import modelled
from tests.unit.cloud.functions import CLOUD, FakeLogs, load, load_from, queued

membership = load_from(CLOUD / "functions", "membership")
NOW = 1_800_000_000.0
THINGS: dict[str, dict[str, str]] = {
    "ours": {"stack": "gustbed", "role": "edge"},
    "theirs": {"stack": "gustbed-2"},
    "by-hand": {},
}


@modelled("iot")
class FakeIot:
    """A registry that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def describe_thing(self, thingName: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append(thingName)
        return {"attributes": THINGS[thingName]}


def members(iot: FakeIot, clock: SimpleNamespace | None = None) -> Any:
    clock = clock or SimpleNamespace(now=0.0)
    return membership.Members(iot, "gustbed", lambda: clock.now)


def routed(thing: str, kind: str, **payload: Any) -> dict[str, Any]:
    return {
        "mqtt_client": thing,
        "mqtt_thing": thing,
        "mqtt_kind": kind,
        "mqtt_received": int(NOW * 1000),
        **payload,
    }


@pytest.mark.parametrize(
    ("thing", "ours"), [("ours", True), ("theirs", False), ("by-hand", True), ("unknown", True)]
)
def test_thing_belongs_to_the_stack_that_it_names_and_to_us_if_none(
    thing: str, *, ours: bool
) -> None:
    assert members(FakeIot())(thing) is ours


def test_thing_is_asked_about_once_in_a_while() -> None:
    iot, clock = FakeIot(), SimpleNamespace(now=0.0)
    ask = members(iot, clock)
    for _ in range(3):
        assert not ask("theirs")
    assert iot.asked == ["theirs"]
    clock.now = membership.KNOWN_FOR
    assert not ask("theirs")
    assert iot.asked == ["theirs", "theirs"]


def test_other_stacks_messages_are_neither_logged_nor_alerted_nor_captured() -> None:
    ask, logs = members(FakeIot()), FakeLogs()
    rows = [{"t": NOW, "turbine": "wt01"}]
    bodies = [routed(thing, "verdicts", verdicts=rows) for thing in THINGS]
    done = load("log_ingest").ingest(queued(*bodies), logs, "/gustbed/fleet", NOW, ask)
    assert done == {"batchItemFailures": []}
    assert set(logs.streams) == {"ours/verdicts", "by-hand/verdicts"}

    event = {"change": "opened"}
    body = json.dumps(routed("theirs", "events", events=[event]))
    assert load("alert").anomalies(body, ask) == []

    capture = routed("theirs", "capture", captures=["nonsense"])
    lake = SimpleNamespace(put=lambda records: {name for name, _ in records})
    done = load("lake_ingest").ingest(queued(capture), lake, None, NOW, ask)
    assert done == {"batchItemFailures": []}
