from tests.faults.scenario import scenario

__all__ = ["scenario"]
