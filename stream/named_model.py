"""A model of River that is named on a command line, and asked about the rows of one series beside the default detector."""

import json
import math
import sys
from typing import Any

from detectors.budget import alpha_for, score_of_p_value
from detectors.numeric import Judgement
from detectors.persistence import note_instead
from detectors.river_models import Asked, SeriesModel, check
from detectors.river_names import ModelError
from detectors.settings import Model, SeriesSettings
from stream.config.faults import Fault
from stream.exits import Exit, Refused

SEED = 0


class NamedModel:
    """The model, for a series with these settings.

    Raises:
        Refused: there is no such model, or it does not take these parameters.
    """

    def __init__(
        self, name: str, parameters: str | None, settings: SeriesSettings, *, on_log_scale: bool
    ) -> None:
        spec = Model(name, json.dumps(_parameters(parameters or ""), sort_keys=True))
        try:
            check(spec)
            self._model = SeriesModel(spec, SEED)
        except ModelError as error:
            fault = Fault(error.where, error.reason, error.allowed)
            raise Refused(f"--{fault.sentence()}", Exit.USAGE) from None
        self._name, self._settings, self._on_log_scale = name, settings, on_log_scale

    def judge(self, time_ms: int, value: float, built_in: Judgement, light: Any) -> Judgement:
        """What the model says of a value, or else what the built-in head said of the series, of the LIGHT record `light`."""
        alpha = alpha_for(self._settings.false_alarms_per_day, built_in.interval_s)
        known = (built_in.expected, built_in.lower, built_in.upper)
        answer = self._model.judge(
            Asked(time_ms, value, *known, alpha, self._settings.direction, 0.0, self._on_log_scale)
        )
        if trouble := self._model.take_trouble():
            print(f"{self._name} {trouble[0]}: {trouble[1]}", file=sys.stderr)  # noqa: T201
        if answer is None:
            return built_in
        threshold = float(light["threshold"])
        score = threshold if answer.moved else 0.0
        if not math.isnan(answer.p_value):
            score = score_of_p_value(answer.p_value, answer.alpha, threshold)
        return built_in._replace(
            score=score,
            expected=answer.expected if answer.moved else built_in.expected,
            lower=math.nan,
            upper=math.nan,
            p_value=answer.p_value,
            anomalous=note_instead(light, answer.anomalous),
        )


def _parameters(text: str) -> dict[str, Any]:
    """Parameters as a JSON object, or as `key=value,key=value` where a value that is no JSON is text."""
    if not text.lstrip().startswith("{"):
        pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
        if any(not sign for _, sign, _ in pairs):
            raise Refused("--parameters: write a JSON object, or key=value,key=value", Exit.USAGE)
        return {key.strip(): _value(value.strip()) for key, _, value in pairs}
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(f"--parameters: not valid JSON: {error}", Exit.USAGE) from None
    return dict(found)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
