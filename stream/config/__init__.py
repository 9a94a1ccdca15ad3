"""The one YAML file people write: reading it, checking it, and what it means to Kafka's clients."""

from stream.config.faults import ConfigError
from stream.config.kafka import FaustBroker, bootstrap_servers, faust_broker, librdkafka_properties
from stream.config.layers import Override
from stream.config.loading import Loaded, load, load_with_places
from stream.config.model import Config
from stream.config.source import Source

__all__ = [
    "Config",
    "ConfigError",
    "FaustBroker",
    "Loaded",
    "Override",
    "Source",
    "bootstrap_servers",
    "faust_broker",
    "librdkafka_properties",
    "load",
    "load_with_places",
]
