"""Streamgauge's contact with the world: Kafka, HTTP, files and clocks."""
