"""Caps on what is kept of a record: labels, owners, field paths and error texts are cut to size here, and counted."""

from collections import Counter
from collections.abc import Iterable

from xxhash import xxh3_64_hexdigest

from detectors.series import Labels, canonical_labels
from detectors.stage import Count
from stream.formats.limits import Limits

_CONTROL = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
_MARKED = dict.fromkeys(_CONTROL, "\N{REPLACEMENT CHARACTER}")
_SPACED = {**dict.fromkeys(_CONTROL), **dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), " ")}


class Caps:
    """Cuts texts to the limits. `counts` says which cap bit how often: `("limited", name of the limit)`.

    What is cut from a name is replaced by a hash of the whole, so that names that differ stay different.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.counts: Counter[Count] = Counter()

    def labels(
        self, fixed: Iterable[tuple[str, str | None]], extra: Iterable[tuple[str, str]] = ()
    ) -> Labels:
        """Canonical labels within the limits: the fixed ones, then of the extra ones those first in the alphabet.

        An extra label does not replace a fixed one; one without a value is left out.
        """
        named: dict[str, str] = {}
        for name, value in (*fixed, *sorted(extra)):
            if name and value:
                named.setdefault(self.label(name), self.label(value))
        if len(named) > self.limits.labels_max:
            self.counts["limited", "labels_max"] += 1
            named = dict(list(named.items())[: self.limits.labels_max])
        return canonical_labels(named)

    def label(self, text: str) -> str:
        """A label's name or value: control characters are shown as U+FFFD."""
        return self._named(text, self.limits.label_chars_max, "label_chars_max")

    def schema_text(self, text: str) -> str:
        """A field's path or type."""
        return self._named(text, self.limits.schema_text_chars_max, "schema_text_chars_max")

    def error(self, text: str) -> str:
        """An error text: line breaks and tabs become spaces, other control characters go."""
        chars_max = self.limits.error_chars_max
        if len(text) > chars_max:
            self.counts["limited", "error_chars_max"] += 1
        return text[: 4 * chars_max].translate(_SPACED)[:chars_max]

    def _named(self, text: str, chars_max: int, limit: str) -> str:
        shown = text if text.isprintable() else text.translate(_MARKED)
        if len(shown) <= chars_max:
            return shown
        self.counts["limited", limit] += 1
        mark = f"~{xxh3_64_hexdigest(text.encode())}"
        return (shown[: max(0, chars_max - len(mark))] + mark)[:chars_max]
