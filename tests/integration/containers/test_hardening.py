"""What a running container may do, and what it may see."""

import json
from typing import Any

import pytest

from gustbed_core.site_directory import CA
from tests.support.compose import Compose, docker, image_of

pytestmark = pytest.mark.docker

SERVICES = {
    "broker",
    "twin",
    "edge",
    "emulator",
    "registry",
    "provisioner",
    "dashboard",
}
PROCESS_STATUS = ("cat", "/proc/1/status")


def process_status(fleet: Compose, service: str) -> dict[str, str]:
    lines = fleet.execute(service, *PROCESS_STATUS).splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def mounts(container: Any) -> dict[str, str]:
    """Volumes of a container by the place where they are mounted."""
    return {mount["Destination"]: mount["Name"] for mount in container["Mounts"]}


def test_every_service_runs_and_is_healthy(fleet: Compose) -> None:
    containers = fleet.containers()
    assert set(containers) == SERVICES
    health = {name: c["State"]["Health"]["Status"] for name, c in containers.items()}
    assert set(health.values()) == {"healthy"}, health


@pytest.mark.promise("S3")
def test_containers_run_as_non_root_with_a_read_only_root_and_no_capabilities(
    fleet: Compose,
) -> None:
    for service, container in fleet.containers().items():
        status = process_status(fleet, service)
        assert set(status["Uid"].split()) == {"10001"}, service
        assert set(status["Gid"].split()) == {"10001"}, service
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 0, (service, kind)
        assert status["NoNewPrivs"] == "1", service
        assert container["HostConfig"]["ReadonlyRootfs"], service
        assert not container["HostConfig"]["Privileged"], service
        said = fleet.execute(service, "sh", "-c", "touch /probe 2>&1 || echo refused")
        assert "refused" in said, service


@pytest.mark.promise("S3")
def test_init_runs_under_the_same_limits_and_ends_well(fleet: Compose) -> None:
    init = fleet.containers(all_of_them=True)["init"]
    assert init["State"]["ExitCode"] == 0
    limits = init["HostConfig"]
    assert limits["ReadonlyRootfs"]
    assert limits["CapDrop"] == ["ALL"]
    assert limits["NetworkMode"] == "none"
    assert init["Config"]["User"] == "10001:10001"


def test_every_container_has_a_limit_of_memory_and_of_processor_time(fleet: Compose) -> None:
    for service, container in fleet.containers(all_of_them=True).items():
        limits = container["HostConfig"]
        assert 0 < limits["Memory"] < 8 << 30, service
        assert limits["CpuQuota"] > 0, service


def test_ports_are_published_on_the_loopback_only(fleet: Compose) -> None:
    published = [
        (service, port, binding["HostIp"])
        for service, container in fleet.containers().items()
        for port, bindings in container["NetworkSettings"]["Ports"].items()
        for binding in bindings or []
    ]
    assert {(service, port) for service, port, _ in published} == {
        ("broker", "8884/tcp"),
        ("broker", "8885/tcp"),
        ("edge", "8070/tcp"),
        ("emulator", "4566/tcp"),
        ("emulator", "8883/tcp"),
        ("registry", "4567/tcp"),
        ("dashboard", "8501/tcp"),
    }
    assert {address for _, _, address in published} == {"127.0.0.1"}


@pytest.mark.promise("S4")
def test_each_client_of_the_broker_holds_only_its_own_passwords(fleet: Compose) -> None:
    def held(service: str, folder: str = "credentials") -> set[str]:
        return set(fleet.execute(service, "ls", f"/run/gustbed/{folder}").split())

    turbines = {f"wt{i:02d}.password" for i in range(1, 7)}
    assert held("edge") == {"edge.password", CA}
    assert held("dashboard", "operators/site-1") == {"operator.password", CA, "site.json"}
    # The twin also plays the devices that speak the legacy record.
    assert held("twin") == turbines | {"twin.password", "legacy.password", CA}


@pytest.mark.promise("S1")
def test_the_edges_private_key_is_mounted_nowhere_else(fleet: Compose) -> None:
    containers = fleet.containers(all_of_them=True)
    private = mounts(containers["edge"])["/var/lib/gustbed/edge"]
    holders = {name for name, c in containers.items() if private in mounts(c).values()}
    assert holders == {"edge"}
    mode = fleet.execute("edge", "stat", "-c", "%a", "/var/lib/gustbed/edge/private-key.pem")
    assert mode.strip() == "600"


@pytest.mark.promise("S4")
def test_no_password_is_in_a_containers_environment_or_command_line(fleet: Compose) -> None:
    secrets = [
        fleet.execute(service, "cat", f"/run/gustbed/{user}.password").strip()
        for service, user in (
            ("edge", "credentials/edge"),
            ("dashboard", "operators/site-1/operator"),
            ("twin", "credentials/wt01"),
        )
    ]
    assert all(len(secret) > 20 for secret in secrets)
    containers = fleet.containers(all_of_them=True)
    said = json.dumps(list(containers.values())) + fleet.run("logs", "--no-color")
    said += "".join(docker("top", c["Id"]) for c in fleet.containers().values())
    assert not [secret for secret in secrets if secret in said]


def test_a_stop_is_clean_and_a_start_brings_the_same_edge_back(fleet: Compose) -> None:
    def key() -> str:
        return fleet.execute("edge", "sha256sum", "/var/lib/gustbed/edge/private-key.pem")

    before = key()
    try:
        fleet.run("stop")
        codes = {n: c["State"]["ExitCode"] for n, c in fleet.containers(all_of_them=True).items()}
    finally:
        fleet.run("up", "--detach", "--wait", "--wait-timeout", "300")
    assert set(codes.values()) == {0}, codes  # 137 would be a SIGKILL
    assert key() == before


def test_the_images_in_use_are_the_ones_built(fleet: Compose) -> None:
    built = [service for service in SERVICES if service != "broker"]
    for service in built:
        image = json.loads(docker("image", "inspect", image_of(service)))[0]
        assert fleet.containers()[service]["Image"] == image["Id"], service
