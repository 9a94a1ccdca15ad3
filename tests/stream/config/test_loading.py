from pathlib import Path
from typing import Any

import pytest

from detectors.expected_changes import ExpectedChange
from detectors.lineage import Link, Relation
from detectors.settings import Model, Settings
from stream.config import Config, Override, load
from stream.config.loading import load_with_places
from stream.formats.records import RecordSource
from tests.stream.config.writing import config_file, lines


def test_without_a_file_the_defaults_watch_three_topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    config = load(environ={})
    assert [(source.topic, source.format) for source in config.sources] == [
        ("pipeline.events", "events"),
        ("pipeline.metrics", "metrics"),
        ("openlineage.events", "openlineage"),
    ]
    assert (config.alerts.topic, config.alerts.state_topic) == ("pipeline.alerts", "pipeline.alerts.state")
    assert config.dead_letters.topic == "streamgauge.dead-letters"
    assert (config.http.host, config.http.port) == ("127.0.0.1", 8080)
    assert config.settings().for_series("latency", {}) == Settings().for_series("latency", {})


def test_the_file_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "streamgauge.yaml").write_text("name: found")
    monkeypatch.chdir(tmp_path)
    assert load(environ={}).name == "found"


def test_what_a_file_says_reaches_the_settings(tmp_path: Path):
    text = """
    defaults: {false_alarms: 1 per 30d, direction: both, severity: error}
    signals:
      latency: {min_effect: 35%}
    series:
      - match: {pipeline: "orders*", signal: volume}
        false_alarms: 1 per 90d
        owner: data-platform
        runbook_url: https://runbooks.example/orders
    time: {window: 1m, allowed_lateness: 0s}
    limits: {series_max: 7, depth_max: 9}
    """
    config = load(config_file(tmp_path, text), environ={})
    settings = config.settings()
    assert (settings.window_ms, settings.allowed_lateness_ms, settings.series_max) == (60_000, 0, 7)
    assert config.limits_for_ingest().nesting_max == 9
    latency = settings.for_series("latency", {"pipeline": "orders"})
    assert (latency.direction, latency.min_effect, latency.severity) == ("up", 0.35, "error")
    volume = settings.for_series("volume", {"pipeline": "orders_eu"})
    assert (volume.owner, volume.runbook_url) == ("data-platform", "https://runbooks.example/orders")
    assert volume.false_alarms_per_day == pytest.approx(1 / 90)


@pytest.mark.parametrize(
    ("written", "per_day"),
    [("", None), ("5 per week", 5 / 7), ("1 per 30d", 1 / 30), ("none", None), ("2 per day", 2)],
)
def test_the_ceiling_of_the_fleet_reaches_the_settings_with_the_shards_that_share_it(
    tmp_path: Path, written: str, per_day: float | None
):
    text = f"topics: {{samples_partitions: 6}}\nalerts: {{fleet_false_alarms: {written}}}"
    settings = load(config_file(tmp_path, text), environ={}).settings()
    assert settings.fleet_false_alarms_per_day == (None if per_day is None else pytest.approx(per_day))
    assert settings.shards == 6


def test_a_series_has_the_time_zone_of_its_entry_its_signal_or_the_defaults(tmp_path: Path):
    text = """
    defaults: {time_zone: Europe/Berlin}
    signals: {volume: {time_zone: America/New_York}}
    series: [{match: {pipeline: tokyo}, time_zone: Asia/Tokyo}]
    """
    settings = load(config_file(tmp_path, text), environ={}).settings()
    assert settings.for_series("latency", {}).time_zone == "Europe/Berlin"
    assert settings.for_series("volume", {}).time_zone == "America/New_York"
    assert settings.for_series("volume", {"pipeline": "tokyo"}).time_zone == "Asia/Tokyo"
    assert settings.time_zones == ["America/New_York", "Asia/Tokyo", "Europe/Berlin", "UTC"]
    assert settings.config_hash != load(config_file(tmp_path, ""), environ={}).settings().config_hash


def test_volume_and_persistence_reach_the_settings(tmp_path: Path):
    text = """
    defaults: {persistence: 2 of 3}
    signals: {volume: {min_volume: 1000}, failures: {min_volume: 20}}
    series: [{match: {pipeline: a}, persistence: 1 of 1, min_volume: 0.5}]
    """
    settings = load(config_file(tmp_path, text), environ={}).settings()
    volume, failures = settings.for_series("volume", {}), settings.for_series("failures", {})
    assert (volume.persistence, volume.min_volume) == ((2, 3), 1000)
    assert (failures.persistence, failures.min_volume) == ((2, 3), 20)
    own = settings.for_series("volume", {"pipeline": "a"})
    assert (own.persistence, own.min_volume) == ((1, 1), 0.5)


def test_expected_changes_reach_the_settings_with_their_topic(tmp_path: Path):
    text = "sources: [{topic: a, format: records, expected: [{path: b.c}, {path: d, change: renamed}]}]"
    settings = load(config_file(tmp_path, text), environ={}).settings()
    assert settings.expected_changes == (ExpectedChange("a", "b.c"), ExpectedChange("a", "d", "renamed"))


def test_lineage_reaches_the_settings_as_links_each_once(tmp_path: Path):
    text = """
    lineage:
      - {pipeline: report, after: [orders, customers], reads: [w.orders]}
      - {pipeline: report, after: [orders], writes: [w.report]}
    """
    settings = load(config_file(tmp_path, text), environ={}).settings()
    assert settings.lineage == (
        Link("report", Relation.READS, "w.orders"),
        Link("report", Relation.WRITES, "w.report"),
        Link("report", Relation.AFTER, "customers"),
        Link("report", Relation.AFTER, "orders"),
    )


def test_what_tells_records_apart_reaches_their_reading(tmp_path: Path):
    config = load(
        config_file(tmp_path, "sources: [{topic: a, format: records, id: {path: meta.id}}]"), environ={}
    )
    assert config.sources[0].reading == RecordSource(id=("meta", "id"))


@pytest.mark.parametrize(
    ("sample", "reading"),
    [
        ("10%", RecordSource(sample=0.1)),
        ("100%", RecordSource()),
        ("5000/s", RecordSource(per_second=5000)),
        ("7 / s", RecordSource(per_second=7)),
    ],
)
def test_a_sample_reaches_its_reading(tmp_path: Path, sample: str, reading: RecordSource):
    file = config_file(tmp_path, f"sources: [{{topic: a, format: records, sample: {sample}}}]")
    config = load(file, environ={})
    assert config.sources[0].reading == reading


@pytest.mark.parametrize("sample", ["0%", "101%", "0/s", "5000", "5 per s", "-1/s", "[]"])
def test_what_is_no_sample_is_refused(tmp_path: Path, sample: str):
    (line,) = lines(tmp_path, f"sources: [{{topic: a, format: records, sample: {sample}}}]")
    assert line.startswith("c.yaml:1: sources[0].sample: ")
    assert line.endswith("like 10%, at most 100%, or how many of them in a second, like 5000/s")


def test_dependent_topics_follow_the_names_they_hang_on(tmp_path: Path):
    config = load(config_file(tmp_path, "name: mine\nalerts: {topic: a}\n"), environ={})
    assert (config.alerts.state_topic, config.dead_letters.topic) == ("a.state", "mine.dead-letters")
    assert config.samples_topic == "mine.samples"
    assert (config.commands.topic, config.audit.topic) == ("mine.commands", "mine.audit")


def test_a_key_without_a_value_counts_as_not_written(tmp_path: Path):
    assert load(config_file(tmp_path, "defaults:\nhttp: {port: }\n"), environ={}).http.port == 8080


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nmae: x", ("c.yaml:1: nmae: unknown key, did you mean name? (allowed: alerts, audit, bridges, commands, configs, dead_letters, defaults, http, kafka, "
         "limits, lineage, mode, name, schema_registry, series, signals, snapshot_interval, sources, time, topics)")),
        ("http:\n  prot: 1", "c.yaml:2: http.prot: unknown key, did you mean port? (allowed: host, port)"),
        ("lineage:\n- pipeline: a", "c.yaml:2: lineage[0]: must have after, reads or writes"),
        ("lineage:\n- {pipeline: a, after: [b, a]}", "c.yaml:2: lineage[0].after: a cannot come after itself"),
        ("lineage:\n- {after: [b]}", "c.yaml:2: lineage[0].pipeline: is required"),
        ("http: {zzz: 1}", "c.yaml:1: http.zzz: unknown key (allowed: host, port)"),
        ("http: {port: true}", "c.yaml:1: http.port: must be a whole number"),
        ("http: {port: 70000}", "c.yaml:1: http.port: must be at most 65535, not 70000"),
        ("http: 5", "c.yaml:1: http: must be a section of keys and values, not 5"),
        ("name: a b", "c.yaml:1: name: may have letters, digits, dot, dash and underscore only, not 'a b'"),
        ("name: ..", "c.yaml:1: name: Kafka does not allow the name '..'"),
        ("sources: []", "c.yaml:1: sources: must not be empty, not []"),
        ("sources: {topic: a}", "c.yaml:1: sources: must be a list, not {'topic': 'a'}"),
        ("sources:\n- topic: a", "c.yaml:2: sources[0].format: is required"),
        ("sources:\n- topic: a\n  format: avro", ("c.yaml:3: sources[0].format: 'avro' is not one of them "
         "(allowed: events, openlineage, metrics, records, registry)")),
        ("sources:\n- {topic: a, format: events, event_time: {path: at}}", ("c.yaml:2: sources[0].event_time: is for format "
         "records; a record of format events says it itself")),
        ("sources:\n- {topic: a, format: records, expected: [{change: field_added}]}",
         "c.yaml:2: sources[0].expected[0].path: is required"),
        ("sources:\n- {topic: a, format: events, expected: [{path: a}]}", ("c.yaml:2: sources[0].expected: is for format "
         "records; a record of format events says it itself")),
        ("sources:\n- {topic: a, format: events, id: {path: id}}", ("c.yaml:2: sources[0].id: is for format "
         "records; a record of format events says it itself")),
        ("sources:\n- {topic: a, format: records, id: {path: id, key: true}}",
         "c.yaml:2: sources[0].id.key: cannot stand beside path: a value has one place"),
        ("sources:\n- {topic: a, format: records, id: {path: id}, sample: 10%}",
         "c.yaml:2: sources[0].sample: cannot stand beside id: only who looks at all records sees one twice"),
        ("sources:\n- {topic: a, format: records, event_time: {}}", "c.yaml:2: sources[0].event_time: must have path or header"),
        ("sources:\n- {topic: a, format: records, labels: {x: {path: a, key: true}}}",
         "c.yaml:2: sources[0].labels.x.key: cannot stand beside path: a value has one place"),
        ("sources:\n- {topic: a, format: records, event_time: {key: true}}",
         "c.yaml:2: sources[0].event_time.key: unknown key (allowed: header, path)"),
        ("sources:\n- {topic: a, format: records, event_time: {path: 'items[].at'}}",
         "c.yaml:2: sources[0].event_time.path: must lead to one value; [] and {*} are many"),
        ("sources:\n- {topic: a, format: records, labels: {region: {path: a..b}}}", ("c.yaml:2: sources[0].labels.region.path: "
         "'a..b' is no path of names with dots between, such as customer.id")),
        ("sources:\n- {topic: a, format: records, labels: {region: eu}}",
         "c.yaml:2: sources[0].labels.region: must be a section of keys and values, not 'eu'"),
        ("series:\n- match: {pipeline: a}\n  labels: {severity: high}",
         "c.yaml:3: series[0].labels.severity: says what every alert has by itself; take another name"),
        ("alerts: {fleet_false_alarms: 0 per week}", ("c.yaml:1: alerts.fleet_false_alarms: no detector can promise 0 false "
         "alarms: write a long period instead, like 1 per 365d, or none")),
        ("alerts: {fleet_false_alarms: 5}", ("c.yaml:1: alerts.fleet_false_alarms: 5 is not a rate: write N per DURATION, "
         "like 1 per 30d, or none")),
        ("defaults: {season: yearly}", ("c.yaml:1: defaults.season: 'yearly' is not one of them "
         "(allowed: none, daily, weekly, auto)")),
        ("defaults: {mode: on}", "c.yaml:1: defaults.mode: True is not one of them (allowed: live, shadow, off)"),
        ("signals: {latency: {schedule: '02:00'}}", "c.yaml:1: signals.latency.schedule: only freshness keeps to a schedule"),
        ("series: [{match: {signal: volume}, schedule: '02:00'}]",
         "c.yaml:1: series[0].schedule: only freshness keeps to a schedule"),
        ("signals: {freshness: {schedule: nightly}}", ("c.yaml:1: signals.freshness.schedule: 'nightly' is no schedule: "
         "a cron expression has five fields: minute, hour, day, month, day of the week; write it like weekdays 02:00-02:20, "
         "mon,thu 06:30 or 0 2 * * 1-5 within 20m, or learned")),
        ("signals: {nulls: {}}", "c.yaml:1: signals.nulls: not supported yet"),
        ("defaults: {severity: high}", ("c.yaml:1: defaults.severity: 'high' is not one of them "
         "(allowed: critical, error, warning, info)")),
        ("defaults: {min_effect: 0.2}", "c.yaml:1: defaults.min_effect: 0.2 is not a share: write a number and %, like 20%"),
        ("defaults: {time_zone: europe/berlin}", ("c.yaml:1: defaults.time_zone: 'europe/berlin' is no time zone of the "
         "IANA database: did you mean Europe/Berlin?")),
        ("signals:\n  latency: {time_zone: Berln}", ("c.yaml:2: signals.latency.time_zone: 'Berln' is no time zone "
         "of the IANA database: did you mean Europe/Berlin or America/Belem?")),
        ("series:\n- match: {task: a}\n  time_zone: 2", ("c.yaml:3: series[0].time_zone: 2 is no time zone of the "
         "IANA database: write one like Europe/Berlin or UTC")),
        ("defaults: {persistence: 4 of 3}", ("c.yaml:1: defaults.persistence: '4 of 3' cannot be: of M of N, M is 1 to N "
         "and N at most 16")),
        ("defaults: {persistence: 3}", "c.yaml:1: defaults.persistence: 3 is no persistence: write M of N, like 2 of 3"),
        ("defaults: {min_volume: 20%}", "c.yaml:1: defaults.min_volume: must be a number, not '20%'"),
        ("defaults: {min_volume: -1}", "c.yaml:1: defaults.min_volume: must be at least 0, not -1"),
        ("time: {window: 0s}", "c.yaml:1: time.window: must be longer than 0s"),
        ("series:\n- owner: me", "c.yaml:2: series[0].match: is required"),
        ("series:\n- match: {}", "c.yaml:2: series[0].match: must not be empty, not {}"),
        ("series:\n- match: {pipeline: 3}", "c.yaml:2: series[0].match.pipeline: must be text: put it in quotes, not 3"),
        ("series:\n- match: {signal: lag}", ("c.yaml:2: series[0].match: no signal is named 'lag'; signals are latency, "
         "volume, freshness, failures, duplicates, lateness, schema, value")),
        ("kafka: {linger.sm: 1}", "c.yaml:1: kafka.linger.sm: unknown key, did you mean linger.ms?"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named_with_line_reason_and_what_is_allowed(tmp_path: Path, text: str, line: str):
    assert lines(tmp_path, text) == [line]


def test_all_faults_come_at_once_duplicates_included(tmp_path: Path):
    said = lines(tmp_path, "http: {port: x}\nname: a\nname: b c\ntime: {windw: 1m}\nkafka: {acks: 1}\n")
    assert [line.split(": ")[:2] for line in said] == [
        ["c.yaml:3", "name"],
        ["c.yaml:3", "name"],
        ["c.yaml:5", "kafka.acks"],
        ["c.yaml:4", "time.windw"],
        ["c.yaml:1", "http.port"],
    ]


def test_one_topic_cannot_have_two_purposes(tmp_path: Path):
    text = "sources:\n- {topic: pipeline.alerts, format: events}\n- {topic: streamgauge.samples, format: events}\n"
    assert lines(tmp_path, text) == [
        "c.yaml:2: sources[0].topic: the topic pipeline.alerts has another purpose already",
        "c.yaml:3: sources[1].topic: the topic streamgauge.samples has another purpose already",
        "c.yaml:1: alerts.topic: the topic pipeline.alerts has another purpose already",
    ]


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path):
    file = config_file(tmp_path, "http: {port: 1, host: 127.0.0.2}\nname: file\nkafka: {linger.ms: 3}\n")
    environ = {
        "STREAMGAUGE__HTTP__PORT": "2",
        "STREAMGAUGE__NAME": "env",
        "STREAMGAUGE__KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:2",
        "OTHER": "x",
        "STREAMGAUGE_HOME": "x",
    }
    option = Override(("http", "port"), 3, "--http-port")
    loaded = load_with_places(file, [option], environ)
    config = loaded.config
    assert (config.http.port, config.http.host, config.name) == (3, "127.0.0.2", "env")
    assert config.kafka == {"linger.ms": "3", "bootstrap.servers": "127.0.0.1:2"}
    assert loaded.places["http", "port"] == "--http-port"
    assert loaded.places["name",] == "STREAMGAUGE__NAME"
    assert loaded.places["http", "host"] == f"{file}:1"


@pytest.mark.parametrize(
    ("environ", "read"),
    [
        (
            {"STREAMGAUGE__KAFKA": '{"bootstrap.servers": "127.0.0.1:7"}'},
            {"kafka": {"bootstrap.servers": "127.0.0.1:7"}},
        ),
        (
            {"STREAMGAUGE__KAFKA": '{"linger.ms": 1, "batch.size": 9}', "STREAMGAUGE__KAFKA__LINGER_MS": "2"},
            {"kafka": {"linger.ms": "2", "batch.size": "9"}},
        ),
        ({"STREAMGAUGE__SIGNALS__LATENCY__MIN_EFFECT": "5%"}, {"signals": {"latency": {"min_effect": "5%"}}}),
        ({"streamgauge__http__port": "5"}, {"http": {"port": 5}}),
        ({"STREAMGAUGE__NAME": "7"}, {"name": "7"}),
    ],
)
def test_variables_say_nested_keys_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], read: dict[str, Any]
):
    monkeypatch.chdir(tmp_path)
    assert load(environ=environ) == Config.model_validate(read)


def test_sources_from_a_variable_replace_those_of_the_file(tmp_path: Path):
    file = config_file(tmp_path, "sources:\n- {topic: a, format: events}\n- {topic: b, format: events}\n")
    config = load(file, environ={"STREAMGAUGE__SOURCES": '[{"topic": "c", "format": "metrics"}]'})
    assert [source.topic for source in config.sources] == ["c"]


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("STREAMGAUGE__HTTP__PORT", "x", "STREAMGAUGE__HTTP__PORT: http.port: must be a whole number, not 'x'"),
        ("STREAMGAUGE__HTTP__PRT", "1", "STREAMGAUGE__HTTP__PRT: http.prt: unknown key, did you mean port? (allowed: host, port)"),
        ("STREAMGAUGE__SOURCES", "[x", "STREAMGAUGE__SOURCES: begins like JSON and is none"),
        ("STREAMGAUGE__SOURCES", "[" * 100_000, "STREAMGAUGE__SOURCES: begins like JSON and is none"),
        ("STREAMGAUGE__KAFKA__ACKS", "0", ("STREAMGAUGE__KAFKA__ACKS: kafka.acks: an alert counts as sent when all in-sync "
         "replicas have it (allowed: all, -1)")),
        ("STREAMGAUGE__KAFKA", '{"acks": 0}', ("STREAMGAUGE__KAFKA: kafka.acks: an alert counts as sent when all in-sync "
         "replicas have it (allowed: all, -1)")),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str, line: str):
    assert lines(tmp_path, "http: {port: 5}", {variable: value}) == [line]


def test_a_model_of_river_reaches_the_settings_of_its_series(tmp_path: Path):
    text = """
    signals:
      value: {model: river.anomaly.HalfSpaceTrees, parameters: {n_trees: 3, height: 4, seed: 7}}
    series:
      - match: {name: lag}
        model: river.drift.ADWIN
      - match: {name: "queue*"}
        model: default
    """
    settings = load(config_file(tmp_path, text), environ={}).settings()
    trees = Model("river.anomaly.HalfSpaceTrees", '{"height": 4, "n_trees": 3, "seed": 7}')
    assert settings.for_series("value", {"name": "cpu"}).model == trees
    assert settings.for_series("value", {"name": "lag"}).model == Model("river.drift.ADWIN")
    assert settings.for_series("value", {"name": "queue_depth"}).model == Model("default")
    assert settings.for_series("latency", {}).model == Model("default")
    other = load(config_file(tmp_path, text.replace("seed: 7", "seed: 8")), environ={}).settings()
    assert other.config_hash != settings.config_hash


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "defaults:\n  model: river.anomaly.HalfSpaceTree\n",
            "c.yaml:2: defaults.model: no detector is named 'river.anomaly.HalfSpaceTree', did you mean river.anomaly.HalfSpaceTrees? (allowed: river.anomaly.GaussianScorer, ",
        ),
        (
            "signals:\n  value:\n    model: river.anomaly.HalfSpaceTrees\n    parameters:\n      n_tree: 3\n",
            "c.yaml:5: signals.value.parameters.n_tree: river.anomaly.HalfSpaceTrees takes no such parameter, did you mean n_trees?",
        ),
        (
            "series:\n- match: {name: x}\n  model: river.drift.KSWIN\n  parameters: {window_size: 1}\n",
            "c.yaml:4: series[0].parameters: river.drift.KSWIN refuses them: stat_size must be smaller",
        ),
        (
            "signals:\n  failures: {model: river.drift.ADWIN}\n",
            "c.yaml:2: signals.failures.model: a model can judge only latency, volume and value",
        ),
        (
            "series:\n- match: {signal: schema}\n  model: river.drift.ADWIN\n",
            "c.yaml:3: series[0].model: a model can judge only latency, volume and value",
        ),
        (
            "signals:\n  value: {parameters: {seed: 7}}\n",
            "c.yaml:2: signals.value.parameters: are those of a model; write `model` beside them",
        ),
        (
            "defaults: {model: default, parameters: {seed: 7}}\n",
            "c.yaml:1: defaults.parameters: the model 'default' takes none",
        ),
    ],
)
def test_a_model_that_cannot_be_is_refused_where_it_is_written(tmp_path: Path, text: str, line: str):
    (said,) = lines(tmp_path, text)
    assert said.startswith(line)


def test_a_series_can_be_switched_off_by_the_word_that_yaml_takes_for_false(tmp_path: Path):
    text = "series: [{match: {pipeline: a}, mode: off, season: none}, {match: {pipeline: b}, schedule: weekdays 02:00-02:20}]"
    settings = load(config_file(tmp_path, text), environ={}).settings()
    off = settings.for_series("volume", {"pipeline": "a"})
    assert (off.mode, off.season) == ("off", "none")
    assert settings.for_series("freshness", {"pipeline": "b"}).schedule.cron == "0 2 * * mon-fri"
