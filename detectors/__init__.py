"""Everything in Streamgauge that decides: pure functions of the records they are given."""
