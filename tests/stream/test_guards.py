from stream.guards import ProgressWatch
from stream.sources import Place

PLACE = Place("orders", 0)


def test_records_that_wait_while_nothing_moves_are_a_stall():
    watch = ProgressWatch()
    for now_s in range(10):
        watch.observe({PLACE: 5}, {PLACE: 9}, now_s, settled=True)
    assert watch.stalled_s == 9


def test_any_movement_ends_a_stall():
    watch = ProgressWatch()
    watch.observe({PLACE: 5}, {PLACE: 9}, 0, settled=True)
    watch.observe({PLACE: 5}, {PLACE: 9}, 60, settled=True)
    watch.observe({PLACE: 6}, {PLACE: 9}, 61, settled=True)
    assert watch.stalled_s == 0


def test_nothing_to_do_is_no_stall():
    watch = ProgressWatch()
    for now_s in range(10):
        watch.observe({PLACE: 9}, {PLACE: 9}, now_s, settled=True)
    assert watch.stalled_s == 0


def test_a_rebalance_is_no_stall():
    watch = ProgressWatch()
    for now_s in range(10):
        watch.observe({PLACE: 5}, {PLACE: 9}, now_s, settled=False)
    assert watch.stalled_s == 0
