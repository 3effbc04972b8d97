"""A month's cost: quantities that follow from what sites send, prices that say what they are."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gustbed_cloud import estimate as module
from gustbed_cloud.estimate import PRICES, Fleet, Item, estimate, read_prices, total, traffic
from gustbed_core.errors import GustbedError
from gustbed_edge.outbox.sender import MESSAGE_BYTES
from gustbed_edge.settings import EdgeSettings
from tests.support.aws_rights import ROOT, rendered


def of(items: list[Item]) -> dict[str, Item]:
    return {each.what: each for each in items}


def lines(region: str = "us-east-1", **fleet: Any) -> dict[str, Item]:
    return of(estimate(Fleet(**fleet), read_prices(region)))


def test_quantities_are_those_that_the_uplinks_page_measured() -> None:
    page = (ROOT / "docs" / "uplink.md").read_text(encoding="utf-8")
    mini, nrel = module.RECORDS["mini"], module.RECORDS["nrel_5mw"]
    assert f"a miniature's verdict {mini.verdict} and summary {mini.summary}" in page
    assert f"{nrel.verdict} and {nrel.summary}, an event's change {module.EVENT_BYTES}" in page
    assert f"about {module.EVENT_VERDICTS} verdicts and two to four changes" in page


def test_constants_are_the_edges_and_the_templates() -> None:
    default = {name: each.default for name, each in EdgeSettings.model_fields.items()}
    assert default["capture_max_bytes_per_day"] == module.CAPTURE_BYTES_PER_DAY
    assert default["verdict_interval"] == module.VERDICT_EVERY
    assert module.MESSAGE_BYTES == MESSAGE_BYTES
    assert len(rendered().of_type("AWS::CloudWatch::Alarm")) == module.ALARMS
    assert len(rendered().of_type("AWS::CloudWatch::Dashboard")) == module.DASHBOARDS
    assert len(rendered().of_type("AWS::KMS::Key")) == module.KEYS
    assert len(rendered().of_type("AWS::Lambda::EventSourceMapping")) == module.QUEUES
    (stream,) = rendered().of_type("AWS::KinesisFirehose::DeliveryStream").values()
    hints = stream["ExtendedS3DestinationConfiguration"]["BufferingHints"]
    assert hints["IntervalInSeconds"] * module.DELIVERIES == module.HOURS * 3600
    assert rendered().template["Parameters"]["LakeDays"]["Default"] == Fleet().lake_days


def test_few_turbines_send_a_message_for_each_record_and_many_share_them() -> None:
    few = traffic(Fleet(turbines=6, events=0))
    minutes = module.HOURS * 60
    assert few["verdicts"].messages == 6 * minutes
    assert few["verdicts"].size == 6 * minutes * 338
    many = traffic(Fleet(turbines=1000, events=0))
    assert many["verdicts"].messages == pytest.approx(module.HOURS * 1800)
    # Then bytes are what AWS counts, not messages.
    assert many["verdicts"].units > 3 * many["verdicts"].messages


def test_bytes_agree_with_the_uplinks_formula() -> None:
    sent = traffic(Fleet(turbines=1000, events=0))
    size = sent["verdicts"].size + sent["telemetry"].size
    assert size / (module.HOURS * 3600) == pytest.approx(1000 * (338 + 165) / 60)


def test_sites_cost_alike_and_what_stands_once_is_counted_once() -> None:
    one, ten = lines(), lines(sites=10)
    once = {"SQS, polling", "S3, deliveries", "KMS keys", "Alarms", "Dashboard"}
    for name, item in one.items():
        factor = 1 if name in once else 10
        assert ten[name].quantity == pytest.approx(factor * item.quantity), name


def test_more_turbines_or_events_never_cost_less() -> None:
    base, more, eventful = lines(), lines(turbines=60), lines(events=10.0)
    for name, item in base.items():
        assert more[name].quantity >= item.quantity, name
        assert eventful[name].quantity >= item.quantity, name
    assert eventful["SNS, alerts"].quantity == pytest.approx(10 * base["SNS, alerts"].quantity)


def test_cost_is_quantity_times_price_and_the_unknown_is_named() -> None:
    items = estimate(Fleet(), read_prices("eu-central-1"))
    known, unknown = total(items)
    assert known == pytest.approx(sum(e.quantity * e.price for e in items if e.price is not None))
    assert unknown == ["IoT, jobs", "Firehose"]
    assert of(items)["Firehose"].cost is None
    assert total(estimate(Fleet(), read_prices("us-east-1")))[1] == []


def test_every_price_is_of_a_dated_file_with_its_page() -> None:
    content = json.loads(PRICES.read_text(encoding="utf-8"))
    assert set(content) == {"date", "currency", "note", "sources", "regions"}
    for prices in content["regions"].values():
        for name, price in prices.items():
            assert content["sources"][name.partition("_")[0]].startswith("https://aws.amazon.com/")
            assert price is None or price > 0
    assert "check them" in content["note"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no price file"),
        ("{}", "no price file"),
        ('{"regions": {}, "currency": "EUR", "date": "d", "note": ""}', "no prices of region"),
        (
            '{"regions": {"us-east-1": {}}, "currency": "EUR", "date": "d", "note": ""}',
            "has no cloudwatch_alarm",
        ),
    ],
)
def test_price_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(GustbedError, match=named) as refused:
        read_prices("us-east-1", path)
    assert str(path) in str(refused.value)


def test_own_price_file_replaces_ours(tmp_path: Path) -> None:
    content = json.loads(PRICES.read_text(encoding="utf-8"))
    content["regions"] = {"here": dict.fromkeys(content["regions"]["us-east-1"], 2.0)}
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({**content, "currency": "EUR"}))
    prices = read_prices("here", path)
    assert (prices.currency, prices.region) == ("EUR", "here")
    assert of(estimate(Fleet(), prices))["KMS keys"].cost == 4.0


def test_type_that_was_not_measured_is_refused() -> None:
    with pytest.raises(GustbedError, match="mini, nrel_5mw"):
        Fleet(kind="pump")
    assert {each.name for each in fields(Fleet)} >= {"sites", "turbines", "events", "rollouts"}
