"""Events as the command line lists them: who found them, and what carried them."""

import json

import pytest
from typer.testing import CliRunner

from gustbed_cli import site
from gustbed_cli.__main__ import app
from gustbed_cli.commands import events
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


class Fleet:
    edge_url = "http://edge"


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "started_fleet", Fleet)
    monkeypatch.setattr(site, "events", lambda _url, _since: [OWN, MIRRORS])
    monkeypatch.setenv("COLUMNS", "200")


def test_a_table_and_json_name_the_model_that_found_an_event() -> None:
    table = CliRunner().invoke(app, ["events"])
    assert table.exit_code == 0, table.output
    rows = [line for line in table.output.splitlines() if line.startswith("wt03")]
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
    assert events._line(OWN) == "1970-01-01 00:00:00 UTC wt03 voltage opened, peak 2.50 (voltage)"
    line = "1970-01-01 00:01:00 UTC wt03 voltage closed, peak 1.10 (voltage), by mirror-my-turbine"
    assert events._line(MIRRORS) == line
