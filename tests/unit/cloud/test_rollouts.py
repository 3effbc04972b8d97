"""Which rollouts may be started again."""

from typing import Any

from gustbed_cloud.operations import ApprovalRecord, GateResult
from gustbed_cloud.rollouts import standing_approvals


def record(sequence: int, version: str, **changes: Any) -> ApprovalRecord:
    fields: dict[str, Any] = {
        "model": "m", "decision": "approved", "source": "operator", "by": "", "at": 0.0,
        "sha256": "", "gate": GateResult(passed=True),
    }  # fmt: skip
    return ApprovalRecord(version=version, sequence=sequence, **fields | changes)


def standing(*records: ApprovalRecord) -> list[int]:
    return sorted(each.sequence for each in standing_approvals(records))


def test_only_the_latest_approval_of_a_role_stands() -> None:
    # Starting the first again would roll back.
    assert standing(record(1, "1.0.0", rollback=True), record(2, "1.1.0")) == [2]
    assert standing(record(2, "1.1.0"), record(1, "1.0.0")) == [2]
    assert standing(record(1, "1.0.0"), record(2, "1.1.0", role="shadow")) == [1, 2]
    assert standing(record(1, "1.0.0"), record(1, "1.0.0", model="n")) == [1, 1]


def test_promoted_shadow_and_rejected_version_do_not_stand() -> None:
    assert standing(record(1, "1.0.0", role="shadow"), record(2, "1.0.0")) == [2]
    assert standing(record(1, "1.0.0"), record(2, "1.0.0", decision="rejected")) == []
    later = record(3, "1.1.0", decision="rejected")
    assert standing(record(1, "1.0.0"), record(2, "1.1.0"), later) == []
