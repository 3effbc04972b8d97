"""What the edge says of itself: heartbeat, health reasons, metrics."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from gustbed_core.edge_http import ModelInfo
from gustbed_core.events import Heartbeat, ModelRef
from gustbed_core.jobs import Role
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import MINI
from gustbed_edge.capture.writer import CaptureWriter
from gustbed_edge.cloud.device_shadows import DeviceShadows
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import ReceiveQueue
from gustbed_edge.outbox.store import Outbox
from gustbed_edge.reporting.metrics import Metric, Sample, render
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.scorer import Scorer
from gustbed_edge.scoring.shadow_models import ShadowModels
from gustbed_edge.scoring.thread import ScoringThread

STUCK_SECONDS = 10.0

METRICS = (
    Metric("gustbed_edge_verdicts_total", "counter", "verdicts published"),
    Metric("gustbed_edge_blocks_total", "counter", "blocks received, by turbine"),
    Metric("gustbed_edge_unscored_total", "counter", "blocks that no model is for, by type"),
    Metric("gustbed_edge_lost_total", "counter", "blocks lost, by turbine"),
    Metric("gustbed_edge_duplicate_total", "counter", "blocks that came twice, by turbine"),
    Metric("gustbed_edge_reordered_total", "counter", "blocks that came late, by turbine"),
    Metric("gustbed_edge_score", "gauge", "latest score over threshold, by turbine"),
    Metric("gustbed_edge_open_events", "gauge", "open anomaly events, by turbine"),
    Metric("gustbed_edge_rejected_total", "counter", "payloads quarantined, by reason"),
    Metric("gustbed_edge_intake_dropped_total", "counter", "payloads dropped before scoring"),
    Metric("gustbed_edge_batch_failures_total", "counter", "batches that failed"),
    Metric("gustbed_edge_outbox_messages", "gauge", "fragments waiting for the cloud"),
    Metric("gustbed_edge_outbox_bytes", "gauge", "their size"),
    Metric("gustbed_edge_outbox_dropped_total", "counter", "fragments dropped, by kind"),
    Metric("gustbed_edge_shadow_total", "counter", "reports and desired states, by outcome"),
    Metric("gustbed_edge_cloud_connected", "gauge", "1 while connected to IoT Core"),
    Metric("gustbed_edge_latency_seconds", "gauge", "block received to verdict published"),
    Metric("gustbed_edge_model_info", "gauge", "the models that serve, by turbine type"),
    Metric("gustbed_edge_challenger_verdicts_total", "counter", "verdicts compared, by agreement"),
    Metric("gustbed_edge_challenger_dropped_total", "counter", "challengers that failed, by type"),
    Metric("gustbed_edge_captures_total", "counter", "captures, by reason, and those dropped"),
    Metric(
        "gustbed_edge_capture_bytes_today", "gauge", "captured for the cloud since midnight UTC"
    ),
)


@dataclass(frozen=True)
class Reporter:
    """Reads everything's counters. ``site_connected``, ``cloud_connected`` and ``update`` ask
    the parts that come and go.
    """

    site: SiteSettings
    scorer: Scorer
    shadow_models: ShadowModels
    captures: CaptureWriter
    pipeline: ScoringThread
    queue: ReceiveQueue
    outbox: Outbox
    quarantine: Quarantine
    device_shadows: DeviceShadows
    site_connected: Callable[[], bool]
    cloud_connected: Callable[[], bool]
    update: Callable[[], str | None]

    @property
    def model(self) -> ModelRef | None:
        """The miniature's model, or else the first that serves."""
        models = self.scorer.models
        return models.get(MINI) or next(iter(models.values()), None)

    def heartbeat(self) -> Heartbeat:
        """The edge and its turbines, now."""
        return Heartbeat(
            site=self.site.site,
            thing=self.site.thing,
            t=time.time(),
            connected=self.cloud_connected(),
            model=self.model,
            turbines=self.scorer.status(),
            rejected=dict(self.quarantine.counts),
            buffered=self.outbox.waiting,
            update=self.update(),
            models=dict(self.scorer.models),
            challengers=self.shadow_models.comparisons(),
        )

    def status(self) -> dict[str, object]:
        """The heartbeat, the latency of the latest blocks in seconds, and how captures go."""
        return {
            **asdict(self.heartbeat()),
            "latency": self.pipeline.latency(),
            "captures": self.captures.status(),
        }

    def reasons(self) -> list[str]:
        """Why the edge is not healthy; the cloud being away is no reason."""
        models = self.scorer.models
        unserved = bool(models) and MINI not in models and self.scorer.heard(MINI)
        stuck = time.monotonic() - self.pipeline.last_turn > STUCK_SECONDS
        checks = {
            "not connected to the site broker": not self.site_connected(),
            "no model serves": self.model is None,
            "no model serves the miniatures": unserved,
            "the scoring thread is stuck": stuck or not self.pipeline.alive,
        }
        return [reason for reason, bad in checks.items() if bad]

    def health(self) -> dict[str, object]:
        """The reasons, and which models serve and run in shadow, by turbine type."""
        return {
            "reasons": self.reasons(),
            "models": self.scorer.models,
            "challengers": {
                kind: compared.model for kind, compared in self.shadow_models.comparisons().items()
            },
        }

    def models(self) -> list[ModelInfo]:
        """Every model that runs here, with its figures and its card."""
        running: tuple[tuple[Role, Mapping[str, Detector]], ...] = (
            ("serve", self.scorer.detectors),
            ("shadow", self.shadow_models.detectors),
        )
        return [
            ModelInfo(
                detector.model,
                kind,
                role,
                detector.manifest.detector,
                detector.manifest.metrics,
                detector.card,
            )
            for role, detectors in running
            for kind, detector in detectors.items()
        ]

    def metrics(self) -> str:
        """Prometheus text."""
        prefix = "gustbed_edge_"
        samples = [
            Sample(f"{prefix}verdicts_total", {}, self.pipeline.verdicts),
            Sample(f"{prefix}intake_dropped_total", {}, self.queue.dropped),
            Sample(f"{prefix}batch_failures_total", {}, self.pipeline.failures),
            Sample(f"{prefix}outbox_messages", {}, self.outbox.waiting),
            Sample(f"{prefix}outbox_bytes", {}, self.outbox.waiting_bytes),
            Sample(f"{prefix}cloud_connected", {}, self.cloud_connected()),
        ]
        for status in self.scorer.status():
            labels = {"turbine": status.id}
            counts = {
                "blocks_total": status.blocks,
                "lost_total": status.lost,
                "duplicate_total": status.duplicate,
                "reordered_total": status.reordered,
                "open_events": len(status.violations),
            }
            samples += [Sample(prefix + name, labels, value) for name, value in counts.items()]
            if status.score is not None:
                samples.append(Sample(f"{prefix}score", labels, status.score))
        for kind, count in dict(self.scorer.unserved.counts).items():
            samples.append(Sample(f"{prefix}unscored_total", {"type": kind}, count))
        for reason, count in dict(self.quarantine.counts).items():
            samples.append(Sample(f"{prefix}rejected_total", {"reason": reason}, count))
        for kind, count in dict(self.outbox.dropped).items():
            samples.append(Sample(f"{prefix}outbox_dropped_total", {"kind": kind}, count))
        for outcome, count in dict(self.device_shadows.counts).items():
            samples.append(Sample(f"{prefix}shadow_total", {"outcome": outcome}, count))
        for name, seconds in self.pipeline.latency().items():
            samples.append(Sample(f"{prefix}latency_seconds", {"quantile": name}, seconds))
        samples += self._of_models()
        return render(METRICS, samples)

    def _of_models(self) -> list[Sample]:
        prefix = "gustbed_edge_"
        samples = [
            Sample(f"{prefix}capture_bytes_today", {}, self.captures.today),
        ]
        for kind, model in self.scorer.models.items():
            labels = {"name": model.name, "version": model.version, "type": kind}
            samples.append(Sample(f"{prefix}model_info", labels, 1))
        for kind, compared in self.shadow_models.comparisons().items():
            for agreement in ("both", "neither", "only_serving", "only_challenger"):
                labels = {"type": kind, "agreement": agreement}
                count = getattr(compared, agreement)
                samples.append(Sample(f"{prefix}challenger_verdicts_total", labels, count))
        for kind, count in dict(self.shadow_models.dropped).items():
            samples.append(Sample(f"{prefix}challenger_dropped_total", {"type": kind}, count))
        for reason, count in dict(self.captures.counts).items():
            samples.append(Sample(f"{prefix}captures_total", {"reason": reason}, count))
        return samples
