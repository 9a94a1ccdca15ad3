"""`streamgauge snooze`: one alert keeps quiet for a while."""

from detectors.commands import Snooze
from stream.commands.giving import (
    AlertArgument,
    AuthorOption,
    CommentOption,
    ForOption,
    Giver,
    TimeoutOption,
    UntilOption,
    WaitOption,
)
from stream.commands.options import BootstrapServersOption, ConfigOption


def snooze(  # noqa: PLR0913  one option for each thing to say
    alert: AlertArgument,
    *,
    duration: ForOption = None,
    until: UntilOption = None,
    comment: CommentOption = "",
    author: AuthorOption = None,
    timeout: TimeoutOption = "15s",
    wait: WaitOption = True,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Say nothing of one alert for a while; if it is still open then, it fires again.

    streamgauge snooze 3f9c2a17 --for 2h
    """
    giver = Giver(comment, author, timeout, wait, config, bootstrap_servers)
    ends_at = giver.end(duration, until)
    giver.give(Snooze, alert_id=giver.alert_id(alert), until=ends_at)
