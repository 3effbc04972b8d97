"""Where the dashboard listens, and where it finds sites and their edges."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from gustbed_core.drift import FOLDER
from gustbed_core.settings import section


class DashboardSettings(BaseSettings):
    """The address the dashboard serves on, and the folders that it reads."""

    model_config = section("GUSTBED_DASHBOARD_")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8501, ge=1, le=65535)
    sites_dir: Path | None = Field(
        None, description="folder of a fleet's sites; only the site of GUSTBED_SITE if not set"
    )
    drift_dir: Path | None = Field(
        None, description="folder of drift reports; <GUSTBED_HOME>/drift if not set"
    )


class HomeSettings(BaseSettings):
    """The folder that the fleet's command line keeps its state in."""

    model_config = section("GUSTBED_")

    home: Path = Field(Path(".gustbed"), description="folder of keys, models, logs and buffers")


def drift_folder(dashboard: DashboardSettings, home: HomeSettings) -> Path:
    """Where ``gustbed model drift`` leaves its reports."""
    return dashboard.drift_dir or home.home / FOLDER


class EdgeSettings(BaseSettings):
    """The edge gateway's HTTP interface."""

    model_config = section("GUSTBED_EDGE_")

    url: str = Field("http://127.0.0.1:8070", description="base address of the edge's HTTP")

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")
