"""The River models that every contender with River keeps for each series."""

from river.drift import ADWIN
from river.stats import EWMean, EWVar


class Models:
    """An exponentially weighted mean and variance, and a drift detector, of one series."""

    __slots__ = ("drift", "mean", "variance")

    def __init__(self) -> None:
        self.mean = EWMean(fading_factor=0.01)
        self.variance = EWVar(fading_factor=0.01)
        self.drift = ADWIN()  # type: ignore[no-untyped-call]

    def learn(self, value: float) -> bool:
        """Learn one value; True when it marks a drift."""
        self.mean.update(value)
        self.variance.update(value)
        self.drift.update(value)  # type: ignore[no-untyped-call]
        return bool(self.drift.drift_detected)
