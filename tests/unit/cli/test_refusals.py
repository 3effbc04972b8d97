"""``gustbed status`` says why nothing is made of what silent turbines send."""

from typing import Literal

from gustbed_cli.commands.fleet import refusals
from gustbed_core.events import TurbineStatus


def turbine(name: str, state: Literal["ok", "silent"], refused: str) -> TurbineStatus:
    return TurbineStatus(name, state, 0, 0, 0, 0, None, [], refused=refused)


def test_only_silent_turbines_are_told_and_of_many_the_first_few() -> None:
    late = "131 s ahead of the edge's clock (GUSTBED_EDGE_MAX_CLOCK_AHEAD)"
    farm = [turbine(f"wt{number:02}", "silent", late) for number in range(1, 6)]
    told = list(refusals([turbine("wt00", "ok", late), turbine("wt09", "silent", ""), *farm]))
    assert told == [
        *(f"wt0{number}: the edge refuses what it sends: {late}" for number in (1, 2, 3)),
        "2 more turbines' blocks are refused: see `gustbed status --json`",
    ]
