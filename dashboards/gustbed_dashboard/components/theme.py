"""The dashboard's palette and words for states: one place for colour, icon and text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gustbed_dashboard.site.snapshot import Condition

ASSETS = Path(__file__).parents[1] / "assets"
STYLES = ASSETS / "gustbed.css"
LOGO = ASSETS / "logo.svg"
FAVICON = ASSETS / "favicon.svg"

TEXT, MUTED, FAINT = "#e8edf2", "#93a1b0", "#5d6b7a"
SURFACE, BORDER = "#121820", "#222b35"
FONT = "Inter, system-ui, sans-serif"

OK, ALARM, CAUTION, VIOLET, QUIET, ACCENT = (
    "#3fbf8f",
    "#ff6f61",
    "#e3b341",
    "#b294f0",
    "#8492a3",
    "#4fb7c9",
)


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: never by colour alone."""

    word: str
    icon: str
    tone: str


LOOKS: dict[Condition, Look] = {
    Condition.OK: Look("Normal", "dot", "ok"),
    Condition.ANOMALY: Look("Anomaly", "alert", "alarm"),
    Condition.WARMING: Look("Warming up", "half", "caution"),
    Condition.UNKNOWN: Look("No verdict", "question", "violet"),
    Condition.SILENT: Look("Silent", "slash", "quiet"),
    Condition.WAITING: Look("Waiting", "ring", "quiet"),
}

PALETTE: tuple[str, ...] = (
    "#6ea8fe",
    "#4fd0c0",
    "#e8b84a",
    "#b294f0",
    "#f08b6e",
    "#9ccc65",
    "#f08bb4",
    "#5fb7e5",
)
"""For lines that have no colour of their own, told apart on the dark ground."""


def colours(names: Sequence[str], among: Sequence[str]) -> dict[str, str]:
    """A colour for each of at most ``len(PALETTE)`` names, by its place in ``among``.

    So a line keeps its colour when others come and go, unless two would have the same.
    """
    taken: dict[str, str] = {}
    for name in names:
        start = among.index(name) if name in among else 0
        turns = (PALETTE[(start + turn) % len(PALETTE)] for turn in range(len(PALETTE)))
        taken[name] = next((c for c in turns if c not in taken.values()), PALETTE[0])
    return taken


def root_variables() -> str:
    """The palette as CSS custom properties."""
    colours = {
        "text": TEXT,
        "muted": MUTED,
        "faint": FAINT,
        "surface": SURFACE,
        "border": BORDER,
        "ok": OK,
        "alarm": ALARM,
        "caution": CAUTION,
        "violet": VIOLET,
        "quiet": QUIET,
        "accent": ACCENT,
        "reading-0": PALETTE[1],
        "reading-1": PALETTE[2],
    }
    return ":root{" + "".join(f"--gb-{name}:{value};" for name, value in colours.items()) + "}"
