"""The edge and the emulated cloud with the real stack: mutual TLS, uplink, jobs."""

import gzip
import json
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import msgspec
import numpy as np
import pytest

from gustbed_cloud.outputs import stack_outputs
from gustbed_core.capture import Capture, CaptureBatch, unpack
from gustbed_core.enrolment import answer_folder, request_path
from gustbed_core.jobs import Release, Signature
from gustbed_core.settings import SiteSettings
from tests.support.cloud import STACK, LocalCloud
from tests.support.edge import Rollout, RunningEdge, Turbines, running_edge
from tests.support.mosquitto import Broker
from tests.support.packages import SigningKey, calm, excited, mill_package, tiny_package
from tests.support.ports import wait_until

TURBINES = ("wt01", "wt02")


class Place:
    """One edge's folders, its thing and its turbines, enrolled in the cloud."""

    def __init__(self, folder: Path, broker: Broker, cloud: LocalCloud, site: str) -> None:
        self.folder = folder
        self.broker = broker
        self.cloud = cloud
        # The broker knows one site only; the cloud may know many.
        self.site = SiteSettings(turbines=2, site=site)
        outputs = stack_outputs(boto3.session.Session(), STACK)
        self.group = outputs.log_group_name
        self.lake = outputs.lake_bucket
        self.rollout = Rollout(
            outputs.artifact_bucket, outputs.signing_key_id, self.site.thing, folder
        )

    @contextmanager
    def edge(self, **changes: Any) -> Iterator[RunningEdge]:
        """Run the edge."""
        options = {"enrol_dir": self.cloud.enrol_dir, "uplink": "full"} | changes
        options |= {"telemetry_interval": 5.0}
        with running_edge(self.folder, self.broker.settings, self.site, **options) as running:
            yield running

    @contextmanager
    def turbines(self) -> Iterator[Turbines]:
        """Run its turbines."""
        with Turbines(self.broker.settings, self.site, TURBINES) as running:
            yield running

    def enrol(self) -> None:
        """Let the cloud answer the edge's request."""
        request = request_path(self.cloud.enrol_dir, self.site.thing)
        wait_until(request.exists, "the edge asks")
        done = self.cloud.run("enrol", self.site.thing)
        assert done.returncode == 0, done.stderr

    def logged(self, kind: str) -> list[Any]:
        """What has come to CloudWatch Logs from this thing."""
        stream = f"{self.site.thing}/{kind}"
        pages = boto3.client("logs").get_paginator("filter_log_events")
        return [
            json.loads(event["message"])
            for page in pages.paginate(logGroupName=self.group)
            for event in page["events"]
            if event["logStreamName"] == stream
        ]

    def captures(self, turbines: Turbines) -> list[Capture]:
        """What the lake has of these turbines."""
        s3 = boto3.client("s3")
        found: list[Capture] = []
        for row in s3.list_objects_v2(Bucket=self.lake).get("Contents", []):
            body = s3.get_object(Bucket=self.lake, Key=row["Key"])["Body"].read()
            for line in gzip.decompress(body).splitlines():
                found += msgspec.json.decode(line, type=CaptureBatch).captures
        return [capture for capture in found if capture.boot == turbines.boot]

    def changes(self, edge: RunningEdge) -> list[Any]:
        """Changes of this edge's events that have come to CloudWatch Logs."""
        known = {event["id"] for event in edge.events()}
        return [change for change in self.logged("events") if change["id"] in known]

    def numbers(self, turbines: Turbines, turbine: str) -> list[int]:
        """Numbers of the blocks whose verdicts have come, as they came, each once."""
        verdicts = self.verdicts(turbines, turbine)
        return list(dict.fromkeys(verdict["seq"] for verdict in verdicts))

    def verdicts(self, turbines: Turbines, turbine: str) -> list[Any]:
        """Verdicts that have come on the blocks of one turbine."""
        wanted = (turbine, turbines.boot)
        return [v for v in self.logged("verdicts") if (v["turbine"], v["boot"]) == wanted]


def connected(edge: RunningEdge) -> bool:
    return bool(edge.get("/status")["connected"])


def arrived(place: Place, turbines: Turbines, turbine: str, count: int) -> bool:
    return set(range(count)) <= set(place.numbers(turbines, turbine))


def states(place: Place, turbines: Turbines) -> list[str]:
    """What the verdicts on wt02 say that have come to the cloud."""
    return [verdict["state"] for verdict in place.verdicts(turbines, "wt02")]


def version(edge: RunningEdge) -> str:
    return str(edge.get("/status")["models"]["mini"]["version"])


@pytest.fixture
def place(tmp_path: Path, broker: Broker, cloud: LocalCloud) -> Place:
    return Place(tmp_path, broker, cloud, "site-1")


def test_the_site_works_before_enrolment_and_what_it_saw_arrives_after(place: Place) -> None:
    with place.edge(uplink="changes") as edge, place.turbines() as turbines:
        wait_until(lambda: edge.turbine("wt02")["state"] == "ok", "wt02 is scored")
        turbines.values["wt02"] = excited()
        wait_until(lambda: edge.events(), "an event opens without a cloud")
        assert not connected(edge)
        assert edge.get("/health")["status"] == "ok"
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
        wait_until(lambda: place.changes(edge), "the event reaches the cloud")
        wait_until(lambda: place.logged("telemetry"), "and so do summaries")
        turbines.values["wt02"] = calm()
        wait_until(lambda: len(place.changes(edge)) == 2, "the closing reaches the cloud")
        wait_until(lambda: 0 in place.numbers(turbines, "wt01"), "so does the first verdict")
        wait_until(lambda: states(place, turbines)[-1:] == ["ok"], "and that wt02 is well again")
        opened, closed = place.changes(edge)
        assert {"warming", "ok", "anomaly"} <= set(states(place, turbines)), (
            "what changed, is there"
        )
        assert len(place.numbers(turbines, "wt01")) < turbines.sent["wt01"] / 2, "nothing else is"
    assert opened["id"] == closed["id"]
    assert (opened["turbine"], opened["kind"], opened["change"]) == ("wt02", "voltage", "opened")
    assert closed["change"] == "closed"


@pytest.mark.promise("S1")
def test_the_private_key_never_left_the_edge(place: Place) -> None:
    with place.edge() as edge:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
    key = place.folder / "edge" / "private-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = key.read_bytes().splitlines()[1]
    elsewhere = [place.cloud.folder, place.folder / "enrol"]
    files = [path for folder in elsewhere for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if secret in path.read_bytes()]


@pytest.mark.promise("T2")
def test_a_cloud_outage_loses_no_verdict_and_no_event(place: Place) -> None:
    with place.edge() as edge, place.turbines() as turbines:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
        wait_until(lambda: place.numbers(turbines, "wt01"), "verdicts arrive")
        place.cloud.stop()
        wait_until(lambda: not connected(edge), "the cloud is missed")
        turbines.values["wt01"] = excited()
        wait_until(lambda: edge.events(), "an event opens meanwhile")
        turbines.values["wt01"] = calm()
        wait_until(lambda: edge.events()[0]["closed"], "and closes")
        place.cloud.start_emulator()
        wait_until(lambda: connected(edge), "the edge connects again")
        targets = dict(turbines.sent)
        for turbine, target in targets.items():
            wait_until(
                partial(arrived, place, turbines, turbine, target), "everything has come", 60
            )
        wait_until(lambda: len(place.changes(edge)) == 2, "both changes have come")


def test_an_answer_that_was_lost_is_given_again_and_taken_up(place: Place) -> None:
    with place.edge() as edge:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
        folder = answer_folder(place.cloud.enrol_dir, place.site.thing)
        before = (folder / "certificate.pem").read_bytes()
        (folder / "certificate.pem").unlink()
        place.enrol()
        assert (folder / "certificate.pem").read_bytes() == before
        job = place.rollout.install(tiny_package("1.0.1"))
        assert place.rollout.ended(job)[0] == "SUCCEEDED"
        assert connected(edge)


@pytest.mark.promise("O7")
def test_an_update_succeeds_and_no_block_goes_unscored(place: Place) -> None:
    with place.edge() as edge, place.turbines() as turbines:
        place.enrol()
        wait_until(lambda: edge.turbine("wt01")["state"] == "ok", "wt01 is scored")
        for number in ("1.1.0", "1.2.0", "1.10.0"):
            status, details = place.rollout.ended(place.rollout.install(tiny_package(number)))
            assert (status, details) == ("SUCCEEDED", {"name": "tiny", "version": number})
            assert version(edge) == number
        target = turbines.sent["wt01"] + 5
        wait_until(lambda: len(place.numbers(turbines, "wt01")) >= target, "all have come")
    verdicts = [v for v in place.verdicts(turbines, "wt01") if v["seq"] < target]
    by_number = {v["seq"]: v for v in verdicts}
    assert sorted(by_number) == list(range(target))
    states = [by_number[number]["state"] for number in range(target)]
    assert states == ["warming"] + ["ok"] * (target - 1)
    assert {v["model"]["version"] for v in verdicts} == {"1.0.0", "1.1.0", "1.2.0", "1.10.0"}


@pytest.mark.promise("O8")
def test_an_edge_that_was_away_updates_when_it_returns_and_keeps_it(place: Place) -> None:
    with place.edge() as edge:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
    job = place.rollout.install(tiny_package("1.1.0"))
    with place.edge() as edge:
        assert place.rollout.ended(job)[0] == "SUCCEEDED"
        assert version(edge) == "1.1.0"
    place.cloud.stop()
    try:
        with place.edge() as edge:
            assert version(edge) == "1.1.0"
            assert not connected(edge)
    finally:
        place.cloud.start_emulator()


@pytest.mark.promise("O2", "O3", "O4", "O12")
def test_what_must_not_serve_is_refused_with_its_reason(place: Place) -> None:
    rollout = place.rollout
    with place.edge() as edge:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
        assert rollout.ended(rollout.install(tiny_package("1.5.0")))[0] == "SUCCEEDED"
        good, archive = rollout.release(tiny_package("1.6.0"))
        stranger = SigningKey(rollout.key_id).sign(good)
        old, old_archive = rollout.release(tiny_package("1.4.0"))
        golden = tiny_package("1.6.0")
        golden = replace(golden, golden_ratios=golden.golden_ratios + np.float32(1))
        cases: dict[str, tuple[Release, bytes, dict[str, Any]]] = {
            "unsigned": (good, archive, {"signature": asdict(Signature("", rollout.key_id))}),
            "bad_signature": (good, archive, {"signature": asdict(stranger)}),
            "wrong_target": (replace(good, target="thing:another"), archive, {}),
            "expired": (replace(good, expires=good.issued - 1), archive, {}),
            "replayed": (replace(good, sequence=0), archive, {}),
            "foreign_host": (good, archive, {"url": "http://169.254.169.254/latest/meta-data"}),
            "wrong_digest": (good, bytes([archive[0] ^ 1]) + archive[1:], {}),
            "wrong_size": (good, archive + b"more", {}),
            "wrong_size ": (good, archive[:-10], {}),
            "not_newer": (old, old_archive, {}),
            "golden_mismatch": (*rollout.release(golden), {}),
            "bad_document": (good, archive, {"release": "1.6.0"}),
        }
        for reason, (release, content, changes) in cases.items():
            status, details = rollout.ended(rollout.create(release, content, changes))
            assert (status, details["reason"]) == ("FAILED", reason.strip())
            assert details["detail"]
        assert version(edge) == "1.5.0"
        back, back_archive = rollout.release(tiny_package("1.4.0"), rollback=True)
        assert rollout.ended(rollout.create(back, back_archive))[0] == "SUCCEEDED"
        assert version(edge) == "1.4.0"


def test_a_shadow_model_runs_in_shadow_until_it_is_promoted(place: Place) -> None:
    with place.edge() as edge, place.turbines():
        place.enrol()
        wait_until(lambda: edge.turbine("wt01")["state"] == "ok", "wt01 is scored")
        job = place.rollout.install(tiny_package("1.1.0"), role="shadow")
        assert place.rollout.ended(job) == (
            "SUCCEEDED",
            {"name": "tiny", "version": "1.1.0", "role": "shadow"},
        )
        assert version(edge) == "1.0.0"
        wait_until(lambda: tally(edge).get("neither", 0) > 5, "they are compared")
    with place.edge() as edge, place.turbines():
        wait_until(lambda: tally(edge).get("neither", 0) > 5, "it has outlived the restart")
        job = place.rollout.install(tiny_package("1.1.0"))
        assert place.rollout.ended(job)[0] == "SUCCEEDED"
        assert (version(edge), tally(edge)) == ("1.1.0", {})


def tally(edge: RunningEdge) -> Any:
    """How the miniatures' shadow model compares, empty if there is none."""
    return edge.get("/status")["shadow_models"].get("mini", {})


def test_another_types_model_is_installed_beside_the_first(place: Place) -> None:
    with place.edge() as edge:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
        job = place.rollout.install(mill_package("1.1.0"))
        assert place.rollout.ended(job)[0] == "SUCCEEDED"
        models = {kind: model["version"] for kind, model in edge.get("/status")["models"].items()}
        assert models == {"mini": "1.0.0", "mill": "1.1.0"}
        wrong = place.rollout.install(mill_package("1.2.0", name="tiny"))
        assert place.rollout.ended(wrong)[1]["reason"] == "wrong_model"


def test_a_capture_reaches_the_lake(place: Place) -> None:
    with place.edge(capture_interval=2.0, capture_seconds=1.0) as edge, place.turbines() as running:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
        wait_until(lambda: place.captures(running), "a capture is in the lake", 120)
        capture = place.captures(running)[0]
    assert (capture.type, capture.reason, capture.dt) == ("mini", "sample", 0.05)
    assert capture.model is not None
    assert capture.model.version == "1.0.0"
    values = unpack(capture.values, len(capture.channels))
    assert values.shape[1] == 20
    np.testing.assert_array_equal(values[capture.channels.index("voltage")], np.full(20, 100.0))


def test_an_edge_whose_key_is_gone_asks_again(place: Place) -> None:
    with place.edge() as edge:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
    request = request_path(place.cloud.enrol_dir, place.site.thing)
    before = request.read_bytes()
    (place.folder / "edge" / "private-key.pem").unlink()
    with place.edge() as edge:
        wait_until(lambda: request.read_bytes() != before, "the edge asks anew")
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects with its new key")


@pytest.mark.promise("S7")
def test_a_revoked_edge_says_why_it_is_out_and_comes_back_enrolled_anew(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    iot, thing = boto3.client("iot"), place.site.thing
    with place.edge() as edge:
        place.enrol()
        wait_until(lambda: connected(edge), "the edge connects")
        for arn in iot.list_thing_principals(thingName=thing)["principals"]:
            iot.update_certificate(certificateId=arn.rsplit("/", 1)[-1], newStatus="REVOKED")
        wait_until(lambda: not connected(edge), "its session is cut")
        assert place.cloud.run("provision").returncode == 1
        wait_until(lambda: "enrolment refused" in caplog.text, "the edge says why")
        assert "make a new key on the device" in caplog.text
    (place.folder / "edge" / "private-key.pem").unlink()
    with place.edge() as edge:
        wait_until(lambda: not is_out(place), "the edge asks with a new key")
        assert place.cloud.run("enrol", thing, "--replace-key").returncode == 0
        wait_until(lambda: connected(edge), "the edge is in again")


def is_out(place: Place) -> bool:
    """Whether enrolment still sees the key that is out."""
    return "this key stays out" in place.cloud.run("enrol", place.site.thing).stderr


@pytest.mark.promise("T4")
def test_a_killed_cloud_is_found_again(place: Place) -> None:
    with place.edge() as edge, place.turbines() as turbines:
        place.enrol()
        wait_until(lambda: place.numbers(turbines, "wt01"), "verdicts arrive")
        place.cloud.stop(signal.SIGKILL)
        wait_until(lambda: not connected(edge), "the cloud is missed")
        place.cloud.start_emulator()
        # What the emulator had not saved is the provisioner's to heal.
        place.cloud.provision()
        wait_until(lambda: connected(edge), "the edge connects again")
        target = turbines.sent["wt01"] + 5
        wait_until(lambda: (place.numbers(turbines, "wt01") or [0])[-1] >= target, "news arrives")
