"""The band of values that do not alarm: where the surprise reaches a given bound, solved for the value.

Outside both centres the surprise bound is a quadratic: with (1 + (x - a)/f)(1 + (x - b)/g) = exp(bound), the outer root
is x = mid + hypot(half distance, sqrt(exp(bound) f g)). Between the centres the product is concave; a crossing there is
found by bisection.
"""

import math

from detectors.compiled import inner
from detectors.core.filters import Centres, surprise
from detectors.core.layout import VALUE_MAX

_BOUND_MAX = 1200.0
_BISECTIONS = 60


@inner
def _outer_root(sign: float, centres: Centres, bound: float) -> float:
    a, f, b, g = centres
    left, right = sign * a - f, sign * b - g
    reach = math.exp(0.5 * min(bound, _BOUND_MAX)) * math.sqrt(f) * math.sqrt(g)
    root = 0.5 * (left + right) + math.hypot(0.5 * (left - right), reach)
    return sign * min(max(root, -VALUE_MAX), VALUE_MAX)


@inner
def _crossing(ordinary: float, alarming: float, centres: Centres, bound: float) -> float:
    for _ in range(_BISECTIONS):
        middle = 0.5 * (ordinary + alarming)
        if surprise(middle, centres) < bound:
            ordinary = middle
        else:
            alarming = middle
    return ordinary


@inner
def _edge(sign: float, expected: float, farthest: float, centres: Centres, bound: float) -> float:
    if surprise(farthest, centres) < bound:
        return _outer_root(sign, centres, bound)
    return _crossing(expected, farthest, centres, bound)


@inner
def band(centres: Centres, bound: float) -> tuple[float, float, float]:
    """Expected value, lower and upper edge: where the surprise reaches `bound`.

    Expected is the slow centre, which an incident hardly moves, unless it would itself alarm and the fast one not (a
    level that has been accepted). When both would alarm the band is empty: all three are the slow centre.
    """
    fast, _, slow, _ = centres
    expected = slow
    if surprise(slow, centres) >= bound:
        if surprise(fast, centres) >= bound:
            return slow, slow, slow
        expected = fast
    lower = _edge(-1.0, expected, min(fast, slow), centres, bound)
    upper = _edge(1.0, expected, max(fast, slow), centres, bound)
    return expected, lower, upper


@inner
def tightened(
    x: float, limits: tuple[float, float, float], centres: Centres, bound: float
) -> tuple[float, float, float]:
    """Limits (as from `band`) moved inwards so that an alarming `x` between two far centres lies outside."""
    expected, lower, upper = limits
    if expected < x <= upper:
        upper = _crossing(expected, x, centres, bound)
    elif lower <= x < expected:
        lower = _crossing(expected, x, centres, bound)
    return expected, lower, upper
