"""`make bench`: what one event costs, what one worker reads a second from a real Kafka, and NAB's score where it is at hand.

python -m bench [--events N]
"""

import argparse
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import stages, worker

NAB = Path(__file__).parents[1] / ".." / "shared" / "fixtures" / "nab"


def main() -> None:
    """Run everything and print one table for each question."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=300_000, help="run events in each measurement")
    events: int = parser.parse_args().events
    console = Console(highlight=False)
    console.print(f"{events:,} run events of 1,000 series, {worker.machine()}\n")
    table = Table("stage", "µs an event", "events/s", title="One process, no Kafka")
    for name, seconds in stages.measure(events):
        table.add_row(name, f"{seconds / events * 1e6:.2f}", f"{events / seconds:,.0f}")
    console.print(table)
    broker, seconds = worker.measure(events)
    console.print(
        f"\nOne worker on {broker}: {events / seconds:,.0f} events/s, state stored and alerts written"
    )
    if NAB.is_dir():
        console.print("\nNumenta Anomaly Benchmark, `streamgauge score` with its defaults:")
        subprocess.run([sys.executable, "-m", "bench.nab"], check=True)


main()
