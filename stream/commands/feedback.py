"""`streamgauge feedback`, `accept` and `expect`: what people think of an alert, and what they want learned from it."""

from typing import Annotated

import typer

from detectors.commands import AcceptBaseline, ExpectChange, Feedback, Opinion
from stream.commands.giving import AlertArgument, Giver, gives
from stream.exits import Exit, Refused


@gives
def feedback(
    alert: Annotated[
        str | None,
        typer.Argument(metavar="ALERT_ID", help="Its id, or the first 8 digits.", show_default=False),
    ] = None,
    opinion: Annotated[
        Opinion | None,
        typer.Argument(
            metavar="expected|false_alarm|reset",
            help="expected: it is right, and was meant; false_alarm: nothing was wrong; reset: learn its series anew.",
            show_default=False,
        ),
    ] = None,
    *,
    missed: Annotated[
        str | None,
        typer.Option(
            metavar="SERIES", help="A series that should have alarmed and did not.", show_default=False
        ),
    ] = None,
    giver: Giver,
) -> None:
    """Say what you think of an alert, or of a time without one.

    streamgauge feedback 3f9c2a17 false_alarm

    streamgauge feedback --missed 'volume{pipeline=orders}' --comment "half of the rows on Monday"
    """
    if missed is not None and (alert is not None or opinion is not None):
        raise Refused("--missed names a series; it cannot go with an alert", Exit.USAGE)
    if missed is None and (alert is None or opinion in (None, Opinion.MISSED)):
        raise Refused("give an alert and expected, false_alarm or reset; or --missed SERIES", Exit.USAGE)
    if alert is None:
        giver.give(Feedback, opinion=Opinion.MISSED, series=missed)
    else:
        giver.give(Feedback, opinion=opinion, alert_id=giver.alert_id(alert))


@gives
def accept(alert: AlertArgument, *, giver: Giver) -> None:
    """Accept the level that an alert tells of as the new normal one."""
    giver.give(AcceptBaseline, alert_id=giver.alert_id(alert))


@gives
def expect(alert: AlertArgument, *, giver: Giver) -> None:
    """Say that the schema change that an alert tells of is meant: it becomes what is known."""
    giver.give(ExpectChange, alert_id=giver.alert_id(alert))
