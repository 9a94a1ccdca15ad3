"""The schema registry: schemas by number, from whatever speaks Confluent's API.

Who asks is in the middle of decoding a batch, so nobody is kept waiting there. A registry that is away is asked once, and what
names the schema is held until it answers (`SchemaAwaitedError`). A number that it does not know is asked for again, for one registry may copy
another: `WAIT_S` in each `PERIOD_S`, whatever is asked; then it is a dead letter, and not asked for again for `AGAIN_S`.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from stream.exits import Exit, Refused
from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.declarations.compatibility import VERSIONS_MAX
from stream.formats.encodings.schemas import Language, Schema, SchemaAwaitedError, SchemaOf

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema as Found
    from confluent_kafka.schema_registry import SchemaRegistryClient

WAIT_S: Final = 10.0
PERIOD_S: Final = 60.0
AGAIN_S: Final = 30.0
AWAY_S: Final = 10.0
"""For how long a registry that did not answer is taken to be away, and not asked in the middle of a batch."""
REQUEST_S: Final = 3.0
FIRST_PAUSE_S: Final = 0.2
NOT_FOUND_PAUSE_S: Final = 0.8
NESTING_MAX: Final = 32
MISSING_MAX: Final = 10_000
"""Numbers without a schema that are remembered; when there are more, all are forgotten."""
INSTALL_COMMAND: Final = "pip install 'streamgauge[registry]'"
_SAID_CHARS: Final = 200
_LANGUAGES: Final[Mapping[str, Language]] = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json"}
_NOT_FOUND: Final = 404
_NO_ANSWER_OF_A_REGISTRY: Final = -1
"""What confluent-kafka has for the registry's own code when the body is none of a registry, as a proxy's."""
_FINAL: Final = frozenset({400, _NOT_FOUND, 422})
"""What says that there is no such schema; asking again mends all else."""


class Registry:
    """Schemas by number; each is asked for once. For one thread at a time.

    Args:
        properties: of confluent-kafka's `SchemaRegistryClient`.
        clock: the time in seconds.
        sleep: waits so many seconds.

    Raises:
        Refused: the client is not installed, or refuses a property.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client(properties)
        self._clock, self._sleep = clock, sleep
        self._known: dict[int, Schema] = {}
        self._missing: dict[int, tuple[float, UnreadableError]] = {}
        self._away_until_s, self._away = float("-inf"), ""
        self._period_began_s = float("-inf")
        self._waited_s = 0.0

    def schema(self, number: int) -> Schema:
        """The schema of this number.

        Raises:
            UnreadableError: `no_schema`: there is none.
            SchemaAwaitedError: the registry cannot be asked now.
        """
        known = self._known.get(number)
        if known is not None:
            return known
        missing = self._missing.get(number)
        if missing is not None and self._clock() < missing[0]:
            raise missing[1]
        if self._clock() < self._away_until_s:
            raise self._awaited(number, self._away)
        try:
            known = self._known[number] = self._had(number)
        except UnreadableError as why:
            if len(self._missing) >= MISSING_MAX:
                self._missing.clear()
            self._missing[number] = self._clock() + AGAIN_S, why
            raise
        self._missing.pop(number, None)
        return known

    def versions(self, subject: str, before: int) -> list[Schema]:
        """The versions of a subject before one, deleted ones too, the latest first and at most `VERSIONS_MAX`; none of a subject that is not there.

        Raises:
            SchemaAwaitedError: the registry cannot be asked now.
        """
        if self._clock() < self._away_until_s:
            raise self._awaited_versions(subject, before, self._away)
        try:
            known = self._client.get_versions(subject, deleted=True)
            wanted = sorted((it for it in known if it < before), reverse=True)[:VERSIONS_MAX]
            found = [self._client.get_version(subject, it, deleted=True).schema for it in wanted]
            return [_whole(self._client, it) for it in found]
        except UnreadableError:
            return []
        except Exception as error:  # noqa: BLE001  what reads HTTP raises what it likes
            if _is_final(error):
                return []
            self._away_until_s, self._away = self._clock() + AWAY_S, _said(error)
            raise self._awaited_versions(subject, before, self._away) from None

    def _awaited_versions(self, subject: str, before: int, detail: str) -> SchemaAwaitedError:
        return SchemaAwaitedError(
            f"versions of {subject}: {detail}", partial(self._has_versions, subject, before)
        )

    def _has_versions(self, subject: str, before: int) -> bool:
        """Whether the registry says which versions there are; for any thread."""
        self._away_until_s = float("-inf")
        try:
            self.versions(subject, before)
        except SchemaAwaitedError:
            return False
        return True

    def _had(self, number: int) -> Schema:
        """The schema; one that is not known is asked for again while it may be waited."""
        pause_s = FIRST_PAUSE_S
        while self._left_s() > 0:
            began_s = self._clock()
            try:
                return self._asked(number)
            except UnreadableError as error:
                why, again = error, isinstance(error, _UnknownError) and pause_s <= NOT_FOUND_PAUSE_S
            if again:
                self._sleep(min(pause_s, self._left_s()))
                pause_s *= 2
            self._waited_s += self._clock() - began_s
            if not again or self._left_s() <= 0:
                raise why
        waited = f"unknown ones were waited for {WAIT_S:.0f} s in this minute"
        raise UnreadableError(DeadReason.NO_SCHEMA, f"schema {number}: not asked for, {waited}")

    def _asked(self, number: int) -> Schema:
        try:
            return _whole(self._client, self._client.get_schema(number))
        except UnreadableError as why:
            raise UnreadableError(why.reason, f"schema {number}: {why.detail}") from None
        except Exception as error:  # noqa: BLE001  what reads HTTP raises what it likes
            detail = _said(error)
            if _is_final(error):
                unknown = getattr(error, "http_status_code", 0) == _NOT_FOUND
                kind = _UnknownError if unknown else UnreadableError
                raise kind(DeadReason.NO_SCHEMA, f"schema {number}: {detail}") from None
            self._away_until_s, self._away = self._clock() + AWAY_S, detail
            raise self._awaited(number, detail) from None

    def _awaited(self, number: int, detail: str) -> SchemaAwaitedError:
        return SchemaAwaitedError(f"schema {number}: {detail}", partial(self._answers, number))

    def _answers(self, number: int) -> bool:
        """Whether the registry says what it has under this number; for any thread."""
        try:
            self._known[number] = self._asked(number)
        except SchemaAwaitedError:
            return False
        except UnreadableError:
            pass
        self._away_until_s = float("-inf")
        return True

    def _left_s(self) -> float:
        now_s = self._clock()
        if now_s - self._period_began_s >= PERIOD_S:
            self._period_began_s, self._waited_s = now_s, 0.0
        return WAIT_S - self._waited_s


class _UnknownError(UnreadableError):
    """The registry does not know the number, or not yet."""


def waiting(
    schema_of: SchemaOf,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> SchemaOf:
    """The same for who can do nothing else meanwhile: a registry that is away is waited for, and after `WAIT_S` that is the end.

    Raises (when asked):
        UnreadableError: there is no such schema.
        Refused: the registry does not answer.
    """

    def waited(number: int) -> Schema:
        until_s, pause_s = clock() + WAIT_S, FIRST_PAUSE_S
        while True:
            try:
                return schema_of(number)
            except SchemaAwaitedError as why:
                while not why.answered():
                    if clock() >= until_s:
                        raise Refused(f"{why}; waited for {WAIT_S:.0f} s", Exit.FAILURE) from None
                    sleep(pause_s)
                    pause_s *= 2

    return waited


def client(properties: Mapping[str, Any]) -> "SchemaRegistryClient":
    """A client that neither waits long nor asks again of itself.

    Raises:
        Refused: it is not installed, or refuses a property.
    """
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        needed = f"schema_registry needs packages that are not installed ({error.name}): {INSTALL_COMMAND}"
        raise Refused(needed, Exit.CONFIG) from None
    try:
        return SchemaRegistryClient({"timeout": REQUEST_S, "max.retries": 0, **properties})
    except (ValueError, OSError) as error:
        raise Refused(f"schema_registry: {error}", Exit.CONFIG) from None


def _whole(client: "SchemaRegistryClient", found: "Found", depth: int = 0) -> Schema:
    """What was found in the registry, with all that it refers to."""
    language = _LANGUAGES.get(found.schema_type or "AVRO")
    if language is None:
        raise UnreadableError(DeadReason.NO_SCHEMA, f"in {found.schema_type}, which nobody here reads")
    if depth > NESTING_MAX:
        raise UnreadableError(DeadReason.NO_SCHEMA, f"its references nest deeper than {NESTING_MAX}")
    references = []
    for reference in found.references or ():
        of = client.get_version(str(reference.subject), int(reference.version or 0), deleted=True)
        references.append((str(reference.name), _whole(client, of.schema, depth + 1)))
    return Schema(language, found.schema_str or "", tuple(references))


def _is_final(error: Exception) -> bool:
    """Whether the registry says that there is no such thing."""
    final = getattr(error, "http_status_code", 0) in _FINAL
    return final and getattr(error, "error_code", 0) != _NO_ANSWER_OF_A_REGISTRY


def _said(error: Exception) -> str:
    status = getattr(error, "http_status_code", 0)
    said = getattr(error, "error_message", None) or str(error) or type(error).__name__
    whose = f"the registry answers {status}" if status else "the registry cannot be asked"
    return f"{whose}: {said[:_SAID_CHARS]}"
