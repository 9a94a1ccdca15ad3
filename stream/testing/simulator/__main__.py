"""The simulator's command line: runs many seeds, or one of them again."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from stream.testing.simulator import Verdict, check


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds; 1 when any of them failed."""
    options = _options(arguments)
    seeds = (
        [options.seed] if options.seed is not None else range(options.start, options.start + options.seeds)
    )
    started_s = time.monotonic()
    faults: Counter[str] = Counter()
    failed = 0
    for verdict in _verdicts(seeds, options.jobs):
        faults += verdict.faults + Counter(alerts=verdict.alerts, repeats=verdict.repeats)
        failed += bool(verdict.complaints)
        for complaint in verdict.complaints:
            sys.stdout.write(f"seed {verdict.seed}: {complaint}\n")
        if failed > options.failures:
            break
    sys.stdout.write(
        f"{len(seeds)} seeds, {failed} failed, {time.monotonic() - started_s:.1f} s; {dict(faults)}\n"
    )
    return int(failed > 0)


def _verdicts(seeds: Sequence[int], jobs: int) -> Iterator[Verdict]:
    if jobs <= 1 or len(seeds) == 1:
        yield from map(check, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as processes:
        yield from processes.map(check, seeds, chunksize=8)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stream.testing.simulator")
    parser.add_argument("--seed", type=int, help="run this seed only")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--failures", type=int, default=20, help="stop after so many failed seeds")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
