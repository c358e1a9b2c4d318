"""Comparison of what code prints with what a page shows."""

import re

import pytest

NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]\d+)?"


def assert_alike(printed: str, shown: str) -> None:
    """Check that the texts are the same, with numbers that differ by at most 10%."""
    assert re.sub(NUMBER, "0", printed) == re.sub(NUMBER, "0", shown)
    found, expected = ([float(x) for x in re.findall(NUMBER, text)] for text in (printed, shown))
    assert found == pytest.approx(expected, rel=0.1)
