import pytest
from tests.diagnostics.ecu_bench import Bench, new_bench


@pytest.fixture
def bench() -> Bench:
    """A fresh ECU that runs OLD."""
    return new_bench()
