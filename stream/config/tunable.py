"""The tunable part of a configuration: what may change while workers run, and what needs a restart."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from stream.config.complaints import faults_of
from stream.config.faults import ConfigError, Fault
from stream.config.model import Config

TUNABLE: Final = ("defaults", "signals", "series", "lineage")
"""Sections of which all may change."""
OF_ALERTS: Final = ("fleet_false_alarms", "upstream_hold", "storm", "remind", "expire", "runbook_base_url")
"""Keys of `alerts` that may."""
BESIDE: Final = ("bridges",)
"""Sections that workers do not read."""


def tunable_part(config: Config) -> dict[str, Any]:
    """What may change, in the form of the file, every key written."""
    said = _said(config)
    return {name: said[name] for name in TUNABLE if name in said} | {
        "alerts": {name: said["alerts"][name] for name in OF_ALERTS if name in said["alerts"]}
    }


def retuned(config: Config, part: dict[str, Any], origin: str) -> Config:
    """A configuration with its tunable part replaced; what the part leaves out is as by default.

    Raises:
        ConfigError: the part is not valid, or has what may not change; each line begins with `origin`.
    """
    faults = [
        Fault((key,), "cannot change while workers run; restart them with it")
        for key in part
        if key not in (*TUNABLE, "alerts")
    ]
    alerts = part.get("alerts", {})
    if isinstance(alerts, dict):
        faults += [
            Fault(("alerts", key), "cannot change while workers run; restart them with it")
            for key in alerts
            if key not in OF_ALERTS
        ]
    if faults:
        raise ConfigError([f"{origin}: {fault.sentence()}" for fault in faults])
    kept = _said(config)
    alerts_kept = {key: value for key, value in kept["alerts"].items() if key not in OF_ALERTS}
    whole = {key: value for key, value in kept.items() if key not in TUNABLE}
    whole |= {**part, "alerts": alerts_kept | alerts if isinstance(alerts, dict) else alerts}
    try:
        return Config.model_validate(whole)
    except ValidationError as error:
        raise ConfigError([f"{origin}: {fault.sentence()}" for fault in faults_of(error)]) from None


def needs_restart(before: Config, after: Config) -> list[str]:
    """The sections in which two configurations differ beyond what may change while workers run."""
    was, is_now = _fixed(before), _fixed(after)
    return sorted(key for key in was.keys() | is_now.keys() if was.get(key) != is_now.get(key))


def _fixed(config: Config) -> dict[str, Any]:
    said = _said(config)
    fixed = {key: value for key, value in said.items() if key not in (*TUNABLE, *BESIDE)}
    fixed["alerts"] = {key: value for key, value in said["alerts"].items() if key not in OF_ALERTS}
    return fixed


def _said(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json", by_alias=True)
