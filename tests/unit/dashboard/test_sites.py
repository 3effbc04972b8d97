"""The clients of a directory's sites: who joins, who leaves, who changed, and what is wrong."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec
import pytest

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.errors import GustbedError
from gustbed_core.events import Comparison
from gustbed_core.site_directory import (
    CA,
    FILE,
    REMEDY,
    KnownSite,
    SiteEntry,
    remove_site,
    write_site,
)
from gustbed_dashboard.components import html, site_models, site_states
from gustbed_dashboard.site import clients as site_clients
from gustbed_dashboard.site.client import SiteClient
from gustbed_dashboard.site.clients import SiteClients
from gustbed_dashboard.site.glance import Glance, Health, glance
from gustbed_dashboard.site.state import SiteState
from tests.support.ports import wait_until
from tests.unit.dashboard.messages import MINI, MODEL, SITE, TYPES, event, heartbeat, status

NOW = 100.2
SECRET = "secret"
ENTRY = SiteEntry(site="site-1", turbines=6, host="h", tools_port=1884, edge_url="http://edge:8070")


class FakeClient:
    """Remembers by what it was made, and whether it runs."""

    def __init__(self, known: KnownSite) -> None:
        self.password = known.mqtt().password("operator")
        self.entry = known.entry
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self, timeout: float) -> None:
        self.running = False


class Fleet:
    """A directory and what the dashboard made of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.made: list[FakeClient] = []
        self.refusal: GustbedError | None = None
        self.clients = SiteClients(directory, self._make)

    def write(self, name: str, secret: str = SECRET, ca: bytes | None = None) -> None:
        write_site(self.directory, msgspec.structs.replace(ENTRY, site=name), secret, ca)

    def look(self) -> list[str]:
        self.clients.look()
        return list(self.clients.sites().clients)

    @property
    def problems(self) -> tuple[str, ...]:
        return self.clients.sites().problems

    def client(self, name: str) -> FakeClient:
        return cast(FakeClient, self.clients.sites().clients[name])

    def _make(self, known: KnownSite) -> SiteClient:
        if self.refusal is not None:
            raise self.refusal
        client = FakeClient(known)
        self.made.append(client)
        return cast(SiteClient, client)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path / "sites")


def test_sites_join_in_the_order_in_which_people_count(fleet: Fleet) -> None:
    for name in ("site-10", "site-2"):
        fleet.write(name)
    assert fleet.look() == ["site-2", "site-10"]

    fleet.write("site-1")
    assert fleet.look() == ["site-1", "site-2", "site-10"]
    assert [client.entry.site for client in fleet.made] == ["site-2", "site-10", "site-1"]
    assert all(client.running for client in fleet.made)
    assert fleet.problems == ()


def test_one_that_leaves_is_stopped_and_starts_anew_when_it_is_back(fleet: Fleet) -> None:
    fleet.write("site-1")
    fleet.write("site-2")
    fleet.look()
    gone = fleet.client("site-2")
    remove_site(fleet.directory, "site-2")

    assert fleet.look() == ["site-1"]
    assert not gone.running
    assert fleet.client("site-1").running
    fleet.write("site-2")
    assert fleet.look() == ["site-1", "site-2"]
    assert fleet.client("site-2") is not gone


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        ({"secret": "another"}, True),
        ({"ca": b"-----BEGIN CERTIFICATE-----"}, True),
        ({}, False),
    ],
)
def test_a_client_is_made_anew_only_for_what_it_was_made_by(
    change: dict[str, str], anew: bool, fleet: Fleet
) -> None:
    fleet.write("site-1")
    fleet.write("site-2")
    fleet.look()
    before, other = fleet.client("site-1"), fleet.client("site-2")
    fleet.write("site-1", **change)  # type: ignore[arg-type]
    fleet.look()

    assert (fleet.client("site-1") is not before) == anew
    assert before.running != anew
    assert fleet.client("site-1").password == change.get("secret", SECRET)
    assert fleet.client("site-2") is other


def test_another_broker_is_another_client(fleet: Fleet) -> None:
    fleet.write("site-1")
    fleet.look()
    moved = msgspec.structs.replace(ENTRY, tools_port=2884)
    write_site(fleet.directory, moved, SECRET, None)
    fleet.look()

    assert fleet.client("site-1").entry.tools_port == 2884
    assert [client.running for client in fleet.made] == [False, True]


def test_nothing_is_read_while_nothing_changes(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.write("site-1")
    fleet.look()
    monkeypatch.setattr(
        "gustbed_dashboard.site.directory.read", lambda _directory: pytest.fail("read")
    )

    assert fleet.look() == ["site-1"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "Input data was truncated"),
        ('{"site": "site-2"}', "turbines"),
        (msgspec.json.encode(msgspec.structs.replace(ENTRY, site="a/b")).decode(), "site: "),
        (msgspec.json.encode(msgspec.structs.replace(ENTRY, turbines=0)).decode(), "turbines: "),
        (msgspec.json.encode(msgspec.structs.replace(ENTRY, tools_port=0)).decode(), "tools_port"),
        (
            msgspec.json.encode(
                msgspec.structs.replace(ENTRY, site="site-2", edge_url="ftp://e")
            ).decode(),
            "http",
        ),
        (msgspec.json.encode(ENTRY).decode(), "of site-1, not of site-2"),
    ],
)
def test_a_broken_entry_is_one_line_and_the_others_go_on(
    content: str, told: str, fleet: Fleet
) -> None:
    fleet.write("site-1")
    fleet.write("site-2")
    path = fleet.directory / "site-2" / FILE
    path.write_text(content)

    assert fleet.look() == ["site-1"]
    (problem,) = fleet.problems
    assert problem.startswith(f"{path}: ")
    assert told in problem
    assert problem.endswith(REMEDY)
    fleet.write("site-2")
    assert fleet.look() == ["site-1", "site-2"]
    assert fleet.problems == ()


def test_a_running_site_whose_entry_breaks_runs_on(fleet: Fleet) -> None:
    fleet.write("site-1")
    fleet.look()
    (fleet.directory / "site-1" / FILE).write_text("{")

    assert fleet.look() == ["site-1"]
    assert fleet.client("site-1").running
    assert len(fleet.problems) == 1


def test_a_missing_password_is_named(fleet: Fleet) -> None:
    fleet.write("site-1")
    (fleet.directory / "site-1" / "operator.password").unlink()

    assert fleet.look() == []
    assert "site-1/operator.password: missing" in fleet.problems[0]


def test_a_folder_that_is_not_there_yet_or_empty_is_waited_for(fleet: Fleet) -> None:
    assert fleet.look() == []
    assert "No site is known yet" in fleet.problems[0]
    assert "`gustbed up`" in fleet.problems[0]
    (fleet.directory / "half-written").mkdir(parents=True)
    (fleet.directory / "half-written" / CA).write_text("")
    assert fleet.look() == []

    fleet.write("site-1")
    assert fleet.look() == ["site-1"]
    assert fleet.problems == ()


def test_a_file_in_the_folders_place_is_told_with_its_setting(fleet: Fleet) -> None:
    fleet.directory.write_text("")

    assert fleet.look() == []
    assert fleet.problems[0].startswith(f"GUSTBED_DASHBOARD_SITES_DIR={fleet.directory}: ")


def test_what_keeps_a_client_from_being_made_is_told_and_tried_again(fleet: Fleet) -> None:
    fleet.write("site-1")
    fleet.refusal = GustbedError("kite.yaml: rate_hz", "mend it")
    assert fleet.look() == []
    assert fleet.problems == ("site-1: kite.yaml: rate_hz: mend it",)

    fleet.refusal = None
    assert fleet.look() == ["site-1"]


@pytest.fixture
def running(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setattr(site_clients, "LOOK_SECONDS", 0.02)
    fleet.clients.start()
    yield fleet
    fleet.clients.stop(10)


def test_it_looks_by_itself_and_its_end_stops_every_client(running: Fleet) -> None:
    running.write("site-1")
    wait_until(lambda: "site-1" in running.clients.sites().clients, "site-1 is known")
    running.write("site-2")
    wait_until(lambda: "site-2" in running.clients.sites().clients, "site-2 is known")
    running.clients.stop(10)

    assert not any(client.running for client in running.made)


def test_a_site_in_a_word_is_fine_alarmed_or_not_heard() -> None:
    state = SiteState(SITE, ["wt01"], TYPES)
    assert glance(state, NOW, heard=True).health is Health.SILENT

    state.fold(topics.heartbeat(SITE), encode(heartbeat()), NOW)
    seen = glance(state, NOW, heard=True)
    assert (seen.health, seen.open_events, seen.models) == (Health.FINE, 0, {MINI: MODEL})
    state.fold(topics.heartbeat(SITE), encode(heartbeat(100.0, status(state="anomaly"))), NOW)
    assert glance(state, NOW, heard=True).health is Health.EVENTS
    state.fold(topics.event(SITE, "wt01"), encode(event()), NOW)
    assert glance(state, NOW, heard=True).open_events == 1
    assert glance(state, NOW, heard=False).health is Health.SILENT
    assert glance(state, NOW + 600, heard=True).health is Health.SILENT


def test_how_sites_stand_is_said_in_words_and_marked_in_the_control() -> None:
    fine, alarmed = Glance(Health.FINE, 0, 0, {}, {}), Glance(Health.EVENTS, 2, 1, {}, {})
    silent = Glance(Health.SILENT, 0, 1, {}, {})
    shown = site_states.states({"a": fine, "b": alarmed, "c": silent}, "#x")

    assert "<b>b</b> 2 events open" in shown
    assert "<b>c</b> edge not heard, 1 turbine with an anomaly: last known" in shown
    assert "<b>a</b>" not in shown
    for place, word in enumerate(("no event open", "events open", "edge not heard"), start=1):
        assert re.search(rf"#x > :nth-child\({place}\) p::before\{{[^}}]* / '{word}: '", shown)
    assert "No event open at both sites" in site_states.states({"a": fine, "b": fine}, "#x")
    many = site_states.states({f"s{i}": silent for i in range(7)}, "#x")
    assert "and 3 more" in many


def test_what_every_edge_runs_is_a_table_and_an_older_version_is_marked() -> None:
    newer = replace(MODEL, version="1.10.0")
    old = Glance(Health.FINE, 0, 0, {MINI: replace(MODEL, version="1.9.0")}, {})
    new = Glance(Health.FINE, 0, 0, {MINI: newer}, {MINI: Comparison(newer)})
    waiting = Glance(Health.SILENT, 0, 0, {}, {})
    shown = site_models.site_models({"a": old, "b": new, "c": waiting}, "b", TYPES.get)

    rows = {row[0]: row[1] for row in re.findall(r'<tr data-site="(\w)"(.*?)</tr>', shown)}
    assert "1.9.0" in rows["a"]
    assert "older" in rows["a"]
    assert "shadow 1.10.0" in rows["b"]
    assert "older" not in rows["b"]
    assert "aria-current" in rows["b"]
    assert "Not heard" in rows["c"]


def test_a_link_to_a_turbine_names_its_site() -> None:
    assert html.address("wt 1", {"site": "site-2"}) == "turbine?site=site-2&turbine=wt%201"
    assert 'href="turbine?site=site-2&amp;turbine=wt1"' in html.macro(
        "card_link", "wt1", {"site": "site-2"}
    )
