"""Records of registered versions and of decisions on them: written, read, and named if damaged."""

from dataclasses import replace

import pytest

from gustbed_core.approvals import (
    ApprovalRecord,
    approval_from_json,
    approval_key,
    earlier_approval,
    in_force,
    order_number,
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
        RECORD.to_json().replace(b'"1.0.0"', b'"1.0"'),
        RECORD.to_json().replace(b'"at": 1.5', b'"at": NaN'),
        RECORD.to_json().replace(b'"at": 1.5', b'"at": 1e999'),
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


def decided(*decisions: tuple[str, str], start: float = 1000.0) -> list[ApprovalRecord]:
    """Records in order: a version, and ``serve``, ``rollback``, ``shadow`` or ``rejected``."""
    return [
        replace(
            RECORD,
            version=version,
            sequence=number,
            at=start + number,
            decision="rejected" if what == "rejected" else "approved",
            role="shadow" if what == "shadow" else "serve",
            rollback=what == "rollback",
        )
        for number, (version, what) in enumerate(decisions, 1)
    ]


@pytest.mark.promise("O10")
def test_orders_are_numbered_upwards_whatever_the_clocks_of_operators_say() -> None:
    records = decided(*[("1.0.0", "serve")] * 4)
    ahead = replace(records[1], at=5000.0)
    found = [records[0], ahead, *records[2:]]
    assert [order_number(found, each) for each in found] == [1001, 5000, 5001, 5002]


@pytest.mark.promise("O10")
def test_orders_are_numbered_upwards_though_records_were_lost() -> None:
    before = decided(*[("1.0.0", "serve")] * 5)
    after = decided(("1.0.0", "serve"), start=2000.0)
    assert order_number(after, after[0]) > order_number(before, before[-1])


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([], []),
        ([("1.0.0", "serve")], ["1.0.0"]),
        ([("1.1.0", "serve"), ("1.0.0", "serve")], ["1.1.0"]),
        ([("1.1.0", "serve"), ("1.0.0", "rollback")], ["1.0.0"]),
        ([("1.1.0", "serve"), ("1.0.0", "rollback"), ("1.1.0", "serve")], ["1.1.0"]),
        ([("1.9.0", "serve"), ("1.10.0", "serve")], ["1.10.0"]),
        ([("1.0.0", "serve"), ("1.1.0", "serve"), ("1.1.0", "rejected")], ["1.0.0"]),
        ([("1.0.0", "rejected")], []),
        ([("1.1.0", "shadow")], ["1.1.0 shadow"]),
        ([("1.1.0", "shadow"), ("1.0.0", "serve")], ["1.0.0", "1.1.0 shadow"]),
        ([("1.1.0", "shadow"), ("1.2.0", "serve")], ["1.2.0"]),
        ([("1.1.0", "shadow"), ("1.1.0", "serve")], ["1.1.0"]),
    ],
)
@pytest.mark.promise("O10")
def test_what_is_in_force_is_what_edges_end_with(
    decisions: list[tuple[str, str]], expected: list[str]
) -> None:
    found = in_force(decided(*decisions))
    assert [
        each.version + (" shadow" if each.role == "shadow" else "") for each in found
    ] == expected


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
