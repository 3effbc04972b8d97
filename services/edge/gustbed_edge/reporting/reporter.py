"""What the edge says of itself: heartbeat, health, metrics, from what its parts say."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from gustbed_core.commissioning.messages import CommissioningInfo
from gustbed_core.edge_http import ModelInfo
from gustbed_core.events import Heartbeat
from gustbed_core.settings import SiteSettings
from gustbed_edge.reporting.provider import StatusProvider

_IN_HEARTBEAT = frozenset(field.name for field in fields(Heartbeat))


class _Metrics(Collector):
    """Every part's metrics, as Prometheus' client asks for them."""

    def __init__(self, providers: Sequence[StatusProvider]) -> None:
        self._providers = providers

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        for each in self._providers:
            yield from each.metrics()


class Reporter:
    """Asks every part."""

    def __init__(self, site: SiteSettings, providers: Sequence[StatusProvider]) -> None:
        self._site = site
        self._providers = providers

    def heartbeat(self) -> Heartbeat:
        """The edge and its turbines, now."""
        return self._heartbeat(self._entries())

    def status(self) -> dict[str, object]:
        """The heartbeat and whatever else the parts say."""
        entries = self._entries()
        return {**entries, **asdict(self._heartbeat(entries))}

    def health(self) -> dict[str, object]:
        """Why the edge is not healthy: ``reasons``, empty while it is; and what else there is."""
        found: dict[str, object] = {
            "reasons": [reason for each in self._providers for reason in each.reasons()]
        }
        for each in self._providers:
            found |= each.health()
        return found

    def models(self) -> list[ModelInfo]:
        """Every model that runs here."""
        return [model for each in self._providers for model in each.models()]

    def commissioning(self) -> list[CommissioningInfo]:
        """Every turbine's commissioning."""
        return [info for each in self._providers for info in each.commissioning()]

    def metrics(self) -> bytes:
        """Prometheus text."""
        return generate_latest(_Metrics(self._providers))

    def _entries(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {"model": None, "turbines": []}
        for each in self._providers:
            found |= each.status()
        return found

    def _heartbeat(self, entries: Mapping[str, Any]) -> Heartbeat:
        known = {name: value for name, value in entries.items() if name in _IN_HEARTBEAT}
        return Heartbeat(site=self._site.site, thing=self._site.thing, t=time.time(), **known)
