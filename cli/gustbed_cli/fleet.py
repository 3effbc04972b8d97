"""Which fleet the command line speaks to: where it lives, how it runs, which cloud it uses."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import BaseSettings

from gustbed_cli.checkout import base_folder
from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings, load, section

Runtime = Literal["process", "docker"]
Target = Literal["local", "aws"]

TARGETS = Path(__file__).with_name("targets")
OPERATOR = "operator"
_LOCAL_HOST = "127.0.0.1"


class FleetSettings(BaseSettings):
    """What a person may choose about the fleet as a whole."""

    model_config = section("")

    runtime: Literal["auto", "process", "docker"] = Field(
        "auto", description="docker if an engine answers and has the images, else process"
    )
    target: Target | None = Field(None, description="local emulator or AWS")


class FarmSettings(BaseSettings):
    """What the twin of this fleet simulates, as far as the command line needs to know."""

    model_config = section("GUSTBED_TWIN_")

    type: str = Field("mini", description="turbine type: a name, or the path of its YAML file")


class PlaceSettings(BaseSettings):
    """Where the fleet keeps its state, and the ports it takes on this machine."""

    model_config = section("GUSTBED_")

    home: Path = Field(
        default_factory=lambda: base_folder() / ".gustbed",
        description="folder of keys, models, logs and buffers",
    )
    emulator_python: Path | None = Field(
        None, description="Python that has the AWS emulator; an environment is made if not given"
    )
    port_mqtt: int = Field(1883, ge=1, le=65535)
    port_edge: int = Field(8070, ge=1, le=65535)
    port_aws: int = Field(4566, ge=1, le=65535)
    port_registry: int = Field(4567, ge=1, le=65535)
    port_iot: int = Field(8883, ge=1, le=65535)
    port_dashboard: int = Field(8501, ge=1, le=65535)
    stack: str = Field("gustbed", description="CloudFormation stack")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the last ``up`` chose, remembered for the commands that follow."""

    runtime: Runtime
    target: Target
    site: str
    turbines: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet on this machine."""

    place: PlaceSettings
    site: SiteSettings
    target: Target

    @property
    def home(self) -> Path:
        """Absolute folder of the fleet's state."""
        return self.place.home.resolve()

    @property
    def enrol_dir(self) -> Path:
        """Folder of requests and answers. Each cloud has its own: an answer holds for one."""
        return self.home / ("enrol" if self.target == "local" else f"enrol-{self.target}")

    @property
    def edge_url(self) -> str:
        """The edge's HTTP endpoint."""
        return f"http://{_LOCAL_HOST}:{self.place.port_edge}"

    @property
    def dashboard_url(self) -> str:
        """The dashboard's address for a browser."""
        return f"http://{_LOCAL_HOST}:{self.place.port_dashboard}"

    @property
    def credentials(self) -> Path:
        """Folder of the broker passwords that this machine's tools may use."""
        return self.home / "credentials"

    def mqtt(self, credentials: Path | None = None) -> MqttSettings:
        """The site broker as seen from this machine."""
        return MqttSettings(
            host=_LOCAL_HOST,
            port=self.place.port_mqtt,
            credentials_dir=credentials or self.credentials,
        )

    def environment(self) -> dict[str, str]:
        """Variables for every process of the fleet on this machine, and for the AWS SDK here."""
        inherited = dict(os.environ)
        if self.target == "local":
            # A person's own AWS profile must never receive what was meant for the emulator.
            inherited = {k: v for k, v in inherited.items() if not _is_aws_identity(k)}
        return {**inherited, **self._own_variables(), **target_variables(self.target, self.place)}

    def types_variable(self) -> dict[str, str]:
        """Where a person's own turbine types lie, for services that run in another folder."""
        folder = self.site.types_dir
        return {} if folder is None else {"GUSTBED_TYPES_DIR": str(folder.resolve())}

    def _own_variables(self) -> dict[str, str]:
        home, place = self.home, self.place
        enrol = str(self.enrol_dir)
        return {
            "GUSTBED_HOME": str(home),
            "GUSTBED_SITE": self.site.site,
            "GUSTBED_TURBINES": str(self.site.turbines),
            **self.types_variable(),
            "GUSTBED_STACK": place.stack,
            "GUSTBED_MQTT_HOST": _LOCAL_HOST,
            "GUSTBED_MQTT_PORT": str(place.port_mqtt),
            "GUSTBED_MQTT_CREDENTIALS_DIR": str(home / "credentials"),
            "GUSTBED_TWIN_DATA_DIR": str(home / "twin"),
            "GUSTBED_EDGE_DATA_DIR": str(home / "edge"),
            "GUSTBED_EDGE_ENROL_DIR": enrol,
            "GUSTBED_EDGE_HTTP_PORT": str(place.port_edge),
            "GUSTBED_EDGE_URL": self.edge_url,
            "GUSTBED_ENROL_DIR": enrol,
            "GUSTBED_EMULATOR_PORT": str(place.port_aws),
            "GUSTBED_EMULATOR_MTLS_PORT": str(place.port_iot),
            "GUSTBED_EMULATOR_DATA_DIR": str(home / "emulator"),
            "GUSTBED_REGISTRY_PORT": str(place.port_registry),
            "GUSTBED_REGISTRY_DATA_DIR": str(home / "registry"),
            "GUSTBED_DASHBOARD_PORT": str(place.port_dashboard),
        }


def target_variables(target: Target, place: PlaceSettings) -> dict[str, str]:
    """The variables of ``targets/<target>.env``, with this fleet's ports filled in."""
    path = TARGETS / f"{target}.env"
    ports = {
        "GUSTBED_PORT_AWS": str(place.port_aws),
        "GUSTBED_PORT_REGISTRY": str(place.port_registry),
        "GUSTBED_PORT_IOT": str(place.port_iot),
    }
    # The file's ${GUSTBED_PORT_…} are filled in from the text that precedes it.
    preamble = "".join(f"{name}={value}\n" for name, value in ports.items())
    stream = io.StringIO(preamble + path.read_text(encoding="utf-8"))
    return {k: v for k, v in dotenv_values(stream=stream).items() if v is not None}


def fleet_to_start() -> Fleet:
    """The fleet that the environment describes; a choice of before is not carried on."""
    return Fleet(load(PlaceSettings), load(SiteSettings), load(FleetSettings).target or "local")


def load_fleet() -> Fleet:
    """The fleet that runs: as the last ``up`` chose, unless the environment says otherwise.

    Raises ``GustbedError`` naming a variable that is wrong.
    """
    asked = fleet_to_start()
    remembered = read_choice(asked.place.home)
    if remembered is None:
        return asked
    said = asked.site.model_fields_set
    kept = {name: getattr(remembered, name) for name in ("site", "turbines") if name not in said}
    site = asked.site.model_copy(update=kept)
    return Fleet(asked.place, site, load(FleetSettings).target or remembered.target)


def read_choice(home: Path) -> Choice | None:
    """What the last ``up`` chose, or None if there was none."""
    try:
        return msgspec.json.decode((home / "fleet.json").read_bytes(), type=Choice)
    except (OSError, msgspec.MsgspecError):
        return None


def write_choice(home: Path, choice: Choice) -> None:
    """Remember a choice. Raises ``GustbedError`` if the folder cannot be written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / "fleet.json").write_bytes(msgspec.json.encode(choice))
    except OSError as error:
        raise GustbedError(
            f"{home}: {error.strerror}",
            "make it writable, or set GUSTBED_HOME to a folder of yours",
        ) from error


def _is_aws_identity(name: str) -> bool:
    return name.startswith("AWS_") and name != "AWS_CA_BUNDLE"
