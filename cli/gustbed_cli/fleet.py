"""Which fleet the command line speaks to: where it lives, how it runs, which cloud it uses."""

import io
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import BaseSettings

from gustbed_cli.checkout import base_folder
from gustbed_cli.foreign import without_foreign
from gustbed_cli.record import (
    Record,
    Target,
    mismatch,
    new_fleet_id,
    read_record,
    require_project,
    require_same,
)
from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings, load, section

PORTS = tuple(
    f"port_{name}"
    for name in ("mqtt", "mqtt_tools", "compat", "edge", "aws", "registry", "iot", "dashboard")
)
ADDRESSES = (*PORTS, "stack", "compat")
"""The settings that say where a fleet is found."""
TARGETS = Path(__file__).with_name("targets")
_LOCAL_HOST = "127.0.0.1"


class FleetSettings(BaseSettings):
    """What a person may choose about the fleet as a whole."""

    model_config = section("")

    runtime: Literal["auto", "process", "docker"] = Field(
        "auto", description="docker if an engine answers and has the images, else process"
    )
    target: Target | None = Field(None, description="local emulator or AWS")
    sites: int | None = Field(None, ge=1, le=50, description="sites to have at least")
    turbines: int | None = Field(
        None, ge=1, le=10_000, description="turbines of each site; GUSTBED_TURBINES if not given"
    )


class FarmSettings(BaseSettings):
    """What the twin of this fleet simulates, as far as the command line needs to know."""

    model_config = section("GUSTBED_TWIN_")

    type: str = Field("mini", description="turbine type: a name, or the path of its YAML file")
    seed: int = Field(42, ge=0, description="of the first site's twin")


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
    port_mqtt: int = Field(1883, ge=1, le=65535, description="machines of the site")
    port_mqtt_tools: int = Field(1884, ge=1, le=65535, description="operators' tools and the twin")
    port_compat: int = Field(1885, ge=1, le=65535, description="with GUSTBED_COMPAT=reference")
    port_edge: int = Field(8070, ge=1, le=65535)
    port_aws: int = Field(4566, ge=1, le=65535)
    port_registry: int = Field(4567, ge=1, le=65535)
    port_iot: int = Field(8883, ge=1, le=65535)
    port_dashboard: int = Field(8501, ge=1, le=65535)
    stack: str = Field("gustbed", description="CloudFormation stack")
    compat: Literal["", "reference"] = Field(
        "", description="also serve applications of the reference systems"
    )
    hang_s: float = Field(
        120.0, gt=0, description="seconds without an answer after which a service is started again"
    )


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet on this machine, or a further site that has joined one."""

    place: PlaceSettings
    site: SiteSettings
    target: Target
    id: str = ""
    """What this fleet's services show to whoever asks; empty where none was ever started."""
    record: Record | None = None
    """What the last ``up`` wrote."""
    joins: "Fleet | None" = None
    """The fleet whose cloud and dashboard this further site uses; None: it has its own."""
    twin: bool = True
    """Whether turbines are simulated; else sensors publish."""
    turbine_type: str = ""
    """What a further site's turbines are; empty: as the environment says."""

    @property
    def first(self) -> "Fleet":
        """The fleet's first site, with which its cloud and dashboard run."""
        return self.joins or self

    @property
    def home(self) -> Path:
        """Absolute folder of the fleet's state."""
        return self.place.home.resolve()

    @property
    def enrol_dir(self) -> Path:
        """Folder of requests and answers. Each cloud has its own: an answer holds for one."""
        return self.first.home / ("enrol" if self.target == "local" else f"enrol-{self.target}")

    @property
    def directory(self) -> Path:
        """Folder in which every site of the fleet is listed, for the dashboard and tools."""
        return self.first.home / "operators"

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

    @property
    def aws_credentials(self) -> Path:
        """The local cloud's key, as an AWS shared credentials file."""
        return self.first.home / "aws" / "credentials"

    def mqtt(self, credentials: Path | None = None) -> MqttSettings:
        """The site broker as seen from this machine."""
        return MqttSettings(
            host=_LOCAL_HOST,
            port=self.place.port_mqtt,
            tools_port=self.place.port_mqtt_tools,
            ca=None,
            credentials_dir=credentials or self.credentials,
        )

    def environment(self) -> dict[str, str]:
        """Variables for every process of the fleet on this machine, and for the AWS SDK here."""
        inherited = without_foreign(os.environ)
        if self.target == "local":
            # A person's own AWS profile must never receive what was meant for the emulator.
            inherited = {k: v for k, v in inherited.items() if not _is_aws_identity(k)}
        cloud = target_variables(self.target, self.first.place)
        return {**inherited, **self._own_variables(), **self.twin_variables(), **cloud}

    def types_variable(self) -> dict[str, str]:
        """Where a person's own turbine types lie, for services that run in another folder."""
        folder = self.site.types_dir
        return {} if folder is None else {"GUSTBED_TYPES_DIR": str(folder.resolve())}

    def port_variables(self) -> dict[str, str]:
        """The ports that this fleet or site takes on this machine, by the variables that say so."""
        return {f"GUSTBED_{name.upper()}": str(getattr(self.place, name)) for name in PORTS}

    def twin_variables(self) -> dict[str, str]:
        """What a further site's twin is told: its type, and a seed that makes a farm of its own."""
        if self.joins is None:
            return {}
        seed = zlib.crc32(f"{load(FarmSettings).seed}/{self.site.site}".encode())
        chosen = {"GUSTBED_TWIN_TYPE": self.turbine_type} if self.turbine_type else {}
        return {"GUSTBED_TWIN_SEED": str(seed), **chosen}

    def _own_variables(self) -> dict[str, str]:
        home, place = self.home, self.place
        enrol = str(self.enrol_dir)
        return {
            "GUSTBED_HOME": str(home),
            "GUSTBED_FLEET": self.id,
            "GUSTBED_SITE": self.site.site,
            "GUSTBED_TURBINES": str(self.site.turbines),
            **self.types_variable(),
            **self.port_variables(),
            "GUSTBED_STACK": place.stack,
            "GUSTBED_MQTT_HOST": _LOCAL_HOST,
            "GUSTBED_MQTT_PORT": str(place.port_mqtt),
            "GUSTBED_MQTT_TOOLS_PORT": str(place.port_mqtt_tools),
            # A person's own, of another site: processes of one machine speak plaintext.
            "GUSTBED_MQTT_CA": "",
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
            "GUSTBED_EMULATOR_CREDENTIALS": str(self.aws_credentials),
            "GUSTBED_REGISTRY_PORT": str(place.port_registry),
            "GUSTBED_REGISTRY_DATA_DIR": str(home / "registry"),
            "GUSTBED_DASHBOARD_PORT": str(place.port_dashboard),
            "GUSTBED_DASHBOARD_SITES_DIR": str(self.directory),
        }


def target_variables(target: Target, place: PlaceSettings) -> dict[str, str]:
    """The variables of ``targets/<target>.env``, with this fleet's home and ports filled in."""
    path = TARGETS / f"{target}.env"
    filled = {
        "GUSTBED_HOME": str(place.home.resolve()),
        "GUSTBED_PORT_AWS": str(place.port_aws),
        "GUSTBED_PORT_REGISTRY": str(place.port_registry),
        "GUSTBED_PORT_IOT": str(place.port_iot),
    }
    # The file's ${GUSTBED_…} are filled in from the text that precedes it.
    preamble = "".join(f"{name}={value}\n" for name, value in filled.items())
    stream = io.StringIO(preamble + path.read_text(encoding="utf-8"))
    read = dotenv_values(stream=stream).items()
    return {name: value for name, value in read if value is not None and name not in filled}


def fleet_to_start() -> Fleet:
    """The fleet that the environment describes; a choice of before is not carried on."""
    place = load(PlaceSettings)
    record = read_record(place.home)
    known = record.fleet if record else ""
    chosen = load(FleetSettings)
    site = load(SiteSettings)
    if chosen.turbines is not None:
        site = site.model_copy(update={"turbines": chosen.turbines})
    return Fleet(place, site, chosen.target or "local", known or new_fleet_id(), record)


def load_fleet() -> Fleet:
    """The fleet of this home, as the last ``up`` started it: where it listens, and who it is.

    The environment may narrow what is looked at (target, site, turbines); an address that it gives
    must be the fleet's. Raises ``GustbedError`` naming a variable that is wrong.
    """
    asked = fleet_to_start()
    if asked.record is None:
        return replace(asked, id="")
    said = {name: getattr(asked.place, name) for name in _said(asked.place, ADDRESSES)}
    require_same(asked.home, said, asked.record)
    runtime = load(FleetSettings).runtime
    if runtime not in ("auto", asked.record.runtime):
        raise mismatch(asked.home, "RUNTIME", runtime, f"RUNTIME={asked.record.runtime}")
    require_project(asked.home, asked.record, os.environ)
    return _as_recorded(asked, asked.record)


def fleet_to_stop() -> Fleet:
    """The fleet of this home, whatever the environment says of its addresses."""
    asked = fleet_to_start()
    return asked if asked.record is None else _as_recorded(asked, asked.record)


def addresses_of(place: PlaceSettings) -> dict[str, int | str]:
    """What a record keeps of ports and stack."""
    return {name: getattr(place, name) for name in ADDRESSES}


def joined(first: Fleet, home: Path, record: Record) -> Fleet:
    """A further site as its record describes it, of the fleet that it has joined."""
    place = first.place.model_copy(update={**record.addresses, "home": home, "compat": ""})
    site = first.site.model_copy(update={"site": record.site, "turbines": record.turbines})
    return Fleet(
        place, site, first.target, first.id, record, first, record.twin, record.turbine_type
    )


def _as_recorded(asked: Fleet, record: Record) -> Fleet:
    if record.joins:
        return joined(_first_of(asked, Path(record.joins)), asked.home, record)
    place = asked.place.model_copy(update=dict(record.addresses))
    # A site that the environment names may be another one of the fleet.
    known: dict[str, object] = {"site": record.site}
    if "turbines" not in asked.site.model_fields_set:
        known["turbines"] = record.turbines
    site = asked.site.model_copy(update=known)
    target = load(FleetSettings).target or record.target
    return Fleet(place, site, target, record.fleet, record)


def _first_of(asked: Fleet, home: Path) -> Fleet:
    """The fleet that lives in ``home``, whatever the environment says of a site that joined it."""
    record = read_record(home)
    if record is None:
        raise GustbedError(f"{home}: no fleet was started from it", "run `gustbed up` there")
    place = PlaceSettings(home=home).model_copy(update=dict(record.addresses))
    site = asked.site.model_copy(update={"site": record.site, "turbines": record.turbines})
    return Fleet(place, site, record.target, record.fleet, record)


def _said(settings: BaseSettings, names: Iterable[str]) -> set[str]:
    return settings.model_fields_set & set(names)


def _is_aws_identity(name: str) -> bool:
    return name.startswith("AWS_") and name != "AWS_CA_BUNDLE"
