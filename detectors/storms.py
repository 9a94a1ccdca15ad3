"""Storms: very many incidents at once become one alert, so that people are told of them and not flooded.

The alerts of the same people (owner and severity) are counted together. Once as many were told in one window as are allowed, what would be told
next opens a storm, and whatever comes until none has come for `LULL_MS` belongs to it. A storm has ended when all that belongs to it has.
"""

from typing import Final

import msgspec

from detectors.incidents import Who
from detectors.paging import Paging

LULL_MS: Final = 600_000


class Watch(msgspec.Struct):
    """When some people were told of alerts lately, and the storm that is theirs (its alert, nothing without one)."""

    told_ms: list[int] = []
    storm: str = ""
    heard_ms: int = 0


class Storms(msgspec.Struct):
    """Who was told of how much, and how many of each storm are open."""

    watches: dict[str, Watch] = {}
    left: dict[str, int] = {}

    def current(self, who: Who, now_ms: int) -> str:
        """The alert of the storm that what opens now belongs to, or nothing."""
        watch = self._watch(who)
        return watch.storm if now_ms - watch.heard_ms <= LULL_MS else ""

    def may_tell(self, who: Who, now_ms: int, paging: Paging) -> bool:
        """Whether people can take one more alert; if so, it counts."""
        watch = self._watch(who)
        watch.told_ms = [it for it in watch.told_ms if now_ms - it < paging.storm_window_ms]
        if len(watch.told_ms) >= paging.storm_pages:
            return False
        watch.told_ms.append(now_ms)
        return True

    def join(self, who: Who, alert_id: str, now_ms: int) -> None:
        """One more belongs to a storm, which begins if it is the first."""
        watch = self._watch(who)
        watch.storm, watch.heard_ms = alert_id, now_ms
        self.left[alert_id] = self.left.get(alert_id, 0) + 1

    def leave(self, alert_id: str) -> bool:
        """One of a storm has ended; whether it was the last."""
        self.left[alert_id] -= 1
        if self.left[alert_id]:
            return False
        del self.left[alert_id]
        for watch in self.watches.values():
            if watch.storm == alert_id:
                watch.storm = ""
        return True

    def _watch(self, who: Who) -> Watch:
        return self.watches.setdefault(f"{who.severity} {who.owner or ''}", Watch())
