"""The registry: a schema is asked for once, nobody waits for it in the middle of a batch, and what cannot be known is no dead letter."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema as Found
from confluent_kafka.schema_registry import SchemaReference
from confluent_kafka.schema_registry.error import SchemaRegistryError

from stream import registry
from stream.exits import Refused
from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings.schemas import Schema, SchemaAwaitedError
from stream.registry import AWAY_S, REQUEST_S, WAIT_S, Registry, waiting


class Asked:
    """A client whose answers are given, on a clock that it moves."""

    def __init__(self, answer: Callable[[int], Any], takes_s: float = 0.01) -> None:
        self.now_s, self.asked = 1_000.0, list[int]()
        self._answer, self._takes_s = answer, takes_s

    def get_schema(self, number: int) -> Any:
        self.asked.append(number)
        self.now_s += self._takes_s
        answer = self._answer(number)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_version(self, subject: str, version: int, *, deleted: bool) -> Any:
        assert deleted
        references = [SchemaReference("round", subject, version)] if subject == "round" else []
        return type("Version", (), {"schema": Found(f"{subject}-{version}", "AVRO", references)})

    def sleep(self, pause_s: float) -> None:
        assert pause_s >= 0
        self.now_s += pause_s


def asking(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], Any], takes_s: float = 0.01
) -> tuple[Asked, Registry]:
    asked = Asked(answer, takes_s)
    monkeypatch.setattr(registry, "client", lambda _: asked)
    return asked, Registry({}, lambda: asked.now_s, asked.sleep)


def refused(it: Registry, number: int) -> str:
    with pytest.raises(UnreadableError) as why:
        it.schema(number)
    assert why.value.reason == DeadReason.NO_SCHEMA
    return why.value.detail


def test_a_schema_is_asked_for_once_with_all_that_it_refers_to(monkeypatch: pytest.MonkeyPatch) -> None:
    references = [SchemaReference("shop.Money", "money", 3)]
    asked, it = asking(monkeypatch, lambda number: Found(f"text {number}", "AVRO", references))
    money = Schema("avro", "money-3")
    assert [it.schema(7), it.schema(7)] == [Schema("avro", "text 7", (("shop.Money", money),))] * 2
    assert asked.asked == [7]


def test_references_that_lead_back_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    references = [SchemaReference("round", "round", 1)]
    _, it = asking(monkeypatch, lambda _: Found("text", "AVRO", references))
    assert "references nest deeper" in refused(it, 7)


AWAY = [
    ConnectionError("refused"),
    TimeoutError("nothing came"),
    SchemaRegistryError(500, 50001, "error in the backend data store"),
    SchemaRegistryError(503, -1, "Unknown Schema Registry Error"),
    SchemaRegistryError(429, 429, "too many requests"),
    SchemaRegistryError(401, 401, "who are you"),
    SchemaRegistryError(403, 40301, "not you"),
    SchemaRegistryError(404, -1, "a proxy's page"),
]
"""What does not say that there is no such schema."""


def awaited(it: Registry, number: int) -> SchemaAwaitedError:
    with pytest.raises(SchemaAwaitedError) as why:
        it.schema(number)
    assert why.value.wanted == f"schema {number}"
    return why.value


@pytest.mark.parametrize("answer", AWAY, ids=str)
def test_a_registry_that_is_away_is_asked_once_and_refuses_nothing(
    monkeypatch: pytest.MonkeyPatch, answer: Exception
) -> None:
    answers: list[Any] = [answer]
    asked, it = asking(monkeypatch, lambda _: answers[-1])
    why = awaited(it, 7)
    for number in range(7, 5_000):
        awaited(it, number)
    assert asked.asked == [7]
    assert not why.answered()
    answers.append(Found("text", "AVRO", []))
    assert why.answered()
    assert asked.asked == [7, 7, 7]
    assert it.schema(7).text == it.schema(8).text == "text"
    assert asked.asked == [7, 7, 7, 8]


def test_a_registry_that_was_away_is_asked_again_in_time_even_if_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, it = asking(
        monkeypatch, lambda _: Found("text", "AVRO", []) if asked.now_s > 1_005 else ConnectionError()
    )
    assert str(awaited(it, 7)) == "schema 7: the registry cannot be asked: ConnectionError"
    asked.now_s += AWAY_S
    assert it.schema(7).text == "text"


def test_after_an_outage_what_is_unknown_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [ConnectionError()]
    _, it = asking(monkeypatch, lambda _: answers[-1])
    why = awaited(it, 7)
    answers.append(SchemaRegistryError(404, 40403, "no such schema"))
    assert why.answered()
    assert refused(it, 7) == "schema 7: the registry answers 404: no such schema"


def test_a_schema_that_another_registry_copies_in_time_is_had(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, it = asking(
        monkeypatch,
        lambda _: Found("t", "AVRO", []) if asked.now_s > 1_000.5 else SchemaRegistryError(404, 40403, ""),
    )
    assert it.schema(7).text == "t"


def test_who_can_only_wait_waits_so_long_and_is_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [ConnectionError("refused")]
    asked, it = asking(monkeypatch, lambda _: answers[-1])
    patient = waiting(it.schema, lambda: asked.now_s, asked.sleep)
    with pytest.raises(Refused, match=r"schema 7: the registry cannot be asked: refused; waited for 10 s"):
        patient(7)
    assert WAIT_S <= asked.now_s - 1_000 < 2 * WAIT_S
    answers.append(Found("text", "AVRO", []))
    assert patient(7).text == "text"


def test_the_versions_of_a_subject_are_had_or_awaited_as_schemas_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, it = asking(monkeypatch, lambda _: None)
    answers: list[Any] = [ConnectionError("refused")]

    def get_versions(subject: str, *, deleted: bool) -> list[int]:
        assert (subject, deleted) == ("orders-value", True)
        asked.asked.append(0)
        if isinstance(answers[-1], Exception):
            raise answers[-1]
        return list(answers[-1])

    monkeypatch.setattr(asked, "get_versions", get_versions, raising=False)
    for _ in range(2):
        with pytest.raises(SchemaAwaitedError, match="versions of orders-value: the registry cannot") as why:
            it.versions("orders-value", 3)
    assert len(asked.asked) == 1
    assert not why.value.answered()
    answers.append([1, 2, 3, 4])
    assert why.value.answered()
    assert [schema.text for schema in it.versions("orders-value", 3)] == ["orders-value-2", "orders-value-1"]
    answers.append(SchemaRegistryError(404, 40401, "no such subject"))
    assert it.versions("orders-value", 3) == []


def test_what_is_remembered_of_unknown_numbers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MISSING_MAX", 100)
    _, it = asking(monkeypatch, lambda _: SchemaRegistryError(404, 40403, "no such schema"))
    for number in range(1_000):
        refused(it, number)
    assert len(it._missing) <= 100


def test_unknown_numbers_cost_no_more_than_is_waited_for_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, it = asking(monkeypatch, lambda _: SchemaRegistryError(404, 40403, "no such schema"))
    began_s = asked.now_s
    assert refused(it, 0) == "schema 0: the registry answers 404: no such schema"
    assert asked.now_s - began_s < 2
    details = {refused(it, number) for number in range(1, 10_000)}
    assert asked.now_s - began_s < WAIT_S + REQUEST_S
    assert "schema 9999: not asked for, unknown ones were waited for 10 s in this minute" in details


def test_what_says_that_the_number_is_none_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, it = asking(monkeypatch, lambda _: SchemaRegistryError(422, 42201, "no number"))
    refused(it, 7)
    assert len(asked.asked) == 1
    assert asked.now_s < 1_000.1


def test_a_client_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, it = asking(monkeypatch, lambda _: TimeoutError(), takes_s=REQUEST_S)
    for number in range(100):
        awaited(it, number)
    assert asked.now_s - 1_000 == REQUEST_S


def test_an_answer_in_no_known_language_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _, it = asking(monkeypatch, lambda _: Found("text", "THRIFT", []))
    assert "THRIFT" in refused(it, 7)


def test_a_property_that_the_client_refuses_ends_it() -> None:
    with pytest.raises(Refused, match=r"schema_registry: Unrecognized properties: no\.such"):
        Registry({"url": "http://localhost", "no.such": "x"})


def test_without_the_client_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka.schema_registry", None)
    with pytest.raises(Refused, match=r"pip install 'streamgauge\[registry\]'"):
        Registry({"url": "http://localhost"})
