"""The configuration's JSON Schema, for editors and for whoever generates configurations."""

from __future__ import annotations

import json
from typing import Any

from stream.config.model import Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema of one YAML file, generated from the models."""
    return {"$schema": DIALECT, "title": "Streamgauge configuration", **Config.model_json_schema()}


def json_schema_text() -> str:
    """The schema as it is shipped in stream/schemas/config.schema.json."""
    return json.dumps(json_schema(), indent=2) + "\n"
