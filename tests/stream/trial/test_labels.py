"""Labels: the form in which people write down what happened, and what is wrong with it."""

from pathlib import Path

import pytest

from stream.exits import Exit, Refused
from stream.trial.labels import read_labels

GOOD = """\
grace: 2h
incidents:
  - match: {pipeline: "pay*", signal: volume}
    from: 2026-10-02T02:00Z
    to: 2026-10-02T05:30Z
    kind: [volume, freshness]
  - match: {pipeline: orders}
    from: "2026-10-01T02:00:00+02:00"
    to: 2026-10-01
"""
SIMULATED = """\
seed: 1
from: '2025-09-11T00:00:00Z'
to: '2025-11-10T00:00:00Z'
incidents:
- id: 0001-stuck_run
  kind: stuck_run
  match: {pipeline: payments}
  signals: [latency, freshness]
  starts_at: '2025-09-26T01:43:17.704Z'
  ends_at: '2025-09-26T07:43:49.749Z'
  expected: true
  for_good: false
  detail: run 361 never ends
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "incidents.yaml"
    path.write_text(text)
    return path


def test_incidents_are_read_in_the_order_of_their_beginning(tmp_path: Path):
    labels = read_labels(written(tmp_path, GOOD))
    assert labels.grace_ms == 7_200_000
    first, second = labels.incidents
    assert (first.name, first.match, first.kinds) == ("incident 2", {"pipeline": "orders"}, frozenset())
    assert first.from_ms == first.to_ms == 1_790_812_800_000
    assert second.kinds == {"volume", "freshness"}
    assert second.concerns("volume", {"pipeline": "payments"})
    assert not second.concerns("latency", {"pipeline": "payments"})
    assert first.is_found_by("schema")
    assert not second.is_found_by("schema")


def test_what_simulate_writes_is_read_as_it_is(tmp_path: Path):
    (incident,) = read_labels(written(tmp_path, SIMULATED)).incidents
    assert (incident.name, incident.expected) == ("0001-stuck_run", True)
    assert incident.kinds == {"latency", "freshness"}


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("incidents:", "incident:"), 2, "incident: unknown key, did you mean incidents?"),
        (("to: 2026-10-02T05:30Z", "until: 2026-10-02T05:30Z"), 5, "until: unknown key"),
        (("05:30Z", "25:30Z"), 5, "incidents[0].to: '2026-10-02T25:30Z' is no time"),
        (("2026-10-02T05:30Z", "2026-10-01T05:30Z"), 5, "incidents[0].to: lies before from"),
        (("[volume, freshness]", "volum"), 6, "incidents[0].kind: no alert is of kind 'volum'"),
        (("{pipeline: orders}", "orders"), 7, "incidents[1].match: is required: globs by label"),
        (("{pipeline: orders}", "{pipeline: 7}"), 7, "incidents[1].match.pipeline: must be text"),
        (("grace: 2h", "grace: two"), 1, "grace: 'two' is not a duration"),
        (("kind: [", "kind: {"), 6, "not valid YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, said: str):
    path = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(Refused) as refused:
        read_labels(path)
    assert refused.value.code == Exit.DATA
    lines = str(refused.value).splitlines()
    assert any(it.startswith(f"{path}:{line}:") and said in it for it in lines), lines


@pytest.mark.parametrize("text", ["", "[1]", "incidents: 5", "incidents: [5]", "incidents: [{}]"])
def test_what_is_no_list_of_incidents_is_refused(tmp_path: Path, text: str):
    with pytest.raises(Refused, match=r"incidents\.yaml"):
        read_labels(written(tmp_path, text))
