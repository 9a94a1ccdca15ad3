"""`streamgauge ack` and `unack`: somebody works on an alert, or nobody does any more."""

from detectors.commands import Acknowledge, Unacknowledge
from stream.commands.giving import (
    AlertArgument,
    AuthorOption,
    CommentOption,
    Giver,
    TimeoutOption,
    WaitOption,
)
from stream.commands.options import BootstrapServersOption, ConfigOption


def ack(
    alert: AlertArgument,
    *,
    comment: CommentOption = "",
    author: AuthorOption = None,
    timeout: TimeoutOption = "15s",
    wait: WaitOption = True,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Say that somebody works on an alert: it is not told again unless it ends."""
    giver = Giver(comment, author, timeout, wait, config, bootstrap_servers)
    giver.give(Acknowledge, alert_id=giver.alert_id(alert))


def unack(
    alert: AlertArgument,
    *,
    comment: CommentOption = "",
    author: AuthorOption = None,
    timeout: TimeoutOption = "15s",
    wait: WaitOption = True,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Say that nobody works on an alert any more."""
    giver = Giver(comment, author, timeout, wait, config, bootstrap_servers)
    giver.give(Unacknowledge, alert_id=giver.alert_id(alert))
