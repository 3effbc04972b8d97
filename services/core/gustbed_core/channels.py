"""The miniature turbine's sensor channels, in the units of the reference systems' record."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of a telemetry block."""

    name: str
    unit: str
    description: str


CHANNELS: tuple[Channel, ...] = (
    Channel("rps", "1/s", "rotor revolutions, counted over 1 s in sixteenths"),
    Channel("wind_speed_rps", "1/s", "anemometer revolutions, counted over 1 s in sixteenths"),
    Channel("voltage", "count", "generator voltage, 10-bit ADC count 0-1023"),
    Channel("qw", "1", "nacelle attitude quaternion, scalar part"),
    Channel("qx", "1", "nacelle attitude quaternion, x"),
    Channel("qy", "1", "nacelle attitude quaternion, y"),
    Channel("qz", "1", "nacelle attitude quaternion, z"),
    Channel("gx", "g", "gravity vector, x"),
    Channel("gy", "g", "gravity vector, y"),
    Channel("gz", "g", "gravity vector, z"),
    Channel("ax", "count", "acceleration, raw int16, x"),
    Channel("ay", "count", "acceleration, raw int16, y"),
    Channel("az", "count", "acceleration, raw int16, z"),
    Channel("gearboxtemp", "degC", "gearbox temperature"),
    Channel("ambtemp", "degC", "ambient temperature"),
    Channel("humidity", "%RH", "relative humidity"),
    Channel("pressure", "hPa", "air pressure"),
    Channel("gas", "100 kohm", "gas sensor resistance"),
)
CHANNEL_NAMES: tuple[str, ...] = tuple(c.name for c in CHANNELS)
CHANNEL_INDEX: dict[str, int] = {name: i for i, name in enumerate(CHANNEL_NAMES)}
