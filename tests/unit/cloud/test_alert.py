"""alert: opened and closed events to people."""

from typing import Any

import pytest

from tests.support.aws_contract import modelled
from tests.support.aws_rights import environment
from tests.unit.cloud.functions import load, queued

handler = load("alert")


@modelled("sns")
class FakeSns:
    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.down = False

    def publish(self, **notice: Any) -> None:
        if self.down:
            raise RuntimeError("throttled")
        self.published.append(notice)


def batch(*changes: str, **fields: Any) -> dict[str, Any]:
    events = [
        {
            "id": f"e{i}",
            "site": "site-1",
            "thing": "liar",
            "turbine": "wt03",
            "kind": "voltage",
            "opened": 1_800_000_000.0,
            "closed": 1_800_000_060.0 if change == "closed" else None,
            "peak_score": 2.34567,
            "model": {"name": "windturbine", "version": "1.2.0"},
            "change": change,
            **fields,
        }
        for i, change in enumerate(changes)
    ]
    return {"events": events, "mqtt_thing": "gustbed-site-1"}


def announce(*bodies: object, down: bool = False) -> tuple[FakeSns, dict[str, Any]]:
    sns = FakeSns()
    sns.down = down
    return sns, handler.announce(queued(*bodies), sns, environment("alert")["TOPIC_ARN"])


def test_opened_and_closed_are_announced_and_updates_are_not() -> None:
    sns, result = announce(batch("opened", "updated", "closed"))
    assert result == {"batchItemFailures": []}
    assert [notice["Subject"] for notice in sns.published] == [
        "voltage anomaly opened on wt03 at site-1",
        "voltage anomaly closed on wt03 at site-1",
    ]


def test_notice_says_what_a_person_needs() -> None:
    (notice,) = announce(batch("closed"))[0].published
    text = notice["Message"]
    for part in (
        "2027-01-15 08:00:00 UTC",
        "2027-01-15 08:01:00 UTC",
        "2.35",
        "windturbine 1.2.0",
        "gustbed-site-1",
        "e0",
    ):
        assert part in text
    assert "liar" not in text
    attributes = notice["MessageAttributes"]
    assert attributes["id"]["StringValue"] == "e0"
    assert attributes["thing"]["StringValue"] == "gustbed-site-1"


def test_subject_is_what_sns_accepts() -> None:
    (notice,) = announce(batch("opened", site="süd\n" + "x" * 200))[0].published
    subject = notice["Subject"]
    assert len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        {"events": 3, "mqtt_thing": "t"},
        {"events": [1], "mqtt_thing": "t"},
        batch("opened", model=None),
        batch("opened", opened="today"),
        batch("opened", opened=1e300),
        batch("opened", peak_score="high"),
    ],
)
def test_malformed_batch_is_not_delivered_again_and_the_rest_goes_on(body: object) -> None:
    sns, result = announce(body, batch("opened"))
    assert result == {"batchItemFailures": []}
    assert len(sns.published) == 1


def test_notice_that_could_not_be_sent_is_delivered_again() -> None:
    _, result = announce(batch("opened"), batch("updated"), down=True)
    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
