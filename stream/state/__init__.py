"""Back up and restore: what detectors know and triage remembers, taken from Kafka into one file, looked into, and brought back."""
