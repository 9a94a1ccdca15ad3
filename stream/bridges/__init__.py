"""Bridges: small consumers of the alert topic that take alerts to where people see them, each target at least once."""
