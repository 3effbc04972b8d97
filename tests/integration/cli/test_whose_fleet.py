"""Commands speak to the fleet of their home, on real ports, and to nobody else's."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from gustbed_cli.record import Record, write_record
from gustbed_core import topics
from gustbed_core.mqtt import Session
from tests.support.edge import RunningEdge, Turbines, running_edge
from tests.support.mosquitto import Broker, mosquitto
from tests.support.paths import ROOT
from tests.support.ports import wait_until

FLEET = "aaaa1111"


@dataclass(frozen=True)
class Site:
    """A broker and an edge that belong to one fleet."""

    home: Path
    broker: Broker
    edge: RunningEdge

    def remember(self, fleet: str, home: Path | None = None) -> Path:
        """Let a home's record name these addresses as those of a fleet."""
        home = home or self.home
        addresses = {
            "port_mqtt": self.broker.settings.port,
            "port_edge": self.edge.edge.http_port,
        }
        write_record(
            home,
            Record(
                runtime="process",
                target="local",
                site=self.broker.site.site,
                turbines=self.broker.site.turbines,
                addresses=dict(addresses),
                fleet=fleet,
            ),
        )
        return home


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("home")
    with mosquitto(home) as broker:
        settings = broker.site.model_copy(update={"fleet": FLEET})
        with running_edge(home, broker.settings, settings) as edge:
            yield Site(home, broker, edge)


def gustbed(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell that knows nothing but the home folder."""
    ours = ("GUSTBED_", "AWS_", "COMPOSE_", "RUNTIME", "TARGET")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [str(ROOT / "gustbed"), *arguments],
        env={**kept, "GUSTBED_HOME": str(home), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.promise("P0")
def test_a_shell_without_the_variables_finds_the_fleet_of_its_home(site: Site) -> None:
    home = site.remember(FLEET)
    with Turbines(site.broker.settings, site.broker.site, ("wt01",)):
        wait_until(lambda: site.edge.turbine("wt01")["blocks"] > 0, "the edge hears wt01")
        done = gustbed(home, "events", "--json")
        assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr


@pytest.mark.promise("P0")
@pytest.mark.parametrize("command", [("events",), ("fault", "inject", "wt01", "voltage")])
def test_a_strangers_fleet_is_named_and_left_alone(site: Site, command: tuple[str, ...]) -> None:
    heard: list[bytes] = []
    topic = topics.command(site.broker.site.site, "wt01")
    with Session(
        site.broker.settings,
        user="wt01",
        client_id=f"wt01-{uuid4()}",
        subscriptions={topic: lambda _topic, payload: heard.append(payload)},
    ) as session:
        session.wait_connected(10)
        # Even with the right passwords: what answers says that it is another fleet's.
        done = gustbed(site.remember("bbbb2222"), *command)
        assert done.returncode == 1
        assert FLEET in done.stderr
        assert "bbbb2222" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not heard


@pytest.mark.promise("P0")
def test_a_variable_that_disagrees_with_the_record_is_one_line(site: Site) -> None:
    home = site.remember(FLEET)
    done = gustbed(home, "events", GUSTBED_PORT_EDGE="8071")
    assert done.returncode == 1
    assert "GUSTBED_PORT_EDGE=8071" in done.stderr
    assert str(site.edge.edge.http_port) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.promise("P0")
def test_a_home_without_a_fleet_speaks_to_nobody(site: Site, tmp_path: Path) -> None:
    port = str(site.edge.edge.http_port)
    done = gustbed(tmp_path, "events", GUSTBED_PORT_EDGE=port, RUNTIME="process")
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert "gustbed up" in done.stderr
