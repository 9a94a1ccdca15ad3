import sys
from pathlib import Path

import pytest

from stream.embedded import EmbeddedBroker
from stream.testing.apache_kafka_jars import JAVA_MAJOR_MIN, missing_for_apache_kafka
from stream.testing.choice import BOOTSTRAP_VARIABLE, BrokerKind, choose_broker, is_apache_kafka
from stream.testing.topics import TopicMaker

CONFTEST = Path(__file__).parents[2] / "conftest.py"


def fake_java(folder: Path, version: str) -> None:
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-20' >&2\n")
    java.chmod(0o755)


@pytest.fixture
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose PATH holds this folder only."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(BOOTSTRAP_VARIABLE, raising=False)
    monkeypatch.delenv("CI", raising=False)
    return folder


def run_inner(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    root = str(CONFTEST.parents[1])
    return pytester.run(sys.executable, "-c", INNER, root, *arguments)


INNER = "import sys, pytest; sys.path.insert(0, sys.argv[1]); sys.exit(pytest.main(['-ra', *sys.argv[2:]]))"


def test_an_address_in_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BOOTSTRAP_VARIABLE, "kafka.example:9092")
    choice = choose_broker()
    assert (choice.kind, choice.bootstrap_servers) == (BrokerKind.EXTERNAL, "kafka.example:9092")
    assert choice.make() is None


@pytest.mark.usefixtures("no_java")
def test_without_java_the_embedded_broker_is_chosen_and_the_reason_names_java() -> None:
    choice = choose_broker()
    assert choice.kind is BrokerKind.EMBEDDED
    assert f"java (version {JAVA_MAJOR_MIN} or newer) is not on the PATH" in choice.reason


def test_an_old_java_is_named_with_its_version(no_java: Path) -> None:
    fake_java(no_java, "11.0.22")
    assert (
        missing_for_apache_kafka()
        == f"java is version 11, and Apache Kafka 4.1.1 needs {JAVA_MAJOR_MIN} or newer"
    )


def test_without_maven_the_jars_must_be_there_already(
    no_java: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(no_java, "21.0.2")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "mvn" in (missing_for_apache_kafka() or "")


@pytest.mark.usefixtures("no_java")
def test_a_run_on_the_embedded_broker_says_so_and_reports_what_it_could_not_test(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile("""
        import pytest
        def test_has_a_broker(kafka, make_topic):
            assert make_topic(partitions=3).startswith("test-")
        @pytest.mark.needs_apache
        def test_compacts(kafka):
            raise AssertionError
        @pytest.mark.needs_apache
        def test_starts_its_own():
            raise AssertionError
    """)
    result = run_inner(pytester)
    result.assert_outcomes(passed=1, xfailed=2)
    result.stdout.fnmatch_lines(
        [
            "kafka: the embedded broker, because java*",
            "kafka used: the embedded broker*127.0.0.1:*",
            "XFAIL *test_compacts*needs Apache Kafka*",
        ]
    )


@pytest.mark.usefixtures("no_java")
def test_a_run_of_several_processes_says_which_broker_each_used(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST.read_text())
    for name in ("one", "other"):
        pytester.makepyfile(**{f"test_{name}": "def test_has_a_broker(kafka): pass"})
    result = run_inner(pytester, "-n2", "--dist=loadfile")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["kafka used: the embedded broker*:* and the embedded broker*:*"])


@pytest.mark.usefixtures("no_java")
def test_in_ci_a_run_without_apache_kafka_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile("""
        import pytest
        def test_has_a_broker(kafka):
            pass
        @pytest.mark.needs_apache
        def test_starts_its_own():
            pass
    """)
    result = run_inner(pytester)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*with CI=true the tests must run on Apache Kafka*"])


def test_a_topic_is_usable_under_a_name_of_its_own(kafka: str, make_topic: TopicMaker) -> None:
    first, second = make_topic(partitions=3, stem="orders"), make_topic(config={"cleanup.policy": "compact"})
    assert first.startswith("orders-")
    assert first != second
    topics = TopicMaker(kafka)._admin.list_topics(timeout=20).topics
    assert {len(topics[first].partitions), len(topics[second].partitions)} == {3, 1}


def test_a_deleted_topic_is_gone(kafka: str, make_topic: TopicMaker) -> None:
    maker = TopicMaker(kafka)
    kept, gone = make_topic(), maker()
    maker.delete([gone])
    topics = maker._admin.list_topics(timeout=20).topics
    assert kept in topics
    assert gone not in topics


@pytest.mark.needs_apache
def test_apache_kafka_is_told_from_the_embedded_broker(kafka: str) -> None:
    assert is_apache_kafka(kafka)
    with EmbeddedBroker() as broker:
        assert not is_apache_kafka(broker.bootstrap_servers)
