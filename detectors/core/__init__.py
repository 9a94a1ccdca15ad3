"""The numeric scorer: how surprising is this sample, given what this series routinely does?

What it detects: points, bursts and shifts in one regularly sampled series, with one threshold for all series.
A strictly causal, O(1) scorer (peak-normalised seasonal Huber filters with a
bounded novelty bonus). The parts, in the order a sample meets them:

- `layout`   what is remembered of one series, and the constants;
- `filters`  two Huber filters with seasonal profiles: what is expected now, and how far off is the sample;
- `routine`  what peaks of surprise this series has anyway, in general and at this hour of day;
- `tail`     how rare a surprise is for this series, for a ceiling on false alarms;
- `novelty`  how far the value lies from every value seen before;
- `band`     the values at which the score would cross the threshold;
- `scorer`   the parts put together: judge, then learn.

Times are local: what a clock where the series lives shows (`detectors.local_time`), as milliseconds since 1970-01-01 00:00.
An hour that this clock shows twice counts as one, one that it skips is missing like any gap.
Score: 0 upwards, larger is more anomalous; about 3 is a routine peak, 4.4 is the default threshold. After two weeks a sample
also has to be rare enough for the budget, by `tail`.
Values must be finite; gaps and disorder in time are harmless. The first 100 samples score 0.
Cost: below half a microsecond a sample; state: `layout.DEEP.itemsize` bytes a series.
"""
