"""`streamgauge ack` and `unack`: somebody works on an alert, or nobody does any more."""

from detectors.commands import Acknowledge, Unacknowledge
from stream.commands.giving import AlertArgument, Giver, gives


@gives
def ack(alert: AlertArgument, *, giver: Giver) -> None:
    """Say that somebody works on an alert: it is not told again unless it ends."""
    giver.give(Acknowledge, alert_id=giver.alert_id(alert))


@gives
def unack(alert: AlertArgument, *, giver: Giver) -> None:
    """Say that nobody works on an alert any more."""
    giver.give(Unacknowledge, alert_id=giver.alert_id(alert))
