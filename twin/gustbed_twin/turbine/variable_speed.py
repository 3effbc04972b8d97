"""The ``physics`` of a variable-speed type's file, checked key by key."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import Channel, TurbineType, load_type
from gustbed_core.yaml_text import convert
from gustbed_twin.records import QUANTITIES
from gustbed_twin.turbine.corrections import Correction, Rule, correction_rules

MODEL = "variable_speed"
"""The value of ``physics.model``."""
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
SLOWEST_HZ, FASTEST_HZ = 10, 100
"""Steps per second that the physics is made for."""
_REMEDY = "see physics in gustbed_core/types/nrel_5mw.yaml"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of the physics."""


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


class VariableSpeedPhysics(_Part, frozen=True):
    """A variable-speed, pitch-regulated machine.

    ``steady`` holds published rows of wind, rotor rpm, pitch, electrical kW, Cp and Ct;
    ``corrections`` are sensors' own errors by channel.
    """

    model: Literal["variable_speed"]
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
    steady: tuple[tuple[float, float, float, float, float, float], ...] = ()
    corrections: dict[str, Correction] = {}


@dataclass(frozen=True)
class VariableSpeedType:
    """A type of turbine with the physics that its file describes."""

    turbine_type: TurbineType
    physics: VariableSpeedPhysics

    @property
    def name(self) -> str:
        """The type's name."""
        return self.turbine_type.name

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What its sensors measure."""
        return self.turbine_type.channels

    @property
    def rate_hz(self) -> int:
        """Steps per second."""
        return round(self.turbine_type.rate_hz)

    @property
    def folder(self) -> Path:
        """Where the files lie that the physics names."""
        return self.turbine_type.folder


def read_variable_speed(turbine_type: TurbineType) -> VariableSpeedType:
    """Check a type's physics. Raises ``GustbedError`` naming file and key."""
    where = f"{type_file(turbine_type)}: physics"
    physics = convert_physics(turbine_type.physics, VariableSpeedPhysics, where, _REMEDY)
    corrected = correction_rules(physics.corrections, turbine_type.channel_names)
    for kept, key, remedy in (*_physics_rules(physics), *_channel_rules(turbine_type), *corrected):
        if not kept:
            raise GustbedError(f"{type_file(turbine_type)}: {key}", remedy)
    return VariableSpeedType(turbine_type, physics)


def load_variable_speed(name: str, folder: Path | None = None) -> VariableSpeedType:
    """A type by name or file, which must have this physics. Raises ``GustbedError``."""
    turbine_type = load_type(name, folder)
    if turbine_type.physics.get("model") != MODEL:
        raise GustbedError(f"--type {name}: has no steady states", f"name a type of model {MODEL}")
    return read_variable_speed(turbine_type)


def type_file(turbine_type: TurbineType) -> Path:
    """The file that a type comes from, for errors."""
    return turbine_type.folder / f"{turbine_type.name}.yaml"


def convert_physics(physics: Mapping[str, Any], form: type[Any], where: str, remedy: str) -> Any:
    """Like ``convert``, naming keys below ``physics``. Raises ``GustbedError``."""
    try:
        return convert(dict(physics), form, where, remedy)
    except GustbedError as error:
        raise GustbedError(error.what.replace(f"{where}: ", f"{where}.", 1), remedy) from error


def _physics_rules(physics: VariableSpeedPhysics) -> list[Rule]:
    limits, torque, pitch = physics.limits, physics.torque_control, physics.pitch_control
    speeds = (torque.cut_in_rad_s, torque.region2_rad_s, torque.rated_rad_s)
    return [
        (limits.cut_in_ms < limits.rated_wind_ms < limits.cut_out_ms, "physics.limits.cut_in_ms",
         "cut-in, rated and cut-out wind must rise"),
        (limits.restart_ms <= limits.cut_out_ms, "physics.limits.restart_ms", "at most cut_out_ms"),
        (sorted(speeds) == list(speeds), "physics.torque_control.cut_in_rad_s",
         "cut_in, region2 and rated speed must rise"),
        (pitch.reference_rad_s >= torque.rated_rad_s, "physics.pitch_control.reference_rad_s",
         "at least torque_control.rated_rad_s"),
        (pitch.min_deg < pitch.max_deg, "physics.pitch_control.min_deg", "below max_deg"),
    ]  # fmt: skip


def _channel_rules(turbine_type: TurbineType) -> list[Rule]:
    rate = turbine_type.rate_hz
    rules: list[Rule] = [(
        rate == round(rate) and SLOWEST_HZ <= rate <= FASTEST_HZ, "rate_hz",
        f"{MODEL} runs at a whole number from {SLOWEST_HZ} to {FASTEST_HZ}",
    )]  # fmt: skip
    for number, channel in enumerate(turbine_type.channels):
        period = rate / channel.rate_hz
        rules.append((
            abs(period - round(period)) < 1e-9 and period >= 1,
            f"channels[{number}].rate_hz", f"{rate:g} Hz must be a multiple of it",
        ))  # fmt: skip
        rules.append((
            channel.of in QUANTITIES, f"channels[{number}].of: no quantity {channel.of!r}",
            f"one of {', '.join(QUANTITIES)}",
        ))  # fmt: skip
    return rules


def parse_numbers(option: str, text: str) -> list[float]:
    """Read ``3,4,5.5``. Raises ``GustbedError`` naming the option."""
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise GustbedError(f"{option} {text!r}", "write numbers separated by commas") from error
    if not all(0.0 <= number <= 100.0 for number in numbers):
        raise GustbedError(f"{option} {text!r}", "use speeds from 0 to 100")
    return numbers
