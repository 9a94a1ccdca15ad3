"""Register: every incident that triage remembers, found by its group, its alert, where it lies in the lineage, and by when something is due."""

import heapq
from collections.abc import Iterator
from typing import Final

from detectors.incidents import Incident, group_name
from detectors.lineage import Node, node_of

TIMERS_SPARE: Final = 1_000
"""Times at which what is over would have come up are kept beside as many as there are incidents, and so many more."""


class Register:
    """Incidents by group. Those that are over stay for a while (`Incident.is_forgotten`), and are not found otherwise."""

    def __init__(self) -> None:
        self.groups: dict[str, list[Incident]] = {}
        self._open: dict[str, Incident] = {}
        self._by_node: dict[Node, dict[str, Incident]] = {}
        self._timers: list[tuple[int, str]] = []

    def of_group(self, group: str, time_ms: int) -> list[Incident]:
        """The incidents of a group, less those that are long over; one that is appended is remembered."""
        incidents = [it for it in self.groups.get(group, []) if not it.is_forgotten(time_ms)]
        self.groups[group] = incidents
        return incidents

    def tidy(self, group: str) -> None:
        """Forget a group without incidents."""
        if not self.groups.get(group):
            self.groups.pop(group, None)

    def sweep(self, before_ms: int) -> None:
        """Forget what is over since before a time, in every group."""
        for group in list(self.groups):
            self.of_group(group, before_ms)
            self.tidy(group)

    def note(self, incident: Incident) -> None:
        """Find an incident that is open by its alert and its node from now on."""
        alert_id = incident.alert_id
        self._open[alert_id] = incident
        if node := node_of(incident.leading.worst.labels):
            self._by_node.setdefault(node, {})[alert_id] = incident

    def drop(self, incident: Incident) -> None:
        """Do so no more: it is over."""
        alert_id = incident.alert_id
        self._open.pop(alert_id, None)
        incident.armed_ms = None
        if len(self._timers) > 2 * len(self._open) + TIMERS_SPARE:
            self._find_timers()
        node = node_of(incident.leading.worst.labels)
        if node is not None and alert_id in self._by_node.get(node, {}):
            del self._by_node[node][alert_id]
            if not self._by_node[node]:
                del self._by_node[node]

    def remove(self, incident: Incident) -> None:
        """Forget an incident that nothing can be more of."""
        group = group_name(incident.leading.worst)
        self.groups[group] = [it for it in self.groups.get(group, []) if it is not incident]
        self.tidy(group)

    def led_by(self, alert_id: str) -> Incident | None:
        """The open incident that is told as an alert."""
        return self._open.get(alert_id)

    def with_episode(self, alert_id: str) -> Incident | None:
        """The open incident that an alert leads or has joined."""
        return self._open.get(alert_id) or next(
            (it for it in self._open.values() if any(one.alert_id == alert_id for one in it.episodes())), None
        )

    def sizes(self) -> tuple[int, int]:
        """How many incidents are open, and how many episodes they have."""
        return len(self._open), sum(len(parts) for it in self._open.values() for parts in it.open.values())

    def all_open(self) -> list[Incident]:
        """Every open incident, the first opened first."""
        return sorted(self._open.values(), key=lambda it: (it.opened_ms, it.alert_id))

    def at(self, node: Node) -> list[Incident]:
        """The open incidents of a node, the first opened first."""
        return sorted(self._by_node.get(node, {}).values(), key=lambda it: (it.opened_ms, it.alert_id))

    def arm(self, incident: Incident, at_ms: int) -> None:
        """Have an incident come up at a time, or earlier if it does already."""
        if incident.armed_ms is None or at_ms < incident.armed_ms:
            incident.armed_ms = at_ms
            heapq.heappush(self._timers, (at_ms, incident.alert_id))

    def due(self, now_ms: int) -> Iterator[tuple[int, Incident]]:
        """The incidents that come up until a time, in order, with the time of each; those that are armed meanwhile included."""
        while self._timers and self._timers[0][0] <= now_ms:
            at_ms, alert_id = heapq.heappop(self._timers)
            incident = self._open.get(alert_id)
            if incident is not None and incident.armed_ms == at_ms:
                incident.armed_ms = None
                yield at_ms, incident

    def next_due_ms(self) -> int | None:
        """When the first one comes up, or one that is over would have."""
        return self._timers[0][0] if self._timers else None

    def load(self, groups: dict[str, list[Incident]]) -> None:
        """Take over incidents in place of the present ones."""
        self.groups, self._open, self._by_node, self._timers = groups, {}, {}, []
        for incident in (it for incidents in groups.values() for it in incidents if not it.is_over):
            self.note(incident)
        self._find_timers()

    def _find_timers(self) -> None:
        """Only those of incidents that are open."""
        armed = ((it.armed_ms, alert_id) for alert_id, it in self._open.items())
        self._timers = [(at_ms, alert_id) for at_ms, alert_id in armed if at_ms is not None]
        heapq.heapify(self._timers)
