"""Records of registered versions and of decisions on them: written, read, and named if damaged."""

import pytest

from gustbed_core.approvals import (
    ApprovalRecord,
    approval_from_json,
    approval_key,
    earlier_approval,
)
from gustbed_core.errors import GustbedError
from gustbed_core.registrations import (
    GateResult,
    Registration,
    earlier_registration,
    package_place,
    registration_from_json,
    registration_key,
)

GATE = GateResult(passed=False, detail="worse than pca", override="Ann's demo, see #12 (agreed)")
RECORD = ApprovalRecord(
    "m", "1.0.0", 7, "approved", "operator", "arn:ann", 1.5, "0" * 64, GATE, "shadow"
)
REGISTERED = Registration("m", "1.0.0", "0" * 64, 9, "mini", "pca", GATE, {"vus_pr": 0.5})


def test_records_read_back_as_they_were_written() -> None:
    assert approval_from_json(RECORD.to_json(), approval_key(RECORD)) == RECORD
    key = registration_key("m", "1.0.0")
    assert registration_from_json(REGISTERED.to_json(), key) == REGISTERED


def test_keys_are_in_order_of_decisions() -> None:
    assert approval_key(RECORD) == "approvals/m/000007.json"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        RECORD.to_json().replace(b'"approved"', b'"maybe"'),
        RECORD.to_json().replace(b'"shadow"', b'"king"'),
        RECORD.to_json().replace(b'"schema": 1', b'"schema": 2'),
        RECORD.to_json().replace(b'"sequence": 7', b'"sequence": 8'),
        RECORD.to_json().replace(b'"passed": false', b'"passed": 0'),
    ],
)
def test_damaged_approval_is_named(data: bytes) -> None:
    with pytest.raises(GustbedError, match=r"approvals/m/000007\.json"):
        approval_from_json(data, "approvals/m/000007.json")


def test_damaged_registration_is_named() -> None:
    key = registration_key("m", "1.0.0")
    wrong = (b"", b"{}", REGISTERED.to_json().replace(b"1.0.0", b"1.0.1"),
             REGISTERED.to_json().replace(b"0.5", b'"0.5"'))  # fmt: skip
    for data in wrong:
        with pytest.raises(GustbedError, match=key):
            registration_from_json(data, key)


@pytest.mark.parametrize(
    ("note", "meant"),
    [
        ("", ("serve", False)),
        ("approved", ("serve", False)),
        ("no rollback", ("serve", False)),
        ("rollback (despite its quality gate: x)", ("serve", True)),
        ("Shadow: for a week", ("shadow", False)),
        ("promoted", ("serve", False)),
    ],
)
def test_note_of_an_earlier_gustbed_says_what_was_meant(note: str, meant: tuple[str, bool]) -> None:
    assert earlier_approval(note) == meant


def test_registry_entry_of_an_earlier_gustbed_says_what_it_is() -> None:
    described = {
        "ModelPackageDescription": "m 1.0.0 (despite its quality gate: Ann's demo (agreed))",
        "CustomerMetadataProperties": {
            "turbine_type": "mini", "detector": "pca", "gate": "worse than pca",
            "metric.vus_pr": "0.5", "metric.odd": "x",
        },
    }  # fmt: skip
    gate = GateResult(passed=False, detail="worse than pca", override="Ann's demo (agreed)")
    assert earlier_registration("m", "1.0.0", described) == Registration(
        "m", "1.0.0", "", 0, "mini", "pca", gate, {"vus_pr": 0.5}
    )
    bare = earlier_registration("m", "1.0.0", {})
    assert (bare.gate, bare.metrics) == (GateResult(passed=False), {})


def test_package_address_names_the_version() -> None:
    assert package_place("s3://b/models/m/1.0.0/package.tar.gz") == ("b", "m", "1.0.0")
    for wrong in ("", "s3://b/models/m/package.tar.gz", "s3://b/releases/m/1.0.0/package.tar.gz"):
        with pytest.raises(ValueError, match="no package of ours"):
            package_place(wrong)
