"""Commands to turbines: checked, applied once by their id, and always answered."""

import logging
import math
from collections import OrderedDict
from pathlib import Path

import msgspec

from gustbed_core.codec import MAX_PAYLOAD_BYTES
from gustbed_core.commands import SCHEMA, Ack, Command, decode_command
from gustbed_core.errors import PayloadError
from gustbed_twin.checkpoints.writer import CheckpointResult, CheckpointWriter, Requester
from gustbed_twin.publisher.source import Source

log = logging.getLogger(__name__)

REMEMBERED = 1000
"""Answers kept per turbine, so that a repeated command is answered and not repeated."""
MAX_RAMP_S = 86_400.0
MAX_ID = 128


class CommandHandler:
    """Takes payloads addressed to turbines, by position, and applies them to the source."""

    def __init__(
        self, source: Source, turbine_ids: tuple[str, ...], writer: CheckpointWriter | None = None
    ) -> None:
        self._source = source
        self._writer = writer
        self._ids = turbine_ids
        self._answers: list[OrderedDict[str, Ack]] = [OrderedDict() for _ in turbine_ids]

    def handle(self, position: int, payload: bytes) -> Ack | None:
        """Apply one command. None if it has no readable id, or ``settle`` will answer it."""
        turbine = self._ids[position]
        try:
            command = decode_command(payload)
        except PayloadError as error:
            log.warning("%s: command refused: %s: %s", turbine, error.reason, error.detail)
            command_id = _id_of(payload)
            if command_id is None:
                return None
            return Ack(command_id, turbine, accepted=False, reason=f"{error.reason}: {error}")
        if not 0 < len(command.id) <= MAX_ID:
            log.warning("%s: command refused: its id has %d characters", turbine, len(command.id))
            return None
        known = self._answers[position].get(command.id)
        if known or command.action != "checkpoint" or self._writer is None or _fault_in(command):
            return known or self._remember(position, self._apply(position, command))
        asked = Requester(position, command.id)
        if not self._writer.is_asked(asked):
            self._writer.ask(asked)
        return None

    def settle(self, kept: CheckpointResult, path: Path) -> list[tuple[int, Ack]]:
        """The answers to those who asked for a checkpoint, with their turbines' positions."""
        answers = []
        for asked in kept.askers:
            turbine = self._ids[asked.position]
            log.info("%s: checkpoint: %s", turbine, kept.reason or path)
            file = "" if kept.reason else str(path)
            ack = Ack(asked.command, turbine, not kept.reason, kept.reason, file=file)
            answers.append((asked.position, self._remember(asked.position, ack)))
        return answers

    def _apply(self, position: int, command: Command) -> Ack:
        turbine = self._ids[position]
        reason = _fault_in(command)
        if reason:
            log.warning("%s: command %s refused: %s", turbine, command.id, reason)
            return Ack(command.id, turbine, accepted=False, reason=reason)
        reason = self._do(position, command)
        if reason:
            log.warning("%s: command %s refused: %s", turbine, command.id, reason)
            return Ack(command.id, turbine, accepted=False, reason=reason)
        kind = command.fault or command.kind
        if command.action not in ("inject", "clear"):
            log.info("%s: %s %s", turbine, command.action, _text(command.value))
            return Ack(command.id, turbine, accepted=True)
        log.info(
            "%s: %s %s, severity %g, ramp %g s",
            turbine,
            command.action,
            kind or "all faults",
            command.severity if command.action == "inject" else 0.0,
            command.ramp,
        )
        return Ack(command.id, turbine, accepted=True)

    def _do(self, position: int, command: Command) -> str:
        """Apply; why it is refused, or nothing."""
        source, kind = self._source, command.fault or command.kind
        if command.action == "checkpoint":
            return "a recording has no state to write: play it again instead"
        if command.action == "inject":
            return source.inject(
                position, str(kind), command.severity, command.ramp, command.signal
            )
        if command.action == "clear":
            return source.clear(position, kind, command.ramp)
        return source.control(position, command.action, command.value)

    def _remember(self, position: int, ack: Ack) -> Ack:
        answers = self._answers[position]
        answers[ack.id] = ack
        while len(answers) > REMEMBERED:
            answers.popitem(last=False)
        return ack


def _fault_in(command: Command) -> str:
    if command.schema != SCHEMA:
        return f"schema {command.schema}, this release reads {SCHEMA}"
    if command.action == "inject" and command.kind is None and not command.fault:
        return "inject needs a kind"
    if not 0.0 <= command.severity <= 1.0:
        return f"severity {command.severity} is not from 0 to 1"
    if not (math.isfinite(command.ramp) and 0.0 <= command.ramp <= MAX_RAMP_S):
        return f"ramp {command.ramp} is not from 0 to {MAX_RAMP_S:.0f} s"
    if command.value is not None and not math.isfinite(command.value):
        return f"value {command.value} is not finite"
    return ""


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _id_of(payload: bytes) -> str | None:
    """The id of a command that is wrong otherwise, so that its sender learns why."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        return None
    decode = msgspec.json.decode if payload[:1] == b"{" else msgspec.msgpack.decode
    try:
        fields = decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    found = fields.get("id") if isinstance(fields, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID else None
