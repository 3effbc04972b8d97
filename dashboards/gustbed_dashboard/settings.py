"""Where the dashboard listens and where it finds the edge."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from gustbed_protocol.settings import section


class DashboardSettings(BaseSettings):
    """The address the dashboard serves on."""

    model_config = section("GUSTBED_DASHBOARD_")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8501, ge=1, le=65535)


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
