"""Which records of one message are folded in: those after the covered ones, cut where offsets are missing."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stream.stage_agent import _stretches
from stream.transport import Records

offsets = st.lists(st.integers(0, 20), min_size=1, unique=True).map(sorted)


@given(offsets, st.integers(-1, 21))
def test_stretches_are_all_that_is_not_covered_in_order_and_without_holes(found: list[int], covered: int):
    records = Records(found, [b"%d" % offset for offset in found])
    stretches = list(_stretches(records, covered))
    assert [offset for it in stretches for offset in it.offsets] == [it for it in found if it > covered]
    assert all(it.values == [b"%d" % offset for offset in it.offsets] for it in stretches)
    assert all(after == before + 1 for it in stretches for before, after in pairwise(it.offsets))
    assert all(after.offsets[0] > before.offsets[-1] + 1 for before, after in pairwise(stretches))
