"""Every detector that River exports, at its default parameters, and how one sample is given to it."""

from typing import Any

from river import anomaly, drift
from river.drift import binary

_SEEDED = ("HalfSpaceTrees", "LODA", "KSWIN", "DummyDriftDetector")
_NO_DETECTORS = ("DriftRetrainingClassifier",)

KINDS: dict[str, type[Any]] = {
    f"{room.__name__}.{name}": found
    for room in (anomaly, drift, binary)
    for name in room.__all__
    if isinstance(found := getattr(room, name, None), type) and name not in _NO_DETECTORS
}


def new(kind: type[Any]) -> Any:
    """A detector with its default parameters, a seed, and what it wraps where it wraps something."""
    if kind.__name__ in _SEEDED:
        return kind(seed=7)
    if kind.__name__ == "QuantileFilter":
        return kind(anomaly.HalfSpaceTrees(seed=7), q=0.9)
    if kind.__name__ == "ThresholdFilter":
        return kind(anomaly.HalfSpaceTrees(seed=7), threshold=0.9)
    return kind()


def step(detector: Any, x: float) -> Any:
    """Give a detector a value between 0 and 1, and tell all that it says of it."""
    if type(detector).__name__ in binary.__all__:
        detector.update(x < 0.3)
        return detector.drift_detected
    if hasattr(detector, "update"):
        detector.update(x)
        return detector.drift_detected, getattr(detector, "p_value", None), getattr(detector, "width", None)
    inner = getattr(detector, "anomaly_detector", detector)
    given = ({}, x) if inner._supervised else ({"value": x},)
    score = detector.score_one(*given) if x >= 0 else None
    detector.learn_one(*given)
    return score, detector.classify(score) if hasattr(detector, "classify") else None
