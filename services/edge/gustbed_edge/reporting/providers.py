"""What each part of the edge says of itself."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gustbed_core.commissioning.messages import UNDECLARED, CommissioningInfo
from gustbed_core.edge_http import ModelInfo
from gustbed_core.events import TurbineStatus
from gustbed_core.jobs import Role
from gustbed_edge.capture.writer import CaptureWriter
from gustbed_edge.cloud.device_shadows import DeviceShadows
from gustbed_edge.cloud.ports import Uplink
from gustbed_edge.commissioning.rules import counts
from gustbed_edge.disk import Disk
from gustbed_edge.guard import Guard
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import ReceiveQueue
from gustbed_edge.ingest.receiver import BlockReceiver
from gustbed_edge.jobs.runner import JobRunner
from gustbed_edge.outbox.outgoing import Outgoing
from gustbed_edge.outbox.recorder import Recorder
from gustbed_edge.reporting.provider import PREFIX, StatusProvider, counter, gauge
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.thread import ScoringThread
from gustbed_edge.site_broker import SiteBroker
from gustbed_edge.workloads.telemetry import Telemetry

STUCK_SECONDS = 10.0


@dataclass(frozen=True)
class IngestStatus(StatusProvider):
    """What was received, and refused."""

    queue: ReceiveQueue
    quarantine: Quarantine
    thread: ScoringThread
    broker: SiteBroker

    def status(self) -> Mapping[str, object]:
        """Refused payloads by reason."""
        return {"rejected": dict(self.quarantine.counts)}

    def reasons(self) -> Iterable[str]:
        """Nothing comes, or nothing is made of it."""
        yield from self.broker.problems()
        stuck = time.monotonic() - self.thread.last_turn > STUCK_SECONDS
        if stuck or not self.thread.alive:
            yield "the scoring thread is stuck"

    def metrics(self) -> Iterable[Metric]:
        """Counts."""
        text = "times that another client took the edge's connection to the site broker"
        yield counter("takeovers", text, self.broker.takeovers)
        yield counter("intake_dropped", "payloads dropped before scoring", self.queue.dropped)
        rejected = self.quarantine.counts
        yield counter("rejected", "payloads quarantined, by reason", rejected, "reason")


@dataclass(frozen=True)
class TelemetryStatus(StatusProvider):
    """Turbines, models and verdicts. ``missing``: types that should have a model and have none."""

    telemetry: Telemetry
    receiver: BlockReceiver
    missing: frozenset[str]

    def status(self) -> Mapping[str, object]:
        """The turbines, and the models that serve and run in shadow, by turbine type."""
        models = self.telemetry.scorer.models
        return {
            "turbines": self._turbines(),
            "model": next(iter(models.values()), None),
            "models": dict(models),
            "shadow_models": self.telemetry.shadow_models.comparisons(),
            "latency": self.telemetry.latency(),
        }

    def reasons(self) -> Iterable[str]:
        """Turbines that nobody judges though a model was meant to."""
        models = self.telemetry.scorer.models
        if not models:
            yield "no model serves"
            return
        for name in sorted(self.missing & self.telemetry.scorer.heard() - models.keys()):
            yield f"no model serves turbines of type {name}"

    def health(self) -> Mapping[str, object]:
        """Which models serve and run in shadow."""
        compared = self.telemetry.shadow_models.comparisons()
        return {
            "models": self.telemetry.scorer.models,
            "shadow_models": {name: each.model for name, each in compared.items()},
            "not_commissioned": self._not_commissioned(),
        }

    def models(self) -> Iterable[ModelInfo]:
        """Every model that runs here, with its figures and its card."""
        commissioner = self.telemetry.commissioner
        running: tuple[tuple[Role, Mapping[str, Detector]], ...] = (
            ("serve", self.telemetry.scorer.detectors),
            ("shadow", self.telemetry.shadow_models.detectors),
        )
        return [
            ModelInfo(
                detector.model,
                name,
                role,
                detector.manifest.detector,
                detector.manifest.metrics,
                detector.card,
                detector.population is not None,
                commissioner.corrections(name) if role == "serve" else {},
            )
            for role, detectors in running
            for name, detector in detectors.items()
        ]

    def metrics(self) -> Iterable[Metric]:
        """Counts of blocks and verdicts, and the models."""
        scorer, turbines = (
            self.telemetry.scorer,
            self.telemetry.scorer.status(self.receiver.counters),
        )
        yield counter("verdicts", "verdicts published", self.telemetry.verdicts)
        for name, text in (
            ("blocks", "blocks received, by turbine"),
            ("lost", "blocks lost, by turbine"),
            ("duplicate", "blocks that came twice, by turbine"),
            ("reordered", "blocks that came late, by turbine"),
        ):
            yield counter(
                name, text, {each.id: getattr(each, name) for each in turbines}, "turbine"
            )
        scores = {each.id: each.score for each in turbines if each.score is not None}
        yield gauge("score", "latest score over threshold, by turbine", scores, "turbine")
        events = {each.id: len(each.violations) for each in turbines}
        yield gauge("open_events", "open anomaly events, by turbine", events, "turbine")
        unserved = scorer.unserved.counts
        yield counter("unscored", "blocks that no model is for, by type", unserved, "type")
        latency = self.telemetry.latency()
        yield gauge("latency_seconds", "block received to verdict published", latency, "quantile")
        basis, periods = counts(self.telemetry.commissioner.states)
        yield gauge("turbines_judged", "turbines by what they are judged by", basis, "basis")
        yield gauge("commissioning_periods", "normal periods, by how they stand", periods, "state")
        left_out = "windows that nobody learnt from, because too many waited"
        yield counter("commissioning_left_out", left_out, self.telemetry.commissioner.left_out)
        yield from self._of_models()

    def commissioning(self) -> Iterable[CommissioningInfo]:
        """Every turbine's."""
        return self.telemetry.commissioner.infos()

    def _turbines(self) -> list[TurbineStatus]:
        statuses = self.telemetry.scorer.status(self.receiver.counters)
        states = self.telemetry.commissioner.states
        return [
            replace(status, commissioning=state, refused=refused)
            for status, state, refused in zip(statuses, states, self.receiver.refused, strict=True)
        ]

    def _not_commissioned(self) -> list[str]:
        """A warning, no reason to call the edge unhealthy: they are judged, only widely."""
        turbines = self.telemetry.commissioner.turbines
        states = self.telemetry.commissioner.states
        return [
            turbine
            for turbine, state in zip(turbines, states, strict=True)
            if state is not None and state.basis in UNDECLARED
        ]

    def _of_models(self) -> Iterable[Metric]:
        info = GaugeMetricFamily(
            f"{PREFIX}model_info",
            "the models that serve, by turbine type",
            labels=["name", "version", "type"],
        )
        for name, model in self.telemetry.scorer.models.items():
            info.add_metric([model.name, model.version, name], 1)
        yield info
        compared = CounterMetricFamily(
            f"{PREFIX}challenger_verdicts",
            "verdicts compared with a shadow model's, by agreement",
            labels=["type", "agreement"],
        )
        for name, each in self.telemetry.shadow_models.comparisons().items():
            for agreement in ("both", "neither", "only_serving", "only_shadow"):
                compared.add_metric([name, agreement], getattr(each, agreement))
        yield compared
        dropped = self.telemetry.shadow_models.dropped
        yield counter("challenger_dropped", "shadow models that failed, by type", dropped, "type")


@dataclass(frozen=True)
class DiskStatus(StatusProvider):
    """Whether what is to be kept can be."""

    disk: Disk
    recorder: Recorder

    def reasons(self) -> Iterable[str]:
        """What cannot be written, and what is lost by it."""
        failing = self.disk.reasons()
        yield from failing
        lost = self.recorder.dropped.total()
        if lost and failing:
            yield f"{lost} records did not fit into memory while the disk refused them"

    def metrics(self) -> Iterable[Metric]:
        """Files, and records that wait for them."""
        yield gauge("disk_failures", "files that cannot be written now", len(self.disk.reasons()))
        yield gauge("held_records", "records in memory that wait for the disk", self.recorder.held)
        records, dropped = self.recorder.records, self.recorder.dropped
        yield counter("uplink_records", "records recorded for the cloud, by kind", records, "kind")
        yield counter("held_dropped", "records dropped from memory, by kind", dropped, "kind")


@dataclass(frozen=True)
class OutboxStatus(StatusProvider):
    """What waits for the cloud, and what goes up."""

    out: Outgoing

    def status(self) -> Mapping[str, object]:
        """How much waits, for how long the oldest does, and rates in bytes a second."""
        into, out = self.out.backlog.rates()
        return {
            "buffered": self.out.outbox.waiting,
            "lag": round(self.out.backlog.lag, 1),
            "uplink": {
                "waiting_bytes": self.out.outbox.waiting_bytes,
                "in_rate": round(into),
                "out_rate": round(out),
                "full": sorted(self.out.policy.full),
            },
        }

    def reasons(self) -> Iterable[str]:
        """The cloud falls behind, or will never know."""
        if self.out.backlog.grows():
            into, out = self.out.backlog.rates()
            yield (
                f"the cloud falls behind: {into / 1000:.0f} kB/s come in and {out / 1000:.0f} go "
                f"up, the oldest record waits for {self.out.backlog.lag:.0f} s; send less "
                "(GUSTBED_EDGE_UPLINK, GUSTBED_EDGE_TELEMETRY_INTERVAL) or over a better link "
                "(GUSTBED_EDGE_UPLINK_MAX_RATE)"
            )
        if self.out.backlog.drops():
            yield (
                "the outbox is full and drops the oldest records; restore the cloud link, or "
                "raise GUSTBED_EDGE_OUTBOX_MAX_BYTES"
            )

    def metrics(self) -> Iterable[Metric]:
        """The same, by kind, and what was dropped."""
        outbox = self.out.outbox
        yield gauge("outbox_messages", "fragments waiting for the cloud", outbox.waiting)
        yield gauge("outbox_bytes", "their size", outbox.waiting_bytes)
        lag = "seconds that the oldest record has waited for the cloud, by kind"
        yield gauge("uplink_lag_seconds", lag, outbox.ages(), "kind")
        yield counter("uplink_in_bytes", "bytes recorded, by kind", outbox.recorded, "kind")
        yield counter(
            "uplink_out_bytes", "bytes acknowledged, by kind", self.out.sender.sent, "kind"
        )
        yield counter("outbox_dropped", "fragments dropped, by kind", outbox.dropped, "kind")
        held_back = "verdicts not sent of turbines that had said too much"
        yield counter("uplink_held_back", held_back, self.out.policy.held_back)


@dataclass(frozen=True)
class CaptureStatus(StatusProvider):
    """Captures of data for retraining."""

    captures: CaptureWriter

    def status(self) -> Mapping[str, object]:
        """How they go."""
        return {"captures": self.captures.status()}

    def metrics(self) -> Iterable[Metric]:
        """Counts and bytes."""
        counts = self.captures.counts
        yield counter("captures", "captures, by reason, and those dropped", counts, "reason")
        yield gauge(
            "capture_bytes_today", "captured for the cloud since midnight UTC", self.captures.today
        )
        by_sort = self.captures.today_by_sort
        yield gauge("capture_sort_bytes_today", "the same, by sort of capture", by_sort, "sort")


@dataclass(frozen=True)
class CloudStatus(StatusProvider):
    """The connection, and what comes over it. That the cloud is away is no reason."""

    uplink: Uplink
    jobs: JobRunner
    shadows: DeviceShadows

    def status(self) -> Mapping[str, object]:
        """Whether it is connected, and the job that runs."""
        return {"connected": self.uplink.connected, "update": self.jobs.running}

    def metrics(self) -> Iterable[Metric]:
        """The connection and the device shadows."""
        yield gauge("cloud_connected", "1 while connected to the cloud", self.uplink.connected)
        counts = self.shadows.counts
        yield counter("shadow", "reports and desired states, by outcome", counts, "outcome")


@dataclass(frozen=True)
class PluginStatus(StatusProvider):
    """Failures of plug-ins. They are shown, but are no reason to call the edge unhealthy."""

    guards: list[Guard]
    thread: ScoringThread

    def health(self) -> Mapping[str, object]:
        """Those that failed, or could not keep up."""
        return {
            "plugins": {
                guard.name: {
                    "failures": guard.failures,
                    "dropped": guard.dropped,
                    "error": guard.error,
                }
                for guard in self.guards
                if guard.failures or guard.dropped
            }
        }

    def metrics(self) -> Iterable[Metric]:
        """Counts."""
        own = sum(guard.failures for guard in self.guards if guard.name == "workloads/telemetry")
        yield counter("batch_failures", "batches that failed", self.thread.failures + own)
        failures = {guard.name: guard.failures for guard in self.guards}
        yield counter("plugin_failures", "calls of plug-ins that failed", failures, "plugin")
        dropped = {guard.name: guard.dropped for guard in self.guards}
        yield counter("plugin_dropped", "what plug-ins were too slow for", dropped, "plugin")
        counted = {what: n for guard in self.guards for what, n in dict(guard.counted).items()}
        yield counter("plugin_counted", "what plug-ins counted, by its name", counted, "what")
