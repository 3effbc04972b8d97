import time

import numpy as np

from gustbed_core.telemetry import Samples
from gustbed_core.worker import Worker
from gustbed_edge.plugins import InputContext


class Anemometer(Worker):
    def __init__(self, context: InputContext) -> None:
        super().__init__("anemometer")
        self.context, self.boot, self.seq = context, str(time.time()), 0

    def turn(self) -> float:
        turbine, t0 = self.context.site.turbine_ids[-1], time.time() - 0.8
        wind, names = np.full((1, 5), 8.0), ("wind_speed",)  # (channels, samples)
        self.context.deliver(Samples(turbine, self.boot, self.seq, t0, 0.2, wind, "mast", names))
        self.seq += 1
        return 1.0
