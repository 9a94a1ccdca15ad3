"""A seeded simulator of workers that fail: the real stages, on a virtual Kafka, in virtual time.

Everything that decides is the code that runs in production: ingest, detect, triage, and the snapshots' writer and log.
What is virtual is the rest: topics, the consumer group, producers whose records land late or never, and the shells of
the stages, which keep to the order of the real ones. A run is a function of its seed:

1. `scenario` makes up the settings, the source records and which faults there are.
2. `run` lets workers, broker and clock take turns at random, with faults; then the faults stop, lag must go to 0, and an
   incident that is published only now must be found.
3. `judge` compares what came out with the undisturbed fold of the same source records.

    python -m stream.testing.simulator --seeds 1000      # look for a seed that fails
    python -m stream.testing.simulator --seed 17         # run that one again
"""

from stream.testing.simulator.judge import Verdict, judge
from stream.testing.simulator.run import Outcome, run
from stream.testing.simulator.scenario import Scenario, make_scenario
from stream.testing.simulator.stage_shell import Parts

__all__ = ["Outcome", "Parts", "Scenario", "Verdict", "check", "judge", "make_scenario", "run"]


def check(seed: int, parts: Parts | None = None) -> Verdict:
    """Run the scenario of a seed and judge it; `parts` replaces pieces of the worker, to see whether the judge notices."""
    return judge(run(make_scenario(seed), parts or Parts()))
