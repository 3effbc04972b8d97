"""Models put into an edge's store, read back, and updates killed on the way there."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from gustbed_core.telemetry import MINI
from gustbed_edge.models import store as models
from gustbed_edge.models.loading import Loaded
from gustbed_edge.models.store import ModelStore
from tests.support.packages import Signed, SigningKey

KEY = SigningKey("k1")
KEYS = {"k1": KEY.private.public_key()}


def commit(store: ModelStore, signed: Signed, job: str = "job") -> None:
    """Stage a package for the miniatures and let it serve."""
    store.commit(MINI, store.stage(signed.release, signed.signature, signed.archive, job))


def version(loaded: Mapping[str, Loaded], kind: str = MINI) -> str | None:
    """The version of a type's model, if there is one."""
    return loaded[kind].release.version if kind in loaded else None


def kills(
    crash_in: str,
    update: Callable[[ModelStore], None],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ModelStore]:
    """What an update leaves, killed one call of ``crash_in`` later each time, until it is done."""
    real = getattr(models, crash_in)
    for survivors in range(6):
        left = survivors

        def die(*arguments: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(models, crash_in, die)
            try:
                update(ModelStore(folder))
            except KeyboardInterrupt:
                pass
            else:
                return
        yield ModelStore(folder)
