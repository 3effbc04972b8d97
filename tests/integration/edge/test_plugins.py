"""The examples of docs/extending.md, installed as a package of their own, on a real edge."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from gustbed_core.enrolment import request_path
from gustbed_core.settings import SiteSettings
from tests.support.cloud import LocalCloud
from tests.support.edge import ENDED, Turbines
from tests.support.edge_process import EdgeProcess
from tests.support.listener import Listener
from tests.support.mosquitto import Broker
from tests.support.packages import PLACE, calm
from tests.support.ports import wait_until

PACKAGE = Path(__file__).parent / "plugins"
PAGE = Path(__file__).parents[3] / "docs" / "extending.md"
FOUND = sorted((PACKAGE / "gustbed_example").glob("*.py"))
EXAMPLES = [path for path in FOUND if path.name != "__init__.py"]
MAX_LINES = 20
SITE = SiteSettings(turbines=2)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example package is installed, as pip does it for a user's own."""
    source = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(PACKAGE, source)
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    subprocess.run([*command, str(source)], check=True, timeout=120)
    return target


class WithExample(EdgeProcess):
    """An edge that finds the example package."""

    def __init__(self, folder: Path, broker: Broker, installed: Path, **variables: str) -> None:
        self.diary = folder / "diary.txt"
        places = {"PYTHONPATH": str(installed), "EXAMPLE_DIARY": str(self.diary)}
        super().__init__(folder, broker, **{**places, **variables})

    def written(self) -> list[str]:
        """Lines of the example sink."""
        return self.diary.read_text().splitlines() if self.diary.exists() else []


def test_input_workload_and_sink_of_another_package_work_on_a_real_edge(
    tmp_path: Path, broker: Broker, installed: Path, listener: Listener
) -> None:
    edge = WithExample(tmp_path, broker, installed)
    storm = calm()
    storm[PLACE["wind_speed_rps"]] = 9.0
    with edge.running(), Turbines(broker.settings, SITE, ("wt01",)) as turbines:
        wait_until(lambda: edge.turbine("wt01")["state"] == "ok", "wt01 is scored")
        wait_until(lambda: edge.turbine("wt02")["blocks"] > 1, "the input delivers")
        assert edge.turbine("wt02")["type"] == "mast"
        turbines.values["wt01"] = storm
        wait_until(lambda: edge.written() == ["wt01 storm opened"], "workload and sink work")
        turbines.values["wt01"] = calm()
        wait_until(lambda: edge.written()[1:] == ["wt01 storm closed"], "and close it")
        wait_until(lambda: len(listener.events("wt01")) == 2, "our own sink tells it too")
        assert edge.get("/health")["plugins"] == {}
        assert edge.turbine("wt01")["state"] == "ok"
        (event,) = edge.get("/events?since=0")
        assert (event["kind"], event["model"]["name"]) == ("storm", "storm_watch")


def test_an_event_of_a_workload_is_its_own_again_after_a_restart(
    tmp_path: Path, broker: Broker, installed: Path
) -> None:
    edge = WithExample(tmp_path, broker, installed)
    storm = calm()
    storm[PLACE["wind_speed_rps"]] = 9.0
    with Turbines(broker.settings, SITE, ("wt01",)) as turbines:
        turbines.values["wt01"] = storm
        with edge.running():
            wait_until(edge.written, "the event opens")
        with edge.running():
            wait_until(lambda: edge.turbine("wt01")["state"] == "ok", "wt01 is scored")
            turbines.values["wt01"] = calm()
            wait_until(lambda: len(edge.written()) == 2, "it closes")
    assert edge.written() == ["wt01 storm opened", "wt01 storm closed"]


def test_a_job_operation_of_another_package_works_if_it_is_named(
    tmp_path: Path, broker: Broker, installed: Path, cloud: LocalCloud
) -> None:
    edge = WithExample(
        tmp_path,
        broker,
        installed,
        GUSTBED_EDGE_ENROL_DIR=str(cloud.enrol_dir),
        GUSTBED_EDGE_JOB_OPERATIONS="update_model,write_note",
    )
    with edge.running():
        wait_until(request_path(cloud.enrol_dir, SITE.thing).exists, "the edge asks")
        assert cloud.run("enrol", SITE.thing).returncode == 0
        wait_until(lambda: edge.get("/status")["connected"], "the edge connects")
        good = job({"operation": "write_note", "text": "hello"})
        assert ended(good) == ("SUCCEEDED", {"characters": "5"})
        assert (edge.settings.data_dir / "note.txt").read_text() == "hello"
        status, details = ended(job({"operation": "write_note"}))
        assert (status, details["reason"]) == ("FAILED", "bad_document")
        status, details = ended(job({"operation": "reboot"}))
        assert (status, details["reason"]) == ("FAILED", "wrong_operation")


def test_another_cloud_can_be_named(tmp_path: Path, broker: Broker, installed: Path) -> None:
    edge = WithExample(tmp_path, broker, installed, GUSTBED_EDGE_CLOUD="nowhere")
    with edge.running(), Turbines(broker.settings, SITE, ("wt01",)):
        wait_until(lambda: edge.turbine("wt01")["state"] == "ok", "wt01 is scored")
        assert edge.get("/status")["connected"] is False
    assert not edge.settings.enrol_dir.exists(), "nobody asked AWS"


def test_the_page_shows_the_very_files_that_are_installed() -> None:
    page = PAGE.read_text()
    assert len(EXAMPLES) == 5
    for path in EXAMPLES:
        text = path.read_text()
        assert f"```python\n{text}```\n" in page, f"{path.name} is not in {PAGE.name} as it is"
        assert len(text.splitlines()) <= MAX_LINES
    assert f"```toml\n{(PACKAGE / 'pyproject.toml').read_text()}```\n" in page


def job(document: dict[str, object]) -> str:
    """Create a job for the site's thing; return its id."""
    iot = boto3.client("iot")
    name = f"test-{uuid4()}"
    thing = iot.describe_thing(thingName=SITE.thing)["thingArn"]
    iot.create_job(jobId=name, targets=[thing], document=json.dumps(document))
    return name


def ended(name: str) -> tuple[str, dict[str, str]]:
    """Wait for a job to end; return its status and details."""

    def execution() -> Any:
        found = boto3.client("iot").describe_job_execution(jobId=name, thingName=SITE.thing)
        return found["execution"]

    wait_until(lambda: execution()["status"] in ENDED, f"{name} ends")
    return execution()["status"], execution().get("statusDetails", {}).get("detailsMap", {})
