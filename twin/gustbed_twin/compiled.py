"""The one place that needs a compiler: Numba, an extra of this package.

Measured on two cores: NumPy alone makes 1.0, 7.1 and 14 million bare drivetrain steps a second at
100, 1,000 and 5,000 turbines (the cost of a call outweighs the work), the compiled loop is linear.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from gustbed_core.errors import GustbedError

_ROOMS = ("", "wind", "faults", "turbine", "sensors", "farms")
"""Folders of what may be compiled, or named by it."""
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile on first call and keep the result on disk where the folder can be written."""
    try:
        import numba
    except ImportError as error:
        raise GustbedError(
            "this turbine type needs numba", "install gustbed-twin[utility]"
        ) from error
    njit: Any = numba.njit
    # Numba notices changes of a function's own file only, not of those that it calls.
    function.__qualname__ = f"{function.__name__}_{_sources()}"
    try:
        made = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        # A read-only file system without a home folder has no place for a cache.
        made = njit(nogil=True, error_model="numpy")(function)
    return made  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _sources() -> str:
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for folder in _ROOMS:
        for path in sorted((root / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
