"""`python -m stream` is `streamgauge`."""

from stream.cli import main

main()
