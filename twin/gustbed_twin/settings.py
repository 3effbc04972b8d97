"""The twin's settings, from ``GUSTBED_TWIN_*``."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from gustbed_protocol.codec import Encoding
from gustbed_protocol.settings import section


class TwinSettings(BaseSettings):
    """What the twin simulates or replays, and how it publishes."""

    model_config = section("GUSTBED_TWIN_")

    seed: int = Field(42, ge=0, description="same seed, same stream, bit for bit")
    rate_hz: int = Field(20, ge=1, le=100, description="samples per second")
    interval_s: float = Field(0.5, gt=0, le=10, description="seconds of samples in a block")
    wind_mean: float = Field(2.15, gt=0, le=10, description="anemometer rev/s")
    turbulence: float = Field(0.15, ge=0, le=0.5, description="standard deviation over mean")
    encoding: Encoding = Field(Encoding.JSON, description="json or msgpack")
    legacy: str | None = Field(None, description="turbine that also speaks the legacy record")
    legacy_rate_hz: int = Field(20, ge=1, le=100, description="legacy records per second")
    replay: Path | None = Field(None, description="recording to replay instead of simulating")
    replay_rate_hz: float = Field(20.0, gt=0, le=100, description="samples per second in it")
    replay_loop: bool = Field(True, description="start again at the recording's end")
    data_dir: Path = Field(Path(".gustbed/twin"), description="where the heartbeat file lies")

    @model_validator(mode="after")
    def _whole_blocks(self) -> Self:
        rate = self.replay_rate_hz if self.replay else float(self.rate_hz)
        samples = self.interval_s * rate
        if samples < 1 - 1e-9 or abs(samples - round(samples)) > 1e-6:
            name = "replay_rate_hz" if self.replay else "rate_hz"
            raise ValueError(f"{name} times interval_s must be a whole number of samples")
        return self
