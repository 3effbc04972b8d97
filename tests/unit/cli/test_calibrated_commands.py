"""What the command line makes of a fit and of a mirror."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gustbed_cli.commands import calibrated, twin
from gustbed_cli.commands.calibrated import line_of
from gustbed_core.errors import GustbedError
from gustbed_core.events import AnomalyEvent, ModelRef
from gustbed_core.mirror import Mirrored, MirroredChannel
from gustbed_core.turbine_types import load_type
from gustbed_twin.mirror import service

CLI = CliRunner()
MINUTE = Mirrored("wt03", "mine", 60.0, 60.0, {"rps": MirroredChannel(1.5, 1.52, -0.02, -9.87)})
OPENED = AnomalyEvent(
    "1", "site-1", "gustbed-site-1", "wt03", "rotation", 0.0, None, 2.5,
    ModelRef("mirror-mine", "1.0.0"), "opened", ["rps"],
)  # fmt: skip


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "ensure", lambda _group: None)


def test_a_minute_and_an_event_are_a_line_each() -> None:
    assert line_of(MINUTE) == "1970-01-01 00:01:00  wt03  rps 1.5 (expected 1.52, z -9.9)"
    assert line_of(OPENED) == "1970-01-01 00:00:00  wt03  opened: rotation by rps, 2.5"


def test_a_mirror_prints_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Backend:
        def operator(self) -> None:
            return None

    class Fleet:
        site = None

    def serve(request: service.MirrorRequest, *others: object) -> None:
        assert (request.turbine, request.kind, request.minutes) == ("wt03", load_type("mini"), 1)
        say = others[-1]
        assert callable(say)
        for said in (MINUTE, OPENED, "the counts of rotor and wind never change"):
            say(said)

    monkeypatch.setattr(calibrated, "started_site", lambda _name: Fleet())
    monkeypatch.setattr(calibrated, "current_backend", lambda _fleet: Backend())
    monkeypatch.setattr(service, "serve", serve)
    asked = ["mirror", "wt03", "--type", "mini", "--minutes", "1"]
    done = CLI.invoke(twin.app, asked)
    assert done.exit_code == 0, done.output
    assert [line_of(MINUTE), line_of(OPENED)] == [
        line for line in done.output.splitlines() if "wt03  " in line
    ]
    as_json = CLI.invoke(twin.app, [*asked, "--json"])
    assert '"residual":-0.02' in as_json.output
    assert '"change":"opened"' in as_json.output


def test_a_fit_that_cannot_be_is_refused(tmp_path: Path) -> None:
    data, out = str(tmp_path), str(tmp_path / "mine.yaml")
    done = CLI.invoke(twin.app, ["fit", "--data", data, "--out", out, "--type", "nobodys"])
    assert isinstance(done.exception, GustbedError)
    assert "no turbine type 'nobodys'" in str(done.exception)
    assert CLI.invoke(twin.app, ["fit", "--out", out]).exit_code == 2
