"""Plots of a series over its band, with what happened and the alerts: as SVG (`svg`) and in a terminal (`terminal`)."""
