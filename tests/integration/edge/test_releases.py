"""From approvals to what a real edge serves: back and forth, come later, under another key."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from gustbed_cloud import operations
from gustbed_cloud.outputs import stack_outputs
from gustbed_core.enrolment import answer_folder, request_path
from gustbed_core.settings import SiteSettings
from tests.support.cloud import STACK, LocalCloud, local_cloud
from tests.support.edge import Rollout, RunningEdge, running_edge
from tests.support.mosquitto import Broker
from tests.support.packages import tiny_package, write_passed
from tests.support.ports import wait_until

Run = Callable[[str], Any]


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud for each test: an edge that enrols is welcomed with what was approved before it."""
    with local_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture
def run(tmp_path: Path, broker: Broker, cloud: LocalCloud) -> Run:
    """Run an edge of a site of its own until the block ends."""

    @contextmanager
    def running(site: str) -> Iterator[RunningEdge]:
        settings = SiteSettings(turbines=2, site=site)
        folder = tmp_path / site
        options: dict[str, Any] = {"enrol_dir": cloud.enrol_dir}
        with running_edge(folder, broker.settings, settings, **options) as edge:
            yield edge

    return running


def enrol(cloud: LocalCloud, edge: RunningEdge) -> None:
    thing = edge.site.thing
    wait_until(request_path(cloud.enrol_dir, thing).exists, "the edge asks")
    done = cloud.run("enrol", thing)
    assert done.returncode == 0, done.stderr


def registered(client: operations.Cloud, folder: Path, *versions: str) -> None:
    for version in versions:
        path = folder / f"{version}.tar.gz"
        write_passed(tiny_package(version), path)
        operations.register_model(client, path)


def serves(edge: RunningEdge) -> str:
    return str(edge.get("/status")["models"]["mini"]["version"])


def jobs_of(client: operations.Cloud, thing: str) -> dict[str, str]:
    """Statuses of a thing's executions by job."""
    return {
        job.id: execution.status
        for job in operations.list_jobs(client, 50)
        for execution in job.executions
        if execution.thing == thing
    }


@pytest.mark.promise("O10")
def test_back_forth_and_again_and_an_edge_that_comes_a_day_later(
    run: Run, cloud: LocalCloud, tmp_path: Path
) -> None:
    client = cloud.connect()
    registered(client, tmp_path, "1.1.0", "1.2.0", "1.3.0")
    with run("first") as edge:
        enrol(cloud, edge)
        for version, rollback in [("1.1.0", False), ("1.2.0", False)] + [
            ("1.1.0", True),
            ("1.2.0", False),
        ] * 2:
            approved = operations.approve_model(client, "tiny", version, rollback=rollback)
            assert approved.approval is not None
            job = approved.approval.rollout
            wait_until(
                lambda job=job: jobs_of(client, edge.site.thing).get(job) == "SUCCEEDED",  # type: ignore[misc]
                f"{version} is rolled out",
                60,
            )
            assert serves(edge) == version
        operations.approve_model(client, "tiny", "1.1.0", rollback=True)
        wait_until(lambda: serves(edge) == "1.1.0", "1.1.0 serves at last")
        operations.approve_model(client, "tiny", "1.3.0", shadow=True)
        wait_until(lambda: "mini" in edge.get("/status")["shadow_models"], "1.3.0 in shadow")
    with run("later") as edge:
        assert serves(edge) == "1.0.0", "the factory's"
        enrol(cloud, edge)
        wait_until(lambda: serves(edge) == "1.1.0", "what the fleet serves serves here, too", 60)
        wait_until(lambda: "mini" in edge.get("/status")["shadow_models"], "and its shadow")
        thing = edge.site.thing
        wait_until(lambda: "QUEUED" not in jobs_of(client, thing).values(), "no job is left")
        first = jobs_of(client, thing)
        assert list(first.values()) == ["SUCCEEDED"] * 2
        enrol(cloud, edge)
        assert jobs_of(client, thing) == first, "enrolled already: nothing new"


@pytest.mark.promise("O8")
def test_a_model_outlives_the_rotation_of_its_key(
    run: Run, cloud: LocalCloud, tmp_path: Path
) -> None:
    kms = boto3.client("kms")
    old = stack_outputs(boto3.session.Session(), STACK).signing_key_id
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    new = made["KeyMetadata"]["KeyId"]
    bucket = stack_outputs(boto3.session.Session(), STACK).artifact_bucket

    def use(*keys: str) -> None:
        """What an operator does at each step of docs/signing-keys.md."""
        chosen = f"SigningKeyIds={':'.join(keys)}"
        done = cloud.run("deploy", GUSTBED_STACK_PARAMETERS=chosen)
        assert done.returncode == 0, done.stderr
        assert stack_outputs(boto3.session.Session(), STACK).signing_key_id == keys[0]

    def trusted(edge: RunningEdge) -> set[str]:
        enrol(cloud, edge)
        folder = answer_folder(cloud.enrol_dir, edge.site.thing)
        return {path.stem for path in (folder / "signing-keys").glob("*.pem")}

    with run("rotating") as edge:
        assert trusted(edge) == {old}
        by_old = Rollout(bucket, old, edge.site.thing, tmp_path)
        by_new = replace(by_old, key_id=new)
        assert by_old.ended(by_old.install(tiny_package("1.1.0")))[0] == "SUCCEEDED"
        assert by_new.ended(by_new.install(tiny_package("1.2.0")))[1]["reason"] == "unknown_key"
        use(old, new)
        assert trusted(edge) == {old, new}
        use(new, old)
        client = cloud.connect()
        registered(client, tmp_path, "1.4.0")
        approved = operations.approve_model(client, "tiny", "1.4.0")
        assert approved.approval is not None
        job = approved.approval.rollout
        wait_until(lambda: job in jobs_of(client, edge.site.thing), "the job exists", 60)
        assert by_old.ended(job)[0] == "SUCCEEDED", "signed by the new key"
        # Back under the old key, which is retired now.
        back = by_old.release(tiny_package("1.1.0"), rollback=True)
        release = replace(back[0], sequence=approved_sequence(job) + 1)
        assert by_old.ended(by_old.create(release, back[1]))[0] == "SUCCEEDED"
        use(new)
        assert trusted(edge) == {new}
    with run("rotating") as edge:
        assert serves(edge) == "1.1.0", "installed under the old key"
        late = replace(release, sequence=release.sequence + 1, version="1.1.0")
        refused = by_old.ended(by_old.create(late, back[1]))
        assert (refused[0], refused[1]["reason"]) == ("FAILED", "unknown_key")
        again = replace(release, sequence=release.sequence + 2)
        assert by_new.ended(by_new.create(again, back[1]))[0] == "SUCCEEDED"


def approved_sequence(job: str) -> int:
    """Of the order that a job carries out."""
    text = boto3.client("iot").get_job_document(jobId=job)["document"]
    return int(json.loads(text)["release"]["sequence"])
