"""The configuration in force: the file's, with what was last put in force by the topic of configurations over it."""

from stream.config import Config, ConfigError, librdkafka_properties
from stream.config.tunable import retuned
from stream.config_offers import offered


def in_force(config: Config) -> tuple[Config, bool]:
    """What workers that are started with a configuration go by, and whether the topic had a say in it.

    Raises:
        Refused: Kafka cannot be reached, or there is no such topic.
    """
    offer = offered(librdkafka_properties(config, "consumer"), config.configs.topic)
    if offer is None:
        return config, False
    try:
        return retuned(config, offer.config, offer.origin), True
    except ConfigError:
        return config, False
