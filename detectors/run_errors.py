"""Run errors: why runs failed, kept while their rows wait; rows are numbers, so they name a text by its serial number."""

from collections.abc import Iterable


class RunErrors:
    """Texts by serial number; 0 stands for none."""

    def __init__(self, latest: int = 0, texts: dict[int, str] | None = None) -> None:
        self._latest, self._texts = latest, texts or {}

    def __len__(self) -> int:
        return len(self._texts)

    def keep(self, text: str) -> int:
        """Keep a text; its serial number."""
        self._latest += 1
        self._texts[self._latest] = text
        return self._latest

    def text(self, serial: int) -> str:
        """The text of a number, empty for none."""
        return self._texts.get(serial, "")

    def forget(self, serials: Iterable[int]) -> None:
        """Forget the texts of rows that are applied."""
        for serial in serials:
            del self._texts[serial]

    def dump(self) -> tuple[int, dict[int, str]]:
        """What it is made of again."""
        return self._latest, self._texts
