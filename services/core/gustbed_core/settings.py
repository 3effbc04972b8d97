"""Settings from environment variables, one model per section, errors that name the variable."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gustbed_core import topics
from gustbed_core.errors import GustbedError

S = TypeVar("S", bound=BaseSettings)

TOOLS = frozenset({"operator", "twin"})
"""Broker users of which many sessions may run at once; any other user is one client."""
MAX_SITE = 56
"""Characters: `gustbed-<site>` is the thing, and a certificate's common name has 64 at most."""
PLAIN_PORT, TLS_PORT = 1883, 8884
"""Of the site broker; not 8883, where a local IoT endpoint may answer."""


def section(prefix: str) -> SettingsConfigDict:
    """The configuration of a settings section whose variables start with ``prefix``."""
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", env_ignore_empty=True)


class SiteSettings(BaseSettings):
    """Which site this is and how many turbines it has."""

    model_config = section("GUSTBED_")

    site: str = Field("site-1", description="name of the site, one MQTT topic level")
    turbines: int = Field(6, ge=1, le=10_000, description="turbines wt01, wt02, …")

    fleet: str = Field(
        "", description="id of the fleet that this belongs to, shown to whoever asks its services"
    )
    types_dir: Path | None = Field(
        None, description="a folder of turbine types of your own, one YAML file each"
    )

    @field_validator("site")
    @classmethod
    def _one_level(cls, value: str) -> str:
        if len(topics.level(value)) > MAX_SITE:
            raise ValueError(f"use at most {MAX_SITE} characters: the edge's certificate names it")
        return value

    @property
    def turbine_ids(self) -> tuple[str, ...]:
        """Names of the site's turbines, in order."""
        return tuple(turbine_id(i) for i in range(self.turbines))

    @property
    def thing(self) -> str:
        """The edge gateway's thing name in AWS IoT."""
        return f"gustbed-{self.site}"


class MqttSettings(BaseSettings):
    """The site broker, as one of its clients."""

    model_config = section("GUSTBED_MQTT_")

    host: str = Field("127.0.0.1", description="host name or address of the site broker")
    port: int = Field(PLAIN_PORT, ge=1, le=65534, description="8884 if there is a ca")
    tools_port: int | None = Field(
        None, ge=1, le=65535, description="where operator and twin connect; port + 1 if not given"
    )
    ca: Path | None = Field(None, description="PEM file of the site's CA: all is TLS then")
    credentials_dir: Path | None = Field(
        None, description="folder of <user>.password files; none for an anonymous broker"
    )
    keepalive: int = Field(30, ge=5, le=600, description="seconds")

    @model_validator(mode="before")
    @classmethod
    def _port_of_tls(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("ca"):
            return {"port": TLS_PORT, **values}
        return values

    def port_of(self, user: str) -> int:
        """Where a user connects: tools have a listener of their own."""
        if self.credentials_dir is None or user not in TOOLS:
            return self.port
        return self.tools_port or self.port + 1

    def password(self, user: str) -> str | None:
        """Read a user's password. Raises ``GustbedError`` naming the file that is missing."""
        if self.credentials_dir is None:
            return None
        path = self.credentials_dir / f"{user}.password"
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise GustbedError(
                f"{path}: {error.strerror}", "set GUSTBED_MQTT_CREDENTIALS_DIR to the right folder"
            ) from error

    def certificate(self, user: str) -> tuple[Path, Path] | None:
        """A user's client certificate and its key, beside the password; None if it has none."""
        if self.credentials_dir is None:
            return None
        pair = self.credentials_dir / f"{user}.pem", self.credentials_dir / f"{user}.key"
        return pair if all(path.is_file() for path in pair) else None


def turbine_id(index: int) -> str:
    """Name of the turbine at a position that counts from 0."""
    return f"wt{index + 1:02d}"


def load(kind: type[S]) -> S:
    """Read a section from the environment. Raises ``GustbedError`` naming the variable."""
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        prefix = kind.model_config.get("env_prefix", "")
        variable = prefix + "_".join(str(part) for part in first["loc"]).upper()
        raise GustbedError(variable, f"{first['msg']} (got {first['input']!r})") from error
