"""Where a release's job document lies, for who writes it and who is told of it."""

import pytest

from gustbed_core.jobs import Release, Role, job_key


@pytest.mark.parametrize(
    ("role", "key"),
    [
        ("serve", "releases/windturbine/1.2.0/job.json"),
        ("shadow", "releases/windturbine/1.2.0/shadow/job.json"),
    ],
)
def test_a_job_lies_with_its_version_and_a_shadow_beside_the_serving_one(
    role: Role, key: str
) -> None:
    assert job_key(Release("windturbine", "1.2.0", 1, "0" * 64, role=role)) == key
