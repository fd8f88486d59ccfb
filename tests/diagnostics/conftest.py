import pytest
from hypothesis import settings
from tests.diagnostics.ecu_bench import Bench, new_bench

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture
def bench() -> Bench:
    """A fresh ECU that runs OLD."""
    return new_bench()
