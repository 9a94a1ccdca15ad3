"""`streamgauge snooze`: one alert keeps quiet for a while."""

from detectors.commands import Snooze
from stream.commands.giving import (
    AlertArgument,
    ForOption,
    Giver,
    UntilOption,
    gives,
)


@gives
def snooze(
    alert: AlertArgument,
    *,
    duration: ForOption = None,
    until: UntilOption = None,
    giver: Giver,
) -> None:
    """Say nothing of one alert for a while; if it is still open then, it fires again.

    streamgauge snooze 3f9c2a17 --for 2h
    """
    ends_at = giver.end(duration, until)
    giver.give(Snooze, alert_id=giver.alert_id(alert), until=ends_at)
