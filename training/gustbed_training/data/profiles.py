"""The datasets that we use, by name: which winds, which seeds, which faults."""

from collections.abc import Callable

from gustbed_core.errors import GustbedError
from gustbed_training.data import mini_profiles, utility_profiles
from gustbed_training.data.twin import Profile

PROFILES: dict[str, Callable[[], Profile]] = {
    "default": mini_profiles.default,
    "tiny": mini_profiles.tiny,
    "evaluation": mini_profiles.evaluation,
    "nrel_5mw": utility_profiles.default,
    "nrel_5mw-tiny": utility_profiles.tiny,
    "nrel_5mw-evaluation": utility_profiles.evaluation,
}
"""Those of the miniature, and those of the NREL 5 MW turbine."""


def profile(name: str) -> Profile:
    """Look a profile up. Raises ``GustbedError`` naming those that there are."""
    if name not in PROFILES:
        raise GustbedError(f"profile {name!r}", f"one of {', '.join(PROFILES)}")
    return PROFILES[name]()
