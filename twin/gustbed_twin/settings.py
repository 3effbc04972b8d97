"""The twin's settings, from ``GUSTBED_TWIN_*``."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from gustbed_core.codec import Encoding
from gustbed_core.settings import section

PREFIX = "GUSTBED_TWIN_"


class TwinSettings(BaseSettings):
    """What the twin simulates or replays, and how it publishes."""

    model_config = section(PREFIX)

    seed: int = Field(42, ge=0, description="same seed, same stream, bit for bit")
    rate_hz: int | None = Field(
        None, ge=1, le=100, description="samples per second; the type's own if not given"
    )
    interval_s: float = Field(
        0.5,
        gt=0,
        le=86_400,
        description="seconds of samples in a block; of a slower recording one sample",
    )
    wind_mean: float | None = Field(
        None, gt=0, le=60, description="mean wind in the type's unit; the type's own if not given"
    )
    turbulence: float = Field(0.15, ge=0, le=0.5, description="standard deviation over mean")
    variation: float = Field(
        0.0, ge=0, le=0.3, description="each turbine's constants are within 1 ± this of its type's"
    )
    type: str = Field("mini", description="turbine type: a name, or the path of its YAML file")
    wind_ms: float | None = Field(
        None, gt=0, le=60, description="the same as wind_mean, for types whose wind is in m/s"
    )
    direction: float | None = Field(
        None, ge=0, le=360, description="where the wind comes from, for types that can turn"
    )
    scenario: Path | None = Field(None, description="YAML: what happens to the farm")
    layout: Path | None = Field(None, description="YAML: where its turbines stand")
    wake: Literal["none", "jensen", "gauss"] = Field("none", description="wake model")
    shard: str = Field("1/1", description="i/N: simulate this part of the farm only")
    truth: bool = Field(False, description="publish what is really wrong")
    connection: Literal["each", "shared"] = Field(
        "each", description="a session per turbine (320 at most), or one for all"
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
    replay_rate_hz: float | None = Field(
        None, gt=0, le=100, description="samples per second in it; what it says itself, or 20"
    )
    replay_loop: bool = Field(True, description="start again at the recording's end")
    data_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / f"gustbed-twin-{os.getuid()}",
        description="where the heartbeat file lies",
    )
