"""The twin's settings, from ``GUSTBED_TWIN_*``."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from gustbed_core.codec import Encoding
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings, section
from gustbed_core.telemetry import MINI
from gustbed_twin.shards import parse_shard

PREFIX = "GUSTBED_TWIN_"


class TwinSettings(BaseSettings):
    """What the twin simulates or replays, and how it publishes."""

    model_config = section(PREFIX)

    seed: int = Field(42, ge=0, description="same seed, same stream, bit for bit")
    rate_hz: int = Field(20, ge=1, le=100, description="samples per second")
    interval_s: float = Field(0.5, gt=0, le=10, description="seconds of samples in a block")
    wind_mean: float = Field(2.15, gt=0, le=10, description="anemometer rev/s")
    turbulence: float = Field(0.15, ge=0, le=0.5, description="standard deviation over mean")
    type: str = Field("mini", description="turbine type: a name, or the path of its YAML file")
    wind_ms: float = Field(10.0, gt=0, le=60, description="mean wind of a utility type, m/s")
    direction: float = Field(270.0, ge=0, le=360, description="where that wind comes from")
    scenario: Path | None = Field(None, description="YAML: what happens to a utility farm")
    layout: Path | None = Field(None, description="YAML: where its turbines stand")
    wake: Literal["none", "jensen", "gauss"] = Field("none", description="wake model")
    shard: str = Field("1/1", description="i/N: simulate this part of the farm only")
    truth: bool = Field(False, description="publish what is really wrong")
    connection: Literal["each", "shared"] = Field(
        "each", description="a session per turbine, or one for all"
    )
    checkpoint: Path | None = Field(None, description="resume from it, keep it up to date")
    checkpoint_every_s: float = Field(
        30.0, ge=0, le=86_400, description="real seconds between checkpoints; 0: when stopping"
    )
    speed: float = Field(1.0, ge=0.01, le=10_000, description="farm time over real time")
    encoding: Encoding = Field(Encoding.JSON, description="json or msgpack")
    legacy: str | None = Field(None, description="turbine that also speaks the legacy record")
    legacy_rate_hz: int = Field(20, ge=1, le=100, description="legacy records per second")
    replay: Path | None = Field(None, description="CSV or Parquet to replay instead")
    replay_rate_hz: float = Field(20.0, gt=0, le=100, description="samples per second in it")
    replay_loop: bool = Field(True, description="start again at the recording's end")
    data_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / f"gustbed-twin-{os.getuid()}",
        description="where the heartbeat file lies",
    )

    @property
    def sample_rate_hz(self) -> float:
        """Samples per second of what is published."""
        return float(self.rate_hz) if self.replay is None else self.replay_rate_hz

    @property
    def samples(self) -> int:
        """Samples in a block."""
        return round(self.interval_s * self.sample_rate_hz)


def check(settings: TwinSettings, site: SiteSettings) -> None:
    """Raise ``GustbedError`` naming the variables that do not go together."""
    rate = PREFIX + ("RATE_HZ" if settings.replay is None else "REPLAY_RATE_HZ")
    samples = settings.interval_s * settings.sample_rate_hz
    if settings.samples < 1 or abs(samples - settings.samples) > 1e-6:
        raise GustbedError(
            f"{PREFIX}INTERVAL_S times {rate} is {samples:g} samples",
            "make it a whole number, at least 1",
        )
    parse_shard(f"{PREFIX}SHARD", settings.shard)
    if settings.legacy is None:
        return
    if settings.type != MINI and settings.replay is None:
        raise GustbedError(f"{PREFIX}LEGACY: only the {MINI} turbine speaks it", "leave it out")
    if settings.legacy not in site.turbine_ids:
        raise GustbedError(
            f"{PREFIX}LEGACY: no turbine {settings.legacy!r}",
            f"the site has {site.turbine_ids[0]} to {site.turbine_ids[-1]}",
        )
    every = settings.sample_rate_hz / settings.legacy_rate_hz
    if every < 1 or every != round(every):
        raise GustbedError(
            f"{PREFIX}LEGACY_RATE_HZ is {settings.legacy_rate_hz}",
            f"{settings.sample_rate_hz:g} Hz must be a multiple of it",
        )
