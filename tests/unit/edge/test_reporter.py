"""Heartbeat, status, health and metrics are what the parts say."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import Metric

from gustbed_core.settings import SiteSettings
from gustbed_edge.reporting.provider import StatusProvider, counter, gauge
from gustbed_edge.reporting.reporter import Reporter

SITE = SiteSettings(site="s", turbines=2)


class Cloud(StatusProvider):
    def status(self) -> Mapping[str, object]:
        return {"connected": True, "update": "tiny 1.1.0: testing"}

    def reasons(self) -> Iterable[str]:
        return ["no model serves"]

    def metrics(self) -> Iterable[Metric]:
        yield gauge("cloud_connected", "1 while connected", True)


class Outbox(StatusProvider):
    def status(self) -> Mapping[str, object]:
        return {"buffered": 3, "latency": {"p50": 0.1}}

    def health(self) -> Mapping[str, object]:
        return {"plugins": {}}

    def metrics(self) -> Iterable[Metric]:
        yield counter("outbox_dropped", "dropped, by kind", {'q"\\': 2}, "kind")


def test_the_heartbeat_has_what_it_has_fields_for_and_status_has_all() -> None:
    reporter = Reporter(SITE, [Cloud(), Outbox()])
    heartbeat = reporter.heartbeat()
    assert (heartbeat.thing, heartbeat.connected, heartbeat.buffered) == ("gustbed-s", True, 3)
    assert (heartbeat.update, heartbeat.model, heartbeat.turbines) == (
        "tiny 1.1.0: testing",
        None,
        [],
    )
    status = reporter.status()
    assert (status["latency"], status["buffered"], status["site"]) == ({"p50": 0.1}, 3, "s")


def test_health_has_every_reason_and_what_else_there_is() -> None:
    health = Reporter(SITE, [Cloud(), Outbox()]).health()
    assert health == {"reasons": ["no model serves"], "plugins": {}}


def test_metrics_are_prometheus_text_and_counters_end_in_total() -> None:
    lines = Reporter(SITE, [Cloud(), Outbox()]).metrics().decode().splitlines()
    assert lines == [
        "# HELP gustbed_edge_cloud_connected 1 while connected",
        "# TYPE gustbed_edge_cloud_connected gauge",
        "gustbed_edge_cloud_connected 1.0",
        "# HELP gustbed_edge_outbox_dropped_total dropped, by kind",
        "# TYPE gustbed_edge_outbox_dropped_total counter",
        'gustbed_edge_outbox_dropped_total{kind="q\\"\\\\"} 2.0',
    ]
