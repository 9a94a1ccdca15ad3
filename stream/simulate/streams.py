"""Ordinary streams: the metrics that a streaming pipeline publishes every minute or five.

Throughput follows the season with noise that remembers (AR(1), 0.8 over 5 minutes); lag is log-normal and spikes for a few samples
now and then, as after a garbage collection or a rebalance; the share of nulls is what it is.
"""

from typing import NamedTuple

import numpy as np

from stream.simulate.calendars import MINUTE_MS, Ints
from stream.simulate.ordinary import Floats, null_share_of, season_factors
from stream.simulate.platform import Pipeline

SCRAPE_MS = 5_000
"""How long after the full minute the collector publishes."""
MEMORY_MIN = 22.0
LAG_SPREAD = 0.3
SPIKE_SHARE = 0.0008
THROUGHPUT, LAG, NULLS = "throughput", "lag_seconds", "null_share"


class Metric(NamedTuple):
    """One metric over time: when it is published, the time it claims, what it says."""

    name: str
    published_ms: Ints
    times_ms: Ints
    values: Floats


def ordinary_stream(pipeline: Pipeline, seed: int, from_ms: int, to_ms: int) -> list[Metric]:
    """The metrics of a streaming pipeline in [from, to)."""
    rng = np.random.default_rng([seed, 2, pipeline.index])
    step_ms = pipeline.schedule.interval_ms
    first = -(-pipeline.begins_ms // step_ms) * step_ms
    times = np.arange(first, to_ms - SCRAPE_MS, step_ms, dtype=np.int64)
    count = len(times)
    memory = float(np.exp(-step_ms / (MEMORY_MIN * MINUTE_MS)))
    factors = season_factors(pipeline.season, times, from_ms, pipeline.zone)
    throughput = pipeline.rows * factors * np.exp(_remembering(rng, count, pipeline.rows_spread, memory))
    lag = pipeline.lag_s * factors**0.3 * np.exp(_remembering(rng, count, LAG_SPREAD, memory))
    lag *= _spikes(rng, count)
    nulls = null_share_of(pipeline.null_share or 0.0, count, rng)
    published = times + SCRAPE_MS
    return [
        Metric(THROUGHPUT, published, times, np.round(throughput, 2)),
        Metric(LAG, published, times, np.round(lag, 3)),
        Metric(NULLS, published, times, nulls),
    ]


def _remembering(rng: np.random.Generator, count: int, spread: float, memory: float) -> Floats:
    """An AR(1) process of that spread, half of whose variance is forgotten at once."""
    shocks = rng.standard_normal(count) * np.sqrt(1 - memory**2)
    level, levels = 0.0, np.empty(count)
    for at, shock in enumerate(shocks.tolist()):
        level = memory * level + shock
        levels[at] = level
    deviations: Floats = spread * (levels + rng.standard_normal(count)) / np.sqrt(2)
    return deviations


def _spikes(rng: np.random.Generator, count: int) -> Floats:
    """Factors: 1, but now and then 2 to 4 for a sample or two."""
    begins, sizes = rng.random(count) < SPIKE_SHARE, rng.uniform(2.0, 4.0, count)
    spikes = np.where(begins, sizes, 1.0)
    after = np.concatenate([[1.0], np.sqrt(spikes[:-1])]) if count else spikes
    factors: Floats = np.maximum(spikes, after)
    return factors
