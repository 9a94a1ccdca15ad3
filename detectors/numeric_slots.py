"""Slots of a bank: taken by series, tuned, and given back with all that was remembered of them."""

import numpy as np

from detectors.compiled import entry, pasted
from detectors.core.filters import forget_visits
from detectors.core.layout import Record, Records
from detectors.few_values import (
    leave_values,
)
from detectors.free_places import give_place
from detectors.numeric_layout import (
    DEEP_BLOCK_BITS,
    DEEP_FREE,
    FREE,
    LIGHT_BLOCK_BITS,
    LIGHT_FREE,
    LIGHT_TOP,
    MODEL_BLOCK_BITS,
    MODEL_FREE,
    RUNS,
    YOUNG_BLOCK_BITS,
    YOUNG_FREE,
    Bank,
)
from detectors.run_head import (
    leave_pool,
)
from detectors.run_routines import disbelieve


@pasted
def in_use(bank: Bank, slot: int) -> bool:
    """Whether a series has this slot."""
    return 0 <= slot < len(bank.light) and bank.light[slot].kind != FREE


@pasted
def take_slot(bank: Bank, kind: int, pool: int, settings: Record) -> int:
    """A slot for a series of a kind and of a kind of `pools`, with the settings of a LIGHT record or of one like it. The array has room."""
    free = bank.counters[LIGHT_FREE]
    if free > 0:
        slot = free - 1
        bank.counters[LIGHT_FREE] = bank.light[slot].first_ms
        bank.light[slot].first_ms = 0
    else:
        slot = bank.counters[LIGHT_TOP]
        bank.counters[LIGHT_TOP] += 1
    bank.light[slot].kind, bank.light[slot].pool = kind, pool
    tune(bank, slot, settings)
    return slot


@pasted
def tune(bank: Bank, slot: int, settings: Record) -> None:
    """Give a series other settings; what it has learned stays, but for routines that it may no longer have."""
    s = bank.light[slot]
    s.direction, s.asked, s.zone = settings.direction, settings.asked, settings.zone
    s.threshold, s.min_volume = settings.threshold, settings.min_volume
    s.needed, s.among, s.season = settings.needed, settings.among, settings.season
    if s.deep > 0 and s.kind == RUNS:
        disbelieve(bank.models[s.deep], int(s.season))
        bank.models_dirty[s.deep >> MODEL_BLOCK_BITS] = 1
    elif s.deep > 0:
        forget_visits(bank.deep[s.deep], int(s.season))
        bank.deep_dirty[s.deep >> DEEP_BLOCK_BITS] = 1
    s.false_alarms_per_day, s.min_effect = settings.false_alarms_per_day, settings.min_effect
    bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1


@pasted
def give_young(bank: Bank, place: int) -> None:
    """Give back a YOUNG record."""
    give_place(bank.young, bank.counters, YOUNG_FREE, place)
    bank.young_dirty[place >> YOUNG_BLOCK_BITS] = 1


@pasted
def give_slot(bank: Bank, slot: int) -> None:
    """Forget a series; its slot may be given to another one."""
    s = bank.light[slot]
    if s.deep > 0 and s.kind == RUNS:
        leave_pool(bank.models[s.deep], bank.pools[bank.models[s.deep].pool])
        give_place(bank.models, bank.counters, MODEL_FREE, s.deep)
        bank.models_dirty[s.deep >> MODEL_BLOCK_BITS] = 1
    elif s.deep > 0:
        give_place(bank.deep, bank.counters, DEEP_FREE, s.deep)
        bank.deep_dirty[s.deep >> DEEP_BLOCK_BITS] = 1
    elif s.deep < 0:
        give_young(bank, -s.deep)
    leave_values(s, bank.pools)
    bank.light[slot : slot + 1].view(np.uint8)[:] = 0
    bank.light[slot].first_ms = bank.counters[LIGHT_FREE]
    bank.counters[LIGHT_FREE] = slot + 1
    bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1


@entry
def add(bank: Bank, kind: int, pool: int, settings: Records) -> int:
    """`take_slot` with the settings of the first record."""
    return take_slot(bank, kind, pool, settings[0])


@entry
def configure(bank: Bank, slot: int, settings: Records) -> None:
    """`tune` with the settings of the first record."""
    tune(bank, slot, settings[0])


@entry
def release(bank: Bank, slot: int) -> None:
    """`give_slot`, for Python."""
    give_slot(bank, slot)
