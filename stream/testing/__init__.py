"""For the tests of people who use Streamgauge, and for its own: real brokers and fixtures."""
