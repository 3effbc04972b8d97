"""What a part of the edge has to say of itself."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gustbed_core.commissioning.messages import CommissioningInfo
from gustbed_core.edge_http import ModelInfo

PREFIX = "gustbed_edge_"


class StatusProvider:
    """Says nothing; parts say what they have to. Asked by any thread."""

    def status(self) -> Mapping[str, object]:
        """Entries of ``/status``; those that ``Heartbeat`` has fields for are in it too."""
        return {}

    def reasons(self) -> Iterable[str]:
        """Why the edge is not healthy."""
        return ()

    def health(self) -> Mapping[str, object]:
        """Entries of ``/health`` beside the reasons."""
        return {}

    def models(self) -> Iterable[ModelInfo]:
        """Models that run, for ``/models``."""
        return ()

    def commissioning(self) -> Iterable[CommissioningInfo]:
        """Turbines' commissioning, for ``/commissioning``."""
        return ()

    def metrics(self) -> Iterable[Metric]:
        """For Prometheus."""
        return ()


def gauge(name: str, text: str, values: float | Mapping[str, float], label: str = "") -> Metric:
    """A gauge: one value, or one for each value of a label."""
    family = GaugeMetricFamily(PREFIX + name, text, labels=[label] if label else [])
    return _filled(family, values)


def counter(name: str, text: str, values: float | Mapping[str, float], label: str = "") -> Metric:
    """The same as a counter."""
    family = CounterMetricFamily(PREFIX + name, text, labels=[label] if label else [])
    return _filled(family, values)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, values: float | Mapping[str, float]
) -> Metric:
    if isinstance(values, Mapping):
        # A copy: another thread may add a label meanwhile.
        for value, amount in dict(values).items():
            family.add_metric([value], amount)
    else:
        family.add_metric([], values)
    return family
