"""The telemetry workload: windows of sensor channels, scored by the models that serve."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gustbed_core import codec, topics
from gustbed_core.commissioning.messages import CommissionAck
from gustbed_core.errors import PayloadError
from gustbed_core.mqtt import Message
from gustbed_core.turbine_types import TurbineType
from gustbed_edge.capture.capturer import Capturer, Stretch
from gustbed_edge.commissioning.commissioner import Commissioner
from gustbed_edge.commissioning.desk import Desk
from gustbed_edge.commissioning.site import Site as CommissionedSite
from gustbed_edge.commissioning.store import Store
from gustbed_edge.commissioning.trust import Patience
from gustbed_edge.disk import Disk
from gustbed_edge.events.tracker import EventTracker, Site
from gustbed_edge.ingest.reader import Requirements
from gustbed_edge.ingest.receiver import ArrivedBlock
from gustbed_edge.models.loading import LoadedModels
from gustbed_edge.outbox.policy import UplinkPolicy
from gustbed_edge.outbox.recorder import Recorder
from gustbed_edge.plugins import WorkloadContext
from gustbed_edge.scoring.detector import Detector
from gustbed_edge.scoring.model_swap import ModelSwap
from gustbed_edge.scoring.scorer import Outcome, Scorer
from gustbed_edge.scoring.shadow_models import ShadowModels
from gustbed_edge.scoring.type_scorer import DecisionOverrides
from gustbed_edge.settings import EdgeSettings

log = logging.getLogger(__name__)

NAME = "telemetry"
LATENCIES_KEPT = 2048


@dataclass(frozen=True)
class TelemetryContext(WorkloadContext):
    """What this workload needs besides: Gustbed's own, not for plug-ins.

    ``policy`` chooses which verdicts go up; ``waiting`` tells how much was received that is not
    scored yet; ``reject`` puts a payload of the site broker into quarantine.
    """

    settings: EdgeSettings
    types: Mapping[str, TurbineType]
    models: LoadedModels
    requirements: dict[str, Requirements]
    recorder: Recorder
    policy: UplinkPolicy
    keep_capture: Callable[[Stretch], None]
    waiting: Callable[[], int]
    reject: Callable[[str, bytes, PayloadError], None]
    disk: Disk


class Telemetry:
    """Scores blocks, tells verdicts, then lets shadow models and captures look at the same.

    Runs in the scoring thread; counters may be read by others.
    """

    def __init__(
        self,
        context: TelemetryContext,
        scorer: Scorer,
        shadow_models: ShadowModels,
        capturer: Capturer,
        commissioner: Commissioner,
    ) -> None:
        self.verdicts = 0
        self.scorer = scorer
        self.commissioner = commissioner
        self.shadow_models = shadow_models
        self.host = ModelSwap(scorer, shadow_models)
        self._capturer = capturer
        self._recorder = context.recorder
        self._policy = context.policy
        self._publish = context.publish
        self._waiting = context.waiting
        self._site = context.site.site
        self._turbines = context.site.turbines
        self._topics = {
            turbine: topics.verdict(self._site, turbine) for turbine in context.site.turbine_ids
        }
        self._interval = context.settings.telemetry_interval
        self._summary_due = time.monotonic() + self._interval
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def score(self, blocks: Sequence[ArrivedBlock]) -> None:
        """Score what has come, and whatever is due."""
        self.host.take_change()
        if blocks:
            outcome = self.scorer.score(blocks)
            self._tell(outcome)
            # Whatever follows comes after the verdicts, and gives way to a backlog.
            busy = self._waiting() >= self._turbines or len(blocks) > 2 * self._turbines
            for verdict in self.shadow_models.compare(outcome, busy=busy):
                topic = topics.shadow_verdict(self._site, verdict.turbine)
                self._publish(Message(topic, codec.encode(verdict), qos=0))
            self._capturer.watch(outcome)
        if time.monotonic() >= self._summary_due:
            self._summary_due += self._interval
            self._recorder.summaries(self.scorer.take_summaries())

    def latency(self) -> dict[str, float]:
        """Seconds from a block's arrival to its verdict's publication, over the latest blocks."""
        latencies = np.array(self._latencies.copy())
        if not len(latencies):
            return {}
        p50, p99 = np.percentile(latencies, [50, 99]).tolist()
        return {"p50": p50, "p99": p99, "max": float(latencies.max())}

    def _tell(self, outcome: Outcome) -> None:
        self._recorder.events(outcome.events)
        encoded = [codec.encode(verdict) for verdict in outcome.verdicts]
        arrived = (moment for part in outcome.rounds for moment in part.arrived)
        for verdict, payload, moment in zip(outcome.verdicts, encoded, arrived, strict=True):
            self._publish(Message(self._topics[verdict.turbine], payload, qos=0))
            self._latencies.append(time.monotonic() - moment)
        self.verdicts += len(encoded)
        self._recorder.verdicts(self._policy.choose(outcome.verdicts, encoded, outcome.events))


def telemetry(context: TelemetryContext) -> Telemetry:
    """The factory: with the models that were loaded at work, and open events taken up."""
    site, settings = context.site, context.settings
    tracker = EventTracker(Site(site.site, site.thing, site.turbine_ids))
    context.events(tracker.resume(context.open_events))
    overrides = DecisionOverrides(settings.open_after, settings.close_after)
    desk = Desk()
    scorer = Scorer(
        site.turbine_ids,
        context.requirements,
        tracker,
        types=context.types,
        overrides=overrides,
        silent_after=settings.silent_after,
        desk=desk,
    )
    shadow_models = ShadowModels(
        site.turbines,
        overrides=overrides,
        max_scoring_time=settings.max_scoring_time,
        types=context.types,
    )
    _put_to_work(context.models, scorer.serve, shadow_models.begin)
    # By the clock, so that after a restart it is not the first turbine's turn each time.
    turns = time.time() / settings.capture_interval if settings.capture_interval else 0.0
    capturer = Capturer(
        site.turbine_ids,
        scorer,
        context.keep_capture,
        interval=settings.capture_interval,
        seconds=settings.capture_seconds,
        first=int(turns % 1 * site.turbines),
        commissioning=lambda verdict: verdict.commissioning,
    )
    commissioner = _commissioner(context, desk, scorer, tracker)
    # Before the first block: who was commissioned is judged so from its first verdict on.
    commissioner.turn()
    return Telemetry(context, scorer, shadow_models, capturer, commissioner)


def _commissioner(
    context: TelemetryContext, desk: Desk, scorer: Scorer, tracker: EventTracker
) -> Commissioner:
    site, settings = context.site, context.settings

    def answer(ack: CommissionAck) -> None:
        context.publish(Message(topics.commission_ack(site.site), codec.encode(ack)))

    return Commissioner(
        CommissionedSite(
            site.turbine_ids, scorer.presence, tracker.open_kinds, answer, context.reject
        ),
        desk,
        Store(settings.data_dir / "commissioning", context.disk),
        patience=Patience(settings.trust_after, settings.doubt_after, settings.provisional_after),
    )


def _put_to_work(
    models: LoadedModels,
    serve: Callable[[Detector], None],
    run_in_shadow: Callable[[Detector], None],
) -> None:
    for name, loaded in models.serving.items():
        serve(loaded.detector)
        log.info("%s %s serves type %s", loaded.release.name, loaded.release.version, name)
    for name, loaded in models.shadow.items():
        run_in_shadow(loaded.detector)
        release = loaded.release
        log.info("%s %s runs in shadow of type %s", release.name, release.version, name)
