"""What lasts in one series of runs, in plain Python: the formulas of `shift`, `wider` and `new_level`."""

import math

from detectors import new_level as levels
from detectors import run_model as model
from detectors import shift as shifts
from detectors import wider
from tests.detectors.plain_tails import clip, single


class PlainShift:
    """Whether runs lie to one side (`way`), run after run."""

    def __init__(self) -> None:
        self.rise, self.fall, self.bar = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        self.recent = self.back = self.returned = 0.0
        self.rising = self.falling = self.way = 0

    @property
    def is_half_way(self) -> bool:
        return max(self.rise[0], self.fall[0]) > 0.5 * self.bar[0]

    @property
    def runs(self) -> int:
        """For how many runs it has gone that way."""
        return self.rising if self.way > 0 else self.falling

    def set_bar(self, alpha: float) -> None:
        raised = 1 + shifts.RETURNED_RAISES * max(0.0, self.returned - shifts.RETURNED_FREE)
        self.bar = [single(raised * _cusum_bar(k, 4 / (model.SHIFTS * alpha))) for k in shifts.STEPS]

    def follow(self, u: float, young: float) -> None:
        for k in range(2):
            bounded, less = clip(u, shifts.U_MAX[k]), shifts.STEPS[k] + young
            top = self.bar[k] + shifts.ABOVE_MAX
            self.rise[k] = single(min(max(0.0, self.rise[k] + bounded - less), top))
            self.fall[k] = single(min(max(0.0, self.fall[k] - bounded - less), top))
        self.rising = self.rising + 1 if self.rise[0] > 0 else 0
        self.falling = self.falling + 1 if self.fall[0] > 0 else 0
        runs = self.rising if self.rise[0] > self.fall[0] else self.falling
        self.recent += (clip(u, shifts.RECENT_CLIP) - self.recent) / min(max(runs, 1), shifts.RECENT_RUNS)

    def excess(self, u: float, size: float, interval_s: float) -> float:
        """How far it is beyond its bar, and below 0 while there is none; `size` is that of the change that lasts."""
        up = max(self.rise[k] - self.bar[k] for k in range(2))
        down = max(self.fall[k] - self.bar[k] for k in range(2))
        if self.way != 0:
            bounded = min(max(size, 1.0), 6.0)
            said = clip(bounded * (0.5 * bounded - self.way * u), model.BACK_STEP)
            self.back = max(0.0, self.back + said)
            if self.back > model.BACK_BAR + math.log1p(model.BACK_S / interval_s):
                self.end()
                self.returned = min(self.returned + 1, shifts.RETURNED_MAX)
                return -1.0
            return max(up, down, 0.0)
        if (up >= 0 and self.recent >= 0) or (down >= 0 and self.recent <= 0):
            self.way, self.back = (1 if up >= down else -1), 0.0
            return max(up, down)
        return -1.0

    def end(self) -> None:
        self.way, self.recent = 0, 0.0
        self.rise, self.fall = [0.0, 0.0], [0.0, 0.0]

    def forget(self, interval_s: float) -> None:
        """Forget a little of what came back of itself."""
        self.returned *= 1 - min(1.0, interval_s / shifts.RETURNED_S)


class PlainUnrest:
    """Whether runs lie farther out than they used to, on both sides."""

    def __init__(self) -> None:
        self.sum = self.bar = 0.0

    @property
    def is_over(self) -> bool:
        return self.sum >= self.bar > 0

    @property
    def is_under_way(self) -> bool:
        return 0.5 * self.bar < self.sum < self.bar

    def set_bar(self, alpha: float) -> None:
        self.bar = single(_cusum_bar(wider.STEP, 1 / (wider.SHARE * alpha)))

    def follow(self, u: float, young: float) -> None:
        w = clip((math.sqrt(abs(u)) - wider.W_MEAN) / wider.W_DEVIATION, wider.W_MAX)
        grown = max(0.0, self.sum + w - wider.STEP - young)
        self.sum = single(min(grown, self.bar + wider.ABOVE_MAX))


class PlainNewLevel:
    """A new level that may be under way since its first run."""

    def __init__(self, since_ms: int = 0, residual: float | None = None) -> None:
        self.runs, self.since_ms, self.missed = int(residual is not None), since_ms, 0
        self.proposed = False
        self.mean = self.late = residual or 0.0
        self.square = 0.0

    def agrees(self, residual: float, unit: float) -> bool:
        return abs(residual - self.mean) <= levels.AGREES * unit * math.sqrt(1 + 1 / self.runs)

    def learn(self, time_ms: int, residual: float, unit: float, interval_s: float) -> int:
        """Learn a run that agrees; what is to be said of the level."""
        difference = residual - self.mean
        self.missed = 0
        self.runs += 1
        memory = min(self.runs, max(levels.ACCEPTED_RUNS, levels.ACCEPTED_MS / 1000 / interval_s))
        rate = 1 / memory
        self.mean += rate * difference
        self.square += rate * (difference**2 * (1 - rate) - self.square)
        self.late += min(1.0, max(levels.LATE_SHARE * rate, 1 / self.runs)) * (residual - self.late)
        error = levels.STEADY_NOISE * unit * math.sqrt(levels.LATE_SHARE / memory)
        moved = abs(self.late - self.mean)
        if moved >= levels.STEADY * abs(self.mean) + error or self.square >= (levels.WIDER * unit) ** 2:
            return levels.NOTHING
        return self._stage(time_ms - self.since_ms)

    def _stage(self, lasted_ms: int) -> int:
        enough = (self.runs >= levels.ACCEPTED_RUNS and lasted_ms >= levels.ACCEPTED_MS) or (
            self.runs >= levels.SELDOM_RUNS and lasted_ms >= levels.SELDOM_MS
        )
        if enough and (self.mean >= levels.OUTAGE or lasted_ms >= levels.OUTAGE_MS):
            return levels.ACCEPTED
        if not self.proposed and self.runs >= levels.PROPOSED_RUNS and lasted_ms >= levels.PROPOSED_MS:
            self.proposed = True
            return levels.PROPOSED
        return levels.NOTHING


def _cusum_bar(step: float, runs: float) -> float:
    b = 2.0
    for _ in range(12):
        b = math.log(max(2 * step**2 * runs, 1e-9) + 1 + 2 * step * b) / (2 * step)
    return max(b - shifts.OVERSHOOT, 0.5)
