"""Paging: how long and how often people are told of what is wrong; plain values, in milliseconds."""

import msgspec

DAY_MS = 86_400_000


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may set of it. None: never.

    `upstream_hold_ms` is for how long an alert waits for one upstream that explains it. More than `storm_pages` alerts in `storm_window_ms` that would
    be told to the same people become one. What still fires is told again every `remind_ms`, and what has not come for `expire_ms` has ended.
    """

    upstream_hold_ms: int = 300_000
    storm_pages: int = 4
    storm_window_ms: int = 60_000
    remind_ms: int | None = DAY_MS
    expire_ms: int = 30 * DAY_MS
