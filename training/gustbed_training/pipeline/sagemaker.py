"""The pipeline as a SageMaker training job: where it finds its input and leaves its output.

SageMaker runs ``docker run <image> train`` and mounts ``/opt/ml``; environment variables ``SM_…``
say where else things are. Source: SageMaker developer guide, "How Amazon SageMaker Provides
Training Information".
"""

import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import PACKAGE_FILE

ROOT = Path("/opt/ml")
MARK = "SM_TRAINING_ENV"
_OWN = ("sagemaker_", "sm_")
"""Hyperparameters that SageMaker's own tools add begin so."""
_REASON_CHARACTERS = 1024
"""Of the failure file that SageMaker shows."""
_MINE = frozenset(
    {"detector", "seed", "epochs", "hours", "name", "version", "false_per_day", "force"}
)


@dataclass(frozen=True)
class Places:
    """Folders of a job. ``checkpoints`` outlives an interrupted spot instance, if it is there."""

    data: Path
    incumbent: Path
    model: Path
    failure: Path
    checkpoints: Path
    hyperparameters: Path


def started_here(environment: Mapping[str, str]) -> bool:
    """Whether SageMaker started this process."""
    return MARK in environment or (ROOT / "input" / "config").is_dir()


def places(environment: Mapping[str, str]) -> Places:
    """By the environment, else by SageMaker's documented defaults."""

    def place(variable: str, default: Path) -> Path:
        return Path(environment.get(variable) or default)

    inputs = place("SM_INPUT_DIR", ROOT / "input")
    return Places(
        place("SM_CHANNEL_TRAINING", inputs / "data" / "training"),
        place("SM_CHANNEL_INCUMBENT", inputs / "data" / "incumbent") / PACKAGE_FILE,
        place("SM_MODEL_DIR", ROOT / "model"),
        place("SM_OUTPUT_DIR", ROOT / "output") / "failure",
        ROOT / "checkpoints",
        place("SM_INPUT_CONFIG_DIR", inputs / "config") / "hyperparameters.json",
    )


def arguments(found: Places) -> list[str]:
    """What ``train`` is to be given. Raises ``GustbedError`` naming a hyperparameter."""
    if not found.data.is_dir():
        raise GustbedError(f"{found.data}: no such folder", "name an input channel 'training'")
    given = ["train", "--data", str(found.data), "--out", str(found.model / PACKAGE_FILE)]
    scratch = Path(tempfile.gettempdir()) / "gustbed"
    given += ["--home", str(found.checkpoints if found.checkpoints.is_dir() else scratch)]
    if found.incumbent.is_file():
        given += ["--incumbent", str(found.incumbent)]
    for name, value in _hyperparameters(found.hyperparameters).items():
        option = f"--{name.replace('_', '-')}"
        if name == "force":
            given += [option] if value.lower() == "true" else []
        else:
            given += [option, value]
    return given


def train(execute: Callable[[Sequence[str]], None], environment: Mapping[str, str]) -> None:
    """Have the job done; what stops it is also written where SageMaker looks for it."""
    found = places(environment)
    try:
        execute(arguments(found))
    except SystemExit:
        _write_failure(found.failure, "wrong usage: see the job's log")
        raise
    except Exception as error:
        _write_failure(found.failure, str(error) or type(error).__name__)
        raise


def _hyperparameters(path: Path) -> dict[str, str]:
    """SageMaker gives strings; its SDK gives JSON in strings."""
    try:
        given = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise GustbedError(f"{path}: {error}", "give a JSON object") from error
    found: dict[str, str] = {}
    for raw, value in given.items():
        name = raw.replace("-", "_")
        if name.startswith(_OWN):
            continue
        if name not in _MINE:
            raise GustbedError(f"hyperparameter {raw!r}", f"one of {', '.join(sorted(_MINE))}")
        found[name] = _plain(str(value))
    return found


def _plain(value: str) -> str:
    try:
        parsed = json.loads(value)
    except ValueError:
        return value
    return parsed if isinstance(parsed, str) else value


def _write_failure(path: Path, reason: str) -> None:
    # The job fails for the reason given, whether or not it can be written.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reason[:_REASON_CHARACTERS], encoding="utf-8")
