"""Which sites a fleet has, and how another one joins it."""

import socket
from pathlib import Path

import msgspec
import pytest

from gustbed_cli.fleet import Fleet, addresses_of, fleet_to_start, load_fleet
from gustbed_cli.record import Record, read_record, write_record
from gustbed_cli.runtime.services import has
from gustbed_cli.sites import find_site, home_of, new_record, next_names, refreshed, sites_of
from gustbed_core.errors import GustbedError
from tests.support.ports import free_port


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A fleet that was started, with nothing running."""
    monkeypatch.setenv("GUSTBED_HOME", str(tmp_path))
    for name in ("MQTT", "EDGE"):
        monkeypatch.setenv(f"GUSTBED_PORT_{name}", str(free_port()))
    asked = fleet_to_start()
    record = Record(
        runtime="process",
        target="local",
        site=asked.site.site,
        turbines=6,
        addresses=addresses_of(asked.place),
        fleet=asked.id,
    )
    write_record(tmp_path, record)
    return load_fleet()


def join(fleet: Fleet, name: str, **more: object) -> Record:
    record = new_record(fleet, name, turbines=3, **more)  # type: ignore[arg-type]
    write_record(home_of(fleet, name), record)
    return record


def test_a_site_joins_with_ports_and_a_home_of_its_own(fleet: Fleet) -> None:
    join(fleet, "site-2")
    join(fleet, "site-10", turbine_type="nrel_5mw", twin=False)
    first, second, tenth = sites_of(fleet)
    assert [each.site.site for each in (first, second, tenth)] == ["site-1", "site-2", "site-10"]
    for name in ("port_mqtt", "port_mqtt_tools", "port_edge", "home"):
        assert len({getattr(each.place, name) for each in sites_of(fleet)}) == 3, name
    # What belongs to the fleet is the same for all.
    for name in ("id", "enrol_dir", "aws_credentials", "directory", "dashboard_url"):
        assert len({getattr(each, name) for each in sites_of(fleet)}) == 1, name
    assert second.site.thing == "gustbed-site-2"
    assert has(second, "twin")
    assert not has(tenth, "twin")
    assert [has(second, name) for name in ("broker", "edge", "emulator", "dashboard")] == [
        True,
        True,
        False,
        False,
    ]


def test_its_processes_find_the_site_by_their_environment(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(fleet, "site-2")
    for name, value in sites_of(fleet)[1].environment().items():
        monkeypatch.setenv(name, value)
    site = load_fleet()
    assert site.site.site == "site-2"
    assert site.joins is not None
    assert site.joins.home == fleet.home
    assert site.edge_url == sites_of(fleet)[1].edge_url


def test_no_two_farms_are_the_same_and_each_is_again_what_it_was(fleet: Fleet) -> None:
    join(fleet, "site-2")
    join(fleet, "site-3")

    def seeds() -> list[str | None]:
        return [each.environment().get("GUSTBED_TWIN_SEED") for each in sites_of(fleet)]

    first, second, third = seeds()
    assert first is None
    assert second != third
    assert seeds() == [first, second, third]


def test_a_port_that_somebody_holds_is_passed_over(fleet: Fleet) -> None:
    wanted = fleet.place.port_mqtt + 10
    with socket.socket() as holder:
        try:
            holder.bind(("127.0.0.1", wanted))
        except OSError:
            pytest.fail(f"port {wanted} is taken")
        record = new_record(fleet, "site-2", turbines=3)
    assert record.addresses["port_mqtt"] == wanted + 1


def test_sites_that_are_about_to_join_do_not_take_each_others_ports(fleet: Fleet) -> None:
    second = new_record(fleet, "site-2", turbines=3)
    third = new_record(fleet, "site-3", turbines=3, besides=[second.addresses])
    names = ("port_mqtt", "port_mqtt_tools", "port_edge")
    assert len({record.addresses[name] for record in (second, third) for name in names}) == 6


@pytest.mark.parametrize("name", ["site-1", "SITE-1", "a/b", ""])
def test_a_name_that_is_taken_or_none_is_refused(fleet: Fleet, name: str) -> None:
    with pytest.raises(GustbedError, match="site"):
        new_record(fleet, name, turbines=3)
    assert len(sites_of(fleet)) == 1


@pytest.mark.parametrize(
    ("first", "there", "wanted", "names"),
    [
        ("site-1", [], 3, ["site-2", "site-3"]),
        ("north", [], 2, ["north-2"]),
        ("site-1", ["site-3"], 4, ["site-2", "site-4"]),
        ("site-1", ["hill", "dale"], 3, []),
        ("site-1", [], 1, []),
    ],
)
def test_sites_are_named_after_the_first(
    fleet: Fleet, first: str, there: list[str], wanted: int, names: list[str]
) -> None:
    record = read_record(fleet.home)
    assert record is not None
    write_record(fleet.home, msgspec.structs.replace(record, site=first))
    for name in there:
        join(load_fleet(), name)
    assert next_names(load_fleet(), wanted) == names


def test_a_site_is_found_by_name_and_the_first_without_one(fleet: Fleet) -> None:
    join(fleet, "site-2")
    assert find_site(fleet, None).site.site == "site-1"
    assert find_site(fleet, "site-2").site.site == "site-2"
    with pytest.raises(GustbedError, match="site-1, site-2"):
        find_site(fleet, "site-9")


def test_a_site_without_its_fleet_is_named(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    join(fleet, "site-2")
    home = home_of(fleet, "site-2")
    (fleet.home / "fleet.json").unlink()
    for name in ("GUSTBED_PORT_MQTT", "GUSTBED_PORT_EDGE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("GUSTBED_HOME", str(home))
    with pytest.raises(GustbedError, match="no fleet was started"):
        load_fleet()


def test_a_site_follows_its_fleet_to_another_runtime_and_off_a_port_that_was_taken(
    fleet: Fleet,
) -> None:
    join(fleet, "site-2")
    (site,) = sites_of(fleet)[1:]
    assert fleet.record is not None
    assert site.record is not None
    now = msgspec.structs.replace(fleet.record, runtime="docker")
    same = refreshed(now, site, site.record)
    assert (same.runtime, same.addresses) == ("docker", site.record.addresses)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", site.place.port_edge))
        moved = refreshed(now, site, site.record)
    assert moved.addresses["port_edge"] != site.place.port_edge
    assert (moved.site, moved.turbines, moved.joins) == ("site-2", 3, str(fleet.home))


def test_a_site_follows_its_fleets_cloud_to_other_ports(fleet: Fleet) -> None:
    join(fleet, "site-2")
    record = read_record(fleet.home)
    assert record is not None
    moved = {**record.addresses, "port_aws": 14_566}
    write_record(fleet.home, msgspec.structs.replace(record, addresses=moved))
    assert [each.place.port_aws for each in sites_of(load_fleet())] == [14_566, 14_566]
