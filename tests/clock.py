"""A clock for what must end in time: no test waits for it."""

from collections.abc import Callable


class Clock:
    """Seconds that pass by being asked for: `pace(k)` of them after reading k (0, 1, ...)."""

    def __init__(self, pace: Callable[[int], float]):
        self.now, self.readings, self.pace = 0.0, 0, pace

    def __call__(self) -> float:
        now = self.now
        self.now += self.pace(self.readings)
        self.readings += 1
        return now
