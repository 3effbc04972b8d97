"""Events as the command line lists them: who found them, and what carried them."""

import json
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from gustbed_cli import site
from gustbed_cli.__main__ import app
from gustbed_cli.commands import events
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mirror import model_name

OWN = AnomalyEvent(
    "1", "site-1", "gustbed-site-1", "wt03", "voltage", 0.0, None, 2.5,
    ModelRef("windturbine", "1.0.0"), "opened", ["voltage"],
)  # fmt: skip
MIRRORS = AnomalyEvent(
    "mirror-2", "site-1", "gustbed-site-1", "wt03", "voltage", 0.0, 60.0, 1.1,
    ModelRef(model_name("my_turbine"), "0.4.0"), "closed", ["voltage"],
)  # fmt: skip
OTHER = AnomalyEvent(
    "3", "site-2", "gustbed-site-2", "wt03", "rotation", 30.0, None, 1.5,
    ModelRef("windturbine", "1.0.0"), "opened", ["rps"],
)  # fmt: skip

SITES = {"http://edge-1": [OWN, MIRRORS], "http://edge-2": [OTHER]}


@dataclass(frozen=True)
class Fleet:
    edge_url: str


def of_site(url: str, _since: float) -> list[AnomalyEvent]:
    if url not in SITES:
        raise GustbedError(f"the edge at {url} does not answer")
    return SITES[url]


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "started_site", lambda _name: Fleet("http://edge-1"))
    monkeypatch.setattr(events, "sites_of", lambda first: [first])
    monkeypatch.setattr(site, "events", of_site)
    monkeypatch.setenv("COLUMNS", "200")


def test_a_table_and_json_name_the_model_that_found_an_event() -> None:
    table = CliRunner().invoke(app, ["events"])
    assert table.exit_code == 0, table.output
    rows = [line for line in table.output.splitlines() if " wt03 " in line]
    assert [name in row for row, name in zip(rows, ("windturbine", "mirror-my"), strict=True)] == [
        True,
        True,
    ]
    told = json.loads(CliRunner().invoke(app, ["events", "--json"]).output)
    assert [(each["model"], each["model_version"]) for each in told] == [
        ("windturbine", "1.0.0"),
        ("mirror-my-turbine", "0.4.0"),
    ]


def test_a_line_of_a_mirrors_event_says_so() -> None:
    assert (
        events._line(OWN)
        == "1970-01-01 00:00:00 UTC site-1 wt03 voltage opened, peak 2.50 (voltage)"
    )
    what = "site-1 wt03 voltage closed, peak 1.10 (voltage), by mirror-my-turbine"
    line = f"1970-01-01 00:01:00 UTC {what}"
    assert events._line(MIRRORS) == line


def test_events_of_every_site_come_in_the_order_of_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [Fleet(url) for url in ("http://edge-2", "http://silent", "http://edge-1")]
    monkeypatch.setattr(events, "sites_of", lambda _first: every)
    done = CliRunner().invoke(app, ["events", "--json"])
    assert [each["site"] for each in json.loads(done.stdout)] == ["site-1", "site-1", "site-2"]
    # One edge that is down hides nothing of the others.
    assert "http://silent does not answer" in done.stderr

    one = CliRunner().invoke(app, ["events", "--json", "--site", "site-1"])
    assert {each["site"] for each in json.loads(one.stdout)} == {"site-1"}


def test_no_edge_that_answers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "sites_of", lambda _first: [Fleet("http://silent")])
    done = CliRunner().invoke(app, ["events", "--json"])
    assert isinstance(done.exception, GustbedError)
