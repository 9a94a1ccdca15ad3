"""Drift of values: what a block changes in the formats of texts, in the words of an enumeration, and in the unit of numbers (`size_drift`) or their distribution (`spread_drift`).

What it detects, at each path of a record:
- a format of texts that never stood there, such as `e-mail` where dates were. Where anything may stand (`text`), another format is news only when all have it;
- a text that is new among few (at most `WORDS_MAX`), or one of them that no longer comes.

Formula: `novelty`, as for the types of a path. A new word is compared with the texts since words last grew more: where they grow all the time
none is news. Words that come up together are told together, when one is a change and the others are half as sure.

Cost: some 5 us for each path of a block. State: `value_state`.
"""

from collections.abc import Iterator
from typing import Final

from detectors.evidence import NOWHERE, Evidence, evidence_after
from detectors.novelty import (
    CHANCES_MIN,
    LOG_P_MAX,
    TIMES_MIN,
    confidence,
    is_gone,
    log_p_of_gone,
)
from detectors.record_changes import Found, found_with
from detectors.record_tokens import (
    HASH_MASK,
    TEXT_CODES,
    WORDS,
    format_of,
)
from detectors.record_values import Chosen, Look
from detectors.size_drift import SizeJudge
from detectors.spread_drift import SpreadJudge
from detectors.value_state import Values, Word, Words, halved, new_spread

WORDS_MAX: Final = 64
TOLD_MAX: Final = 3
"""A path whose new words were told so often has ever new ones, and is no enumeration."""
GAPS: Final = 3.0
ALONG_MAX: Final = LOG_P_MAX / 2
BLOCKS_MIN: Final = 3
"""A word that is gone was there in so many blocks at least."""
NEARLY_ALL: Final = 0.99
NAMED_MAX: Final = 5


class ValueJudge:
    """Judges the values at one path of a block, of so many payloads, and has what is known learn them."""

    def __init__(self, path: str, values: Values, look: Look, size: int) -> None:
        self._path, self._values, self._look, self._size = path, values, look, size

    def judge(self) -> list[Found]:
        """The changes."""
        return [*self._formats(), *self._words(), *self._numbers()]

    def _numbers(self) -> list[Found]:
        """Another unit, or else another distribution."""
        moved = SizeJudge(self._path, self._values.sizes, self._look, self._size).judge()
        if moved:
            self._values.spread = new_spread()
            return [moved]
        spread = SpreadJudge(self._path, self._values.spread, self._look).judge()
        return [spread] if spread else []

    def _formats(self) -> Iterator[Found]:
        values = self._values
        counts = {code: count for code, count in self._look.codes.items() if code in TEXT_CODES}
        if not counts:
            return
        chances, known = sum(counts.values()), values.formats
        before = sum(known.values())
        for code in sorted((counts.keys() - known.keys()) | values.fresh.keys()) if known else ():
            evidence = values.fresh.setdefault(code, evidence_after(before))
            seen = self._look.find_code(code) if code in counts else None
            evidence.gather(chances, seen.count if seen else 0, seen, self._size)
            whole = evidence.share >= NEARLY_ALL
            if evidence.is_new and (whole or WORDS not in known):
                from_ = _formats(known)
                values.formats = known = {} if whole else known
                known[code] = values.fresh.pop(code).times
                yield found_with("format_changed", self._path, from_, format_of(code), evidence)
            elif evidence.is_old:
                known[code] = values.fresh.pop(code).times
        for code, count in counts.items():
            if code in known or not before:
                known[code] = known.get(code, 0.0) + count
        values.formats = halved(known)

    def _words(self) -> Iterator[Found]:
        words, chances = self._values.words, self._look.codes.get(WORDS, 0)
        if words is None or not chances:
            return
        counts = self._look.words()
        unknown = counts.keys() - words.known.keys()
        if len(words.known) + len(unknown | words.fresh.keys()) > WORDS_MAX:
            self._values.words = None
            return
        if not words.known:
            words.known, words.times = {token: Word(float(count)) for token, count in counts.items()}, chances
            return
        old = [token for token, word in words.known.items() if not word.gone]
        if added := self._new_words(words, unknown, chances):
            found = self._added(added)
            if found.share >= NEARLY_ALL:
                found = found._replace(from_=_names(sorted(old)))
                words.known = {token: words.known[token] for token, _ in added}
            yield found
        if gone := self._gone_words(words, counts, chances):
            yield gone
        if words.told > TOLD_MAX:
            self._values.words = None

    def _new_words(self, words: Words, unknown: set[int], chances: int) -> list[tuple[int, Evidence]]:
        for token in sorted(unknown | words.fresh.keys()):
            evidence = words.fresh.setdefault(token, evidence_after(words.settled))
            seen = self._look.find(_of_token(token)) if token in unknown else None
            evidence.gather(chances, seen.count if seen else 0, seen, self._size)
        fresh = sorted(words.fresh.items())
        added = [it for it in fresh if it[1].is_new]
        if added:
            added = [it for it in fresh if it[1].is_new or _goes_along(it[1])]
        grown = [*added, *(it for it in fresh if it not in added and it[1].is_old)]
        for token, evidence in grown:
            words.known[token] = Word(evidence.times)
            del words.fresh[token]
        words.told += bool(added)
        words.settled = 0.0 if grown else words.settled + chances
        return added

    def _gone_words(self, words: Words, counts: dict[int, int], chances: int) -> Found | None:
        gone, words.times = [], words.times + chances
        missing = words.known.keys() - counts.keys()
        texts = self._look.find_code(WORDS) if missing else None
        for token, word in sorted(words.known.items()):
            if token in counts:
                word.times += counts[token]
                word.blocks += 1
                word.gap, word.missing = max(word.gap, word.missing), 0.0
                word.missed, word.gone = NOWHERE, False
                continue
            if texts and word.missed == NOWHERE:
                word.missed, word.settled = texts.first_place, words.settled
            word.missing += chances
            before = words.times - word.missing
            if (
                not word.gone
                and word.blocks >= BLOCKS_MIN
                and word.settled >= CHANCES_MIN
                and word.missing > GAPS * word.gap
                and is_gone(before, word.times, word.missing)
            ):
                word.gone = True
                gone.append((token, word, confidence(log_p_of_gone(before, word.times, word.missing))))
        if not gone or texts is None:
            return None
        words.told += 1
        names = _names([token for token, _, _ in gone])
        sure, missed = min(it[2] for it in gone), min(it[1].missed for it in gone)
        return Found("enum_removed", self._path, names, None, 1.0, sure, missed, texts.last_place)

    def _added(self, added: list[tuple[int, Evidence]]) -> Found:
        """One change for all new words; its evidence is that of the most frequent."""
        _, most = max(added, key=lambda it: it[1].times)
        share = min(1.0, sum(evidence.share for _, evidence in added))
        first = min(evidence.first for _, evidence in added)
        found = found_with("enum_added", self._path, None, _names([token for token, _ in added]), most)
        return found._replace(share=round(share, 6), first=first)


def _goes_along(evidence: Evidence) -> bool:
    """Whether a new word is told with another one that is a change."""
    return evidence.times >= TIMES_MIN and evidence.before >= CHANCES_MIN and evidence.log_p < ALONG_MAX


def _of_token(token: int) -> Chosen:
    return lambda tokens: tokens == token


def _names(tokens: list[int]) -> str:
    """Words by their hashes: what they are stands in the records alone."""
    named = [f"#{token & HASH_MASK:06x}" for token in tokens[:NAMED_MAX]]
    return ", ".join(named if len(tokens) <= NAMED_MAX else [*named, "…"])


def _formats(codes: dict[int, float]) -> str:
    return " | ".join(sorted(format_of(code) for code in codes))
