"""What a running twin publishes, from its settings: a simulated farm, or a recording."""

from dataclasses import dataclass
from pathlib import Path

from gustbed_core import legacy
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings
from gustbed_core.turbine_types import TurbineType, load_type
from gustbed_twin.checkpoints.farm import load_farm_of, load_since
from gustbed_twin.physics.model import FarmPlan
from gustbed_twin.physics.registry import physics_of
from gustbed_twin.publisher.farm_source import FarmSource
from gustbed_twin.publisher.impairment import ImpairmentShares
from gustbed_twin.publisher.replay import Replay
from gustbed_twin.publisher.source import Source
from gustbed_twin.recordings.parquet import is_parquet, read_parquet
from gustbed_twin.recordings.recording import Recording
from gustbed_twin.recordings.text import read_recording
from gustbed_twin.scenarios.build import build_farm
from gustbed_twin.settings import PREFIX, TwinSettings
from gustbed_twin.shards import parse_shard, shard_of
from gustbed_twin.wind.request import Wind

_ROUNDED = 1e-3
"""So much may a setting be rounded: ten minutes are 0.0016667 Hz."""
_USUAL_RATE_HZ = 20.0
_VARIABLES = {"wind.mean": "WIND_MEAN", "wind.direction": "DIRECTION", "layout": "LAYOUT",
              "wake": "WAKE"}  # fmt: skip
"""What a physics model may refuse, and the setting that asked for it."""


@dataclass(frozen=True)
class BuiltSource:
    """A source, whose turbines it gives, and how its blocks travel.

    ``channels`` are the columns of its blocks, ``samples`` their length.
    """

    source: Source
    turbine_ids: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float
    samples: int
    shares: ImpairmentShares = ImpairmentShares()  # noqa: RUF009 - frozen, so sharing it is safe

    @property
    def interval_s(self) -> float:
        """Seconds of samples in a block."""
        return self.samples / self.rate_hz


def build_source(settings: TwinSettings, site: SiteSettings) -> BuiltSource:
    """Check everything that the settings name, then build. Raises ``GustbedError``."""
    shard = parse_shard(f"{PREFIX}SHARD", settings.shard)
    ids = tuple(site.turbine_ids[index] for index in shard_of(site.turbines, shard))
    if not ids:
        raise GustbedError(f"{PREFIX}SHARD {settings.shard}: no turbine", "use fewer shards")
    try:
        turbine_type = load_type(settings.type, site.types_dir)
    except GustbedError as error:
        raise GustbedError(f"{PREFIX}TYPE: {error.what}", error.remedy) from error
    if settings.replay is not None:
        _refuse(settings, "a recording", "scenario", "layout", "checkpoint", "variation")
        built = _replay(settings, settings.replay, turbine_type, ids)
    else:
        built = _simulation(settings, site, turbine_type, shard, ids)
    _check_legacy(settings, site, built)
    return built


def _refuse(settings: TwinSettings, what: str, *names: str) -> None:
    for name in names:
        if getattr(settings, name) != _usual(name):
            raise GustbedError(f"{PREFIX}{name.upper()}: {what} takes none", "leave it out")


def _usual(name: str) -> object:
    return TwinSettings.model_fields[name].default


def _samples(settings: TwinSettings, variable: str, rate_hz: float) -> int:
    samples = settings.interval_s * rate_hz
    if round(samples) < 1 or abs(samples / round(samples) - 1) > _ROUNDED:
        raise GustbedError(
            f"{PREFIX}INTERVAL_S times {PREFIX}{variable} is {samples:g} samples",
            "make it a whole number, at least 1",
        )
    return round(samples)


def _check_legacy(settings: TwinSettings, site: SiteSettings, built: BuiltSource) -> None:
    if settings.legacy is None:
        return
    missing = [name for name in legacy.CHANNELS if name not in built.channels]
    if missing:
        raise GustbedError(
            f"{PREFIX}LEGACY: the record needs channels that are not there: {missing[0]}",
            "leave it out",
        )
    if settings.legacy not in site.turbine_ids:
        raise GustbedError(
            f"{PREFIX}LEGACY: no turbine {settings.legacy!r}",
            f"the site has {site.turbine_ids[0]} to {site.turbine_ids[-1]}",
        )
    every = built.rate_hz / settings.legacy_rate_hz
    if every < 1 or every != round(every):
        raise GustbedError(
            f"{PREFIX}LEGACY_RATE_HZ is {settings.legacy_rate_hz}",
            f"{built.rate_hz:g} Hz must be a multiple of it",
        )


def _replay(
    settings: TwinSettings, path: Path, turbine_type: TurbineType, ids: tuple[str, ...]
) -> BuiltSource:
    read = read_parquet if is_parquet(path) else read_recording
    recording = read(path, turbine_type)
    if settings.type != _usual("type") and recording.type != turbine_type.name:
        raise GustbedError(
            f"{PREFIX}TYPE is {settings.type}", f"{path} is of type {recording.type}: leave it out"
        )
    rate_hz = _replay_rate(settings, path, recording)
    if "interval_s" not in settings.model_fields_set and settings.interval_s * rate_hz < 1:
        samples = 1
    else:
        samples = _samples(settings, "REPLAY_RATE_HZ", rate_hz)
    replay = Replay(
        recording,
        turbines=len(ids),
        samples=samples,
        rate_hz=rate_hz,
        loop=settings.replay_loop,
        seed=settings.seed,
    )
    return BuiltSource(replay, ids, recording.names, rate_hz, samples)


def _replay_rate(settings: TwinSettings, path: Path, recording: Recording) -> float:
    """Samples per second: what the recording says, which the setting must not contradict."""
    asked, own = settings.replay_rate_hz, recording.rate_hz
    if asked is None or own is None:
        return asked or own or _USUAL_RATE_HZ
    if abs(asked / own - 1) > _ROUNDED:
        raise GustbedError(
            f"{PREFIX}REPLAY_RATE_HZ is {asked:g}",
            f"{path} was taken at {own:g} Hz: leave it out",
        )
    return own


def _simulation(
    settings: TwinSettings,
    site: SiteSettings,
    turbine_type: TurbineType,
    shard: tuple[int, int],
    ids: tuple[str, ...],
) -> BuiltSource:
    physics = physics_of(turbine_type)
    mean = settings.wind_ms if settings.wind_mean is None else settings.wind_mean
    wind = Wind(mean=mean, turbulence=settings.turbulence, direction=settings.direction)
    plan = FarmPlan(
        site.turbines, settings.seed, wind, settings.layout, settings.wake, shard, settings.rate_hz,
        settings.variation,
    )  # fmt: skip
    try:
        rate_hz = physics.rate(settings.rate_hz)
    except GustbedError as error:
        raise GustbedError(f"{PREFIX}RATE_HZ is {settings.rate_hz}", error.remedy) from error
    samples = _samples(settings, "RATE_HZ", rate_hz)
    try:
        built = build_farm(physics, plan, settings.scenario)
    except GustbedError as error:
        key = error.what.split(":")[0].split(" ")[0]
        if key not in _VARIABLES:
            raise
        raise GustbedError(
            error.what.replace(key, f"{PREFIX}{_VARIABLES[key]}", 1), error.remedy
        ) from error
    since = {}
    if settings.checkpoint is not None and settings.checkpoint.exists():
        farm = load_farm_of(settings.checkpoint, turbine_type)
        asked_for = (tuple(plan.indices), plan.seed, rate_hz, plan.variation)
        if (farm.indices, farm.seed, farm.rate_hz, farm.variation) != asked_for:
            raise GustbedError(
                f"{settings.checkpoint}: of another farm", "name another file, or remove it"
            )
        built, since = built.resumed(farm), load_since(settings.checkpoint)
    # What is compiled is so before the first block is due, not while it is late.
    built.farm.fork().advance(1)
    asked = built.scenario.delivery
    late_blocks = max(1, round(asked.late_s / settings.interval_s))
    shares = ImpairmentShares(asked.late, late_blocks, asked.twice, asked.lost)
    source = FarmSource(built, ids, samples, since)
    return BuiltSource(source, ids, turbine_type.channel_names, rate_hz, samples, shares)
