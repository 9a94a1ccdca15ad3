"""The schema registry: schemas by number, from whatever speaks Confluent's API, with a bound on how long anyone waits for it.

Who asks is in the middle of decoding a batch, so what is waited for the registry is bounded: `WAIT_S` in each `PERIOD_S`, whatever is
asked and however often it fails. What could not be had is not asked for again for `AGAIN_S`.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import structlog

from stream.exits import Exit, Refused
from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings.schemas import Language, Schema

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema as Found
    from confluent_kafka.schema_registry import SchemaRegistryClient

WAIT_S: Final = 10.0
PERIOD_S: Final = 60.0
AGAIN_S: Final = 30.0
REQUEST_S: Final = 3.0
FIRST_PAUSE_S: Final = 0.2
NESTING_MAX: Final = 32
INSTALL_COMMAND: Final = "pip install 'streamgauge[registry]'"
NOT_FOUND_PAUSE_S: Final = 0.8
_SAID_CHARS: Final = 200
_LANGUAGES: Final[Mapping[str, Language]] = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json"}
_NOT_FOUND: Final = 404
_FINAL: Final = frozenset({400, 401, 403, 422})
"""What asking again does not mend."""

log = structlog.get_logger(__name__)


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
        self._period_began_s = float("-inf")
        self._waited_s = 0.0

    def schema(self, number: int) -> Schema:
        """The schema of this number.

        Raises:
            UnreadableError: `no_schema`: there is none, or the registry cannot be asked.
        """
        known = self._known.get(number)
        if known is not None:
            return known
        missing = self._missing.get(number)
        if missing is not None and self._clock() < missing[0]:
            raise missing[1]
        try:
            known = self._known[number] = self._had(number)
        except UnreadableError as why:
            self._missing[number] = self._clock() + AGAIN_S, why
            raise
        self._missing.pop(number, None)
        return known

    def _had(self, number: int) -> Schema:
        """The schema, asked for again and again while it may be waited."""
        pause_s = FIRST_PAUSE_S
        while self._left_s() > 0:
            began_s = self._clock()
            try:
                return _whole(self._client, self._client.get_schema(number))
            except Exception as error:  # noqa: BLE001  what reads HTTP raises what it likes
                why, again = _why(number, error), _passes(error, pause_s)
            if again:
                self._sleep(min(pause_s, self._left_s()))
                pause_s *= 2
            self._waited_s += self._clock() - began_s
            if not again or self._left_s() <= 0:
                log.warning("registry.no_schema", schema=number, error=why.detail)
                raise why
        waited = f"the registry was waited for {WAIT_S:.0f} s in this minute"
        raise UnreadableError(DeadReason.NO_SCHEMA, f"schema {number}: not asked for, {waited}")

    def _left_s(self) -> float:
        now_s = self._clock()
        if now_s - self._period_began_s >= PERIOD_S:
            self._period_began_s, self._waited_s = now_s, 0.0
        return WAIT_S - self._waited_s


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
    if depth > NESTING_MAX:
        raise ValueError(f"its references nest deeper than {NESTING_MAX}")
    references = []
    for reference in found.references or ():
        of = client.get_version(str(reference.subject), int(reference.version or 0), deleted=True)
        references.append((str(reference.name), _whole(client, of.schema, depth + 1)))
    return Schema(_LANGUAGES[found.schema_type or "AVRO"], found.schema_str or "", tuple(references))


def _passes(error: Exception, pause_s: float) -> bool:
    """Whether asking again may help: an unknown number is asked for soon again, for one registry may copy another."""
    status = getattr(error, "http_status_code", 0)
    return status not in _FINAL and (status != _NOT_FOUND or pause_s <= NOT_FOUND_PAUSE_S)


def _why(number: int, error: Exception) -> UnreadableError:
    status = getattr(error, "http_status_code", 0)
    said = getattr(error, "error_message", None) or str(error) or type(error).__name__
    whose = f"the registry answers {status}" if status else "the registry cannot be asked"
    return UnreadableError(DeadReason.NO_SCHEMA, f"schema {number}: {whose}: {said[:_SAID_CHARS]}")
