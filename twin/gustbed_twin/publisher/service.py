"""``run``: blocks leave for the site broker in real time, commands come back."""

import logging
import os
import queue
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from uuid import uuid4

from gustbed_core import legacy
from gustbed_core.errors import PayloadError
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_core.telemetry import Samples
from gustbed_core.turbine_state import decode_desired
from gustbed_twin.checkpoints.writer import CheckpointResult, CheckpointWriter
from gustbed_twin.publisher.build import BuiltSource, build_source
from gustbed_twin.publisher.commands import CommandHandler
from gustbed_twin.publisher.farm_source import FarmSource
from gustbed_twin.publisher.health import (
    Health,
    health_file,
    open_data_dir,
    remove_health,
    write_health,
)
from gustbed_twin.publisher.impairment import Impairment
from gustbed_twin.publisher.pacing import Clocks, Pacer, phases
from gustbed_twin.publisher.sessions import Fleet, Publisher
from gustbed_twin.publisher.source import Source, Step
from gustbed_twin.settings import TwinSettings
from gustbed_twin.shards import suffix

log = logging.getLogger(__name__)

CONNECT_WITHIN_S = 10.0
"""Seconds that the first block waits for the broker; after that, turbines queue."""
REPORT_EVERY_S = 60.0
HEALTH_EVERY_S = 1.0
INBOX = 1000
FREE_MEMORY_BYTES = 729
_MILLIS_WRAP = 2**32

Inbox = queue.Queue[tuple[int, str, bytes]]
"""Turbine's position, ``command`` or ``desired``, payload."""


@dataclass
class Stream:
    """A turbine's place in its own signal. ``boot`` changes when the signal begins anew.

    ``phase``: seconds that its blocks come after the farm's.
    """

    turbine: str
    boot: str
    phase: float = 0.0
    seq: int = 0
    sample: int = 0


@dataclass
class Counts:
    """Since the start."""

    blocks: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Service:
    """What a running twin is made of."""

    settings: TwinSettings
    site: SiteSettings
    built: BuiltSource
    publisher: Publisher
    inbox: Inbox
    stop: threading.Event
    impairment: Impairment
    writer: CheckpointWriter | None = None
    clocks: Clocks = field(default_factory=Clocks)
    counts: Counts = field(default_factory=Counts)


def run(settings: TwinSettings, site: SiteSettings, mqtt: MqttSettings) -> None:
    """Run until SIGTERM, SIGINT or the recording's end. Raises ``GustbedError``."""
    open_data_dir(settings.data_dir)
    built = build_source(settings, site)
    inbox: Inbox = queue.Queue(maxsize=max(INBOX, 4 * site.turbines))
    publisher = Publisher(
        mqtt,
        Fleet(site.site, built.turbine_ids, settings.connection == "shared"),
        encoding=settings.encoding,
        on_message=lambda *message: _receive(inbox, *message),
        legacy=settings.legacy in built.turbine_ids,
    )
    stop = _stop_on_signals()
    log.info("%s of %s, %s", _own(settings, site, built), site.site, _describe(settings, built))
    impairment = Impairment(publisher.publish, built.shares, settings.seed)
    writer = _checkpoint_writer(settings, built.source, f"{site.site}{suffix(settings.shard)}")
    service = Service(settings, site, built, publisher, inbox, stop, impairment, writer)
    with publisher:
        serve(service)
    if settings.checkpoint is not None and isinstance(built.source, FarmSource):
        built.source.snapshot()(settings.checkpoint)
    elif writer is not None:
        writer.path.unlink(missing_ok=True)
    remove_health(health_file(settings.data_dir, site.site, settings.shard))
    log.info("stopped")


def serve(service: Service) -> None:
    """Publish block after block until told to stop, or the source ends."""
    _wait_connected(service)
    service.publisher.announce()
    commands = CommandHandler(service.built.source, service.built.turbine_ids, service.writer)
    boot = str(uuid4())
    names = service.built.turbine_ids
    delays = phases(len(names), service.built.interval_s, service.settings.speed)
    streams = [Stream(name, boot, delay) for name, delay in zip(names, delays, strict=True)]
    pacer = Pacer(service.built.interval_s, service.clocks, service.settings.speed)
    health_due, report_due = 0.0, service.clocks.monotonic() + REPORT_EVERY_S
    while not service.stop.wait(min(waiting := pacer.wait(), HEALTH_EVERY_S)):
        if waiting > HEALTH_EVERY_S:
            # Between blocks of minutes, too, it lives and answers.
            _handle_inbox(service, commands)
            _write_health(service)
            continue
        note = pacer.settle()
        if note:
            log.warning("%s", note)
        _handle_inbox(service, commands)
        if service.writer is not None:
            writer = service.writer
            _settle_checkpoint(service, commands, writer.path, writer.look())
        step = service.built.source.step()
        if step is None:
            log.info("the recording has ended")
            return
        _publish(service, streams, step, pacer)
        _publish_states(service, pacer.t0)
        pacer.next()
        now = service.clocks.monotonic()
        if now >= health_due:
            health_due = now + HEALTH_EVERY_S
            _write_health(service)
        if now >= report_due:
            report_due = now + REPORT_EVERY_S
            _report(service)
    if service.writer is not None:
        writer = service.writer
        _settle_checkpoint(service, commands, writer.path, writer.close())


def _checkpoint_writer(
    settings: TwinSettings, source: Source, name: str
) -> CheckpointWriter | None:
    """None if the source has no state. Without a file of its own, it writes only when asked."""
    if not isinstance(source, FarmSource):
        return None
    # By process: others on this machine may simulate a site of the same name.
    path = settings.checkpoint or settings.data_dir / f"{name}.{os.getpid()}.checkpoint.npz"
    every_s = settings.checkpoint_every_s if settings.checkpoint is not None else 0.0
    return CheckpointWriter(source.snapshot, path.resolve(), every_s, time.monotonic)


def _settle_checkpoint(
    service: Service, commands: CommandHandler, path: Path, done: CheckpointResult | None
) -> None:
    if done is None:
        return
    if done.reason and not done.askers:
        log.warning("checkpoint: %s", done.reason)
    for position, ack in commands.settle(done, path):
        service.publisher.acknowledge(position, ack)


def _receive(inbox: Inbox, position: int, kind: str, payload: bytes) -> None:
    try:
        inbox.put_nowait((position, kind, payload))
    except queue.Full:
        log.warning("too many commands at once: one was not taken")


def _wait_connected(service: Service) -> None:
    deadline = service.clocks.monotonic() + CONNECT_WITHIN_S
    while not service.publisher.ready:
        if service.clocks.monotonic() > deadline:
            log.warning(
                "%d of %d turbines connected: starting, the others queue their blocks",
                service.publisher.connected,
                len(service.built.turbine_ids),
            )
            return
        if service.stop.wait(0.02):
            return
    log.info("all %d turbines connected", len(service.built.turbine_ids))


def _handle_inbox(service: Service, commands: CommandHandler) -> None:
    # No more than what was there: a flood of commands must not hold the blocks back.
    for _ in range(service.inbox.qsize()):
        position, kind, payload = service.inbox.get_nowait()
        if kind == "desired":
            _take_desired(service, position, payload)
            continue
        ack = commands.handle(position, payload)
        if ack is not None:
            service.publisher.acknowledge(position, ack)


def _take_desired(service: Service, position: int, payload: bytes) -> None:
    turbine = service.built.turbine_ids[position]
    if not payload:
        return
    if not isinstance(service.built.source, FarmSource):
        log.warning("%s: desired state refused: this turbine takes none", turbine)
        return
    try:
        refused = service.built.source.take_desired(position, decode_desired(payload))
    except PayloadError as error:
        refused = f"{error.reason}: {error.detail}"
    if refused:
        log.warning("%s: desired state refused: %s", turbine, refused)


def _publish_states(service: Service, t: float) -> None:
    """Publish the reported states and truths that changed."""
    source = service.built.source
    if not isinstance(source, FarmSource):
        return
    places = {name: position for position, name in enumerate(service.built.turbine_ids)}
    for reported in source.changed_reports():
        service.publisher.report(places[reported.turbine], reported)
    if service.settings.truth:
        for truth in source.changed_truths(t):
            service.publisher.publish_truth(places[truth.turbine], truth)


def _publish(service: Service, streams: list[Stream], step: Step, pacer: Pacer) -> None:
    dt = 1.0 / service.built.rate_hz
    service.impairment.next_round()
    for position, (stream, values) in enumerate(zip(streams, step.values, strict=True)):
        if stream.phase and (waiting := pacer.wait(stream.phase)):
            service.stop.wait(waiting)
        t0 = round(pacer.t0 + stream.phase, 6)
        if position in step.restarted:
            stream.boot, stream.seq, stream.sample = str(uuid4()), 0, 0
        samples = Samples(
            stream.turbine, stream.boot, stream.seq, t0, dt, values, step.type, step.names
        )
        if not service.impairment.publish(position, samples):
            service.counts.dropped += 1
        if stream.turbine == service.settings.legacy:
            _publish_records(service, stream, samples)
        stream.seq += 1
        stream.sample += values.shape[1]
        service.counts.blocks += 1


def _publish_records(service: Service, stream: Stream, samples: Samples) -> None:
    every = round(service.built.rate_hz / service.settings.legacy_rate_hz)
    rows = samples.values[[samples.names.index(name) for name in legacy.CHANNELS]]
    for offset, sample in enumerate(rows.T):
        number = stream.sample + offset
        if number % every == 0:
            millis = round(number * samples.dt * 1000) % _MILLIS_WRAP
            named = legacy.sample_as_mapping(sample)
            record = legacy.format_record(millis, FREE_MEMORY_BYTES, named)
            service.publisher.publish_record(record)


def _write_health(service: Service) -> None:
    publisher = service.publisher
    settings = service.settings
    path = health_file(settings.data_dir, service.site.site, settings.shard)
    health = Health(
        t=time.time(),
        site=service.site.site,
        pid=os.getpid(),
        turbines=len(service.built.turbine_ids),
        connected=publisher.connected,
        online=publisher.online,
        blocks=service.counts.blocks,
        dropped=service.counts.dropped,
    )
    try:
        write_health(path, health)
    except OSError as error:
        # The turbines go on; whoever watches the file sees it grow old.
        log.warning("%s: %s", path, error.strerror)


def _report(service: Service) -> None:
    log.info(
        "%d blocks, %d dropped, %d of %d turbines connected",
        service.counts.blocks,
        service.counts.dropped,
        service.publisher.connected,
        len(service.built.turbine_ids),
    )


def _own(settings: TwinSettings, site: SiteSettings, built: BuiltSource) -> str:
    own = len(built.turbine_ids)
    if settings.shard == "1/1":
        return f"{own} turbines"
    return f"{own} of {site.turbines} turbines (shard {settings.shard})"


def _describe(settings: TwinSettings, built: BuiltSource) -> str:
    if settings.replay is not None:
        return f"replaying {settings.replay} at {built.rate_hz:g} Hz"
    return f"{settings.type}, seed {settings.seed}, {built.rate_hz:g} Hz"


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop
