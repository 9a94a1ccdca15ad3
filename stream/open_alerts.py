"""Open alerts by the beginning of their id, from the compacted topic of states."""

import re
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Final

from confluent_kafka import Message

from detectors.alerts import decode
from stream.alert_stream import UNREADABLE, assign, messages, open_consumer
from stream.config import Config, librdkafka_properties
from stream.exits import Exit, Refused

WHOLE: Final = 32
SHORTEST: Final = 8
SHOWN_MAX: Final = 5
_DIGITS: Final = re.compile(r"[0-9a-f]+")


def alert_id_of(written: str, config: Config, complain: Callable[[str], None]) -> str:
    """The whole id of an alert; the beginning of one is looked up among the open alerts.

    Raises:
        Refused: it is no id, or no open alert or several begin so.
    """
    digits = digits_of(written)
    if len(digits) == WHOLE:
        return digits
    with closing(open_consumer(librdkafka_properties(config, "consumer"))) as consumer:
        partitions = assign(consumer, config.alerts.state_topic, 0)
        return the_one(
            digits, open_alerts(messages(consumer, partitions, stop_at_end=True, complain=complain))
        )


def digits_of(written: str) -> str:
    """The digits of an alert's id, or the first of them.

    Raises:
        Refused: it is no such thing.
    """
    digits = written.strip().lower()
    if not _DIGITS.fullmatch(digits) or not SHORTEST <= len(digits) <= WHOLE:
        raise Refused(
            f"{written!r} is no alert id: write its {WHOLE} hexadecimal digits, or at least the first {SHORTEST}",
            Exit.USAGE,
        )
    return digits


def open_alerts(states: Iterable[Message]) -> dict[str, bytes]:
    """The latest state of each open alert by its id."""
    found: dict[str, bytes] = {}
    for message in states:
        alert_id = (message.key() or b"").decode(errors="replace")
        found.pop(alert_id, None)
        if value := message.value():
            found[alert_id] = value
    return found


def the_one(digits: str, states: dict[str, bytes]) -> str:
    """The id that begins with some digits.

    Raises:
        Refused: there is none, or more than one.
    """
    matching = {alert_id: value for alert_id, value in states.items() if alert_id.startswith(digits)}
    if len(matching) == 1:
        return next(iter(matching))
    if not matching:
        raise Refused(
            f"none of the {len(states)} open alerts has an id that begins with {digits}; one that has ended needs its whole id. "
            "streamgauge alerts --no-follow shows all",
            Exit.USAGE,
        )
    lines = [f"  {alert_id}  {_summary(value)}" for alert_id, value in list(matching.items())[:SHOWN_MAX]]
    more = [f"  and {len(matching) - SHOWN_MAX} more"] if len(matching) > SHOWN_MAX else []
    raise Refused(
        "\n".join([f"{len(matching)} open alerts have an id that begins with {digits}:", *lines, *more]),
        Exit.USAGE,
    )


def _summary(value: bytes) -> str:
    try:
        return decode(value).summary
    except UNREADABLE:
        return ""
