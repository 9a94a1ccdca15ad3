"""Which lines decide the settings of a series, and the text that names one."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from detectors.series import canonical_labels, series_text
from detectors.settings import SIGNAL_DEFAULTS
from stream.commands.config import app
from stream.config import load_with_places
from stream.config.explain import Explained, Layer, explain
from stream.config.loading import Loaded
from stream.config.selector import Selector, parse_selector
from stream.config.units import format_persistence, format_share
from stream.exits import Exit, Refused

EXAMPLE = """\
defaults: {min_effect: 30%}
signals:
  latency: {min_effect: 25%, persistence: 2 of 3}
series:
  - match: {pipeline: "orders*"}
    min_effect: 10%
    owner: me
  - match: {pipeline: "x*"}
    min_effect: 11%
  - match: {signal: lat*}
    model: river.anomaly.GaussianScorer
    parameters: {window_size: 100}
"""
ORDERS = Selector("latency", {"pipeline": "orders-daily"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "here.yaml"
    path.write_text(EXAMPLE)
    return path


def settings(loaded: Loaded, series: Selector = ORDERS) -> dict[str, Explained]:
    return {it.key: it for it in explain(loaded, series)}


def test_each_layer_is_told_with_its_line_and_the_last_one_decides(file: Path):
    assert settings(load_with_places(file))["min_effect"] == Explained(
        "min_effect",
        Layer("10%", "series[0]", f"{file}:6"),
        (
            Layer("25%", "signals.latency", f"{file}:3"),
            Layer("30%", "defaults", f"{file}:1"),
            Layer("20%", "built in", "default"),
        ),
    )


def test_what_a_signal_is_by_nature_lies_over_the_defaults(tmp_path: Path):
    path = tmp_path / "c.yaml"
    path.write_text("defaults: {direction: down}\n")
    said = settings(load_with_places(path))["direction"]
    assert said.decided == Layer("up", "built in, latency", "default")
    assert said.overridden[0] == Layer("down", "defaults", f"{path}:1")


def test_an_entry_that_does_not_match_is_not_told(file: Path):
    places = {layer.place for it in explain(load_with_places(file), ORDERS) for layer in it.overridden}
    assert f"{file}:9" not in places


def test_a_model_is_told_with_its_parameters(file: Path):
    assert settings(load_with_places(file))["model"].decided == Layer(
        "river.anomaly.GaussianScorer {'window_size': 100}", "series[2]", f"{file}:11"
    )


def test_each_label_of_alerts_is_told_by_itself(tmp_path: Path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "defaults:\n  labels: {team: data, tier: '2'}\nseries:\n- match: {pipeline: '*'}\n  labels: {tier: '1'}\n"
    )
    said = settings(load_with_places(path))
    assert said["labels.team"].decided == Layer("data", "defaults", f"{path}:2")
    assert said["labels.tier"] == Explained(
        "labels.tier",
        Layer("1", "series[0]", f"{path}:5"),
        (Layer("2", "defaults", f"{path}:2"),),
    )
    assert "labels" not in said


def test_what_came_from_the_environment_names_the_variable(file: Path):
    loaded = load_with_places(file, environ={"STREAMGAUGE__SIGNALS__LATENCY__OWNER": "them"})
    assert settings(loaded, Selector("latency", {}))["owner"].decided == Layer(
        "them", "signals.latency", "STREAMGAUGE__SIGNALS__LATENCY__OWNER"
    )


shares = st.none() | st.integers(0, 90).map(lambda share: f"{share}%")
persistences = st.none() | st.tuples(st.integers(1, 3), st.integers(3, 5)).map("{0[0]} of {0[1]}".format)
tunings = st.fixed_dictionaries({"min_effect": shares, "persistence": persistences})
entries = st.tuples(st.sampled_from(["a*", "b", "*", "?b"]), tunings)


@given(tunings, tunings, st.lists(entries, max_size=4), st.sampled_from(["a", "ab", "b"]))
def test_what_is_told_to_decide_is_what_the_detectors_get(
    defaults: dict[str, Any], signal: dict[str, Any], series: list[tuple[str, dict[str, Any]]], pipeline: str
):
    document = {
        "defaults": defaults,
        "signals": {"volume": signal},
        "series": [{"match": {"pipeline": glob}, **tuning} for glob, tuning in series],
    }
    environ = {f"STREAMGAUGE__{key.upper()}": json.dumps(value) for key, value in document.items()}
    loaded = load_with_places(environ=environ)
    told = settings(loaded, Selector("volume", {"pipeline": pipeline}))
    got = loaded.config.settings().for_series("volume", {"pipeline": pipeline})
    assert told["min_effect"].decided.value == format_share(got.min_effect)
    assert told["persistence"].decided.value == format_persistence(got.persistence)


@given(
    st.sampled_from(list(SIGNAL_DEFAULTS)),
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_.]*", fullmatch=True), st.text(min_size=1), max_size=3),
)
def test_a_series_is_read_from_the_name_that_alerts_and_logs_give_it(signal: str, labels: dict[str, str]):
    selector = Selector(signal, labels)
    assert parse_selector(str(selector)) == selector
    assert str(selector) == series_text(signal, canonical_labels(labels))


@pytest.mark.parametrize(
    "text", ["volume", " volume { } ", "volume{a=b}", 'volume{ a = b , c="d,}" }', r'volume{a="\"\\"}']
)
def test_blanks_quotes_and_no_labels_are_read(text: str):
    assert parse_selector(text).signal == "volume"


@pytest.mark.parametrize(
    ("text", "at", "reason"),
    [
        ("latncy", 0, "did you mean latency?"),
        ("", 0, "expected a signal"),
        ("latency(a=b)", 7, "expected {"),
        ("latency{a", 9, "expected = after a"),
        ("latency{a=", 10, "expected the value of a"),
        ('latency{a="b', 10, "expected the value of a"),
        ("latency{a=b", 11, "expected , or }"),
        ("latency{a=b,}", 12, "expected the name of a label"),
        ("latency{a=b,a=c}", 12, "a is written twice"),
        ("latency{a=b}c", 12, "nothing may follow"),
    ],
)
def test_the_place_that_cannot_be_read_is_pointed_at_and_the_form_shown(text: str, at: int, reason: str):
    with pytest.raises(Refused) as refused:
        parse_selector(text)
    first, shown, pointer, form = str(refused.value).splitlines()
    assert reason in first
    assert (shown, pointer) == (f"  {text}", f"  {' ' * at}^")
    assert "latency{pipeline=orders}" in form
    assert refused.value.code == Exit.USAGE


@given(st.text(alphabet='latencyvolume{}=,"\\ ab', max_size=30))
def test_whatever_is_written_is_read_or_refused(text: str):
    with contextlib.suppress(Refused):
        assert parse_selector(str(parse_selector(text))) == parse_selector(text)


def test_the_command_prints_a_table_or_json(file: Path):
    def run(*options: str) -> str:
        done = CliRunner().invoke(
            app, ["explain", str(ORDERS), "-c", str(file), *options], catch_exceptions=False
        )
        assert done.exit_code == 0
        return done.stdout

    lines = [line.split() for line in run().splitlines()]
    assert ["min_effect", "10%", f"{file}:6", "(series[0])"] in lines
    assert ["25%", f"{file}:3", "(signals.latency)", "overridden"] in lines
    said = json.loads(run("--json"))
    assert said["series"] == str(ORDERS)
    assert said["settings"]["min_effect"]["place"] == f"{file}:6"
    assert [it["value"] for it in said["settings"]["min_effect"]["overridden"]] == ["25%", "30%", "20%"]
