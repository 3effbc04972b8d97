"""What is trained on where no dataset is named: the twin's, by turbine type."""

from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.turbine_types import known_types
from gustbed_training.data.profiles import EVALUATION, POPULATION, profile, profile_names
from gustbed_training.data.twin import Profile, cached
from gustbed_training.progress import Log


def shipped_types() -> list[str]:
    """Turbine types that we ship models of: our own."""
    return known_types()


def training_profile(turbine_type: str) -> Profile:
    """What a type's shipped model is trained on."""
    return _profile(turbine_type, turbine_type)


def population(turbine_type: str, home: Path, log: Log) -> Path | None:
    """A dataset of machines that differ as the type's do, simulated unless it is there; None for a
    type that the twin knows no weather of.
    """
    name = f"{turbine_type}-{POPULATION}"
    return made(profile(name), home, log) if name in profile_names() else None


def evaluation_profile(turbine_type: str) -> Profile:
    """What it is judged on: seeds and winds that no training sees."""
    return _profile(f"{turbine_type}-{EVALUATION}", turbine_type)


def made(wanted: Profile, home: Path, log: Log) -> Path:
    """The dataset's folder, simulated unless it is there."""
    return cached(wanted, log, home / "datasets")


def _profile(name: str, turbine_type: str) -> Profile:
    known = profile_names()
    if name not in known:
        raise GustbedError(
            f"turbine type {turbine_type!r}: the twin has no dataset of it",
            f"name a dataset with --data, or one of {', '.join(n for n in known if '-' not in n)}",
        )
    return profile(name)
