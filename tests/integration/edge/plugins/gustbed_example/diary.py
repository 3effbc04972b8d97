import os
from pathlib import Path

from gustbed_core.events import AnomalyEvent
from gustbed_edge.plugins import SinkContext


class Diary:
    def __init__(self, _context: SinkContext) -> None:
        self.path = Path(os.environ.get("EXAMPLE_DIARY", "diary.txt"))

    def send(self, event: AnomalyEvent) -> None:
        with self.path.open("a") as file:
            file.write(f"{event.turbine} {event.kind} {event.change}\n")
