"""Tests of this folder run on both databases."""

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def kind_of_database(request: pytest.FixtureRequest) -> str:
    """Every test of this folder runs on both."""
    return request.param
