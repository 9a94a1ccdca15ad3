"""Mutation of records: some are changed as the trees they are, some as bytes, and some are both or neither."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.fuzz.nasty import TOKENS

_PLACE = "@@{}@@"
_FIELDS = (
    "pipeline", "task", "state", "time", "run_id", "duration_ms", "rows", "bytes", "dataset", "labels", "owner", "error",
    "schema", "name", "value", "timestamp", "eventTime", "eventType", "run", "job", "inputs", "outputs", "facets",
    "outputFacets", "namespace", "runId", "parent", "fields", "type", "nullable", "__name__", "outputStatistics",
)  # fmt: skip


class Mutator:
    """Makes endless variations of good records; a function of its seed."""

    def __init__(self, seeds: Sequence[bytes], seed: int) -> None:
        self._chance = random.Random(seed)
        self._seeds = seeds
        self._trees: list[Any] = [json.loads(value) for value in seeds]

    def record(self) -> bytes:
        """The next record."""
        dice = self._chance.random()
        if dice < 0.05:
            return self._chance.randbytes(self._chance.randint(0, 200))
        value = self._tree() if dice < 0.75 else self._chance.choice(self._seeds)
        return mutated(value, self._chance) if dice > 0.6 else value

    def _tree(self) -> bytes:
        tree = json.loads(json.dumps(self._chance.choice(self._trees)))
        raw: list[bytes] = []
        for _ in range(self._chance.choice([1, 1, 2, 4])):
            self._change(tree, raw)
        value = json.dumps(tree, ensure_ascii=self._chance.random() < 0.5).encode("utf-8", "surrogatepass")
        for number, token in enumerate(raw):
            value = value.replace(b'"' + _PLACE.format(number).encode() + b'"', token)
        return value

    def _change(self, tree: Any, raw: list[bytes]) -> None:
        """Change one node somewhere in the tree."""
        node, chance = tree, self._chance
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                return
            key = chance.choice(keys)
            if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.7:
                node = node[key]
                continue
            break
        chance.choice(_CHANGES)(node, key, raw, chance)


def mutated(value: bytes, chance: random.Random) -> bytes:
    """Bytes flipped, cut, doubled, put in or taken out."""
    found = bytearray(value)
    for _ in range(chance.choice([1, 1, 2, 8])):
        at = chance.randint(0, len(found))
        end = min(len(found), at + chance.choice([1, 2, 8, 64]))
        match chance.randrange(6):
            case 0 if at < len(found):
                found[at] = chance.randrange(256)
            case 1:
                del found[at:]
            case 2:
                del found[at:end]
            case 3:
                found[at:at] = found[at:end]
            case 4:
                found[at:at] = chance.choice(
                    (b"\x00", b"{", b"[", b'"', b"\\", b"}", b",", b"\xff", b"9" * 30)
                )
            case _:
                found[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(found)


def _drop(node: Any, key: Any, _raw: list[bytes], _chance: random.Random) -> None:
    del node[key]


def _nasty(node: Any, key: Any, raw: list[bytes], chance: random.Random) -> None:
    node[key] = _PLACE.format(len(raw))
    raw.append(chance.choice(TOKENS))


def _retype(node: Any, key: Any, _raw: list[bytes], chance: random.Random) -> None:
    value = node[key]
    node[key] = chance.choice([None, str(value)[:1_000], [value], {"x": value}, 1, -1.5, True, "", [], {}])


def _wrap(node: Any, key: Any, _raw: list[bytes], chance: random.Random) -> None:
    for _ in range(chance.choice([1, 10, 70])):
        node[key] = [node[key]]


def _rename(node: Any, key: Any, _raw: list[bytes], chance: random.Random) -> None:
    if isinstance(node, dict):
        node[
            chance.choice([str(key).upper(), f"{key} ", "", "\ud800", "é", "a" * 300, chance.choice(_FIELDS)])
        ] = node.pop(key)


def _add(node: Any, key: Any, raw: list[bytes], chance: random.Random) -> None:
    if isinstance(node, dict):
        _nasty(node, chance.choice(_FIELDS), raw, chance)
    else:
        node.insert(key, node[key])


def _text(node: Any, key: Any, _raw: list[bytes], chance: random.Random) -> None:
    value = str(node[key])[:1_000]
    node[key] = chance.choice(
        [value + "\x00", "\ud800" + value, value * 50, value[:1], f" {value}", "\u202e" + value]
    )


def _number(node: Any, key: Any, _raw: list[bytes], chance: random.Random) -> None:
    node[key] = chance.choice(
        [0, -1, 2**31, 2**63, -(2**63) - 1, 10**30, 1e308, 5e-324, 1e18, 0.1, 1_780_000_000_000]
    )


_CHANGES: tuple[Callable[[Any, Any, list[bytes], random.Random], None], ...] = (
    _drop,
    _nasty,
    _nasty,
    _retype,
    _wrap,
    _rename,
    _add,
    _text,
    _number,
)
