"""A record of every run in MLflow's embedded form: a SQLite file and a folder of artifacts.

MLflow's file store is in maintenance mode and refuses to start; its SQL store is what it
recommends, and needs no server. ``MLFLOW_TRACKING_URI`` names another place. A run whose record
fails is still a run: the failure is logged, and the run goes on.
"""

import os
import subprocess
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_core.package import Manifest

URI = "MLFLOW_TRACKING_URI"
_FOLDER = "mlflow"
_LONGEST = 500
"""Characters of a parameter that every store of MLflow takes."""


class NotRecordedError(Exception):
    """A run could not be recorded: why, in one line."""


@dataclass(frozen=True)
class Run:
    """What is recorded."""

    manifest: Manifest
    package: Path
    seconds: float


def store_uri(home: Path) -> str:
    """Where runs are recorded."""
    return os.environ.get(URI) or f"sqlite:///{home.resolve() / _FOLDER / 'mlflow.db'}"


def record(run: Run, home: Path) -> str:
    """Record a run under its model's name; return its id. Raises ``NotRecordedError``."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise NotRecordedError(
            "MLflow is not installed (pip install 'gustbed-training[tracking]')"
        ) from error
    try:
        (home / _FOLDER).mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # MLflow still uses what SQLAlchemy is going to drop: none of our caller's business.
            warnings.simplefilter("ignore", DeprecationWarning)
            client = MlflowClient(store_uri(home))
            return _log(client, _experiment(client, run.manifest.name, home), run)
    # Whatever a store of runs fails with, the model is made.
    except Exception as error:
        raise NotRecordedError(str(error).splitlines()[0][:200]) from error


def _experiment(client: Any, name: str, home: Path) -> str:
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    # A server keeps artifacts where it wants to.
    remote = store_uri(home).startswith("http")
    place = None if remote else (home.resolve() / _FOLDER / "artifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _log(client: Any, experiment: str, run: Run) -> str:
    from mlflow.entities import Metric, Param

    manifest = run.manifest
    now = int(time.time() * 1000)
    begun = client.create_run(
        experiment, run_name=f"{manifest.detector} {manifest.version}", tags=_tags(manifest)
    )
    key: str = begun.info.run_id
    metrics = manifest.metrics | {"pipeline_seconds": run.seconds}
    parameters = {"detector": manifest.detector, **manifest.training}
    client.log_batch(
        key,
        metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
        params=[Param(name, value[:_LONGEST]) for name, value in parameters.items()],
    )
    client.log_artifact(key, str(run.package))
    client.set_terminated(key)
    return key


def _tags(manifest: Manifest) -> dict[str, str]:
    tags = {
        "turbine_type": manifest.turbine_type,
        "version": manifest.version,
        "data_digest": manifest.training.get("data_digest", ""),
        "gate": manifest.training.get("gate", "")[:_LONGEST],
    }
    commit = _commit()
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def _commit() -> str | None:
    """Of the checkout that this code runs from, if it is one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
