"""One file for each contender, run as `python -m bench.contenders.NAME SERVERS TOPIC EVENTS WARM_UP`."""
