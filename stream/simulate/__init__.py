"""The benchmark of pipeline faults: a platform of pipelines from a seed, what is ordinary there, and labelled faults.

`calendars` and `schedules` say when pipelines run, `platform` which there are, `ordinary` and `streams` what they do when
all is well. `run_faults` and `stream_faults` change that, `plan` decides which fault befalls whom and when, `events` puts it
on the wire, and `recording` puts all of it together. Everything is a function of the seed and of the span: no clock is read.
"""
