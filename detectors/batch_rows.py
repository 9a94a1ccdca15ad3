"""Rows of a sample batch: its tables as the arrays that followers fold, each row with its follower and its place in the order of time."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.core.layout import Records
from detectors.follower_layout import ROW
from detectors.record_rows import PAYLOAD_ROW, behind_ms
from detectors.samples import PAYLOAD_COLUMNS, RUN_COLUMNS, SCHEMA_COLUMNS, VALUE_COLUMNS, SampleBatch

NO_ROWS: Final[Records] = np.zeros(0, ROW)
Columns = dict[str, npt.NDArray[Any]]


class BatchRows(NamedTuple):
    """A batch whose keys are followed at `places`, from a `source` that had come to `high_ms` before it.

    `least_timely_ms` gives the event times from which on rows are not late, by how far their source had come.
    """

    batch: SampleBatch
    places: npt.NDArray[np.int32]
    source: int
    high_ms: int
    least_timely_ms: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]

    def runs(self) -> Records:
        """Of runs, without their errors."""
        runs = self.batch.table(self.batch.runs, RUN_COLUMNS)
        rows = self._rows(runs)
        if len(rows):
            rows["run"], rows["state"], rows["value"] = runs["run"], runs["state"], runs["duration_ms"]
            rows["rows"], rows["bytes"] = runs["rows"], runs["bytes"]
        return rows

    def values(self) -> Records:
        """Of numbers."""
        table = self.batch.table(self.batch.values, VALUE_COLUMNS)
        rows = self._rows(table)
        if len(rows):
            rows["value"] = table["value"]
        return rows

    def declared(self) -> tuple[Records, npt.NDArray[Any]]:
        """Of declared schemas, and which schema of the batch each declares."""
        table = self.batch.table(self.batch.declared, SCHEMA_COLUMNS)
        return self._rows(table), table["schema"]

    def payloads(self) -> Records:
        """Of records whose structure is followed."""
        if not self.batch.payloads.columns:
            return NO_ROWS
        table = self.batch.table(self.batch.payloads, PAYLOAD_COLUMNS)
        rows = self._rows(table, PAYLOAD_ROW)
        if len(rows):
            rows["shape"] = self.batch.shapes.shape_idents()[table["shape"]]
            for name in ("size", "delay_ms", "ident"):
                rows[name] = table[name]
            rows["behind_ms"] = behind_ms(rows["time_ms"], np.maximum(table["high_ms"], self.high_ms))
        return rows

    def _rows(self, table: Columns, layout: "np.dtype[Any]" = ROW) -> Records:
        """The rows of a table without what is the table's own."""
        if not len(table["offset"]):
            return NO_ROWS
        rows = np.zeros(len(table["offset"]), layout)
        rows["offset"], rows["time_ms"], rows["source"] = table["offset"], table["time_ms"], self.source
        rows["follower"] = self.places[table["key"]]
        high_ms = np.maximum(table["high_ms"], self.high_ms)
        rows["order_ms"] = np.maximum(table["time_ms"], self.least_timely_ms(high_ms))
        return rows
