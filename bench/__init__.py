"""Benchmarks of Streamgauge, run by `make bench`."""
