"""Miniatures that several tests run, and what their type's file says of them."""

from collections.abc import Sequence

from gustbed_core.features import Engineer
from gustbed_core.turbine_types import load_type
from gustbed_twin.farms.miniature import MiniatureFarm
from gustbed_twin.turbine.miniature_type import read_miniature
from gustbed_twin.wind.miniature import WindConfig

MINI = load_type("mini")
CHANNELS = MINI.channels
CHANNEL_NAMES = MINI.channel_names
CHANNEL_INDEX = {name: index for index, name in enumerate(CHANNEL_NAMES)}
FEATURE_NAMES = MINI.schema.feature_names
USUAL = WindConfig()
engineer = Engineer(MINI.schema.features, CHANNEL_NAMES)


def mini_farm(
    seed: int, indices: Sequence[int], wind: WindConfig = USUAL, rate_hz: int = 20
) -> MiniatureFarm:
    """A farm of Gustbed's own miniatures."""
    return MiniatureFarm(read_miniature(MINI), seed, indices, wind, rate_hz)
