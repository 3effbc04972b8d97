"""What a model's ratios mean: which kinds of event they speak for."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gustbed_core import decisions
from gustbed_core.event_kinds import EventKind
from gustbed_core.events import ModelRef
from gustbed_core.package import Manifest
from gustbed_core.signals import Decision


@dataclass(frozen=True, slots=True)
class Judge:
    """Who speaks of a turbine, and how its verdicts become events.

    ``masks`` (kinds, features) says which of its features speak for which of its kinds.
    """

    model: ModelRef
    features: tuple[str, ...]
    kinds: tuple[EventKind, ...]
    masks: NDArray[np.bool_] = field(repr=False)
    decision: Decision
    signals: dict[EventKind, tuple[tuple[int, str], ...]]
    """By kind: each feature's place and name."""

    @classmethod
    def of(cls, manifest: Manifest, decision: Decision) -> "Judge":
        """The judge that a model's manifest describes, deciding as told."""
        names = manifest.feature_names
        kinds, masks = decisions.kind_masks(manifest.violations, names)
        signals = {
            kind: tuple((i, names[i]) for i in np.flatnonzero(mask).tolist())
            for kind, mask in zip(kinds, masks, strict=True)
        }
        model = ModelRef(manifest.name, manifest.version)
        return cls(model, names, kinds, masks, decision, signals)

    def by_kind(self, ratios: NDArray[np.floating]) -> NDArray[np.floating]:
        """Ratios (k, features) to the largest that speaks for each of its kinds (k, kinds)."""
        return decisions.strongest_by_kind(ratios, self.masks)
