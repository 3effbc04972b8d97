"""The part of the gateway that works without the cloud, put together."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gustbed_core import codec, topics
from gustbed_core.errors import GustbedError, PayloadError
from gustbed_core.events import AnomalyEvent, ServiceState
from gustbed_core.mqtt import Message, Session
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_edge.capture.capturer import Capturer
from gustbed_edge.capture.writer import CaptureWriter
from gustbed_edge.cloud.device_shadows import DeviceShadows
from gustbed_edge.events.tracker import EventTracker, Site
from gustbed_edge.ingest.legacy import LegacyReader
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import ReceiveQueue
from gustbed_edge.ingest.reader import BlockReader, check_size
from gustbed_edge.models.signatures import Keys
from gustbed_edge.models.store import Loaded, ModelStore, load_serving, load_shadow_models
from gustbed_edge.outbox.recorder import Recorder
from gustbed_edge.outbox.store import Outbox
from gustbed_edge.scoring.scorer import Scorer
from gustbed_edge.scoring.shadow_models import ShadowModels
from gustbed_edge.scoring.thread import ScoringThread
from gustbed_edge.scoring.type_scorer import DecisionOverrides
from gustbed_edge.settings import EdgeSettings

log = logging.getLogger(__name__)

SERVICE = "edge"
USER = "edge"


@dataclass(frozen=True)
class Models:
    """What was loaded at the start, by turbine type."""

    store: ModelStore
    serving: Mapping[str, Loaded]
    shadow_models: Mapping[str, Loaded]


@dataclass(frozen=True)
class SitePart:
    """Its members, stopped by whoever starts them."""

    outbox: Outbox
    session: Session
    recorder: Recorder
    pipeline: ScoringThread
    scorer: Scorer
    shadow_models: ShadowModels
    captures: CaptureWriter
    queue: ReceiveQueue
    quarantine: Quarantine
    device_shadows: DeviceShadows


def load_models(folder: Path, keys: Keys, factory: Path) -> Models:
    """Everything that the store and the factory have. Raises ``GustbedError``."""
    store = ModelStore(folder)
    serving = load_serving(store, keys, factory)
    return Models(store, serving, load_shadow_models(store, keys, serving))


def site_part(
    site: SiteSettings, mqtt: MqttSettings, settings: EdgeSettings, models: Models
) -> SitePart:
    """Make the members, none of them started yet. Raises ``GustbedError``."""
    outbox = Outbox(
        settings.data_dir,
        max_bytes=settings.outbox_max_bytes,
        max_rows=settings.outbox_max_rows,
        events_kept=settings.events_kept,
    )
    quarantine = Quarantine(settings.data_dir)
    queue = ReceiveQueue(settings.queue_limit)
    device_shadows = DeviceShadows(
        site.site, site.turbine_ids, lambda message: session.publish(message), quarantine.reject
    )
    session = _session(site, mqtt, settings, queue, quarantine, device_shadows)
    recorder = Recorder(outbox, lambda event: _announce(site, session, event))
    overrides = DecisionOverrides(settings.open_after, settings.close_after)
    tracker = EventTracker(Site(site.site, site.thing, site.turbine_ids))
    recorder.events(tracker.resume(outbox.open_events()))
    scorer = _scorer(site, settings, tracker, quarantine, overrides)
    shadow_models = ShadowModels(
        site.turbines, overrides=overrides, max_scoring_time=settings.max_scoring_time
    )
    _put_to_work(models, scorer, shadow_models)
    captures = CaptureWriter(
        settings.data_dir, recorder.captures, max_bytes_per_day=settings.capture_max_bytes_per_day
    )
    pipeline = ScoringThread(
        site.site,
        queue,
        scorer,
        shadow_models,
        _capturer(site, settings, scorer, captures),
        recorder,
        session.publish,
        turbines=site.turbine_ids,
        grace=settings.grace,
        telemetry_interval=settings.telemetry_interval,
    )
    return SitePart(
        outbox,
        session,
        recorder,
        pipeline,
        scorer,
        shadow_models,
        captures,
        queue,
        quarantine,
        device_shadows,
    )


def _put_to_work(models: Models, scorer: Scorer, shadow_models: ShadowModels) -> None:
    for kind, loaded in models.serving.items():
        scorer.serve(loaded.detector)
        log.info("%s %s serves type %s", loaded.release.name, loaded.release.version, kind)
    for kind, loaded in models.shadow_models.items():
        shadow_models.begin(loaded.detector)
        log.info(
            "%s %s runs in shadow of type %s", loaded.release.name, loaded.release.version, kind
        )


def state_message(site: SiteSettings, state: str) -> Message:
    """Birth (``online``) or last will, retained."""
    online = state == "online"
    payload = ServiceState(SERVICE, "online" if online else "offline", time.time())
    return Message(topics.state(site.site, SERVICE), codec.encode(payload), qos=1, retain=True)


def _session(
    site: SiteSettings,
    mqtt: MqttSettings,
    settings: EdgeSettings,
    queue: ReceiveQueue,
    quarantine: Quarantine,
    device_shadows: DeviceShadows,
) -> Session:
    def receive(topic: str, payload: bytes) -> None:
        try:
            check_size(payload)
        except PayloadError as error:
            quarantine.reject(topic, payload, error)
        else:
            queue.put(topic, payload)

    subscriptions = {
        topics.every("telemetry", site.site): receive,
        topics.every("reported", site.site): device_shadows.reported,
    }
    if settings.legacy_turbine is not None:
        subscriptions[topics.LEGACY_RAW] = receive
    return Session(
        mqtt,
        user=USER,
        client_id=f"gustbed-edge-{site.site}",
        subscriptions=subscriptions,
        will=state_message(site, "offline"),
        births=lambda: [state_message(site, "online")],
    )


def _scorer(
    site: SiteSettings,
    settings: EdgeSettings,
    tracker: EventTracker,
    quarantine: Quarantine,
    overrides: DecisionOverrides,
) -> Scorer:
    reader = BlockReader(
        site.site,
        site.turbine_ids,
        max_clock_ahead=settings.max_clock_ahead,
        max_clock_behind=settings.max_clock_behind,
    )
    return Scorer(
        site.turbine_ids,
        reader,
        tracker,
        quarantine,
        overrides=overrides,
        legacy=_legacy(site, settings.legacy_turbine),
        silent_after=settings.silent_after,
    )


def _capturer(
    site: SiteSettings, settings: EdgeSettings, scorer: Scorer, captures: CaptureWriter
) -> Capturer:
    # By the clock, so that after a restart it is not the first turbine's turn each time.
    turns = time.time() / settings.capture_interval if settings.capture_interval else 0.0
    return Capturer(
        site.turbine_ids,
        scorer,
        captures.put,
        interval=settings.capture_interval,
        seconds=settings.capture_seconds,
        first=int(turns % 1 * site.turbines),
    )


def _legacy(site: SiteSettings, turbine: str | None) -> LegacyReader | None:
    if turbine is None:
        return None
    if turbine not in site.turbine_ids:
        raise GustbedError(
            f"GUSTBED_EDGE_LEGACY_TURBINE={turbine}",
            f"choose one of {site.turbine_ids[0]} … {site.turbine_ids[-1]}",
        )
    return LegacyReader(turbine)


def _announce(site: SiteSettings, session: Session, event: AnomalyEvent) -> None:
    log.info(
        "%s on %s %s by %s, peak score %.2f",
        event.kind,
        event.turbine,
        event.change,
        ", ".join(event.signals),
        event.peak_score,
    )
    topic = topics.event(site.site, event.turbine)
    session.publish(Message(topic, codec.encode(event), qos=1))
