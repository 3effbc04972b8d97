"""Turbine types: one YAML file each, checked key by key. A user adds a type by adding a file."""

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from gustbed_core.errors import GustbedError

FOLDER_VARIABLE = "GUSTBED_TWIN_TYPES"
"""Environment variable that names a folder of further types."""

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,40}$")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of a type's file."""


class Geometry(_Part, frozen=True):
    """Lengths in m."""

    rotor_diameter_m: Positive
    swept_radius_m: Positive
    hub_height_m: Positive
    blades: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3


class Limits(_Part, frozen=True):
    """When the machine runs. ``overspeed`` is relative to the reference speed."""

    cut_in_ms: Positive
    cut_out_ms: Positive
    restart_ms: Positive
    rated_wind_ms: Positive
    rated_power_kw: Positive
    overspeed: Annotated[float, msgspec.Meta(gt=1, le=2)]


class Rotor(_Part, frozen=True):
    """``table`` is a file of Cp, Ct and Cq beside the type's own, as ROSCO writes it."""

    air_density_kg_m3: Positive
    inertia_kg_m2: Positive
    table: str


class Drivetrain(_Part, frozen=True):
    """Stiffness and damping refer to the low-speed shaft, the generator's inertia to the other."""

    gearbox_ratio: Positive
    generator_inertia_kg_m2: Positive
    stiffness_nm_rad: Positive
    damping_nms_rad: NotNegative
    efficiency: Share
    brake_torque_nm: Positive


class TorqueControl(_Part, frozen=True):
    """Regions 1½, 2, 2½ and 3; speeds and torques on the high-speed shaft."""

    cut_in_rad_s: Positive
    region2_rad_s: Positive
    rated_rad_s: Positive
    slip_percent: Positive
    region2_gain: Positive
    max_torque_nm: Positive
    torque_rate_nm_s: Positive
    region3_pitch_deg: NotNegative
    filter_hz: Positive


class PitchControl(_Part, frozen=True):
    """Gain-scheduled PI on the filtered generator speed."""

    reference_rad_s: Positive
    kp_s: Positive
    ki: Positive
    kk_rad: Positive
    min_deg: float
    max_deg: Annotated[float, msgspec.Meta(gt=0, le=90)]
    rate_deg_s: Positive
    start_deg: NotNegative
    stop_rate_deg_s: Positive


class Yaw(_Part, frozen=True):
    """The nacelle follows the averaged vane beyond a deadband."""

    deadband_deg: NotNegative
    rate_deg_s: Positive
    average_s: Positive


class Tower(_Part, frozen=True):
    """First fore-aft mode."""

    modal_mass_kg: Positive
    frequency_hz: Annotated[float, msgspec.Meta(gt=0, lt=5)]
    damping_ratio: Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Electrical(_Part, frozen=True):
    """The converter's side of the generator."""

    line_voltage_v: Positive
    power_factor: Share
    ride_through: NotNegative


class Node(_Part, frozen=True):
    """A part that warms up: K over what is around it, at rest and added at full load."""

    around: Literal["ambient", "nacelle"]
    idle_k: NotNegative
    load_k: NotNegative
    time_s: Positive


class Thermal(_Part, frozen=True):
    """The parts whose temperature is followed."""

    nacelle: Node
    hub: Node
    gearbox_oil: Node
    gearbox_bearing: Node
    generator_bearing_de: Node
    generator_bearing_nde: Node
    generator_stator: Node
    converter: Node
    transformer: Node
    hydraulic_oil: Node


class Sensor(_Part, frozen=True):
    """A channel: what it measures (``of``), how often, how well."""

    name: Name
    unit: str
    description: str
    of: str = ""
    rate_hz: Positive = 20.0
    noise: NotNegative = 0.0
    step: Positive = 1e-9
    low: float = -1e12
    high: float = 1e12


class UtilityType(_Part, frozen=True, tag_field="model", tag="utility"):
    """A variable-speed, pitch-regulated machine.

    ``steady`` holds published rows of wind, rotor rpm, pitch, electrical kW, Cp and Ct.
    """

    name: Name
    title: str
    rate_hz: Annotated[int, msgspec.Meta(ge=10, le=100)]
    geometry: Geometry
    limits: Limits
    rotor: Rotor
    drivetrain: Drivetrain
    torque_control: TorqueControl
    pitch_control: PitchControl
    yaw: Yaw
    tower: Tower
    electrical: Electrical
    thermal: Thermal
    sensors: Annotated[tuple[Sensor, ...], msgspec.Meta(min_length=1)]
    steady: tuple[tuple[float, float, float, float, float, float], ...] = ()
    folder: str = ""


class MiniMachine(_Part, frozen=True):
    """Torque balance, scaled so that damping by the wind has coefficient 1:

    inertia * d(rps)/dt = lift * wind² - friction - rps * (wind + load)
    """

    lift: Positive
    friction: NotNegative
    load: NotNegative
    inertia: Positive
    volts_per_rps: Positive


class MiniType(_Part, frozen=True, tag_field="model", tag="mini"):
    """The miniature turbine: wind in anemometer rev/s, counted sensors."""

    name: Name
    title: str
    rate_hz: Annotated[int, msgspec.Meta(ge=1, le=100)]
    wind_mean_rps: Positive
    turbulence: Annotated[float, msgspec.Meta(ge=0, le=0.5)]
    machine: MiniMachine
    sensors: Annotated[tuple[Sensor, ...], msgspec.Meta(min_length=1)]
    folder: str = ""


TurbineType = UtilityType | MiniType


def read_type(path: Path) -> TurbineType:
    """Read one file. Raises ``GustbedError`` naming file and key."""
    data = read_yaml(path, "a turbine type")
    if isinstance(data, dict) and "folder" in data:
        raise GustbedError(f"{path}: folder", "remove the key")
    kind: TurbineType = convert(path, data, TurbineType)
    if isinstance(kind, UtilityType):
        _check_utility(path, kind)
    names = [sensor.name for sensor in kind.sensors]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GustbedError(f"{path}: sensors: {twice[0]} twice", "give each a name of its own")
    placed: TurbineType = msgspec.structs.replace(kind, folder=str(path.parent))
    return placed


def load_type(name: str) -> TurbineType:
    """A type by name, or by the path of its file. Raises ``GustbedError``."""
    if name.endswith((".yaml", ".yml")):
        return read_type(Path(name))
    found = {path.stem: path for path in type_files()}
    if name not in found:
        raise GustbedError(f"no turbine type {name!r}", f"one of {', '.join(sorted(found))}")
    return read_type(found[name])


def type_files() -> Iterator[Path]:
    """The files of every type, Gustbed's own first, then those of ``GUSTBED_TWIN_TYPES``."""
    folders = [Path(str(resources.files("gustbed_twin") / "types"))]
    if extra := os.environ.get(FOLDER_VARIABLE):
        folders.append(Path(extra))
    for folder in folders:
        yield from sorted(folder.glob("*.yaml"))


def read_yaml(path: Path, what: str) -> object:
    """Parse a YAML file. Raises ``GustbedError`` naming file and line."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GustbedError(f"{path}: {error.strerror}", f"name the file of {what}") from error
    except UnicodeDecodeError as error:
        raise GustbedError(f"{path}: not text: {error.reason}", "give a YAML file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise GustbedError(f"{path}:{line} {problem}", "mend the YAML") from error


def convert(path: Path, data: object, kind: Any) -> Any:
    """Check parsed YAML against a struct. Raises ``GustbedError`` naming the key."""
    try:
        return msgspec.convert(data, type=kind)
    except msgspec.ValidationError as error:
        text, _, where = " ".join(str(error).split()).partition(" - at `$")
        key = where.strip(".`") or "the file"
        raise GustbedError(f"{path}: {key}: {text}", "mend the key") from error


def _check_utility(path: Path, kind: UtilityType) -> None:
    limits, torque = kind.limits, kind.torque_control
    speeds = (torque.cut_in_rad_s, torque.region2_rad_s, torque.rated_rad_s)
    rules = [
        (limits.cut_in_ms < limits.rated_wind_ms < limits.cut_out_ms, "limits.cut_in_ms",
         "cut-in, rated and cut-out wind must rise"),
        (limits.restart_ms <= limits.cut_out_ms, "limits.restart_ms", "at most cut_out_ms"),
        (sorted(speeds) == list(speeds), "torque_control.cut_in_rad_s",
         "cut_in, region2 and rated speed must rise"),
        (kind.pitch_control.reference_rad_s >= torque.rated_rad_s,
         "pitch_control.reference_rad_s", "at least torque_control.rated_rad_s"),
        (kind.pitch_control.min_deg < kind.pitch_control.max_deg,
         "pitch_control.min_deg", "below max_deg"),
    ]  # fmt: skip
    for number, sensor in enumerate(kind.sensors):
        period = kind.rate_hz / sensor.rate_hz
        rules.append((
            abs(period - round(period)) < 1e-9 and period >= 1,
            f"sensors[{number}].rate_hz", f"{kind.rate_hz} Hz must be a multiple of it",
        ))  # fmt: skip
        rules.append((sensor.low < sensor.high, f"sensors[{number}].low", "below high"))
    for kept, key, mend in rules:
        if not kept:
            raise GustbedError(f"{path}: {key}", mend)


def usual_miniature() -> MiniMachine:
    """The machine of Gustbed's own miniature type. Raises ``GustbedError``."""
    kind = read_type(Path(str(resources.files("gustbed_twin") / "types" / "mini.yaml")))
    if not isinstance(kind, MiniType):
        raise GustbedError("types/mini.yaml: model", "restore the file")
    return kind.machine


def load_utility_type(name: str) -> UtilityType:
    """A type that has the full physics. Raises ``GustbedError``."""
    kind = load_type(name)
    if not isinstance(kind, UtilityType):
        raise GustbedError(f"--type {name}: has no steady states", "name a utility type")
    return kind


def summaries() -> list[dict[str, object]]:
    """A row per type, for people and programs. Raises ``GustbedError`` for a wrong file."""
    rows: list[dict[str, object]] = []
    for path in type_files():
        kind = read_type(path)
        full = kind if isinstance(kind, UtilityType) else None
        rows.append({
            "name": kind.name,
            "model": "utility" if full else "mini",
            "title": kind.title,
            "rated_power_kw": full.limits.rated_power_kw if full else None,
            "rotor_diameter_m": full.geometry.rotor_diameter_m if full else None,
            "channels": len(kind.sensors),
            "rate_hz": kind.rate_hz,
            "file": path.name,
        })  # fmt: skip
    return rows


def parse_numbers(option: str, text: str) -> list[float]:
    """Read ``3,4,5.5``. Raises ``GustbedError`` naming the option."""
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise GustbedError(f"{option} {text!r}", "write numbers separated by commas") from error
    if not all(0.0 <= number <= 100.0 for number in numbers):
        raise GustbedError(f"{option} {text!r}", "use speeds from 0 to 100")
    return numbers
