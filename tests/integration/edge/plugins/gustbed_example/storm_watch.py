from collections.abc import Sequence
from dataclasses import replace

from gustbed_edge.plugins import ArrivedBlock, WorkloadContext


class StormWatch:
    def __init__(self, context: WorkloadContext) -> None:
        self.context, self.open = context, {each.turbine: each for each in context.open_events}

    def score(self, blocks: Sequence[ArrivedBlock]) -> None:
        for block in (each.samples for each in blocks if "wind_speed_rps" in each.samples.names):
            wind = float(block.values[block.names.index("wind_speed_rps")].max())
            event = self.open.get(block.turbine)
            if wind > 5 and event is None:
                event = self.context.opened(block.turbine, "storm", block.end, score=wind / 5)
                self.context.events([self.open.setdefault(block.turbine, event)])
            elif wind < 4 and event is not None:
                del self.open[block.turbine]
                self.context.events([replace(event, closed=block.end, change="closed")])
