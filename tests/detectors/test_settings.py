import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.settings import SIGNAL_DEFAULTS, Persistence, Rule, SeriesSettings, Settings, Tuning, written

ORDERS = {"pipeline": "orders_eu", "task": "load"}

tunings = st.builds(
    Tuning,
    direction=st.none() | st.sampled_from(["up", "down", "both"]),
    min_effect=st.none() | st.floats(0, 10),
    false_alarms_per_day=st.none() | st.floats(0.001, 10),
    severity=st.none() | st.sampled_from(["critical", "error", "warning", "info"]),
    min_volume=st.none() | st.floats(0, 1e6),
    persistence=st.none() | st.sampled_from([Persistence(1, 1), Persistence(2, 3)]),
    time_zone=st.none() | st.sampled_from(["UTC", "Europe/Berlin"]),
    owner=st.none() | st.text(max_size=5),
)
globs = st.dictionaries(
    st.sampled_from(["pipeline", "task", "signal", "region"]), st.sampled_from(["*", "o*", "load", "x"])
)
rules = st.lists(st.builds(Rule, match=globs, tuning=tunings), max_size=6).map(tuple)


def test_without_any_tuning_a_signal_keeps_to_its_nature():
    settings = Settings()
    assert settings.for_series("latency", ORDERS).direction == "up"
    assert settings.for_series("volume", ORDERS) == SeriesSettings(direction="both", min_effect=0.2)
    assert settings.for_series("value", {}).min_effect == 0
    assert settings.for_series("volume", ORDERS).false_alarms_per_day == pytest.approx(1 / 30)


def test_layers_win_key_by_key_in_the_order_defaults_signal_rules():
    settings = Settings(
        defaults=Tuning(owner="everyone", severity="info", min_effect=0.5),
        signals={"latency": Tuning(severity="error", min_effect=0.1)},
        rules=(
            Rule({"pipeline": "orders*"}, Tuning(owner="data", min_effect=0.3)),
            Rule({"pipeline": "billing"}, Tuning(owner="finance")),
            Rule({"signal": "lat*", "task": "load"}, Tuning(min_effect=0.4)),
        ),
    )
    of_orders = settings.for_series("latency", ORDERS)
    assert (of_orders.owner, of_orders.severity, of_orders.min_effect) == ("data", "error", 0.4)
    assert settings.for_series("volume", {}).min_effect == 0.5


@pytest.mark.parametrize(
    ("match", "does"),
    [
        ({"pipeline": "orders_??"}, True),
        ({"pipeline": "Orders*"}, False),
        ({"pipeline": "orders*", "task": "extract"}, False),
        ({"region": "*"}, False),
        ({"signal": "latency"}, True),
        ({"signal": "[kl]atency"}, True),
        ({}, True),
    ],
)
def test_a_rule_matches_when_every_glob_does_and_never_by_an_absent_label(match: dict[str, str], does: bool):
    assert Rule(match, Tuning()).matches("latency", ORDERS) is does


@given(rules, st.sampled_from([*SIGNAL_DEFAULTS, "unheard_of"]))
def test_each_key_comes_from_the_last_matching_rule_that_writes_it(layers: tuple[Rule, ...], signal: str):
    found = Settings(rules=layers).for_series(signal, ORDERS)
    plain = Settings().for_series(signal, ORDERS)
    matching = [written(rule.tuning) for rule in layers if rule.matches(signal, ORDERS)]
    for key in SeriesSettings.__struct_fields__:
        said = [tuning[key] for tuning in matching if key in tuning]
        assert getattr(found, key) == (said[-1] if said else getattr(plain, key))


def test_the_hash_changes_with_any_value_and_is_the_same_in_another_process():
    variants = [
        Settings(),
        Settings(window_ms=1),
        Settings(series_max=1),
        Settings(shards=2),
        Settings(fleet_false_alarms_per_day=2.0),
        Settings(fleet_false_alarms_per_day=1.0),
        Settings(runbook_base_url="https://x"),
        Settings(defaults=Tuning(owner="a")),
        Settings(defaults=Tuning(time_zone="Europe/Berlin")),
        Settings(defaults=Tuning(min_volume=1)),
        Settings(defaults=Tuning(persistence=Persistence(2, 3))),
        Settings(defaults=Tuning(persistence=Persistence(2, 4))),
        Settings(rules=(Rule({"task": "a"}, Tuning(owner="a")),)),
        Settings(rules=(Rule({"task": "b"}, Tuning(owner="a")),)),
    ]
    assert len({settings.config_hash for settings in variants}) == len(variants)
    assert (
        Settings(signals=dict(sorted(SIGNAL_DEFAULTS.items(), reverse=True))).config_hash
        == Settings().config_hash
    )
    program = "from detectors.settings import Settings; print(Settings().config_hash, end='')"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout == Settings().config_hash
