"""The dashboard's palette and words for states: one place for colour, icon and text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gustbed_core.features import FEATURE_NAMES
from gustbed_core.violations import Violation
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

KIND_WORDS: dict[Violation, str] = {
    Violation.VIBRATION: "Vibration",
    Violation.ROTATION: "Rotation",
    Violation.VOLTAGE: "Voltage",
    Violation.THERMAL: "Thermal",
    Violation.ELECTRICAL: "Electrical",
    Violation.SENSOR: "Sensor",
}
KIND_HINTS: dict[Violation, str] = {
    Violation.VIBRATION: "the nacelle shakes: roll, pitch and yaw",
    Violation.ROTATION: "the rotor no longer follows the wind",
    Violation.VOLTAGE: "the generator's voltage leaves its curve",
    Violation.THERMAL: "a part is warmer than its load explains",
    Violation.ELECTRICAL: "power and currents do not belong together",
    Violation.SENSOR: "a reading contradicts the others",
}
INJECTION_HINTS: dict[Violation, str] = {
    Violation.VIBRATION: "noise on the accelerations",
    Violation.ROTATION: "noise on the speeds",
    Violation.VOLTAGE: "noise on the voltages",
}
"""What an injection does to a turbine of another type than the miniature."""

SERIES: dict[str, str] = {
    "wind": "#6ea8fe",
    "rotor": "#4fd0c0",
    "voltage": "#e8b84a",
    "vibration": "#f08b6e",
    "roll": "#6ea8fe",
    "pitch": "#b294f0",
    "yaw": "#f08bb4",
    "gearbox": "#f08b6e",
    "ambient": "#6ea8fe",
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
FEATURE_COLOURS: dict[str, str] = dict(
    zip(
        FEATURE_NAMES,
        ("#6ea8fe", "#b294f0", "#f08bb4", "#5fb7e5", "#4fd0c0", "#e8b84a"),
        strict=True,
    )
)
"""The miniature's features."""


def colours(names: Sequence[str], among: Sequence[str]) -> dict[str, str]:
    """A colour for each of at most ``len(PALETTE)`` names, by its place in ``among``.

    So a line keeps its colour when others come and go, unless two would have the same.
    """
    if set(names) <= FEATURE_COLOURS.keys():
        return {name: FEATURE_COLOURS[name] for name in names}
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
        "rotor": SERIES["rotor"],
        "voltage": SERIES["voltage"],
        "wind": SERIES["wind"],
    }
    return ":root{" + "".join(f"--gb-{name}:{value};" for name, value in colours.items()) + "}"
