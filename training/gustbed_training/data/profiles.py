"""The datasets that we simulate, by name: which winds, which seeds, which faults.

Every turbine type whose physics we have weather for has four: ``<type>`` to train on,
``<type>-population`` of machines that differ, ``<type>-tiny`` for tests, ``<type>-evaluation`` to
judge on.
"""

from collections.abc import Callable

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import TurbineType
from gustbed_training.data import miniature_profiles, variable_speed_profiles
from gustbed_training.data.twin import Profile
from gustbed_training.data.types import find_type, type_names

Maker = Callable[[TurbineType], Profile]
TRAINING, TINY, EVALUATION, POPULATION = "", "tiny", "evaluation", "population"
MAKERS: dict[str, dict[str, Maker]] = {
    model: {
        TRAINING: each.default,
        TINY: each.tiny,
        EVALUATION: each.evaluation,
        POPULATION: each.population,
    }
    for model, each in (
        ("miniature", miniature_profiles),
        ("variable_speed", variable_speed_profiles),
    )
}
"""By the model of a type's physics, and by the purpose that ends a profile's name."""


def profile(name: str) -> Profile:
    """Look a profile up. Raises ``GustbedError`` naming those that there are."""
    type_name, _, purpose = name.partition("-")
    if type_name in type_names():
        turbine_type = find_type(type_name)
        maker = MAKERS.get(str(turbine_type.physics.get("model")), {}).get(purpose)
        if maker is not None:
            return maker(turbine_type)
    raise GustbedError(f"profile {name!r}", f"one of {', '.join(profile_names())}")


def profile_names() -> list[str]:
    """Of every type that the twin can simulate."""
    return [
        "-".join(filter(None, (name, purpose)))
        for name in type_names()
        for purpose in MAKERS.get(str(find_type(name).physics.get("model")), {})
    ]
