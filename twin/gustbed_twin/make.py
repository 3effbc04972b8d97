"""What a running twin publishes: a miniature farm, a recording, or a utility-scale farm."""

from dataclasses import dataclass
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings
from gustbed_core.telemetry import MINI
from gustbed_twin.delivery import Delays
from gustbed_twin.farm import Farm
from gustbed_twin.mini_checkpoint import load_mini
from gustbed_twin.parquet_recording import is_parquet, read_parquet
from gustbed_twin.recording import Recording, read_recording
from gustbed_twin.replay import Replay
from gustbed_twin.settings import PREFIX, TwinSettings
from gustbed_twin.shards import parse_shard, shard_of
from gustbed_twin.source import Simulation, Source
from gustbed_twin.turbine_types import MiniType, UtilityType, load_type
from gustbed_twin.wind import WindConfig


@dataclass(frozen=True)
class Made:
    """A source, whose turbines it gives, and how their blocks travel."""

    source: Source
    turbine_ids: tuple[str, ...]
    delays: Delays = Delays()  # noqa: RUF009 - frozen, so sharing it is safe


def make_source(settings: TwinSettings, site: SiteSettings) -> Made:
    """Check everything that the settings name, then build. Raises ``GustbedError``."""
    shard = parse_shard(f"{PREFIX}SHARD", settings.shard)
    indices = shard_of(site.turbines, shard)
    ids = tuple(site.turbine_ids[index] for index in indices)
    if not ids:
        raise GustbedError(f"{PREFIX}SHARD {settings.shard}: no turbine", "use fewer shards")
    if settings.replay is not None:
        _refuse(settings, "a recording", "scenario", "layout", "checkpoint")
        return Made(_replay(settings, settings.replay, len(ids)), ids)
    kind = load_type(settings.type)
    if isinstance(kind, MiniType):
        _refuse(settings, f"type {kind.name}", "scenario", "layout")
        return Made(
            Simulation(_mini(settings, kind, tuple(indices)), settings.samples, kind.name), ids
        )
    return _utility(settings, site, kind, shard, ids)


def _refuse(settings: TwinSettings, what: str, *names: str) -> None:
    usual = TwinSettings.model_fields
    for name in names:
        if getattr(settings, name) != usual[name].default:
            raise GustbedError(f"{PREFIX}{name.upper()}: {what} takes none", "leave it out")


def _replay(settings: TwinSettings, path: Path, turbines: int) -> Source:
    read = read_parquet(path) if is_parquet(path) else Recording(read_recording(path))
    if settings.type not in (MINI, read.type):
        raise GustbedError(
            f"{PREFIX}TYPE is {settings.type}", f"{path} is of type {read.type}: leave it out"
        )
    if settings.legacy is not None and read.type != MINI:
        raise GustbedError(
            f"{PREFIX}LEGACY: {path} is of type {read.type}", f"only {MINI} speaks it: leave it out"
        )
    if read.rate_hz not in (None, settings.replay_rate_hz):
        raise GustbedError(
            f"{PREFIX}REPLAY_RATE_HZ is {settings.replay_rate_hz:g}",
            f"{path} was taken at {read.rate_hz:g} Hz",
        )
    return Replay(
        read,
        turbines=turbines,
        samples=settings.samples,
        rate_hz=settings.sample_rate_hz,
        loop=settings.replay_loop,
        seed=settings.seed,
    )


def _mini(settings: TwinSettings, kind: MiniType, indices: tuple[int, ...]) -> Farm:
    path = settings.checkpoint
    if path is None or not path.exists():
        wind = WindConfig(settings.wind_mean, settings.turbulence)
        return Farm(settings.seed, indices, wind, settings.rate_hz, kind.machine)
    farm = load_mini(path)
    if (farm.indices, farm.seed, farm.rate_hz) != (indices, settings.seed, settings.rate_hz):
        raise _of_another_farm(path)
    return farm


def _of_another_farm(path: Path) -> GustbedError:
    return GustbedError(f"{path}: of another farm", "name another file, or remove it")


def _utility(
    settings: TwinSettings,
    site: SiteSettings,
    kind: UtilityType,
    shard: tuple[int, int],
    ids: tuple[str, ...],
) -> Made:
    # Imported here: a twin of miniatures needs no compiler.
    from gustbed_twin.utility.assembly import Plan, assemble
    from gustbed_twin.utility.checkpoint import Since, load_farm, load_since
    from gustbed_twin.utility.site import Conditions
    from gustbed_twin.utility.source import UtilitySource

    if settings.rate_hz != kind.rate_hz:
        raise GustbedError(
            f"{PREFIX}RATE_HZ is {settings.rate_hz}", f"type {kind.name} runs at {kind.rate_hz}"
        )
    conditions = Conditions(
        mean=settings.wind_ms, turbulence=settings.turbulence, direction=settings.direction
    )
    made = assemble(
        Plan(
            kind, site.turbines, settings.seed, conditions, settings.scenario, settings.layout,
            settings.wake, shard,
        )
    )  # fmt: skip
    since: Since = {}
    if settings.checkpoint is not None and settings.checkpoint.exists():
        farm = load_farm(settings.checkpoint)
        if (farm.indices, farm.seed) != (made.farm.indices, settings.seed):
            raise _of_another_farm(settings.checkpoint)
        made, since = made.resumed(farm), load_since(settings.checkpoint)
    late_blocks = max(1, round(made.delivery.late_s / settings.interval_s))
    delays = Delays(made.delivery.late, late_blocks, made.delivery.twice, made.delivery.lost)
    # Compiled before the first block is due, not while it is late.
    made.farm.fork().advance(1)
    source = UtilitySource(made, ids, settings.samples, since)
    return Made(source, ids, delays)
