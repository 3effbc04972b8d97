"""The edge gateway's settings: ``GUSTBED_EDGE_…``."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from gustbed_core import topics
from gustbed_core.commissioning.period import PROVISIONAL_SECONDS
from gustbed_core.settings import section


class EdgeSettings(BaseSettings):
    """How one edge gateway ingests, decides, buffers and reports."""

    model_config = section("GUSTBED_EDGE_")

    data_dir: Path = Field(
        Path(".gustbed/edge"), description="key, models, events and buffer; keep it across starts"
    )
    enrol_dir: Path = Field(
        Path(".gustbed/enrol"), description="where the certificate request goes and the answer lies"
    )
    http_host: str = Field("127.0.0.1", description="address that /health and /status listen on")
    http_port: int = Field(8070, ge=0, le=65535, description="0 takes a free port")
    factory_dir: Path = Field(
        Path(__file__).parent / "factory",
        description="the models that the edge ships with, a folder each",
    )

    inputs: str = Field("", description="what delivers blocks, comma-separated; none: all")
    workloads: str = Field("", description="what is made of blocks; none: all")
    sinks: str = Field("", description="where events go; none: all")
    job_operations: str = Field(
        "", description="what jobs may ask for; none: Gustbed's own, not those of other packages"
    )
    cloud: str = Field("aws", description="the cloud that this edge belongs to")

    open_after: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="violating verdicts in a row that open an event; default: the model's",
    )
    close_after: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="normal verdicts in a row that close an event; default: the model's",
    )
    trust_after: float = Field(
        60.0,
        ge=0,
        description="seconds of calm after which a turbine that is not commissioned is judged as "
        "the factory's machines are, and no longer as widely as machines of its type differ; 0: at "
        "once",
    )
    doubt_after: float = Field(
        1800.0,
        ge=0,
        description="seconds in alarm by the factory's measure, while it would be none by how "
        "machines of its type differ, after which a turbine is judged so widely again; 0: never",
    )
    provisional_after: float = Field(
        PROVISIONAL_SECONDS,
        ge=0,
        description="seconds of what a turbine that is not commissioned and does not fit the "
        "factory's measure shows, after which it is judged by that instead of as widely as "
        "machines of its type differ; 0: never",
    )
    silent_after: float = Field(5.0, gt=0, description="seconds without a block")
    max_clock_ahead: float = Field(60.0, gt=0, description="seconds a block may be in the future")
    max_clock_behind: float = Field(
        86_400.0, gt=0, description="seconds a block may be in the past"
    )
    max_scoring_time: float = Field(
        0.25, gt=0, description="seconds in which a new model must score all turbines once"
    )
    grace: float = Field(
        0.003, ge=0, le=0.2, description="seconds to wait for other turbines' blocks"
    )
    queue_limit: int = Field(4096, ge=16, description="received payloads that may wait for scoring")
    legacy_turbine: str | None = Field(
        None, description="turbine that the 20-field records on turbine/raw speak for"
    )

    uplink: str = Field(
        "changes",
        description="turbines of which every verdict goes up, comma-separated; full: of all; "
        "changes: of none, only what is new (docs/uplink.md)",
    )
    uplink_max_rate: float = Field(
        400_000.0, ge=1000, description="bytes a second that go up at most; IoT Core takes 512 KiB"
    )
    verdict_interval: float = Field(2.0, ge=1.0, description="seconds between verdict batches")
    telemetry_interval: float = Field(
        60.0,
        ge=1.0,
        description="seconds that a summary, and a verdict that says nothing new, is for",
    )
    outbox_max_bytes: int = Field(
        256 * 1024 * 1024, ge=64 * 1024, description="payload bytes that may wait for the cloud"
    )
    outbox_max_rows: int = Field(200_000, ge=16, description="messages that may wait for the cloud")
    capture_interval: float = Field(
        300.0, ge=0, description="seconds between a turbine's captures; 0: none are taken"
    )
    capture_seconds: float = Field(30.0, gt=0, le=600, description="length of a capture")
    capture_max_bytes_per_day: int = Field(
        64 * 1024 * 1024, ge=0, description="of captures for the cloud, all turbines together"
    )
    events_kept: int = Field(10_000, ge=10, description="closed events kept on disk")

    @field_validator("legacy_turbine")
    @classmethod
    def _one_level(cls, value: str | None) -> str | None:
        return None if value is None else topics.level(value)
