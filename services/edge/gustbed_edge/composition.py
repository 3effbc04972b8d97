"""The gateway, put together in one pass: whatever a part needs is there before it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from gustbed_core import codec, topics
from gustbed_core.events import AnomalyEvent, Heartbeat
from gustbed_core.mqtt import Handler, Live
from gustbed_core.settings import MqttSettings, SiteSettings, load
from gustbed_core.turbine_types import TurbineType, load_types
from gustbed_core.web_origin import HttpSettings
from gustbed_edge.capture.writer import CaptureWriter
from gustbed_edge.choosing import Plugged, choose, plug_in
from gustbed_edge.cloud.device_shadows import DeviceShadows
from gustbed_edge.cloud.ports import CLOUDS, Cloud, CloudContext, CloudListener
from gustbed_edge.events.mirrors import Mirrors
from gustbed_edge.events.owners import of_mirrors, of_workload
from gustbed_edge.events.tracker import Site
from gustbed_edge.guard import Guard, SinkWorker, WorkloadWorker
from gustbed_edge.ingest.places import BOOTS, SEQUENCES, Places
from gustbed_edge.ingest.quarantine import Quarantine
from gustbed_edge.ingest.queue import ReceiveQueue
from gustbed_edge.ingest.reader import BlockReader
from gustbed_edge.ingest.receiver import BlockReceiver
from gustbed_edge.jobs.job_log import JobLog
from gustbed_edge.jobs.runner import JobRunner
from gustbed_edge.models.installer import Installer, Limits
from gustbed_edge.models.loading import LoadedModels, load_models
from gustbed_edge.models.store import ModelStore
from gustbed_edge.models.update_operation import NAME as UPDATE_MODEL
from gustbed_edge.models.update_operation import UpdateContext
from gustbed_edge.outbox.outgoing import Outgoing, outgoing
from gustbed_edge.outbox.recorder import Recorder
from gustbed_edge.outbox.store import Outbox
from gustbed_edge.plugins import (
    INPUTS,
    JOB_OPERATIONS,
    SINKS,
    WORKLOADS,
    Input,
    InputContext,
    InputFactory,
    JobContext,
    JobOperation,
    OperationFactory,
    SinkContext,
    SinkFactory,
    Workload,
    WorkloadFactory,
)
from gustbed_edge.reporting.http_server import HealthServer, Views
from gustbed_edge.reporting.provider import StatusProvider
from gustbed_edge.reporting.providers import (
    CaptureStatus,
    CloudStatus,
    DiskStatus,
    IngestStatus,
    OutboxStatus,
    PluginStatus,
    TelemetryStatus,
)
from gustbed_edge.reporting.reporter import Reporter
from gustbed_edge.scoring.thread import ScoringThread
from gustbed_edge.settings import EdgeSettings
from gustbed_edge.sinks.cloud import NAME as CLOUD_SINK
from gustbed_edge.site_broker import SiteBroker
from gustbed_edge.workloads.telemetry import NAME as TELEMETRY
from gustbed_edge.workloads.telemetry import Telemetry, TelemetryContext

_decode_event = codec.decoder(AnomalyEvent)
STOP_SECONDS = 3.0
"""For what is being written or scored; less for what is taken up again at the next start."""
BRIEFLY = 1.0


@dataclass(frozen=True)
class Part:
    """Something that is started once, and stopped."""

    start: Callable[[], object]
    stop: Callable[[], object]


@dataclass(frozen=True)
class Gateway:
    """Everything, put together. ``parts`` are in the order of starting; stopped in the opposite
    order, what makes verdicts ends before what carries them away.
    """

    parts: tuple[Part, ...]
    broker: SiteBroker
    recorder: Recorder
    heartbeat: Callable[[], Heartbeat]
    http_port: int


@dataclass(frozen=True)
class _Base:
    """What depends on no plug-in but the cloud."""

    site: SiteSettings
    settings: EdgeSettings
    types: Mapping[str, TurbineType]
    cloud: Cloud
    broker: SiteBroker
    outgoing: Outgoing
    quarantine: Quarantine
    queue: ReceiveQueue
    receiver: BlockReceiver
    guards: list[Guard] = field(default_factory=list)


@dataclass(frozen=True)
class _Scoring:
    """The scoring thread with its workloads; ``workers`` call those that are not Gustbed's own."""

    thread: ScoringThread
    telemetry: Telemetry | None
    workers: tuple[WorkloadWorker, ...]


def compose(
    site: SiteSettings, mqtt: MqttSettings, settings: EdgeSettings, outbox: Outbox
) -> Gateway:
    """Make every part. Raises ``GustbedError`` if something needs a person."""
    base = _base(site, mqtt, settings, outbox)
    store = ModelStore(settings.data_dir / "models")
    keys = base.cloud.identity.trust().keys
    models = load_models(store, keys, settings.factory_dir, base.types)
    sinks, recorder = _recording(base)
    captures = CaptureWriter(
        settings.data_dir,
        recorder.captures,
        max_bytes_per_day=settings.capture_max_bytes_per_day,
        disk=outbox.disk,
    )
    scoring = _scoring(base, models, recorder, captures)
    inputs = _inputs(base)
    jobs = JobRunner(
        base.cloud.jobs, _operations(base, store, models, scoring), JobLog(settings.data_dir)
    )
    shadows = DeviceShadows(
        site.site,
        site.turbine_ids,
        base.broker.publish,
        base.quarantine.reject,
        base.cloud.shadows,
    )
    base.broker.subscribe(topics.every("reported", site.site), shadows.reported)
    commissioning = _commissioning(base, scoring)
    reporter = Reporter(site, _providers(base, models, scoring, recorder, captures, jobs, shadows))
    views, names = _views(recorder, reporter, site.fleet), load(HttpSettings).names
    http = HealthServer(settings.http_host, settings.http_port, views, names)
    listener = CloudListener(
        partial(_connected, base.outgoing, jobs, shadows), jobs.wake, shadows.delta
    )
    parts = (
        Part(http.start, http.stop),
        Part(base.quarantine.start, partial(base.quarantine.stop, BRIEFLY)),
        Part(base.broker.start, base.broker.stop),
        Part(partial(base.cloud.start, listener), base.cloud.stop),
        Part(base.outgoing.sender.start, partial(base.outgoing.sender.stop, STOP_SECONDS)),
        *(Part(sink.start, partial(sink.stop, BRIEFLY)) for sink in sinks),
        Part(recorder.start, partial(recorder.stop, STOP_SECONDS)),
        Part(captures.start, partial(captures.stop, BRIEFLY)),
        _mirrors(base, recorder),
        *(Part(worker.start, partial(worker.stop, BRIEFLY)) for worker in scoring.workers),
        *commissioning,
        Part(scoring.thread.start, scoring.thread.stop),
        *inputs,
        Part(jobs.start, partial(jobs.stop, BRIEFLY)),
        Part(shadows.start, partial(shadows.stop, BRIEFLY)),
    )
    return Gateway(parts, base.broker, recorder, reporter.heartbeat, http.port)


def open_cloud(site: SiteSettings, settings: EdgeSettings) -> Cloud:
    """The cloud that settings name, not connected. Raises ``GustbedError``."""
    factory = CLOUDS.load(settings.cloud)
    return factory(CloudContext(site.thing, settings.data_dir, settings.enrol_dir))


def _base(site: SiteSettings, mqtt: MqttSettings, settings: EdgeSettings, outbox: Outbox) -> _Base:
    cloud = open_cloud(site, settings)
    reader = BlockReader(
        site.site,
        site.turbine_ids,
        max_clock_ahead=settings.max_clock_ahead,
        max_clock_behind=settings.max_clock_behind,
    )
    quarantine = Quarantine(settings.data_dir, disk=outbox.disk)
    receiver = BlockReceiver(reader, quarantine)
    Places(site.turbine_ids, receiver.counters).resume(outbox.kept(BOOTS), outbox.kept(SEQUENCES))
    return _Base(
        site,
        settings,
        load_types(site.types_dir),
        cloud,
        SiteBroker(site, mqtt),
        outgoing(site, settings, outbox, cloud.uplink),
        quarantine,
        ReceiveQueue(settings.queue_limit),
        receiver,
    )


def _recording(base: _Base) -> tuple[list[SinkWorker], Recorder]:
    context = SinkContext(base.site, base.broker.publish, base.outgoing.sender.wake)

    def make(_name: str, factory: SinkFactory, guard: Guard) -> SinkWorker:
        return SinkWorker(factory(context), guard)

    names = choose(SINKS, base.settings.sinks)
    sinks = [each.plugin for each in plug_in(SINKS, names, make, base.guards).values()]

    def announce(event: AnomalyEvent) -> None:
        for sink in sinks:
            sink.put(event)

    return sinks, Recorder(
        base.outgoing.outbox,
        announce,
        events_go_up=CLOUD_SINK in names,
        stored=base.outgoing.sender.wake,
        kept=Places(base.site.turbine_ids, base.receiver.counters).kept,
    )


def _scoring(
    base: _Base, models: LoadedModels, recorder: Recorder, captures: CaptureWriter
) -> _Scoring:
    names = choose(WORKLOADS, base.settings.workloads)
    others = [name for name in names if name != TELEMETRY]
    before = base.outgoing.outbox.open_events()

    def checked(events: Iterable[AnomalyEvent]) -> None:
        # Here, where whoever made them is to blame, and not where others' events are written too.
        recorder.events([_decode_event(codec.encode(event)) for event in events])

    def make(name: str, factory: WorkloadFactory, _guard: Guard) -> Workload:
        return factory(
            TelemetryContext(
                base.site,
                recorder.events if name == TELEMETRY else checked,
                tuple(of_workload(name, before, others, rest=name == TELEMETRY)),
                base.broker.publish,
                name,
                base.settings,
                base.types,
                models,
                base.receiver.reader.requirements,
                recorder,
                base.outgoing.policy,
                captures.put,
                base.queue.__len__,
                base.quarantine.reject,
                base.outgoing.outbox.disk,
            )
        )

    made = plug_in(WORKLOADS, names, make, base.guards)
    workers = {
        name: WorkloadWorker(each.plugin, each.guard) for name, each in made.items() if not each.own
    }
    thread = ScoringThread(
        base.queue,
        base.receiver,
        [(workers.get(name, each.plugin), each.guard) for name, each in made.items()],
        enough=base.site.turbines,
        grace=base.settings.grace,
    )
    telemetry = made[TELEMETRY].plugin if TELEMETRY in made else None
    assert telemetry is None or isinstance(telemetry, Telemetry)  # noqa: S101 - the name is ours
    return _Scoring(thread, telemetry, tuple(workers.values()))


def _inputs(base: _Base) -> list[Part]:
    def rate_hz(turbine_type: str) -> float | None:
        required = base.receiver.reader.requirements.get(turbine_type)
        return required.rate_hz if required else None

    def make(name: str, factory: InputFactory, guard: Guard) -> Input | None:
        def subscribe(topic_filter: str, handler: Handler) -> None:
            def guarded(topic: str, payload: bytes) -> None:
                guard.call(handler, topic, payload)

            base.broker.subscribe(topic_filter, Live(guarded, base.quarantine.retained))

        def count(what: str) -> None:
            guard.counted[what] += 1

        return factory(
            InputContext(
                base.site,
                base.settings,
                partial(base.queue.put, name),
                base.queue.put,
                base.quarantine.reject,
                rate_hz,
                subscribe,
                count,
            )
        )

    names = choose(INPUTS, base.settings.inputs)
    return [_guarded(each) for each in plug_in(INPUTS, names, make, base.guards).values()]


def _mirrors(base: _Base, recorder: Recorder) -> Part:
    site = Site(base.site.site, base.site.thing, base.site.turbine_ids)
    before = of_mirrors(base.outgoing.outbox.open_events())
    made = Mirrors(site, recorder.events, base.quarantine.reject, before)
    for kind, handler in (("mirror", made.minute), ("mirror/event", made.event)):
        topic = topics.every(kind, site.site)
        base.broker.subscribe(topic, Live(handler, base.quarantine.retained))
    return Part(made.start, partial(made.stop, BRIEFLY))


def _commissioning(base: _Base, scoring: _Scoring) -> list[Part]:
    if scoring.telemetry is None:
        return []
    commissioner = scoring.telemetry.commissioner
    topic = topics.commission(base.site.site)
    base.broker.subscribe(topic, Live(commissioner.receive, base.quarantine.retained))
    return [Part(commissioner.start, partial(commissioner.stop, STOP_SECONDS))]


def _guarded(each: Plugged[Input]) -> Part:
    plugin, guard = each.plugin, each.guard
    return Part(lambda: guard.call(plugin.start), lambda: guard.call(plugin.stop, BRIEFLY))


def _operations(
    base: _Base, store: ModelStore, models: LoadedModels, scoring: _Scoring
) -> dict[str, JobOperation]:
    # Whoever may create jobs could start any of them: those of others only by name.
    names = choose(JOB_OPERATIONS, base.settings.job_operations, every=False)
    context = JobContext(base.site, base.settings.data_dir)
    if scoring.telemetry is not None:
        installer = Installer(
            store,
            serving=models.serving,
            shadow_models=models.shadow,
            trust=base.cloud.identity.trust,
            host=scoring.telemetry.host,
            limits=Limits(base.site.turbines, base.settings.max_scoring_time, base.types),
            scratch=base.settings.data_dir,
        )
        context = UpdateContext(base.site, base.settings.data_dir, installer)
    else:
        names = [name for name in names if name != UPDATE_MODEL]

    def make(_name: str, factory: OperationFactory, _guard: Guard) -> JobOperation:
        return factory(context)

    made = plug_in(JOB_OPERATIONS, names, make, base.guards)
    return {name: each.plugin for name, each in made.items()}


def _providers(
    base: _Base,
    models: LoadedModels,
    scoring: _Scoring,
    recorder: Recorder,
    captures: CaptureWriter,
    jobs: JobRunner,
    shadows: DeviceShadows,
) -> list[StatusProvider]:
    providers: list[StatusProvider] = [
        IngestStatus(base.queue, base.quarantine, scoring.thread, base.broker),
        DiskStatus(base.outgoing.outbox.disk, recorder),
        OutboxStatus(base.outgoing),
        CaptureStatus(captures),
        CloudStatus(base.cloud.uplink, jobs, shadows),
        PluginStatus(base.guards, scoring.thread),
    ]
    if scoring.telemetry is not None:
        providers.insert(1, TelemetryStatus(scoring.telemetry, base.receiver, models.missing))
    return providers


def _views(recorder: Recorder, reporter: Reporter, fleet: str) -> Views:
    return Views(
        health=reporter.health,
        status=reporter.status,
        models=reporter.models,
        commissioning=reporter.commissioning,
        events=recorder.events_since,
        metrics=reporter.metrics,
        fleet=fleet,
    )


def _connected(out: Outgoing, jobs: JobRunner, shadows: DeviceShadows) -> None:
    out.sender.connected()
    jobs.wake()
    shadows.connected()
