"""Trials of a configuration on what has happened already: read history, run the detectors over it, compare and tell."""
