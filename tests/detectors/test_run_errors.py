"""A text is found by the number that its row has, from when it is kept until the row is applied, over restarts."""

from hypothesis import given
from hypothesis import strategies as st

from detectors.run_errors import RunErrors


@given(st.lists(st.sampled_from(["keep", "forget", "restart"])))
def test_texts_are_known_for_as_long_as_their_rows_wait(steps: list[str]) -> None:
    errors, waiting, met = RunErrors(), dict[int, str](), set[int]()
    for number, step in enumerate(steps):
        if step == "keep":
            serial = errors.keep(f"text {number}")
            assert serial > 0
            assert serial not in met
            met.add(serial)
            waiting[serial] = f"text {number}"
        elif step == "forget" and waiting:
            oldest = min(waiting)
            errors.forget([oldest])
            del waiting[oldest]
        elif step == "restart":
            errors = RunErrors(*errors.dump())
        assert len(errors) == len(waiting)
        assert {serial: errors.text(serial) for serial in met | {0}} == {
            serial: waiting.get(serial, "") for serial in met | {0}
        }
