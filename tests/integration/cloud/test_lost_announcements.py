"""Rollouts whose beginning a killed cloud has lost are started again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gustbed_cloud import operations
from gustbed_cloud.rollouts import LATE, launch_lost
from tests.integration.cloud.rollouts import approve_in_console, register
from tests.support.cloud import LocalCloud, enrolled
from tests.support.ports import wait_until


@contextmanager
def unannounced(client: operations.Cloud) -> Iterator[None]:
    """Lose what S3 and the registry announce, as a cloud that is killed does."""
    s3, bucket = client.client("s3"), client.outputs.artifact_bucket
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    found.pop("ResponseMetadata")
    client.client("events").disable_rule(Name="gustbed-model-approved")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=found)


@pytest.mark.promise("T4")
def test_lost_rollout_is_started_again(own: LocalCloud, tmp_path: Path) -> None:
    enrolled(own, "gustbed-site-1")
    client = own.connect()
    register(client, tmp_path, "1.1.0")
    with unannounced(client):
        operations.approve_model(client, "tiny", "1.1.0")
    approved = time.time()
    assert launch_lost(client, approved) == []
    assert launch_lost(client, approved + LATE + 5) == ["tiny 1.1.0"]
    wait_until(lambda: operations.list_jobs(client), "the job exists")
    assert launch_lost(client, approved + LATE + 10) == []


@pytest.mark.promise("T4")
def test_lost_approval_of_the_registry_is_recorded_again(own: LocalCloud, tmp_path: Path) -> None:
    enrolled(own, "gustbed-site-1")
    client = own.connect()
    registered = register(client, tmp_path, "1.1.0")
    with unannounced(client):
        approve_in_console(client, registered.arn, "Approved")
        wait_until(lambda: operations.list_models(client)[0].unrecorded, "it is approved")
    approved = time.time()
    assert launch_lost(client, approved + LATE + 5) == ["tiny 1.1.0"]
    wait_until(lambda: operations.list_jobs(client), "the job exists")
    assert launch_lost(client, approved + LATE + 10) == []


@pytest.mark.promise("T4")
def test_lost_promotion_is_started_again_though_the_shadow_was_not_lost(
    own: LocalCloud, tmp_path: Path
) -> None:
    enrolled(own, "gustbed-site-1")
    client = own.connect()
    register(client, tmp_path, "1.1.0")
    operations.approve_model(client, "tiny", "1.1.0", shadow=True)
    wait_until(lambda: operations.list_jobs(client), "the shadow's job exists")
    with unannounced(client):
        operations.promote_model(client, "tiny", "1.1.0")
    assert launch_lost(client, time.time() + LATE + 5) == ["tiny 1.1.0"]
    wait_until(lambda: len(operations.list_jobs(client)) == 2, "the second job exists")
    assert {job.role for job in operations.list_jobs(client)} == {"serve", "shadow"}
    assert launch_lost(client, time.time() + LATE + 5) == []
