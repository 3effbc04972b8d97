"""Which key a device may have: every case of pin, revocation, loss and an operator's word."""

import pytest

from gustbed_cloud.device_keys import Certificate, Record, Registered, Word, refuse, remembered

THING, OTHER = "gustbed-site-1", "pump-7"
PROVISIONER = Word(site_thing=THING)
ANYBODY = Word(anybody=True, site_thing=THING)
OPERATOR = Word(said=True)
REPLACING = Word(said=True, replace_key=True)


def cloud(pinned: str = "", **certificates: str) -> Registered:
    """A thing as the cloud knows it: its pin, and the status of each key's certificate."""
    rows = tuple(
        Certificate(f"arn:{key}", b"", status, key) for key, status in certificates.items()
    )
    return Registered(True, {"key": pinned} if pinned else {}, tuple(rows))


NOWHERE = Registered()


def allowed(key: str, record: Record, known: Registered, word: Word, thing: str = THING) -> bool:
    return refuse(thing, key, remembered(record, known), known, word) is None


@pytest.mark.promise("S1")
def test_first_key_is_taken_from_this_sites_edge_and_from_nobody_else() -> None:
    assert allowed("a", Record(), NOWHERE, PROVISIONER)
    assert not allowed("a", Record(), NOWHERE, PROVISIONER, "gustbed-site-2")
    assert allowed("a", Record(), NOWHERE, ANYBODY, "gustbed-site-2")
    assert not allowed("a", Record(), NOWHERE, ANYBODY, OTHER)
    assert allowed("a", Record(), NOWHERE, OPERATOR, OTHER)


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    ("record", "known"),
    [
        (Record(key="a"), NOWHERE),
        (Record(key="a"), cloud("a", a="ACTIVE")),
        (Record(), cloud("a", a="ACTIVE")),
        # Enrolled before there were pins, or made by hand.
        (Record(), cloud(a="ACTIVE")),
    ],
    ids=["lost", "known", "another provisioner's", "without a pin"],
)
def test_another_key_takes_an_operators_word(record: Record, known: Registered) -> None:
    assert not allowed("b", record, known, PROVISIONER)
    assert not allowed("b", record, known, OPERATOR)
    assert allowed("b", record, known, REPLACING)
    assert allowed("b", record, known, ANYBODY)


@pytest.mark.promise("S7")
@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
@pytest.mark.parametrize("word", [PROVISIONER, ANYBODY, OPERATOR, REPLACING])
def test_key_that_was_revoked_is_out_whatever_is_said(status: str, word: Word) -> None:
    known = cloud("a", a=status)
    assert not allowed("a", Record(key="a"), known, word)
    assert not allowed("a", remembered(Record(key="a"), known), NOWHERE, word)


@pytest.mark.promise("S7")
def test_certificate_that_was_removed_counts_as_revoked() -> None:
    assert not allowed("a", Record(key="a"), cloud("a"), REPLACING)


@pytest.mark.promise("S7")
def test_revoked_device_gets_in_with_a_new_key_when_an_operator_names_it() -> None:
    known = cloud("a", a="REVOKED")
    assert not allowed("b", Record(key="a"), known, ANYBODY)
    assert not allowed("b", Record(key="a"), known, OPERATOR)
    assert allowed("b", Record(key="a"), known, REPLACING)
    # The revoked certificate stays, and goes on to bar its key.
    later = cloud("b", a="REVOKED", b="ACTIVE")
    assert allowed("b", Record(key="b"), later, PROVISIONER)
    assert not allowed("a", Record(key="b"), later, REPLACING)


@pytest.mark.promise("S7")
def test_certificate_that_is_activated_again_lets_its_device_in_again() -> None:
    barred = remembered(Record(key="a"), cloud("a", a="INACTIVE"))
    assert barred.barred == ("a",)
    assert allowed("a", barred, cloud("a", a="ACTIVE"), PROVISIONER)


@pytest.mark.promise("T4")
def test_cloud_that_forgot_is_no_revocation() -> None:
    assert allowed("a", Record(key="a"), NOWHERE, ANYBODY)
    assert allowed("a", Record("device", "a"), NOWHERE, ANYBODY, OTHER)
    assert allowed("a", Record(key="a"), NOWHERE, OPERATOR)
    # At AWS nothing is lost: what is gone there was removed by somebody.
    assert not allowed("a", Record(key="a"), NOWHERE, PROVISIONER)


@pytest.mark.promise("T4")
def test_enrolment_that_was_cut_short_goes_on() -> None:
    assert allowed("a", Record(), cloud(), PROVISIONER)
    assert allowed("a", Record(), cloud(a="ACTIVE"), PROVISIONER)
    assert allowed("b", Record(key="a"), cloud("a", a="ACTIVE", b="ACTIVE"), PROVISIONER)


def test_every_refusal_names_the_command_that_helps() -> None:
    cases = [
        (Record(barred=("a",)), NOWHERE, PROVISIONER),
        (Record(), NOWHERE, Word()),
        (Record(key="a"), NOWHERE, Word()),
        (Record(key="b"), NOWHERE, Word()),
        (Record(key="b", barred=("b",)), NOWHERE, Word()),
    ]
    for record, known, word in cases:
        reason = refuse(THING, "a", record, known, word)
        assert reason is not None
        assert f"`gustbed enrol {THING}" in reason
        assert "\n" not in reason
